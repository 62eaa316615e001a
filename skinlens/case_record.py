"""One photo with its verdicts, and one stored case as it stood at one moment, with all that was made for it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Optional

from skinlens.errors import SkinLensError
from skinlens.labels import MELANOMA, NEVUS
from skinlens.records import (
    Case,
    CheckResult,
    Explanation,
    Features,
    Lesion,
    Outline,
    Photo,
    Prediction,
    QualityReport,
    Sex,
    Target,
    Visit,
)

Subject = Literal["patient", "lesion", "visit"]
Changes = Mapping[str, tuple[str | None, str | None] | None]
"""Field → (before, after); None for a patient's fields, whose earlier values are not kept."""


@dataclass(frozen=True, eq=False)
class Analysis:
    """One photo with its verdicts."""

    photo: Photo
    quality: QualityReport
    prediction: Prediction
    features: Features | None = None
    """Features to search similar cases by; None for a stored case that was opened: it was read at another time."""

    @property
    def first_target(self) -> Target:
        """Class that is explained until another is chosen, and the class that it is contrasted with.

        Melanoma against nevus where melanoma is flagged, for that is the question then; else the most probable class.
        """
        if self.quality.reliable and self.prediction.above_melanoma_threshold:
            return Target(MELANOMA, NEVUS)
        return Target(self.prediction.top.code)


@dataclass(frozen=True)
class Revision:
    """One change to a visit, its lesion or its patient, as the audit log has it."""

    at: str
    """UTC, ISO 8601."""
    subject: Subject
    action: str
    """``created``, ``edited``, ``signed``, ``amended``, ``moved``, ``explained``, ``checked``, ``outlined``,
    ``placed``, ``recall done`` or ``recall open``."""
    changes: Changes
    model_version: str
    """Of the model whose prediction the visit holds; empty for patients and lesions."""
    skinlens_version: str
    actor: str = ""
    """Account that made it, or ``roles.LOCAL_USER``; empty for a change that is older than the chained audit log."""


@dataclass(frozen=True, eq=False)
class CaseRecord:
    """A case with its photo and all that was made for it, of one moment.

    Raises ``SkinLensError`` if a part was made on another photo than that of the visit: another patient's picture is
    the worst that a page or a report could show.
    """

    case: Case
    photo: Photo
    """A placeholder where the stored picture is lost."""
    explanations: tuple[Explanation, ...] = ()
    """Maps in the order in which they were saved, as far as they could be read."""
    checks: tuple[CheckResult, ...] = ()
    """Likewise."""
    outlines: tuple[Outline, ...] = ()
    """The model's, then the clinician's, as far as there are any."""
    revisions: tuple[Revision, ...] = ()
    """Changes to the visit, its lesion and its patient, the oldest first."""
    previous: Optional["CaseRecord"] = None
    """The last visit of the lesion on an earlier day, without its maps; None: there is none, or it was not read."""
    problems: tuple[str, ...] = ()
    """A sentence for each part that could not be read."""

    def __post_init__(self) -> None:
        parts = {"photo": [self.photo.sha256]} | {
            name: [part.photo_sha256 for part in some]
            for name, some in (("explanation", self.explanations), ("check", self.checks), ("outline", self.outlines))
        }
        own = self.visit.photo_sha256
        for what, photo_sha256 in ((what, sha256) for what, some in parts.items() for sha256 in some if sha256 != own):
            raise SkinLensError(
                f"The {what} belongs to another visit: expected the photo {own[:12]}…, found {photo_sha256[:12]}…. "
                "Nothing of it is shown or printed. Open the case again."
            )

    @property
    def visit(self) -> Visit:
        return self.case.visit

    @property
    def outline(self) -> Outline | None:
        """Outline that holds: the clinician's, otherwise the model's."""
        return min(self.outlines, key=lambda outline: outline.made_by == "model", default=None)

    @property
    def mm_per_px(self) -> float | None:
        """Scale of the photo, where the clinician entered the field of view; None: not known."""
        return self.visit.clinical.mm_per_px(self.photo.width_px)


def unsaved(analysis: Analysis, explanations: Sequence[Explanation], made_at: datetime) -> CaseRecord:
    """The record of a photo that is not kept as a case: visit and lesion without a number, no patient."""
    moment = made_at.isoformat(timespec="seconds")
    visit = Visit(
        id=0,
        lesion_id=0,
        taken_on="",
        photo_sha256=analysis.photo.sha256,
        quality=analysis.quality,
        prediction=analysis.prediction,
        clinician_label=None,
        clinician_diagnosis="",
        notes="",
        status="draft",
        created_at=moment,
        updated_at=moment,
    )
    return CaseRecord(Case(visit, Lesion(0, None, ""), None), analysis.photo, tuple(explanations))


@dataclass(frozen=True)
class Proposal:
    """Proposal for a received photo before somebody files it: a pseudonym, never a name or a clinic's number."""

    pseudonym: str = ""
    """Empty where the sender named no patient."""
    birth_year: int | None = None
    """Not of a patient above 85, whose year is not kept."""
    sex: Sex = "unknown"
    taken_on: str = ""
    """ISO date; empty where the file has none."""
    body_site: str = ""
    """Name of a body site with its side, as "forearm, left", or without one; empty where the file names no single site.
    """


Sender = Literal["archive", "program"]
"""Sender of a received photo: a DICOM archive, or a program that uses the API."""


@dataclass(frozen=True)
class ReceivedPhoto:
    """A photo that another system sent, and that waits to be filed or discarded."""

    token: str
    """Follows from its content and proposal: sent twice, it waits once; of two patients, for each of them."""
    received_at: str
    """UTC, ISO 8601."""
    proposal: Proposal
    sender: Sender = "program"
