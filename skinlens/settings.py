"""Settings of a clinic: name, who signs, what a visit shows at first, units, the camera's field of view."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from skinlens.dicom_uid import UUID_ROOT
from skinlens.formatting import Unit

Overlay = Literal["none", "grad_cam", "score_cam", "lime"]

MAX_UID_ROOT = 32
"""Characters of another root: what is left of 64 tells more objects apart than there will ever be."""
BACKUP_DAYS = (1, 7, 14, 30, 90)
"""Choices of ``Settings.backup_days``."""


@dataclass(frozen=True)
class Settings:
    """Settings of the whole case file; the defaults are those of a new one."""

    clinic_name: str = ""
    clinic_address: str = ""
    """A few lines."""
    clinic_phone: str = ""
    signers: tuple[str, ...] = ()
    """Who may be chosen as the one who signs, in the clinic's order. Signed cases keep the names that they bear."""
    cutoff_shown: bool = True
    """Whether melanoma's probability and cut-off stand beside the words of the verdict on the screen. The report and
    the command line always have both.
    """
    impression_first: bool = True
    """Whether a photo of the worklist shows its result only once the clinician's impression is given, or the result is
    asked for.
    """
    overlay: Overlay = "none"
    """What lies over the photo when a visit is opened."""
    unit: Unit = "mm"
    """For lengths on photos of known scale."""
    field_width_mm: float | None = None
    """What the clinic's dermatoscope shows from the left edge of its photos to the right; None: not known. A scale that
    follows from it is a suggestion, to be confirmed for each photo.
    """
    backup_days: int = 30
    """After so many days without a backup the app reminds of one."""
    dicom_uid_root: str = UUID_ROOT
    """Root of the identifiers of exported DICOM objects: ``UUID_ROOT``, or one that is registered for the clinic."""

    @property
    def clinic_lines(self) -> tuple[str, ...]:
        """Name, address and phone as they are printed, line by line; empty where nothing was entered."""
        return tuple(filter(None, (self.clinic_name, *self.clinic_address.splitlines(), self.clinic_phone)))


def offered(signers: Sequence[str], last_used: str = "") -> tuple[str, ...]:
    """The names to choose from when a case is signed: the one that signed last comes first."""
    first = tuple(name for name in signers if name == last_used)
    return first + tuple(name for name in signers if name != last_used)
