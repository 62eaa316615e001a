"""Explanation methods: each one's name, parameters with their help texts, and the function behind it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from skinlens.errors import ParameterError
from skinlens.explain.attribution import Attribution
from skinlens.explain.gradcam import grad_cam
from skinlens.explain.lime import Sampling, lime, shared_score, target_score
from skinlens.explain.scorecam import STABILITY_TARGET, score_cam
from skinlens.imaging.preprocess import model_view, normalize, to_batch
from skinlens.inference.classifier import Classifier
from skinlens.labels import CODES, INDEX
from skinlens.records import Method, Photo, Progress, Target

PATTERNS = 256
"""Channels of the fused map of a released network."""
ALL = "all"
"""Choice of Score-CAM's ``stopping`` at which every channel is tried."""
CONTRAST_WITH = "against"
"""The one parameter that all methods have: the code of the class that the explained one is contrasted with."""
Compute = Callable[[Classifier, Photo, Target, Mapping[str, Any], Progress], Attribution]


@dataclass(frozen=True)
class Parameter:
    """One thing that can be set, with what a form needs to ask for it."""

    name: str
    title: str
    kind: Literal["integer", "choice"]
    default: int | str | None
    """None: taken from the photo (the seed)."""
    help: str
    """In clinical words: what more or less of it does to the map, and what it costs."""
    low: int = 0
    high: int = 0
    """An integer is from ``low`` to ``high``, both included."""
    choices: tuple[str, ...] = ()

    def checked(self, value: object) -> int | str:
        """The value as it is stored.

        Raises:
            ParameterError: it is of the wrong kind or out of range.
        """
        if self.kind == "choice":
            if isinstance(value, str) and value in self.choices:
                return value
            expected = "one of " + ", ".join(self.choices)
        else:
            if isinstance(value, int | np.integer) and not isinstance(value, bool) and self.low <= value <= self.high:
                return int(value)
            expected = f"a whole number from {self.low} to {self.high}"
        raise ParameterError(f"{self.title} ({self.name}) cannot be {value!r}: give {expected}.")


@dataclass(frozen=True)
class MethodInfo:
    """One method in words, what can be set, and the function behind it."""

    title: str
    shows: str
    """One sentence for the reader of the map."""
    parameters: tuple[Parameter, ...]
    compute: Compute

    @property
    def defaults(self) -> dict[str, int | str | None]:
        return {parameter.name: parameter.default for parameter in self.parameters}

    def resolve_params(self, params: Mapping[str, object], photo: Photo) -> dict[str, int | float | str]:
        """Every parameter with its value for this photo: as given, or the default; ``CONTRAST_WITH`` if it is given.

        Raises:
            ParameterError: one is unknown, of the wrong kind or out of range.
        """
        unknown = sorted(params.keys() - self.defaults.keys() - {CONTRAST_WITH})
        if unknown:
            known = ", ".join((*self.defaults, CONTRAST_WITH))
            raise ParameterError(f"{self.title} has no parameter {', '.join(unknown)}. It has: {known}.")
        resolved: dict[str, int | float | str] = {}
        for parameter in self.parameters:
            value = params.get(parameter.name, parameter.default)
            resolved[parameter.name] = parameter.checked(seed_of(photo) if value is None else value)
        if CONTRAST_WITH in params:
            resolved[CONTRAST_WITH] = class_code(params[CONTRAST_WITH])
        return resolved


def method_of(name: str) -> Method:
    """The method of that name. Raises ParameterError: there is none."""
    for method in METHODS:
        if method == name:
            return method
    raise ParameterError(f"There is no method {name!r}. Choose one of {', '.join(METHODS)}.")


def class_code(code: object) -> str:
    """The code of a class. Raises ParameterError: there is none of that code."""
    if isinstance(code, str) and code in INDEX:
        return code
    raise ParameterError(f"There is no class {code!r}. Choose one of {', '.join(CODES)}.")


def seed_of(photo: Photo) -> int:
    """The seed that belongs to a photo, so that one photo always gets one map: its hash's first 32 bits."""
    return int(photo.sha256[:8], 16)


def _compute_grad_cam(
    classifier: Classifier, photo: Photo, target: Target, _: Mapping[str, Any], progress: Progress
) -> Attribution:
    attribution = grad_cam(classifier.engine, to_batch([photo], classifier.engine.spec), target)
    progress(1.0)
    return attribution


