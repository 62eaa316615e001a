"""Exceptions that SkinLens raises on purpose.

::

    SkinLensError
    ├── UnreadableImage      the uploaded bytes are not a photo that can be analysed
    ├── WeightsError         a weight file is missing, altered, or of another layout
    ├── RecipeError          a training recipe has an unknown or impossible value
    ├── BatchError           the rows of many photos cannot be made, continued or written
    ├── DatasetError         a data set, label file or split is not laid out as expected
    ├── InvalidEntry         what was typed for a case cannot be kept: an empty pseudonym, an impossible date, …
    ├── ParameterError       an explanation was asked for with an unknown or impossible parameter; also a ValueError
    ├── Conflict             a stored case, lesion or patient was changed elsewhere since it was read
    ├── CaseNotFound         no stored patient, lesion or visit has that number
    ├── StoreError           the case database cannot be opened, read or written
    ├── NotAllowed           the role of who is signed in does not allow it; nothing was changed
    ├── ServeError           the app cannot listen on the address and port that were asked for
    ├── PeerError            another system cannot be reached, or refuses what it was sent
    └── Cancelled            the user stopped a long computation

Foreign exceptions are translated where they enter, with the original as ``__cause__``. A message says what was
wrong, what was expected, what was found, and what to do now; it is fit to be shown to a clinician as it is.
"""

from collections.abc import Mapping


class SkinLensError(Exception):
    """The root: ``except SkinLensError`` catches whatever SkinLens raises on purpose."""


class UnreadableImage(SkinLensError):
    """The bytes cannot be read as one photo (empty, truncated, not a picture, too large, too small)."""


class WeightsError(SkinLensError):
    """A model file is missing, does not match its hash, or does not fit this version."""


class RecipeError(SkinLensError):
    """A recipe names an unknown field or gives a field an impossible value."""


class BatchError(SkinLensError):
    """A batch has nothing to read, was begun in another way, or its rows cannot be kept or written."""


class DatasetError(SkinLensError):
    """A folder of photos, a label file or a split is not laid out as expected."""


class InvalidEntry(SkinLensError):
    """A pseudonym, year, date, status or text that was given for a case cannot be kept as it is."""


class ParameterError(SkinLensError, ValueError):
    """An explanation was asked for by an unknown method, class or parameter, or a parameter is out of its range."""


class Conflict(SkinLensError):
    """Stored fields were changed, in another window, since the version that a write was based on. Nothing was written.

    Whoever decides which text holds writes again, based on ``version``.
    """

    def __init__(
        self, message: str, *, subject: str, number: int, version: int, fields: Mapping[str, tuple[object, object]]
    ) -> None:
        super().__init__(message)
        self.subject = subject
        """``patient``, ``lesion`` or ``visit``."""
        self.number = number
        self.version = version
        """The version that is stored now."""
        self.fields = fields
        """Field → (what is stored now, what this write would have put there), for the fields that differ."""


class CaseNotFound(SkinLensError):
    """The store holds no patient, lesion or visit of that number."""


class StoreError(SkinLensError):
    """The case database cannot be opened, read or written."""


class NotAllowed(SkinLensError):
    """Refusal of what the role does not allow, or of who is not signed in. Nothing was changed."""

    def __init__(self, sentence: str, right: str = "") -> None:
        super().__init__(sentence)
        self.right = right
        """Right of ``roles`` that the role lacks; empty where nobody is signed in."""


class ServeError(SkinLensError):
    """The app cannot listen on the address and port that were asked for."""


class PeerError(SkinLensError):
    """Another system (an archive) cannot be reached, ends the connection, or refuses what it was sent."""


class Cancelled(SkinLensError):
    """The user stopped a long computation; nothing of it is kept."""
