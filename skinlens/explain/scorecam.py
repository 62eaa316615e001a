"""Score-CAM at the fused map, on the int8 engine in batches.

Wang et al., "Score-CAM: Score-Weighted Visual Explanations for Convolutional Neural Networks", 2020: every channel A_k
of the map, enlarged and scaled to [0, 1], is laid over the photo as a mask; the logit y_k that the class keeps under
that mask weighs the channel:

    map = ReLU(Σ_k w_k A_k),    w = softmax over k of y_k        (algorithm 1)

For one class against another, y_k is the difference of their logits. The logit of the paper's empty baseline is the
same for all channels and cancels in the softmax. No gradient is needed, but one forward pass for each channel.

Where the network is a mean over quarter turns, each masked photo can be computed in one turn alone, the channels taking
the turns in order (``shared``): a quarter of the cost. What a turn adds to the logit of the whole photo is taken off,
so that a channel gains nothing by its turn.
"""

import math
from collections.abc import Iterator

import numpy as np
from jaxtyping import Float32, Int

from skinlens.explain.attribution import Attribution, enlarge
from skinlens.explain.prefetch import prefetch_map
from skinlens.inference.calibration import softmax
from skinlens.inference.engine import BATCH, Engine
from skinlens.records import Array, Batch, Logits, Progress, Target


def score_cam(
    engine: Engine, batch: Batch, target: Target, channels: int, progress: Progress, *, shared: bool = False
) -> Attribution:
    """Where the photo must stay visible for the logit of the target's class, or its lead, to stay high.

    ``batch`` holds the one photo. ``channels``: how many are tried, those with the widest range of values first;
    more than there are means all. A channel without any range hides the whole photo; all such channels share one
    forward pass, which changes nothing. ``shared``: one turn for each channel, where the network averages several.
    ``progress`` is told after each ``BATCH`` masked photos.

    Neither weights nor channels are ever negative, so the map has a floor that says nothing about the place: it is
    subtracted, as the authors' implementation does, and told as ``floor``. ``peak`` is the maximum above that floor,
    in units of the fused map; ``forwards`` counts the masked photos.
    """
    maps = engine.features(batch)[0]
    spread = maps.max(axis=(1, 2)) - maps.min(axis=(1, 2))
    chosen = np.argsort(-spread, kind="stable")[:channels]
    tried, constant = chosen[spread[chosen] > 0], chosen[spread[chosen] == 0]
    grids = np.concatenate([maps[tried], np.zeros_like(maps[: min(1, len(constant))])])
    score = shared_logits if shared and engine.turns > 1 else masked_logits
    masked_scores = score(engine, batch, grids, target, progress)
    logits = np.concatenate([masked_scores[: len(tried)], np.repeat(masked_scores[len(tried) :], len(constant))])
    weights = softmax(logits[np.newaxis])[0].astype(np.float32)
    total = np.einsum("k,khw->hw", weights, maps[np.concatenate([tried, constant])])
    floor = float(total.min())
    peak = float(total.max()) - floor
    diagnostics = {"peak": peak, "empty": float(peak == 0), "floor": floor, "forwards": float(len(grids))}
    return Attribution(enlarge(total - total.min(), engine.spec.size_px), diagnostics)


def masked_logits(
    engine: Engine, batch: Batch, grids: Float32[Array, "m g g"], target: Target, progress: Progress
) -> Float32[Array, " m"]:
    """The class's logit, or its lead, for the photo under each mask; ``BATCH`` masks are made at a time."""

    def masked() -> Iterator[Batch]:
        for start in range(0, len(grids), BATCH):
            yield _masked(batch, grids[start : start + BATCH], engine)

    return _scores(prefetch_map(engine.logits, masked()), target, len(grids), progress)


def shared_logits(
    engine: Engine, batch: Batch, grids: Float32[Array, "m g g"], target: Target, progress: Progress
) -> Float32[Array, " m"]:
    """The same with each masked photo in one turn alone, less what that turn adds for the whole photo."""
    added = turn_offsets(engine, batch)

    def masked() -> Iterator[tuple[Batch, Int[Array, " n"]]]:
        for start in range(0, len(grids), BATCH):
            some = grids[start : start + BATCH]
            yield _masked(batch, some, engine), np.arange(start, start + len(some)) % engine.turns

    def logits(item: tuple[Batch, Int[Array, " n"]]) -> Logits:
        return np.asarray(engine.logits_in_turn(*item) - added[item[1]], dtype=np.float32)

    return _scores(prefetch_map(logits, masked()), target, len(grids), progress)


def turn_offsets(engine: Engine, whole: Float32[Array, "1 3 s s"]) -> Float32[Array, "t 7"]:
    """Logits of the whole photo in each turn, less those of the mean over the turns."""
    return np.asarray(engine.logits_of_turns(whole) - engine.logits(whole), dtype=np.float32)


def _masked(
    whole: Float32[Array, "1 3 s s"], grids: Float32[Array, "m g g"], engine: Engine
) -> Float32[Array, "m 3 s s"]:
    return np.asarray(whole * enlarged_masks(grids, engine.spec.size_px)[:, np.newaxis], dtype=np.float32)


def _scores(logits: Iterator[Logits], target: Target, count: int, progress: Progress) -> Float32[Array, " m"]:
    scores: list[Array] = []
    for some in logits:
        scores.append(target.score(some))
        progress(min(BATCH * len(scores), count) / count)
    return np.concatenate(scores)


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
