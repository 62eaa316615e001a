"""Score-CAM at the fused map, on the int8 engine in batches.

Wang et al., "Score-CAM: Score-Weighted Visual Explanations for Convolutional Neural Networks", 2020: every channel A_k
of the map, enlarged and scaled to [0, 1], is laid over the photo as a mask; the logit y_k that the class keeps under
that mask weighs the channel:

    map = ReLU(Σ_k w_k A_k),    w = softmax over k of y_k        (algorithm 1)

For one class against another, y_k is the difference of their logits. The logit of the paper's empty baseline is the
same for all channels and cancels in the softmax. No gradient is needed, but one forward pass for each channel.

The channels need not all be tried. Those of the widest range are, then 32 at a time of those of which the map depends
most by what is known so far, until 32 more hardly change it; the logits of the others are estimated from those of the
channels whose masks are like theirs (``score_estimate``; docs/decisions/0057-score-cam-stops-when-stable.md).

Where the network is a mean over quarter turns, each masked photo can be computed in one turn alone, the channels taking
the turns in order (``shared``): a quarter of the cost. What a turn adds to the logit of the whole photo is taken off,
so that a channel gains nothing by its turn.
"""

import math
from collections.abc import Callable, Iterator

import numpy as np
from jaxtyping import Float32, Float64, Int

from skinlens.explain.attribution import Attribution, enlarge, rank_correlation
from skinlens.explain.prefetch import prefetch_map
from skinlens.explain.score_estimate import ScoreEstimate
from skinlens.inference.calibration import softmax
from skinlens.inference.engine import BATCH, Engine
from skinlens.records import Array, Batch, Logits, Progress, Target

Total = Float32[Array, "g g"]
"""The weighted sum of the channels, before its floor is taken off."""
FIRST, STEP = 64, 32
"""Channels that are tried before the first look, and between two looks."""
STABILITY_TARGET = 0.998
"""Rank correlation of the maps of two looks in a row at which no more channels are tried."""


def score_cam(
    engine: Engine,
    batch: Batch,
    target: Target,
    channels: int,
    progress: Progress,
    *,
    shared: bool = False,
    stability_target: float = 1.0,
) -> Attribution:
    """Score-CAM: where the photo must stay visible for the logit of the target's class, or its lead, to stay high.

    ``batch`` holds the one photo. ``channels``: how many count, those with the widest range of values first; more
    than there are means all. A channel without any range hides the whole photo; all such channels share one forward
    pass, which changes nothing. ``shared``: one turn for each channel, where the network averages several.
    ``stability_target``: the rank correlation, below 1, of two maps with ``STEP`` channels between them at which no
    more are tried; at 1 all are. ``progress`` is told after each ``BATCH`` masked photos.

    Neither weights nor channels are ever negative, so the map has a floor that says nothing about the place: it is
    subtracted, as the authors' implementation does, and told as ``floor``. ``peak`` is the maximum above that floor,
    in units of the fused map; ``forwards`` counts the masked photos, ``estimated`` the channels that were not tried.
    """
    maps = engine.features(batch)[0]
    spread = maps.max(axis=(1, 2)) - maps.min(axis=(1, 2))
    chosen = np.argsort(-spread, kind="stable")[:channels]
    varying, constant = chosen[spread[chosen] > 0], chosen[spread[chosen] == 0]
    grids = np.concatenate([maps[varying], np.zeros_like(maps[: min(1, len(constant))])])
    score = Masking(engine, batch, target, shared=shared and engine.turns > 1)

    def total(logits: Float64[Array, " m"]) -> Total:
        every = np.concatenate([logits[: len(varying)], np.repeat(logits[len(varying) :], len(constant))])
        weights = softmax(every[np.newaxis])[0].astype(np.float32)
        return np.asarray(np.einsum("k,khw->hw", weights, maps[np.concatenate([varying, constant])]))

    if stability_target < 1 and len(grids) > FIRST + STEP:
        logits, tried = _until_stable(score, grids, total, stability_target, progress)
    else:
        logits, tried = score(grids, 0, len(grids), progress), len(grids)
    drawn = total(logits)
    floor = float(drawn.min())
    peak = float(drawn.max()) - floor
    diagnostics = {
        "peak": peak,
        "empty": float(peak == 0),
        "floor": floor,
        "forwards": float(tried),
        "estimated": float(len(grids) - tried),
    }
    return Attribution(enlarge(drawn - drawn.min(), engine.spec.size_px), diagnostics)


