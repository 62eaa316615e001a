"""Signature and amendments of a case in the words of its report, from the audit log."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from skinlens.case_record import CaseRecord, Changes
from skinlens.clock import local_day, local_minute
from skinlens.formatting import counted
from skinlens.records import Visit
from skinlens.wording import audit

MOST_AMENDED = 3
"""Lines on amendments."""
LONGEST_RUNNING = 24
"""Characters of a name or a pseudonym at the head of each page."""


@dataclass(frozen=True)
class Amendment:
    """One change of a signed case."""

    at: str
    """UTC, ISO 8601."""
    by: str = ""
    """Name of the person who amended the case; empty: not recorded."""
    topics: tuple[str, ...] = ()
    """What was changed, in words."""


@dataclass(frozen=True)
class Signing:
    """Signature and amendments of a case: when and by whom, as far as it is known."""

    signed_at: str = ""
    """UTC, ISO 8601; empty: not known, or not signed."""
    amendments: tuple[Amendment, ...] = ()
    """The oldest first."""
    signer: str = ""
    """Name of the clinician; empty: a line is left for it."""

    @classmethod
    def of(cls, record: CaseRecord) -> "Signing":
        """Signature and amendments, from who signed and the audit log of the visit itself."""
        log = [revision for revision in record.revisions if revision.subject == "visit"]
        signed = (revision.at for revision in log if _reached(revision.changes, "status") == "signed")
        amended = (
            Amendment(revision.at, _reached(revision.changes, "amended_by"), audit.topics(revision.changes))
            for revision in log
            if revision.action == "amended"
        )
        return cls(next(signed, ""), tuple(amended), record.visit.signed_by)


def _reached(changes: Changes, field: str) -> str:
    """The later value of a field; empty where it was not changed."""
    return (changes.get(field) or ("", None))[1] or ""


UNSIGNED = Signing()


def status_note(visit: Visit, signing: Signing) -> str:
    """Status for the head of each page: whether the case is signed, when, by whom, and which version it is.

    The signed case is version 1, and each amendment makes the next; a draft has none.
    """
    if visit.status == "draft":
        said = "DRAFT, not signed"
    elif visit.status == "signed":
        by = f" by {shortened(signing.signer)}" if signing.signer.strip() else ""
        said = f"Signed{_on(signing.signed_at)}{by}"
    elif signing.amendments:
        last = signing.amendments[-1]
        said = f"AMENDED{_on(last.at)}{f' by {shortened(last.by)}' if last.by.strip() else ''}"
    else:
        said = "AMENDED after signing"
    numbered = visit.id and (visit.status == "signed" or signing.amendments)
    return f"{said} · version {1 + len(signing.amendments)}" if numbered else said


def signed_words(visit: Visit, signing: Signing) -> str:
    """Lines below the signature: when the case was signed, and each amendment since, with its author."""
    if visit.status == "draft":
        return "Not signed."
    signed = f"Signed in SkinLens{_on(signing.signed_at)}."
    return signed if visit.status == "signed" else "\n".join((signed, *_amended(signing.amendments)))


def _amended(amendments: Sequence[Amendment]) -> list[str]:
    """A line for the changes of one clinician on one day, the latest last; of many lines, the first are counted."""
    lines = []
    for (day, by), some in groupby(amendments, lambda amendment: (local_day(amendment.at), amendment.by.strip())):
        changed = {topic for amendment in some for topic in amendment.topics}
        what = ", ".join(topic for topic in audit.TOPICS if topic in changed)
        lines.append(f"Amended on {day}{f' by {by}' if by else ''}{f': {what}' if what else ''}.")
    if len(lines) > MOST_AMENDED:
        more = len(lines) - MOST_AMENDED
        earlier = counted(more, "earlier amendment is", "earlier amendments are")
        lines[:more] = [f"{earlier} in the audit log."]
    return lines or ["Amended after signing."]


def _on(moment: str) -> str:
    """Empty where it is not known."""
    return f" on {local_minute(moment)}" if moment else ""


def shortened(name: str) -> str:
    """Name shortened for the head of each page; the whole one stands on the first."""
    one_line = " ".join(name.split())
    return one_line if len(one_line) <= LONGEST_RUNNING else f"{one_line[: LONGEST_RUNNING - 1]}…"
