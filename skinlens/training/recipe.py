"""Recipe: everything that decides the result of a training run, one frozen dataclass, one TOML file each."""

import math
import tomllib
from dataclasses import dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from skinlens.errors import RecipeError
from skinlens.imaging.preprocess import InputSpec
from skinlens.labels import CODES
from skinlens.networks.configs import StudentConfig, TeacherConfig
from skinlens.renamed_keys import with_present_keys

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    Settings = TypeVar("Settings", bound=DataclassInstance)
else:
    Settings = TypeVar("Settings")


@dataclass(frozen=True)
class Weights:
    """The logically constrained triple: one that breaks the constraint cannot be made.

    Raises:
        RecipeError: a weight lies outside [0, 1], or they do not sum to 1.
    """

    intermediate: float = 0.3
    """α, of the exits."""
    logit: float = 0.3
    """β, of the softened outputs."""
    classification: float = 0.4
    """γ, of the labels."""

    def __post_init__(self) -> None:
        triple = (self.intermediate, self.logit, self.classification)
        if not all(0 <= weight <= 1 for weight in triple) or not math.isclose(sum(triple), 1, abs_tol=1e-6):
            raise RecipeError(
                "The weights of intermediate, logit and classification loss must each lie in [0, 1] and sum to 1, "
                f"found {triple} with the sum {sum(triple):g}."
            )


@dataclass(frozen=True)
class Augmentation:
    """Ranges of the random changes. Dermoscopy has no up and no left, so flips and any rotation are free."""

    flip: bool = True
    rotate: bool = True
    """By any angle."""
    scale_low: float = 0.6
    """Share of the photo's side that is seen: below 1 zooms in."""
    scale_high: float = 1.05
    aspect: float = 0.2
    """Largest natural logarithm of a stretch: uploads come at 1:1 as well as 4:3."""
    shift: float = 0.08
    """Of the side."""
    brightness: float = 0.2
    contrast: float = 0.2
    saturation: float = 0.25
    hue: float = 0.03
    """Of a full turn. More would make another diagnosis of it: colour is what a dermatologist looks at."""
    sharpness: float = 0.0
    """Share of the finest detail (3×3 px) that is taken away or put on top: cameras and compressions differ in it."""
    erase: float = 0.0
    """Probability that a rectangle of the view is greyed out."""
    quarter_turns: bool = False
    """Turn each view by 0, 1, 2 or 3 quarters after the photo was squeezed into it, so that photos held upright, which
    are squeezed the other way, are seen as well."""

    @classmethod
    def none(cls) -> "Augmentation":
        """Every photo as it is: each range is that of no change."""
        return cls(
            flip=False,
            rotate=False,
            scale_low=1.0,
            scale_high=1.0,
            aspect=0.0,
            shift=0.0,
            brightness=0.0,
            contrast=0.0,
            saturation=0.0,
            hue=0.0,
        )


@dataclass(frozen=True)
class Acquisition:
    """Probabilities and ranges of what cameras, files and skin put on a photo that is not the lesion.

    All 0 by default: nothing is changed. Networks trained on one clinic's photos learn its cameras (Bissoto et al.,
    "Debiasing Skin Lesion Datasets and Models? Not So Fast", 2020), so photos of other clinics are imitated here.
    """

    resample: float = 0.0
    """Probability of a reduction and enlargement of the whole photo, as by a low-resolution camera or an export."""
    resample_low: float = 0.35
    """Smallest share of the side that such a reduction keeps."""
    jpeg: float = 0.0
    """Probability of another JPEG compression."""
    jpeg_low: int = 35
    """Lowest and, below, highest quality of that compression."""
    jpeg_high: int = 95
    blur: float = 0.0
    """Probability of a Gaussian blur."""
    blur_high: float = 0.008
    """Largest standard deviation of the blur, in shares of the short side."""
    noise: float = 0.0
    """Probability of sensor noise: Gaussian, independent for each pixel and channel."""
    noise_high: float = 0.04
    """Largest standard deviation of the noise, of the range 0 to 1."""
    cast: float = 0.0
    """Standard deviation of the natural logarithm of each channel's gain: white balance and lamps."""
    gamma: float = 0.0
    """Largest absolute natural logarithm of the exponent of a tone curve."""
    hair: float = 0.0
    """Probability of drawn hairs; the next four alike."""
    ink: float = 0.0
    ruler: float = 0.0
    dark_corners: float = 0.0
    gel_bubbles: float = 0.0


