"""LIME on superpixels: parts of the photo are masked at random, and a linear model is fitted to the scores.

Ribeiro et al., "Why Should I Trust You? Explaining the Predictions of Any Classifier", 2016, with the definitions of
the authors' ``lime_image``: a hidden superpixel takes its mean color; each is hidden with probability 1/2, but none
in the first sample; a sample counts by its cosine distance d from the whole photo as sqrt(exp(-d²/.25²)); the line is
a ridge regression (penalty 1) over all superpixels, which is what ``lime_image`` selects by default.

Written anew because ``lime_image`` builds its samples pixel by pixel in Python and keeps every one of them: here they
are streamed through the engine in batches. With the same random stream the coefficients are the same.

Where the network is a mean over quarter turns, each sample can be scored in one turn alone, drawn in order
(``shared_score``): the coefficients are those of the mean, with a little more chance in them, at a quarter of the cost.

The authors draw each sample by itself (design ``independent``). The default here is ``paired``: orthogonal pairs of
opposites, which say the same with less chance in it (docs/decisions/0011-lime-sample-design.md).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
from jaxtyping import Float64, Int, UInt8

from skinlens.explain.attribution import Attribution, rank_correlation, scale_to_peak
from skinlens.explain.prefetch import DEPTH, prefetch_map
from skinlens.imaging.preprocess import InputSpec, View, normalize
from skinlens.inference.calibration import softmax
from skinlens.inference.classifier import Classifier
from skinlens.inference.engine import BATCH
from skinlens.labels import INDEX
from skinlens.records import Array, Batch, Logits, Progress, Target

Regions = Int[Array, "s s"]
"""The number of the superpixel that each pixel belongs to, from 0 without gaps."""
Masks = Int[Array, "n f"]
"""Samples by superpixels: 1 shown, 0 hidden. The first shows the whole photo."""
Weights = Float64[Array, " n"]
"""Weight of each sample in the fit."""
Score = Callable[[Batch], Array]
"""Function that is explained: one number, float64, for each photo of a batch."""
SharedScore = Callable[[Batch, Int[Array, " n"]], Array]
"""Score of each photo in one orientation alone, turned by so many quarters; see ``shared_score``."""

Scale = Literal["log-odds", "probability"]
Design = Literal["paired", "independent"]

KERNEL_WIDTH = 0.25
PENALTY = 1.0
FIRST_CHECK, CHECK_EVERY = 192, 64
"""Samples after which it is first seen whether the map is steady, and between two looks."""
MIN_SAMPLES_TWO_CHECKS = 256
"""Samples up to which one look decides. Who looks often is lucky once, so later two looks in a row must find it."""


@dataclass(frozen=True, eq=False)
class Surrogate:
    """score ≈ intercept + Σ coefficient of the superpixels that are shown."""

    coefficients: Float64[Array, " f"]
    intercept: float
    r2: float
    """Weighted share of the score's variance that the line accounts for; 0 where the score does not vary."""


@dataclass(frozen=True)
class Sampling:
    """Sampling of the masked copies, and the rule by which it stops."""

    samples: int
    """At most, the whole photo among them."""
    stability_target: float
    """The ``stability`` that is enough, 0 to 1; checked from ``FIRST_CHECK`` samples on; at 1 all are made."""
    seed: int
    design: Design
    """How ``seed`` decides what is masked in which sample."""


