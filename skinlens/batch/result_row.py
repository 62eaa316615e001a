"""Row of a batch table: its columns in order, their kinds, and how one photo fills them."""

from typing import Any, Literal, NamedTuple

from skinlens import __version__, clock
from skinlens.batch.reader import ReadPhoto
from skinlens.imaging.quality import LIMITS
from skinlens.inference.classifier import Classifier, Reading
from skinlens.labels import CODES, INDEX, MELANOMA
from skinlens.records import Array
from skinlens.wording.quality import UNRELIABLE_BRIEFLY
from skinlens.wording.verdict import side_of_cutoff

Kind = Literal["text", "number", "truth"]
Row = dict[str, Any]
"""Column → value; None where nothing is known, as of a photo that could not be read."""


class Column(NamedTuple):
    name: str
    kind: Kind


COLUMNS: tuple[Column, ...] = (
    Column("id", "text"),
    Column("photo_sha256", "text"),
    *(Column(f"prob_{code}", "number") for code in CODES),
    Column("top", "text"),
    Column("verdict", "text"),
    Column("melanoma_above_cutoff", "truth"),
    Column("melanoma_cutoff", "number"),
    Column("melanoma_prob_lowest", "number"),
    Column("melanoma_prob_highest", "number"),
    Column("prediction_set", "text"),
    Column("prediction_set_level", "number"),
    Column("quality_passed", "truth"),
    *(
        column
        for limit in LIMITS
        for column in (Column(f"quality_{limit.name}", "number"), Column(f"quality_{limit.name}_passed", "truth"))
    ),
    Column("ood_distance", "number"),
    Column("ood_limit", "number"),
    Column("out_of_distribution", "truth"),
    Column("notes", "text"),
    Column("model_name", "text"),
    Column("model_version", "text"),
    Column("model_sha256", "text"),
    Column("skinlens_version", "text"),
    Column("read_at", "text"),
    Column("error", "text"),
)
FEATURES = "features"
"""The further column of the student's feature vector, where it was asked for."""


class Result(NamedTuple):
    """One row, and the feature vector that belongs to it."""

    row: Row
    features: Array | None = None
    stamp: str = ""
    """Stamp of the photo that was read, see ``sources.Entry``: no column."""


def failed(entry_id: str, error: str, classifier: Classifier) -> Result:
    """The row of a photo that could not be read."""
    return Result(dict.fromkeys(column.name for column in COLUMNS) | _origin(entry_id, classifier) | {"error": error})


def filled(
    entry_id: str, photo: ReadPhoto, reading: Reading, classifier: Classifier, turned: Array | None = None
) -> Result:
    """The row of a photo. Where it is unlike the training photos its verdict is that nothing holds; the figures stay,
    for whoever measures. ``turned``: its probabilities in eight orientations, where they were asked for.
    """
    prediction, limit = reading.prediction, classifier.ood.limit
    unlike = not reading.distance <= limit
    above, prediction_set = prediction.above_melanoma_threshold, prediction.prediction_set
    row: Row = {
        "photo_sha256": photo.sha256,
        **{f"prob_{code}": prob for code, prob in zip(CODES, prediction.probs, strict=True)},
        "top": prediction.top.code,
        "verdict": UNRELIABLE_BRIEFLY if unlike else side_of_cutoff(above=above),
        "melanoma_above_cutoff": above,
        "melanoma_cutoff": prediction.melanoma_threshold.value,
        "melanoma_prob_lowest": None if turned is None else float(turned[:, INDEX[MELANOMA]].min()),
        "melanoma_prob_highest": None if turned is None else float(turned[:, INDEX[MELANOMA]].max()),
        "prediction_set": None if prediction_set is None else " ".join(prediction_set.codes),
        "prediction_set_level": None if prediction_set is None else prediction_set.level,
        "quality_passed": photo.quality.passed and not unlike,
        "ood_distance": reading.distance,
        "ood_limit": limit,
        "out_of_distribution": unlike,
        "notes": " ".join(photo.notes) or None,
        "error": None,
    }
    for check in photo.quality.checks:
        row |= {f"quality_{check.name}": check.value, f"quality_{check.name}_passed": check.passed}
    row |= _origin(entry_id, classifier)
    return Result({column.name: row[column.name] for column in COLUMNS}, reading.features)


def _origin(entry_id: str, classifier: Classifier) -> Row:
    model = classifier.engine.model_ref
    return {
        "id": entry_id,
        "model_name": model.name,
        "model_version": model.version,
        "model_sha256": model.sha256,
        "skinlens_version": __version__,
        "read_at": clock.utc_now(),
    }