def _until_stable(
    score: "Masking",
    grids: Float32[Array, "m g g"],
    total: Callable[[Float64[Array, " m"]], Total],
    stability_target: float,
    progress: Progress,
) -> tuple[Float64[Array, " m"], int]:
    """Logits of the masks, measured or estimated, and how many were measured. In ``grids`` the widest come first."""
    low, high = grids.min(axis=(1, 2), keepdims=True), grids.max(axis=(1, 2), keepdims=True)
    spread, count = (high - low)[:, 0, 0], len(grids)
    logits, tried = np.zeros(count), np.zeros(count, dtype=bool)
    estimate: ScoreEstimate | None = None
    before: Total | None = None
    places = np.arange(FIRST)
    while True:
        measured = score(grids[places], int(tried.sum()), count, progress)
        estimate = estimate or ScoreEstimate((grids - low) / (high - low + np.float32(1e-8)), float(measured.mean()))
        for place, logit in zip(places, measured, strict=True):
            estimate.add(int(place), float(logit))
        logits[places], tried[places] = measured, True
        filled = np.where(tried, logits, estimate.mean)
        now = total(filled)
        if tried.all() or (before is not None and rank_correlation(now, before) >= stability_target):
            progress(1.0)
            return filled, int(tried.sum())
        before = now
        # What the map may still change by: the channel's range, its weight, and how little is known of that.
        matters = spread * np.exp(estimate.mean - estimate.mean.max()) * np.sqrt(estimate.variance)
        places = np.argsort(np.where(tried, np.inf, -matters), kind="stable")[: min(STEP, count - int(tried.sum()))]


class Masking:
    """Scores of one photo under masks: the class's logit, or its lead; ``BATCH`` masked copies are made at a time.

    ``shared``: each masked copy in one turn alone, in order, less what that turn adds for the whole photo.
    """

    def __init__(self, engine: Engine, batch: Batch, target: Target, *, shared: bool = False) -> None:
        self._engine, self._batch, self._target = engine, batch, target
        self._added = turn_offsets(engine, batch) if shared else None

    def __call__(
        self, grids: Float32[Array, "m g g"], start: int, count: int, progress: Progress
    ) -> Float64[Array, " m"]:
        """``progress`` is told how much of ``count`` masks is done; ``start`` were done before."""
        scores: list[Array] = []
        done = start
        for logits in prefetch_map(self._logits, self._masked(grids, start)):
            scores.append(self._target.score(logits))
            done += len(logits)
            progress(done / count)
        return np.concatenate(scores).astype(np.float64)

    def _masked(self, grids: Float32[Array, "m g g"], start: int) -> Iterator[tuple[Batch, Int[Array, " n"]]]:
        size_px = self._engine.spec.size_px
        for at in range(0, len(grids), BATCH):
            some = grids[at : at + BATCH]
            copies = self._batch * enlarged_masks(some, size_px)[:, np.newaxis]
            yield np.asarray(copies, dtype=np.float32), np.arange(start + at, start + at + len(some))

    def _logits(self, item: tuple[Batch, Int[Array, " n"]]) -> Logits:
        copies, numbers = item
        if self._added is None:
            return self._engine.logits(copies)
        quarters = numbers % self._engine.turns
        return np.asarray(self._engine.logits_in_turn(copies, quarters) - self._added[quarters], dtype=np.float32)


def turn_offsets(engine: Engine, whole: Float32[Array, "1 3 s s"]) -> Float32[Array, "t 7"]:
    """Logits of the whole photo in each turn, less those of the mean over the turns."""
    return np.asarray(engine.logits_of_turns(whole) - engine.logits(whole), dtype=np.float32)


def enlarged_masks(grids: Float32[Array, "m g g"], size_px: int) -> Float32[Array, "m s s"]:
    """Each map at the size of the network's input and scaled to [0, 1]; a map of zeros stays zero.

    Bilinear with the corners of both grids on each other, which is how pytorch-grad-cam (torch's
    ``UpsamplingBilinear2d``) makes its masks, and not how it enlarges its results.
    """
    grid, count = grids.shape[1], len(grids)
    fine = np.linspace(0, grid - 1, size_px, dtype=np.float32)
    # What each fine place takes of each coarse one. As products of at most 48 rows, because the threads of the BLAS
    # library must stay asleep: see Head.logits_of_pooled. It wakes them for larger ones.
    share = np.maximum(1 - np.abs(fine[:, np.newaxis] - np.arange(grid, dtype=np.float32)), 0)
    rows = np.matmul(share, grids).reshape(-1, math.gcd(size_px, 48), grid)
    masks = np.matmul(rows, share.T).reshape(count, -1)
    low, high = masks.min(axis=1, keepdims=True), masks.max(axis=1, keepdims=True)
    masks -= low
    masks /= high - low + np.float32(1e-8)
    return np.asarray(masks.reshape(count, size_px, size_px), dtype=np.float32)
