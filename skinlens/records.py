"""Records that cross module borders: frozen, with their provenance, and the array shapes they are made of.

Arrays say dtype and axes. The tests check them with jaxtyping and beartype; the app pays nothing for them.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from jaxtyping import Bool, Float32, UInt8

from skinlens.clinical import NOT_RECORDED, ClinicalRecord
from skinlens.labels import BY_CODE, CODES, INDEX, MELANOMA, Label

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]
else:
    Array = np.ndarray

Pixels = UInt8[Array, "h w 3"]
"""An upright RGB picture, 0–255."""
Batch = Float32[Array, "n 3 s s"]
"""Network input: normalised, square, side ``s`` of the model's input specification."""
FeatureMaps = Float32[Array, "n c g g"]
"""Fused feature maps of a batch, after ReLU6: each value in [0, 6]."""
Logits = Float32[Array, "n 7"]
"""Class scores before softmax, in the order of ``labels.CODES``."""
Features = Float32[Array, " k"]
"""Features of one photo, as the network has them just before its last layer: similar cases are found by them."""
Heatmap = Float32[Array, "h w"]
"""A heat map: 0 none, 1 most."""
Mask = Bool[Array, "h w"]

Progress = Callable[[float], None]
"""Told the fraction done, 0 to 1. It may raise ``errors.Cancelled``, which the long computation lets through."""

Method = Literal["grad_cam", "score_cam", "lime"]
Sex = Literal["female", "male", "other", "unknown"]
ContextSex = Literal["female", "male"]
"""Sexes that the data sets tell apart."""
Status = Literal["draft", "signed", "amended"]
OutlineMaker = Literal["model", "clinician"]
BodyView = Literal["front", "back", "head-front", "head-back", "head-right", "head-left", "soles"]
"""Views of the body map; right and left are the patient's."""

MAX_AGE_YEARS = 85
"""The highest age that is kept and shown as a number."""
AIMED_SENSITIVITY = 0.9
"""Share of the melanomas that the released threshold is chosen to find: the highest cut-off that finds as many."""
BODY_DRAWING = 1
"""Version of the drawing of the body map that positions are set on today; raised when its proportions change."""
LIKENESS = "familiarity"
"""Name of the check that measures how far a photo lies from the training photos."""


@dataclass(frozen=True)
class ModelRef:
    """Reference to the model that made a result: stored beside every result."""

    name: str
    version: str
    sha256: str
    """Of the engine file; the manifest that names it holds the hashes of the other files."""


@dataclass(frozen=True, eq=False)
class Photo:
    """One upright RGB photo without any of the metadata or the name that its file had.

    ``sha256`` is over width, height and pixels, so a photo read back from the store has the hash that it had when it
    was uploaded, whatever the file format.
    """

    pixels: Pixels
    sha256: str
    source_format: str
    notes: tuple[str, ...] = ()
    """Sentences for the clinician on what was changed while reading (first frame only, transparency removed, …)."""
    placeholder: bool = False
    """Whether the stored picture is lost: the pixels are a drawing that says so. Nothing is computed on it."""
    field_width_mm: float | None = None
    """How wide the skin is that the photo shows, where its file says so: offered, and kept only if it is taken."""

    @property
    def width_px(self) -> int:
        return int(self.pixels.shape[1])

    @property
    def height_px(self) -> int:
        return int(self.pixels.shape[0])


@dataclass(frozen=True)
class QualityCheck:
    """One measured property of a photo against its limit."""

    name: str
    """Stable key, e.g. ``sharpness``."""
    title: str
    """In words, e.g. "Sharpness"."""
    value: float
    limit: float
    direction: Literal["at least", "at most"]
    unit: str
    passed: bool
    advice: str
    """What to do if it failed; empty when it passed."""


@dataclass(frozen=True)
class QualityReport:
    """All checks of one photo. A failed check warns; it never blocks."""

    checks: tuple[QualityCheck, ...]

    @property
    def passed(self) -> bool:
        return all(check.passed for check in self.checks)

    @property
    def failed(self) -> tuple[QualityCheck, ...]:
        return tuple(check for check in self.checks if not check.passed)

    @property
    def reliable(self) -> bool:
        """False for a photo that is unlike the training photos: then nothing that the model says of it is shown as a
        statement on the lesion. True where likeness was not checked.
        """
        return not any(check.name == LIKENESS for check in self.failed)


