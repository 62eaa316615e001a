"""Early-exit predictions of the two branches, beside the final one.

The student has an exit on each of its branches (``models.student``): the mean over space of one map, and one linear
layer. The first reads the small CNN branch, which sees small patches of the photo, ``PATCH_PX`` across; the second
reads the deep EfficientNet branch. The final answer fuses maps of both, so the three do not follow one upon the other:
an early answer is what one branch would say by itself. They were trained, each by itself, to tell the seven classes.

Grad-CAM of an exit has a closed form, as that of the head (``explain.gradcam``): the logit is Σ_k W_k mean(M_k) + b, so
α_k = W_k / g² for a map of g × g places, and Σ over places of Σ_k α_k M_k is the logit without its constant b.
"""

from collections.abc import Sequence
from typing import Any, Literal, get_args

from jaxtyping import Float

from skinlens.checks.contract import Found, PhotoCheck, Row, Subject
from skinlens.explain.attribution import Attribution
from skinlens.explain.gradcam import weighted
from skinlens.formatting import part, percent
from skinlens.imaging.preprocess import to_batch
from skinlens.inference.calibration import softmax
from skinlens.inference.classifier import Classifier
from skinlens.labels import BY_CODE, CODES
from skinlens.records import Array, CheckResult, Photo, Progress, Target
from skinlens.wording.naming import capital

Stage = Literal["exit_1", "exit_2", "final"]
STAGES: tuple[Stage, ...] = get_args(Stage)
TITLES: dict[Stage, str] = {"exit_1": "Small patches", "exit_2": "Deep branch", "final": "Final answer"}

PATCH_PX = 17
"""Side of the part of the network's input that one place of the small branch's last map depends on: its receptive
field, from two 3×3 convolutions, the first with stride 2, and two poolings of 2 × 2."""


def reads(stage: Stage, size_px: int) -> str:
    """Receptive field of an answer in words, for a network whose input is ``size_px`` square."""
    return {
        "exit_1": "A small branch of the network that sees color and texture in patches: each is "
        f"about {_article(part(PATCH_PX / size_px))} of the picture across, {PATCH_PX} of {size_px} px.",
        "exit_2": "The large branch that sees the whole lesion, in coarse steps.",
        "final": "Both branches fused, at several depths: the model's result.",
    }[stage]


def _article(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


class EarlyExitCheck(PhotoCheck):
    kind = "depth"
    title = "Early-exit predictions"
    question = "Which branch of the network decided?"
    help = """
The network has two branches, and each can give an answer by itself, an early one. The final answer is made from both,
so the three do not follow one upon the other. If the deep branch by itself says something else than the final answer,
that answer is less often right.

The pictures are Grad-CAM maps of each answer, for the class that is chosen above. Each is drawn from 0, none, to 1, its
own most: their colors tell where, not how much.
"""
    button = "Ask the network's early answers"
    columns = ("Class", *TITLES.values())
    instant = True
    wide = True

    def measure(self, subject: Subject, progress: Progress) -> Found:  # noqa: ARG002  as long as a prediction
        """The probabilities of the three answers, in the order of ``STAGES``.

        ``calibrated``: whether those of the early ones are; the first releases hold no temperatures for them.
        ``balanced_accuracy``: of an early answer by itself, on ``val``; None for the final one, and where unknown.
        """
        engine = subject.classifier.engine
        output = engine.run(to_batch([subject.photo], engine.spec))
        final = softmax(engine.head.logits(output.fused), subject.classifier.temperature)[0]
        answers = [_answer("final", final, None)]
        layers = engine.exits or (None, None)
        for stage, logits, layer in zip(STAGES[:2], (output.exit_1, output.exit_2), layers, strict=True):
            probs = softmax(logits, layer.temperature if layer else 1.0)[0]
            answers.insert(-1, _answer(stage, probs, layer.balanced_accuracy if layer else None))
        said = verdict([answer["top"] for answer in answers])
        return Found({"answers": answers, "calibrated": engine.exits is not None, "verdict": said})

    def summary(self, result: CheckResult) -> str:
        said = (
            f"{TITLES[answer['stage']]}: {BY_CODE[answer['top']].name} ({percent(answer['probs'][answer['top']])})"
            for answer in result.figures["answers"]
        )
        return f"{result.figures['verdict']} {'; '.join(said)}."

    def rows(self, results: Sequence[CheckResult]) -> list[Row]:
        """All probabilities of the latest result, by those of the final answer."""
        answers = results[-1].figures["answers"]
        order = sorted(CODES, key=lambda code: -answers[-1]["probs"][code])
        return [
            (capital(BY_CODE[code].name), *(percent(answer["probs"][code]) for answer in answers)) for code in order
        ]


def _answer(stage: Stage, probs: Float[Array, " 7"], balanced_accuracy: float | None) -> dict[str, Any]:
    by_code = dict(zip(CODES, probs.tolist(), strict=True))
    top = max(CODES, key=by_code.__getitem__)
    return {"stage": stage, "top": top, "probs": by_code, "balanced_accuracy": balanced_accuracy}


def depth_maps(classifier: Classifier, photo: Photo, target: Target) -> tuple[Attribution, ...]:
    """Grad-CAM of each answer, in the order of ``STAGES``: what in the photo spoke for the target there.

    Empty where the release gives out neither the maps nor the layers of the exits.
    """
    engine = classifier.engine
    output = engine.run(to_batch([photo], engine.spec))
    if engine.exits is None or output.local is None or output.top is None:
        return ()
    read = (
        (output.local, engine.exits.exit_1),
        (output.top, engine.exits.exit_2),
        (output.fused, engine.head),
    )
    return tuple(
        weighted(maps[0], layer.channel_gradient(maps, target.logit_weights), engine.spec.size_px)
        for maps, layer in read
    )


def verdict(tops: Sequence[str]) -> str:
    """Sentence on which answers already said what the final one says; ``tops``: class codes in the order of ``STAGES``.

    Of the 1,505 photos of ``val``, the final answer of release 0.1.0 was right on 83 % of those on which the deep
    branch said the same, and on 42 % of the 45 others: hence the caution.
    """
    first, second, final = (BY_CODE[code].name for code in tops)
    if first == second == final:
        return f"Both branches, each by itself, already say {final}."
    if second == final:
        return f"The deep branch by itself already says {final}. Small patches alone look to the network like {first}."
    if first == final:
        return (
            f"Small patches alone already look like {final}, but the deep branch by itself says {second}: read the "
            "answer with caution."
        )
    if first == second:
        return f"Both branches, each by itself, say {first}. Only fused they say {final}: read the answer with caution."
    return (
        f"No branch by itself says {final}: small patches alone look like {first}, the deep branch says {second}. "
        "Only fused they say so: read the answer with caution."
    )
