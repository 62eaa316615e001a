"""Proposals of a DICOM file for the fields with which its photo is filed; the clinician checks and may change them."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import date

from skinlens.case_record import Proposal
from skinlens.imaging.intake.patient import PatientFields
from skinlens.records import Patient
from skinlens.store import CaseStore
from skinlens.ui.forms import placement, sites
from skinlens.ui.forms.placement import Key
from skinlens.wording.naming import capital


def named(fields: PatientFields, store: CaseStore) -> Proposal:
    """Proposal of a file, with the pseudonym that its patient has or gets in this case file."""
    return replace(fields.proposal, pseudonym=store.pseudonym(fields.identity))


def sentence(proposal: Proposal) -> str:
    """Sentence on what of the fields is filled in; empty where nothing is."""
    fields = {
        "patient": proposal.pseudonym,
        "date": proposal.taken_on,
        "body site": proposal.body_site in sites.CHOICES,
    }
    names = [name for name, given in fields.items() if given]
    if not names:
        return ""
    listed = " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
    are, those = ("are", "them") if len(names) > 1 else ("is", "that")
    return capital(f"{'the ' * (len(names) == 1)}{listed} {are} proposed from its file: check {those}.")


def values(proposal: Proposal, key: Key, day: str, known: Iterable[Patient]) -> dict[str, object]:
    """Values of the fields by their keys: patient, day and body site. The lesion is left to the clinician.

    Args:
        key: Gives the key of each field.
        day: Name of the field of the day.
        known: The stored patients, of whom one may have this pseudonym.
    """
    given: dict[str, object] = {}
    if proposal.body_site in sites.CHOICES:
        given[key("site")] = proposal.body_site
    if proposal.taken_on:
        given[key(day)] = date.fromisoformat(proposal.taken_on)
    if not proposal.pseudonym:
        return given
    if (stored := placement.namesake(proposal.pseudonym, known)) is not None:
        return given | {key("kind"): placement.KNOWN, key("patient"): stored.id}
    given |= {key("kind"): placement.NEW, key("pseudonym"): proposal.pseudonym, key("sex"): proposal.sex}
    if proposal.birth_year is not None:
        given[key("year")] = str(proposal.birth_year)
    return given