@dataclass(frozen=True)
class Threshold:
    """A cut-off on a probability, with what it does on the data it was chosen on."""

    value: float
    """A photo whose probability is at or above it counts as positive."""
    sensitivity: float
    specificity: float
    chosen_on: str


@dataclass(frozen=True)
class PredictionSet:
    """The classes that cannot be ruled out at a stated level: see ``inference.calibration.fit_conformal_sets``."""

    codes: tuple[str, ...]
    """By falling probability; at least one."""
    level: float
    """Share of the photos of each class, like those it was calibrated on, whose set holds the diagnosis; of the rare
    classes, of the photos of all of them.
    """
    calibrated_on: str


@dataclass(frozen=True)
class Prediction:
    """The distribution over the seven classes that one model gave to one photo."""

    probs: tuple[float, ...]
    """Calibrated, in the order of ``labels.CODES``; they sum to 1."""
    logits: tuple[float, ...]
    """Of the int8 model, before the temperature."""
    melanoma_threshold: Threshold
    model: ModelRef
    latency_ms: float
    """Wall time from pixels to probabilities."""
    prediction_set: PredictionSet | None = None
    """None where the model was released without one."""
    turned_probs: tuple[tuple[float, ...], ...] = ()
    """Calibrated probabilities of the photo in each orientation whose mean was served, upright first, then turned by
    90°, 180° and 270°; each in the order of ``labels.CODES``. Empty where the model takes one orientation, and for
    cases that were stored before it was.
    """

    @property
    def top(self) -> Label:
        return BY_CODE[CODES[max(range(len(CODES)), key=lambda position: self.probs[position])]]

    def prob(self, code: str) -> float:
        return self.probs[INDEX[code]]

    def range_over_turns(self, code: str) -> tuple[float, float]:
        """Lowest and highest probability of a class among ``turned_probs``. Raises ValueError: there are none."""
        probs = [probs[INDEX[code]] for probs in self.turned_probs]
        return min(probs), max(probs)

    @property
    def melanoma_prob(self) -> float:
        return self.prob(MELANOMA)

    @property
    def above_melanoma_threshold(self) -> bool:
        return self.melanoma_prob >= self.melanoma_threshold.value


@dataclass(frozen=True)
class Target:
    """Target of an explanation: one class, or why one class rather than another."""

    label: str
    """Class code."""
    contrast_with: str = ""
    """Class code; empty: the class by itself."""

    @property
    def codes(self) -> tuple[str, ...]:
        """One class code, or two."""
        return (self.label, self.contrast_with) if self.contrast_with else (self.label,)

    @property
    def code(self) -> str:
        """Code for file names and keys: ``mel``, or ``mel-not-nv``."""
        return "-not-".join(self.codes)

    @property
    def logit_weights(self) -> Float32[Array, " 7"]:
        """``logit_weights · logits`` is the class's logit, or by how much it exceeds that of the other."""
        weights = np.zeros(len(CODES), dtype=np.float32)
        weights[INDEX[self.label]] = 1
        if self.contrast_with:
            weights[INDEX[self.contrast_with]] = -1
        return weights

    def score(self, values: Array) -> Array:
        """Score from one value for each class, (n, 7): that of the class, or its lead over the other; shape (n,)."""
        own: Array = values[:, INDEX[self.label]]
        return own - values[:, INDEX[self.contrast_with]] if self.contrast_with else own


@dataclass(frozen=True, eq=False)
class Explanation:
    """One heat map for one class of one photo, with all that is needed to make it again."""

    method: Method
    label: str
    """Class code that is explained, not necessarily the most probable one."""
    heatmap: Heatmap
    """In the square frame of the network's input; ``preprocess.heatmap_to_photo`` brings it to the photo's frame."""
    params: Mapping[str, int | float | str]
    """Settings of the method; with ``against``, a class code, if the class is contrasted with another."""
    seed: int | None
    """None where nothing is random."""
    photo_sha256: str
    model: ModelRef
    duration_ms: float
    created_at: str
    """UTC, ISO 8601."""
    diagnostics: Mapping[str, float] = field(default_factory=dict)
    """What the method knows about itself, e.g. ``r2`` of LIME's surrogate."""

    @property
    def target(self) -> Target:
        return Target(self.label, str(self.params.get("against", "")))


