"""Guards of the checks: a map is put to the test only with the photo and the model that it is of."""

import numpy as np

from skinlens.errors import SkinLensError
from skinlens.explain import METHODS
from skinlens.inference.classifier import Classifier
from skinlens.records import Explanation, Photo


def require_same_photo(classifier: Classifier, photo: Photo, explanation: Explanation) -> None:
    """Refuse a map that is of another photo or another model.

    Raises:
        SkinLensError: with what was expected and found.
    """
    title = METHODS[explanation.method].title
    for what, expected, found in (
        ("photo", photo.sha256, explanation.photo_sha256),
        ("model", classifier.engine.stamp.sha256, explanation.model.sha256),
    ):
        if expected != found:
            raise SkinLensError(
                f"{title} cannot be checked: expected a map of the {what} {expected[:12]}…, found one of {found[:12]}…."
                " Make the map anew."
            )


def require_checkable(classifier: Classifier, photo: Photo, explanation: Explanation) -> None:
    """The same, and refuse a map that points nowhere."""
    require_same_photo(classifier, photo, explanation)
    if np.ptp(explanation.heat) == 0:
        title = METHODS[explanation.method].title
        raise SkinLensError(f"{title} cannot be checked: its map is the same everywhere, so it points nowhere.")