@dataclass(frozen=True)
class Source:
    """One more labelled folder to train and validate on, beside HAM10000."""

    folder: str
    """Relative to the folder that the setting SKINLENS_SOURCES names; absolute paths stay as they are."""
    name: str = ""
    """As the log names its validation photos; empty: the folder's name."""
    labels: str = "labels.csv"
    """Inside the folder, with the columns ``image_id`` and ``dx``."""
    classes: tuple[str, ...] = CODES
    """Codes that this source may teach; photos of other classes are left out."""
    validation: str = ""
    """File of the image ids that validate, one a line, beside the recipes; empty: all photos are trained on."""


@dataclass(frozen=True)
class SizeStep:
    """Progressive resizing: the first ``epochs`` epochs, or those after the step before, see ``size_px``."""

    epochs: int
    size_px: int


@dataclass(frozen=True)
class Distillation:
    """Distillation settings: what the student learns from a teacher."""

    teacher: str = ""
    """Path of the teacher's ``best.pt``; empty: no teacher, the exits learn from the labels with ``exit_weight``."""
    second_teacher: str = ""
    """Path of a trained student's ``best.pt``; its probabilities are averaged with those of the teacher's combined
    output. Empty: the teacher answers by itself."""
    view_px: int = 192
    """Side of the view that the teacher is asked about: the student's own view, finer where the student is small."""
    weights: Weights = field(default_factory=Weights)
    temperature: float = 10.0
    """Of the logit loss. The paper's is 10."""
    feature_matching: float = 0.0
    """Weight of the feature matching beside the three terms; 0 leaves it out."""


@dataclass(frozen=True)
class Search:
    """The points of a grid; an empty axis keeps the recipe's own value. A recipe that searches is many runs."""

    temperatures: tuple[float, ...] = ()
    weights: tuple[Weights, ...] = ()


@dataclass(frozen=True)
class Recipe:
    name: str
    network: str = "student"
    """``student``, ``teacher``, ``warm_up`` (of the teacher's convolutional branch), ``plain_cnn``, or the name of a
    network of timm (a baseline)."""
    seed: int = 1
    """Of initial weights, dropout, and the order within an epoch."""
    view_seed: int = 1
    """Of the photos that an epoch draws and of their random views. Runs that share it see the same views, so that a
    teacher's answers to them are computed once."""
    pretrained: bool = True
    """From the initial weights that ship in packages; otherwise from random ones."""
    epochs: int = 16
    paper_epochs: int = 0
    """In their place under the paper's protocol, whose epochs hold eight times as many pictures; 0: as many."""
    batch_size: int = 32
    learning_rate: float = 1.2e-3
    """Peak of the one cycle, for AdamW."""
    head_rate: float = 2.0
    """Times the learning rate, for the layers without ImageNet weights."""
    weight_decay: float = 0.02
    warm_up: float = 0.15
    """Share of the steps before the peak."""
    class_balance_power: float = 0.5
    """A photo of a class of n photos is drawn with a weight of n to the minus this: 0 as they come, 1 all classes
    alike. One half makes nevi 38 % instead of 67 % and repeats a dermatofibroma eight times an epoch, not sixty."""
    label_smoothing: float = 0.05
    frozen_stages: int = 2
    """The EfficientNet's stem and as many first stages keep their ImageNet weights: edges and colours are the same
    everywhere, and these finest maps are a third of the cost. The CNN branch learns what is special to skin there."""
    exit_weight: float = 0.15
    """Of the cross-entropy of each exit beside the final output's."""
    ema_decay: float = 0.998
    """Of the moving average of the weights, which is what is validated and kept; about 500 steps long."""
    compile: bool = True
    """torch.compile on the CPU: 23 instead of 42 ms an image on two cores at 192 px."""
    mixed_precision: bool = False
    """bfloat16 where torch's autocast takes it, on the CPU; on a GPU always. It makes a ViT three times as fast on a
    processor that has it, and a compiled convolutional network no faster."""
    layer_decay: float = 0.75
    """Each block of the teacher's ViT learns at so many times the rate of the block behind it."""
    vit_rate: float = 0.1
    """Times the learning rate, for the last block of the teacher's ViT."""
    initial: str = ""
    """Path of a run's ``best.pt`` or of a snapshot whose weights the network starts from; empty: see ``pretrained``."""
    sources: tuple[Source, ...] = ()
    """Labelled folders beside HAM10000."""
    progressive: tuple[SizeStep, ...] = ()
    """Smaller views in the first epochs (Tan and Le, "EfficientNetV2", 2021, section 4.2); the rest see
    ``input.size_px``."""
    augmentation: Augmentation = field(default_factory=Augmentation)
    acquisition: Acquisition = field(default_factory=Acquisition)
    distillation: Distillation = field(default_factory=Distillation)
    search: Search = field(default_factory=Search)
    student: StudentConfig = field(default_factory=StudentConfig)
    teacher: TeacherConfig = field(default_factory=TeacherConfig)
    input: InputSpec = field(default_factory=InputSpec)

    def size_at(self, epoch: int) -> int:
        """Side in px of the views of an epoch, counted from 0."""
        for step in self.progressive:
            if epoch < step.epochs:
                return step.size_px
            epoch -= step.epochs
        return self.input.size_px