@dataclass(frozen=True)
class CheckResult:
    """Result of a check of one prediction, or of one map of it. Small figures, never an array.

    Two checks of one photo with the same kind, class, method and settings are the same one: the later takes the place
    of the earlier, in the session as in the store.
    """

    kind: str
    """Name of the test: ``faithfulness``, ``stability``, …; ``checks.registry.CHECKS`` holds what says what is in it.
    """
    label: str
    """Class code that it is about; empty where it is about no class alone."""
    method: Method | Literal[""]
    """Whose map was tested; empty where it is about no map alone."""
    photo_sha256: str
    model: ModelRef
    seed: int | None
    """None where nothing is random."""
    settings: Mapping[str, Any]
    """All that has to be the same to get the same figures. As in ``figures``, only what JSON holds: texts, numbers,
    truth values, None, lists, and mappings by text; so it comes back from the store as it was."""
    figures: Mapping[str, Any]
    """What was found, named by the kind's own check."""
    duration_ms: float
    created_at: str
    """UTC, ISO 8601."""

    @property
    def identity(self) -> tuple[str, str, str, str]:
        """Identity of a check among those of the same photo: kind, class, method, settings as sorted JSON."""
        return self.kind, self.label, self.method, json.dumps(self.settings, ensure_ascii=False, sort_keys=True)


@dataclass(frozen=True)
class Outline:
    """Outline of the lesion on one photo: the closed curve through its points, see ``contour.catmull_rom``."""

    points: tuple[tuple[float, float], ...]
    """Three or more, in order around the lesion, as (across, down): shares of the photo's width and height, 0 to 1."""
    made_by: OutlineMaker
    photo_sha256: str
    model: ModelRef
    """Model that proposed it, or proposed what the clinician corrected."""
    created_at: str
    """UTC, ISO 8601."""


@dataclass(frozen=True)
class Patient:
    """A pseudonym, never a name. Ages above 85 are not kept apart: see ``CaseStore``."""

    id: int
    pseudonym: str
    birth_year: int | None
    sex: Sex
    birth_year_is_upper_bound: bool = False
    """True for a patient who was above 85 at a visit: born in ``birth_year`` or before; the year itself is not kept."""
    version: int = 1
    """Counts the changes of the stored fields, from 1: a write says which version it is based on."""
    phototype: int | None = None
    """Fitzpatrick skin phototype, 1 to 6; None: not given."""


@dataclass(frozen=True)
class BodyPosition:
    """Position of a lesion on the body map."""

    view: BodyView
    x: float
    """Share of the width of the view's drawing from its left edge, 0 to 1."""
    y: float
    """Share of its height from its top edge, 0 to 1."""
    drawing: int = BODY_DRAWING
    """Version of the drawing that it was set on."""


@dataclass(frozen=True)
class Lesion:
    id: int
    patient_id: int | None
    """None for a case that was kept without a patient."""
    body_site: str
    remark: str = ""
    version: int = 1
    """As of ``Patient``."""
    position: BodyPosition | None = None
    """On the body map; None: not placed."""


@dataclass(frozen=True)
class Visit:
    """One photo of one lesion on one day, what the model said, and what the clinician said."""

    id: int
    lesion_id: int
    taken_on: str
    """ISO date."""
    photo_sha256: str
    quality: QualityReport
    prediction: Prediction
    clinician_label: str | None
    """Class code of the clinician's own diagnosis; None: not given."""
    clinician_diagnosis: str
    """In the clinician's words."""
    notes: str
    status: Status
    created_at: str
    updated_at: str
    first_impression: str | None = None
    """What the clinician said before the model's result was shown, one of ``labels.IMPRESSIONS``; None: nothing."""
    result_first: bool | None = None
    """Whether the result was shown before any impression was given; None: not known, the case is an older one's."""
    version: int = 1
    """As of ``Patient``; of all that the clinician says, the status and the lesion, not of maps and checks."""
    clinical: ClinicalRecord = NOT_RECORDED
    signed_by: str = ""
    """Who signed, as chosen or typed then; empty for a draft, and where no name was given. It never changes."""
    signed_at: str | None = None
    """UTC, ISO 8601: when it was signed, whatever was amended later; None for a draft."""


@dataclass(frozen=True)
class Case:
    """A visit with the lesion and the patient that it belongs to (patient is None for a case without one)."""

    visit: Visit
    lesion: Lesion
    patient: Patient | None