def _compute_score_cam(
    classifier: Classifier, photo: Photo, target: Target, params: Mapping[str, Any], progress: Progress
) -> Attribution:
    engine = classifier.engine
    return score_cam(
        engine,
        to_batch([photo], engine.spec),
        target,
        params["channels"],
        progress,
        shared=True,
        stability_target=1.0 if params["stopping"] == ALL else STABILITY_TARGET,
    )


def _compute_lime(
    classifier: Classifier, photo: Photo, target: Target, params: Mapping[str, Any], progress: Progress
) -> Attribution:
    engine, spec, scale = classifier.engine, classifier.engine.spec, params["target"]
    view = model_view(photo, spec)
    shared = engine.turns > 1
    return lime(
        view,
        spec,
        shared_score(classifier, target, scale, normalize(view[np.newaxis], spec))
        if shared
        else target_score(classifier, target, scale),
        segments=params["segments"],
        sampling=Sampling(params["samples"], params["steady"] / 100, params["seed"], params["design"]),
        progress=progress,
        turns=engine.turns,
    )


METHODS: dict[Method, MethodInfo] = {
    "grad_cam": MethodInfo(
        title="Grad-CAM",
        shows="Bright where the patterns that the network found support this class, by its own inner weights.",
        parameters=(),
        compute=_compute_grad_cam,
    ),
    "score_cam": MethodInfo(
        title="Score-CAM",
        shows="Bright where the photo must stay visible for the network to keep scoring this class.",
        parameters=(
            Parameter(
                name="channels",
                title="Channels",
                kind="integer",
                default=PATTERNS,
                low=1,
                high=PATTERNS,
                help=f"How many of the network's {PATTERNS} channels (inner patterns) count, those that vary most "
                f"across the photo first. All {PATTERNS} are the method as published.",
            ),
            Parameter(
                name="stopping",
                title="Stopping",
                kind="choice",
                default="stable",
                choices=("stable", ALL),
                help="Stable: channels are laid over the photo as masks until more of them hardly change the map; what "
                "the others weigh is estimated from those that mask alike. All: each is tried, as published, which "
                "takes about twice as long and draws nearly the same map.",
            ),
        ),
        compute=_compute_score_cam,
    ),
    "lime": MethodInfo(
        title="LIME",
        shows="Highlighted: areas whose masking lowers the score most.",
        parameters=(
            Parameter(
                name="samples",
                title="Max. samples",
                kind="integer",
                default=1024,
                low=50,
                high=10_000,
                help="How many copies of the photo are shown to the network at most, each with about half of its "
                "superpixels covered. More give a steadier map and take longer in proportion.",
            ),
            Parameter(
                name="steady",
                title="Stability target (%)",
                kind="integer",
                default=90,
                low=50,
                high=100,
                help="Sampling ends early once a map from other samples is expected to be as alike as this. At 100 all "
                "samples are made.",
            ),
            Parameter(
                name="segments",
                title="Superpixels",
                kind="integer",
                default=50,
                low=10,
                high=200,
                help="Into about how many patches of similar color (superpixels) the photo is divided. Fewer show "
                "whole regions of the lesion, more show smaller structures but need more samples.",
            ),
            Parameter(
                name="seed",
                title="Seed",
                kind="integer",
                default=None,
                low=0,
                high=2**32 - 1,
                help="Decides which superpixels are covered in which sample. It is derived from the photo, so that the "
                "same photo always gets the same map. Set another one to see how much the map depends on chance.",
            ),
            Parameter(
                name="target",
                title="Target output",
                kind="choice",
                default="log-odds",
                choices=("log-odds", "probability"),
                help="Log-odds still move when the network is almost certain, so the map depends less on chance. The "
                "probability is what most publications explain.",
            ),
            Parameter(
                name="design",
                title="Sampling design",
                kind="choice",
                default="paired",
                choices=("paired", "independent"),
                help="Paired samples are balanced, and each has an opposite that shows what it hides: the map depends "
                "less on chance for the same number of samples. Independent ones are those of the published "
                "method.",
            ),
        ),
        compute=_compute_lime,
    ),
}
"""In the order in which they are shown: the quick one first."""