OLD_NAMES = {
    "average_decay": "ema_decay",
    "companion": "second_teacher",
    "sampling_power": "class_balance_power",
}
"""Names of fields in recipes and checkpoints of earlier versions → their names now."""
_ITEMS: dict[str, Any] = {
    "weights": Weights(),
    "sources": Source(""),
    "progressive": SizeStep(0, 0),
    "temperatures": 1.0,
    "classes": "",
}
"""Fields that hold any number of items: what each item is, or the table that it starts from."""


class Interval(NamedTuple):
    """Interval of the values that a field may have, its ends included."""

    low: float
    high: float
    without: tuple[float, ...] = ()
    """Ends that do not belong to it."""

    def holds(self, value: float) -> bool:
        return self.low <= value <= self.high and value not in self.without

    def __str__(self) -> str:
        low, high = ("(" if self.low in self.without else "["), (")" if self.high in self.without else "]")
        return f"{low}{self.low:g}, {self.high:g}{high}"


RANGES: dict[str, Interval] = {
    name: interval
    for interval, names in (
        (Interval(0, 1), "intermediate logit classification shift brightness contrast saturation sharpness erase"),
        (Interval(0, 1), "resample jpeg blur noise hair ink ruler dark_corners gel_bubbles blur_high noise_high"),
        (Interval(0, 1), "weight_decay ema_decay mean"),
        (Interval(0, 1, (1,)), "warm_up label_smoothing dropout drop_path"),
        (Interval(0, 1, (0,)), "layer_decay resample_low std"),
        (Interval(0, 0.5), "hue"),
        (Interval(0, 2), "class_balance_power cast gamma aspect"),
        (Interval(0, 10, (0,)), "scale_low scale_high"),
        (Interval(0, 1000), "head_rate vit_rate exit_weight feature_matching"),
        (Interval(0, 1000, (0,)), "temperature temperatures learning_rate"),
        (Interval(1, 100), "max_aspect jpeg_low jpeg_high"),
        (Interval(0, 95), "detail_jpeg_quality"),
        (Interval(1, 1e5), "epochs batch_size fused_channels cnn_channels hidden"),
        (Interval(0, 1e5), "paper_epochs"),
        (Interval(8, 1e5), "detail_px"),
        (Interval(32, 4096), "size_px view_px"),
        (Interval(14, 4096), "vit_px"),
        (Interval(3, 12), "vit_depth"),
        (Interval(0, 12), "frozen_blocks"),
        (Interval(0, 7), "frozen_stages"),
        (Interval(0, 9e12), "seed view_seed"),  # times a million and three, they fit into torch's 64 bits
    )
    for name in names.split()
}
"""Range of each field that holds a number."""


def load_recipe(path: Path) -> Recipe:
    """Read one TOML file. ``extends = "other.toml"`` begins with another recipe beside it and changes the rest.

    Raises:
        RecipeError: the file is missing or no TOML, or a field is unknown, of the wrong type or out of range.
    """
    return _load(path, ())


