"""Explanation methods: Grad-CAM, Score-CAM and LIME on the int8 model that predicted.

Each method is a pure function of photo, model, class and parameters: nothing is hooked and nothing is kept, so any
number of sessions explain side by side on one shared ``Classifier``. All three explain the model that predicted.

This package is light: scikit-image is imported when the first LIME map is asked for; torch, grad-cam and lime never.
"""

import time
from collections.abc import Mapping

from skinlens import clock
from skinlens.errors import ParameterError
from skinlens.explain.methods import ALL, CONTRAST_WITH, METHODS, PATTERNS, class_code, method_of, seed_of
from skinlens.inference.classifier import Classifier
from skinlens.records import Explanation, Method, Photo, Progress, Target

__all__ = ["ALL", "CONTRAST_WITH", "METHODS", "PATTERNS", "explain", "explain_again", "method_of", "seed_of"]


def explain(
    method: Method,
    classifier: Classifier,
    photo: Photo,
    label: str,
    *,
    params: Mapping[str, object] | None = None,
    progress: Progress | None = None,
) -> Explanation:
    """One heat map for the class ``label`` (a code, not necessarily the most probable one), with its provenance.

    ``params`` overrides the method's defaults; what was used is stored with the result. With ``CONTRAST_WITH`` among
    them, another class's code, the map shows what spoke for ``label`` rather than for that class. ``progress`` is
    told the fraction done at the start, after every 16 forward passes of the two slow methods, and at the end.

    Raises:
        ParameterError: the method, a class or a parameter is unknown, a parameter is out of range, or the class is
            contrasted with itself.
        Cancelled: ``progress`` raised it.
    """
    info = METHODS[method_of(method)]
    resolved = info.resolve_params(params or {}, photo)
    target = Target(class_code(label), str(resolved.get(CONTRAST_WITH, "")))
    if target.contrast_with == label:
        raise ParameterError(
            f"The class {label} cannot be contrasted with itself: choose another one to put against it."
        )
    started = time.perf_counter()
    told = progress or (lambda _: None)
    told(0.0)
    attribution = info.compute(classifier, photo, target, resolved, told)
    return Explanation(
        method=method,
        label=label,
        heatmap=attribution.heatmap,
        params=resolved,
        seed=int(resolved["seed"]) if "seed" in resolved else None,
        photo_sha256=photo.sha256,
        model=classifier.engine.model_ref,
        duration_ms=(time.perf_counter() - started) * 1000,
        created_at=clock.utc_now(),
        diagnostics=attribution.diagnostics,
    )


def explain_again(
    explanation: Explanation,
    classifier: Classifier,
    photo: Photo,
    *,
    changed: Mapping[str, object] | None = None,
    progress: Progress | None = None,
) -> Explanation:
    """Map of another photo, or by another model, made as ``explanation`` was: its method, class, settings and seed.

    ``changed`` overrides some of these settings. Raises as ``explain`` does.
    """
    params = {**explanation.params, **(changed or {})}
    return explain(explanation.method, classifier, photo, explanation.label, params=params, progress=progress)