def lime(
    view: View,
    spec: InputSpec,
    score: Score | SharedScore,
    *,
    segments: int,
    sampling: Sampling,
    progress: Progress,
    turns: int = 1,
) -> Attribution:
    """LIME coefficients of the superpixels of ``view``, by how much each raises ``score``: positive coefficients scaled
    to [0, 1], others 0.

    ``segments``: superpixels that are asked for; the photo decides how many come of it. ``progress`` is told after each
    ``BATCH`` samples. ``turns``: more than 1 for a ``SharedScore``, which is given the turn of each sample.

    Diagnostics: ``peak`` (largest coefficient, in units of the score), ``r2``, ``segments`` (found), ``negative_share``
    (of the coefficients' absolute sum; they speak against the class and are not drawn), ``samples`` (that were made),
    ``stability``.
    """
    regions = superpixels(view, segments)
    rows, scores, weights = draw_samples(view, regions, spec, score, sampling, progress, turns)
    surrogate = fit_surrogate(rows, scores, weights)
    positive = np.maximum(surrogate.coefficients, 0)
    total = np.abs(surrogate.coefficients).sum()
    diagnostics = {
        "peak": float(positive.max()),
        "empty": float(positive.max() == 0),
        "r2": surrogate.r2,
        "segments": float(rows.shape[1]),
        "negative_share": float(1 - positive.sum() / total) if total > 0 else 0.0,
        "samples": float(len(rows)),
        "stability": stability(rows, scores, weights),
    }
    return Attribution(scale_to_peak(positive.astype(np.float32)[regions]), diagnostics)


def draw_samples(
    view: View,
    regions: Regions,
    spec: InputSpec,
    score: Score | SharedScore,
    sampling: Sampling,
    progress: Progress,
    turns: int = 1,
) -> tuple[Masks, Float64[Array, " made"], Weights]:
    """Samples until their map is steady, or all of them: with their scores, and what each counts."""
    draw, weigh = DESIGNS[sampling.design]
    samples, target = sampling.samples, sampling.stability_target
    drawn = draw(samples, int(regions.max()) + 1, sampling.seed)
    stopping_checks = [] if target >= 1 else range(FIRST_CHECK, samples, CHECK_EVERY)
    scores, rows, was_steady = np.empty(0), drawn[:0], False
    # From look to look, so that none is made ahead that is not needed.
    for end in (*stopping_checks, samples):
        told = partial(_told_of_part, progress, len(rows) / samples, end / samples)
        some, copies = range(len(rows), end), masked_copies(view, regions, drawn[len(rows) : end], spec)
        scored = _scored(copies, some, score, turns, told)
        scores, rows = np.concatenate([scores, scored]), drawn[:end]
        is_steady = end < samples and stability(rows, scores, weigh(rows)) >= target
        if is_steady and (was_steady or end <= MIN_SAMPLES_TWO_CHECKS):
            progress(1.0)
            break
        was_steady = is_steady
    return rows, scores, weigh(rows)


def _told_of_part(progress: Progress, start: float, end: float, share: float) -> None:
    progress(start + share * (end - start))


def target_score(classifier: Classifier, target: Target, scale: Scale) -> Score:
    """The target's score: the class's calibrated log-odds, or its calibrated probability.

    The library's examples explain the probability. The log-odds log(p / (1 - p)) are the better score: where p is near
    0 or 1 the probability hardly moves, whatever is hidden, and what is left to fit is curved; the log-odds are close
    to a sum of contributions, which is what a line can say. So a class of 99.9 % still gets a map with a meaning.

    For class a against b: the log-odds of the one against the other, log(p_a / p_b), or p_a - p_b. Both change sign
    when the classes are swapped.
    """
    return lambda batch: score_of_logits(classifier.engine.logits(batch), classifier.temperature, target, scale)


def shared_score(classifier: Classifier, target: Target, scale: Scale, whole: Batch) -> SharedScore:
    """``target_score`` of each sample in one turn alone, less what that turn adds to the score of the whole photo.

    ``whole`` holds the one photo. So the score of the whole photo is that of the mean over the turns in every turn, and
    what is left of a turn is how differently it sees what is hidden.
    """
    engine = classifier.engine

    def score(logits: Logits) -> Float64[Array, " n"]:
        return score_of_logits(logits, classifier.temperature, target, scale)

    added = score(engine.logits_of_turns(whole)) - score(engine.logits(whole))
    return lambda batch, quarters: score(engine.logits_in_turn(batch, quarters)) - added[quarters]