def _load(path: Path, extended_by: tuple[Path, ...]) -> Recipe:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as problem:
        raise RecipeError(f"No recipe can be read at {path} ({problem.strerror}). Look in recipes/.") from problem
    except (ValueError, RecursionError) as problem:  # no TOML, no UTF-8, or tables in tables without end
        raise RecipeError(f"{path} is not valid TOML: {problem}. Expected a text file in UTF-8.") from problem
    base, chain = content.pop("extends", None), (*extended_by, path.resolve())
    start = Recipe(name=path.stem)
    if base is not None:
        if not isinstance(base, str) or (path.parent / base).resolve() in chain:
            raise RecipeError(
                f"{path}: extends must name another recipe beside this one that does not extend it in turn, found "
                f"{base!r}."
            )
        start = replace(_load(path.parent / base, chain), name=path.stem)
    return checked(_build(start, content, str(path)), str(path))


def recipe_from_dict(content: dict[str, Any]) -> Recipe:
    """The reverse of ``dataclasses.asdict``, for checkpoints. Ranges are not looked at: the run was made."""
    return _build(Recipe(name=""), content, "the checkpoint")


def checked(recipe: Recipe, where: str) -> Recipe:
    """The recipe, where each value of it can be trained with. Raises RecipeError, which begins with ``where``."""
    _check_ranges(recipe, where)
    for size_px in (recipe.input.size_px, *(step.size_px for step in recipe.progressive)):
        if recipe.network == "student" and size_px % 32:
            raise RecipeError(f"{where}: size_px must be a multiple of 32 for a student, found {size_px}.")
    if recipe.teacher.vit_px % 14:
        raise RecipeError(f"{where} [teacher]: vit_px must be a multiple of 14, found {recipe.teacher.vit_px}.")
    if not all(source.folder for source in recipe.sources):
        raise RecipeError(f"{where} [[sources]]: folder is missing in a source. Name the folder that holds its photos.")
    return recipe


def _check_ranges(settings: "DataclassInstance", where: str) -> None:
    values = {setting.name: getattr(settings, setting.name) for setting in fields(settings)}
    for name, value in values.items():
        for item in value if isinstance(value, tuple) else (value,):
            if is_dataclass(item) and not isinstance(item, type):
                _check_ranges(item, f"{where} [[{name}]]" if isinstance(value, tuple) else f"{where} [{name}]")
            elif isinstance(item, int | float) and not isinstance(item, bool) and not RANGES[name].holds(item):
                raise RecipeError(f"{where}: {name} must lie in {RANGES[name]}, found {item!r}.")
        high = name.removesuffix("_low") + "_high"
        if name.endswith("_low") and high in values and value > values[high]:
            raise RecipeError(f"{where}: {name} must be at most {high}, found {value!r} and {values[high]!r}.")


def _build(default: Settings, content: object, where: str) -> Settings:
    if not isinstance(content, dict):
        raise RecipeError(f"{where}: expected a table of fields and values, found {content!r}.")
    known = {setting.name: getattr(default, setting.name) for setting in fields(default)}
    changes: dict[str, Any] = {}
    for name, value in with_present_keys(content, OLD_NAMES).items():
        if name not in known:
            raise RecipeError(f"{where}: unknown field {name!r}. Known here: {', '.join(sorted(known))}.")
        changes[name] = _converted(name, known[name], value, where)
    return replace(default, **changes)


def _converted(name: str, present: Any, value: object, where: str) -> Any:
    """A value as the field ``name`` holds it, which now holds ``present``."""
    if is_dataclass(present) and not isinstance(present, type):
        return _build(present, value, f"{where} [{name}]")
    if isinstance(present, tuple) and isinstance(value, list | tuple):
        if name in _ITEMS:
            inner = f"[{name}]" if is_dataclass(_ITEMS[name]) else name
            items = tuple(_converted(inner, _ITEMS[name], item, where) for item in value)
            if name == "classes" and not (items and set(items) <= set(CODES)):
                raise RecipeError(f"{where}: classes must be some of {', '.join(CODES)}, found {list(items)}.")
            return items
        if len(present) == len(value):
            return tuple(_converted(name, *pair, where) for pair in zip(present, value, strict=True))
    elif type(present) is type(value) and not isinstance(value, tuple):
        return value
    elif type(present) is float and type(value) is int and abs(value) < 2**1000:
        return float(value)
    a_list = isinstance(present, tuple) and name in _ITEMS
    kind = "a list" if a_list else f"of the kind of {present!r} ({type(present).__name__})"
    raise RecipeError(f"{where}: {name} must be {kind}, found {value!r}.")