def score_of_logits(logits: Logits, temperature: float, target: Target, scale: Scale) -> Float64[Array, " n"]:
    """Score of the target from logits, as of ``target_score``, whichever network they come from."""
    if scale == "probability":
        return target.score(softmax(logits, temperature))
    scaled = logits.astype(np.float64) / temperature
    if target.contrast_with:
        return target.score(scaled)
    others = np.logaddexp.reduce(np.delete(scaled, INDEX[target.label], axis=1), axis=1)
    return np.asarray(target.score(scaled) - others)


def superpixels(view: View, segments: int) -> Regions:
    """SLIC (Achanta et al. 2012): about ``segments`` compact patches of similar color, the same at every call."""
    from skimage.segmentation import slic

    regions = slic(view, n_segments=segments, compactness=10, sigma=1, start_label=0, channel_axis=-1)
    return np.asarray(np.unique(regions, return_inverse=True)[1].reshape(regions.shape))


def random_masks(samples: int, regions: int, seed: int) -> Masks:
    """The stream that lime's ``LimeImageExplainer`` draws with ``random_state=seed``, so that it can be replayed."""
    rows = np.random.RandomState(seed).randint(0, 2, samples * regions).reshape(samples, regions)
    rows[0] = 1
    return rows


def foldover_masks(samples: int, regions: int, seed: int) -> Masks:
    """The whole photo, then pairs of opposites from the rows of Hadamard matrices: a fold-over design.

    Plackett and Burman 1946; Box and Hunter 1961. A block has 2m rows, m the power of two that is not below
    ``regions``. In a block each superpixel is hidden as often as shown, independently of each other one, so no effect
    leans on another; and what two superpixels do *together* is equal in a row and its opposite, so it cancels. Blocks
    follow, each with columns, signs and order of its own, until there are ``samples`` rows; the last may be cut.
    """
    random = np.random.RandomState(seed)
    numbers = np.arange(1 << (regions - 1).bit_length())
    hadamard = (
        np.bitwise_count(numbers[:, np.newaxis] & numbers).astype(np.int64) & 1
    )  # Sylvester's, 0 for 1 and 1 for -1
    blocks = [np.ones((1, regions), dtype=np.int64)]
    while sum(map(len, blocks)) < samples:
        order, columns = random.permutation(len(numbers)), random.permutation(len(numbers))[:regions]
        rows = hadamard[np.ix_(order, columns)] ^ random.randint(0, 2, regions)
        blocks.append(np.stack([rows, 1 - rows], axis=1).reshape(-1, regions))
    return np.concatenate(blocks)[:samples]


def score_masks(
    view: View, regions: Regions, rows: Masks, spec: InputSpec, score: Score, progress: Progress
) -> Float64[Array, " n"]:
    """The score of each masked copy, on a thread of its own. ``progress`` is told after each ``BATCH``."""
    return _scored(masked_copies(view, regions, rows, spec), range(len(rows)), score, 1, progress)


def _scored(
    copies: Iterator[Batch], samples: range, score: Score | SharedScore, turns: int, progress: Progress
) -> Float64[Array, " n"]:
    """Scores of the copies of those samples. Both of a pair of opposites are seen in one turn, so that it cancels."""

    def in_turns() -> Iterator[tuple[Batch, ...]]:
        at = samples.start
        for batch in copies:
            numbers = np.arange(at, at + len(batch))
            yield (batch,) if turns == 1 else (batch, (numbers + 1) // 2 % turns)
            at += len(batch)

    scores = np.empty(0)
    for some in prefetch_map(lambda item: score(*item), in_turns()):
        scores = np.concatenate([scores, some])
        progress(len(scores) / len(samples))
    return scores


def masked_copies(view: View, regions: Regions, rows: Masks, spec: InputSpec) -> Iterator[Batch]:
    """The network's input for each row, ``BATCH`` at a time, in the memory of ``DEPTH`` + 1 batches by turns."""
    shown, hidden = normalize(np.stack([view, mean_colors(view, regions)]), spec).view(np.int32)
    # On the bits: hidden, and where the mask is all ones, what makes shown of it. Half the time of a masked copy.
    difference, bits = shown ^ hidden, -rows.astype(np.int32)
    buffers = np.empty((DEPTH + 1, min(BATCH, len(rows)), *shown.shape), dtype=np.int32)
    for number, start in enumerate(range(0, len(rows), BATCH)):
        masks = np.take(bits[start : start + BATCH], regions, axis=1)
        batch = buffers[number % len(buffers), : len(masks)]
        np.bitwise_and(masks[:, np.newaxis], difference, out=batch)
        np.bitwise_xor(batch, hidden, out=batch)
        yield batch.view(np.float32)


def mean_colors(view: View, regions: Regions) -> UInt8[Array, "s s 3"]:
    """Each superpixel in its mean color, rounded down as lime does when it writes the mean into an 8-bit picture."""
    flat = regions.ravel()
    sums = np.stack([np.bincount(flat, weights=channel) for channel in view.reshape(-1, 3).T], axis=1)
    means = (sums / np.bincount(flat)[:, np.newaxis]).astype(np.uint8)
    return np.asarray(means[regions])


def kernel_weights(rows: Masks) -> Weights:
    """Kernel weights of the samples: less, the more of the photo is hidden."""
    distance = 1 - np.sqrt(rows.mean(axis=1))  # 1 - cosine to a row of ones
    return np.asarray(np.sqrt(np.exp(-((distance / KERNEL_WIDTH) ** 2))))


def foldover_weights(rows: Masks) -> Weights:
    """Kernel weights of ``foldover_masks``; both of a pair count their mean: only equal weights let them cancel."""
    weights = kernel_weights(rows)
    end = (len(rows) - 1) // 2 * 2 + 1
    weights[1:end] = weights[1:end].reshape(-1, 2).mean(axis=1).repeat(2)
    return weights


DESIGNS: dict[Design, tuple[Callable[[int, int, int], Masks], Callable[[Masks], Weights]]] = {
    "paired": (foldover_masks, foldover_weights),
    "independent": (random_masks, kernel_weights),
}
"""How samples are drawn, from their number, that of the superpixels and the seed; and what each counts."""


def fit_surrogate(rows: Masks, scores: Float64[Array, " n"], weights: Weights) -> Surrogate:
    """Weighted ridge regression with an intercept that is not penalised, by its normal equations."""
    if np.ptp(scores) == 0:  # rounding would make coefficients of it, and scaling would blow them up to a map
        return Surrogate(np.zeros(rows.shape[1]), float(scores[0]), 0.0)
    row_mean, score_mean = np.average(rows, axis=0, weights=weights), np.average(scores, weights=weights)
    centered, target = rows - row_mean, scores - score_mean
    weighted = weights[:, np.newaxis] * centered
    # No `@`, since the engine may run again: see Head.logits_of_pooled for what a product costs its next run.
    gram = np.einsum("nf,ng->fg", weighted, centered) + PENALTY * np.eye(rows.shape[1])
    coefficients = np.linalg.solve(gram, np.einsum("nf,n->f", weighted, target))
    residual = target - np.einsum("nf,f->n", centered, coefficients)
    r2 = 1 - (weights * residual**2).sum() / (weights * target**2).sum()
    return Surrogate(coefficients, float(score_mean - row_mean @ coefficients), float(r2))


def stability(rows: Masks, scores: Float64[Array, " n"], weights: Weights) -> float:
    """The rank correlation to expect between these coefficients and those of another seed, 0 to 1.

    From the two halves of the samples, corrected to full length (Spearman 1910, Brown 1910): 2r / (1 + r). On photos
    it was .93 where two seeds then agreed to .92 (design ``paired``), .77 where they agreed to .75 (``independent``).
    """
    middle = len(rows) // 2 | 1  # the whole photo comes first and then pairs: none of them is divided
    first, second = (
        fit_surrogate(rows[half], scores[half], weights[half]).coefficients
        for half in (slice(middle), slice(middle, None))
    )
    r = max(rank_correlation(first, second), 0.0)
    return 2 * r / (1 + r)
