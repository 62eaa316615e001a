"""The serving engine: the backbone in ONNX Runtime (int8 as shipped), the small head in numpy float.

The network is cut at the fused map, because a quantized graph has no gradients while the gradient of a class score
with respect to that map passes only through the head, where it has a closed form. So an explanation explains the very
model that made the prediction.

One ``Engine`` serves all sessions: ONNX Runtime's ``run`` may be called from many threads at once, the head is pure,
nothing is hooked and nothing is kept between calls. A single photo is computed by all of its threads together, a batch
by a pool of as many workers, each with photos of its own: they need not wait for each other after every layer.

A release may ask for the mean over quarter turns: the photo is computed in four orientations, each map is turned back,
and the mean of the four is the fused map. The head stands behind that mean, so a turned photo gets the same answer, and
all that is said above of gradients holds for it.
"""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnxruntime as ort
from jaxtyping import Float32, Int

from skinlens.background import give_way, hold_back, is_waited_for
from skinlens.errors import WeightsError
from skinlens.imaging.preprocess import InputSpec
from skinlens.records import Array, Batch, FeatureMaps, Logits, ModelRef
from skinlens.wording.errors import not_loadable

BATCH = 16
"""Photos that are made ready at a time: a thousand masked copies need no more memory than sixteen."""
TURNS = 4
"""Quarter turns of a full circle."""
RUN = 2
"""Photos a run: the maps of two stay in the processor's cache, those of sixteen take a third longer a photo."""


@dataclass(frozen=True, eq=False)
class Head:
    """Fused map to logits: z = W₂·relu(W₁·mean(A) + b₁) + b₂, the mean taken over space."""

    hidden_weight: Float32[Array, "k c"]
    hidden_bias: Float32[Array, " k"]
    output_weight: Float32[Array, "7 k"]
    output_bias: Float32[Array, " 7"]

    def logits(self, fused: FeatureMaps) -> Logits:
        return self.logits_of_pooled(pool(fused))

    def logits_of_pooled(self, pooled: Float32[Array, "n c"]) -> Logits:
        # No `@` between runs of the engine: the threads of the BLAS library go on spinning after a product, for longer
        # than a run takes, on the cores that the engine needs. With it, a Score-CAM map took twice as long.
        hidden = self.hidden(pooled)
        return np.asarray(np.einsum("nk,lk->nl", hidden, self.output_weight) + self.output_bias, dtype=np.float32)

    def hidden(self, pooled: Float32[Array, "n c"]) -> Float32[Array, "n k"]:
        """The features just before the last layer, at least 0: photos that look alike to the network lie close."""
        weighted = np.einsum("nc,kc->nk", pooled, self.hidden_weight) + self.hidden_bias
        return np.asarray(np.maximum(weighted, 0), dtype=np.float32)

    def channel_gradient(self, fused: Float32[Array, "1 c g g"], logit_weights: Float32[Array, " 7"]) -> Array:
        """d(direction · logits) / d fused, one number for each channel, float32 of shape (c,).

        The mean over space gives each of its g² places the same gradient, so one number stands for the whole map:
        (W₁ᵀ (1[W₁·mean(A) + b₁ > 0] ∘ W₂ᵀ direction)) / g².
        """
        active = pool(fused)[0] @ self.hidden_weight.T + self.hidden_bias > 0
        gradient = (active * (logit_weights @ self.output_weight)) @ self.hidden_weight
        return np.asarray(gradient / (fused.shape[2] * fused.shape[3]), dtype=np.float32)


@dataclass(frozen=True, eq=False)
class ExitLayer:
    """An early answer from the map M that it reads: z = W·mean(M) + b, the mean taken over space."""

    weight: Float32[Array, "7 c"]
    bias: Float32[Array, " 7"]
    temperature: float
    """Temperature that makes probabilities of its logits; fitted on ``val``."""
    balanced_accuracy: float
    """Of this answer alone, on ``val``."""

    def channel_gradient(self, maps: Float32[Array, "1 c h w"], logit_weights: Float32[Array, " 7"]) -> Array:
        """d(direction · logits) / d maps, one number for each channel as in ``Head``, float32 of shape (c,)."""
        return np.asarray(logit_weights @ self.weight / (maps.shape[2] * maps.shape[3]), dtype=np.float32)


class Exits(NamedTuple):
    exit_1: ExitLayer
    exit_2: ExitLayer


class EngineOutput(NamedTuple):
    fused: FeatureMaps
    exit_1: Logits
    exit_2: Logits
    local: Float32[Array, "n c h w"] | None = None
    """The map that ``exit_1`` reads, the CNN branch's last; None where the release does not give it out."""
    top: Float32[Array, "n c h w"] | None = None
    """The map that ``exit_2`` reads, EfficientNet's last; None likewise."""


OUTPUTS = (*EngineOutput._fields, "pooled")
"""Of the engine file, in this order: maps with the channels last, and the fused map's mean over space. The first
release has only three of them, and its map has the channels first."""


def pool(fused: FeatureMaps) -> Float32[Array, "n c"]:
    """Mean over space: the features in which the head, and the out-of-distribution check, see a photo."""
    return np.asarray(fused.mean(axis=(2, 3)), dtype=np.float32)


class Engine:
    """Image batch → fused map and exits, and the float head on top. Thread-safe."""

    def __init__(
        self,
        backbone: Path | bytes,
        head: Head,
        spec: InputSpec,
        model_ref: ModelRef,
        threads: int = 2,
        exits: Exits | None = None,
        turns: int = 1,
    ) -> None:
        """``backbone``: the file, or what was read of it. ``threads``: cores to use; all callers share them. ``exits``:
        None where the release says nothing of them. ``turns``: orientations whose maps are averaged, 1 or ``TURNS``.

        Raises:
            WeightsError: the file is no network, or not one with this project's inputs and outputs.
        """
        name = backbone.name if isinstance(backbone, Path) else "The network of the release"
        try:
            self._file = backbone if isinstance(backbone, bytes) else backbone.read_bytes()
            self._session = session_of(self._file, threads if turns == 1 else 1)  # four turns are shared by the workers
        except Exception as problem:  # ONNX Runtime raises a family of its own, rooted in Exception
            raise WeightsError(not_loadable(name, problem)) from problem
        names = tuple(output.name for output in self._session.get_outputs())
        if names not in (OUTPUTS[:3], OUTPUTS):
            raise WeightsError(f"{name}: expected the outputs {OUTPUTS}, found {names}.")
        self._pools = names == OUTPUTS
        self._workers = ThreadPoolExecutor(threads, thread_name_prefix="engine", initializer=give_way)
        self._first = ThreadPoolExecutor(threads, thread_name_prefix="first") if turns > 1 else self._workers
        """For a single photo: somebody looks at the screen, while hundreds of masked copies can wait."""
        self._alone: ort.InferenceSession | None = self._session if threads == 1 or turns > 1 else None
        self._lock = threading.Lock()
        self.head, self.exits, self.spec, self.model_ref, self.turns = head, exits, spec, model_ref, turns

    def run(self, batch: Batch) -> EngineOutput:
        """All outputs of the engine, for a batch of any size. The maps are views: channels first, not in memory."""
        return EngineOutput(*self._run(batch, OUTPUTS[:5] if self._pools else OUTPUTS[:3]))

    def features(self, batch: Batch) -> FeatureMaps:
        return self._run(batch, ("fused",))[0]

    def pooled(self, batch: Batch) -> Float32[Array, "n c"]:
        """The fused map's mean over space, without the map itself: all that the head needs of a photo."""
        return _mean_of_turns(self.pooled_of_turns(batch))

    def pooled_of_turns(self, batch: Batch) -> Float32[Array, "t n c"]:
        """Mean over space of the fused map of each orientation alone, upright first; their mean is ``pooled``."""
        (output,) = self._computed(batch, ("pooled",) if self._pools else ("fused",), self.turns)
        pooled = output if self._pools else pool(output)
        return pooled.reshape(self.turns, len(batch), -1)

    def logits(self, batch: Batch) -> Logits:
        """Logits of the photos, before the temperature."""
        return self.head.logits_of_pooled(self.pooled(batch))

    def logits_in_turn(self, batch: Batch, quarters: Int[Array, " n"]) -> Logits:
        """Logits, before the temperature, of each photo in one orientation alone: turned by so many quarters.

        Where a mean over turns is asked of hundreds of masked copies, each copy can be computed in one of them, in
        turn; that costs what a network without the mean costs.
        """
        turned = np.empty_like(batch)
        for place, quarter in enumerate(quarters):
            turned[place] = np.rot90(batch[place], int(quarter), axes=(1, 2))
        name = ("pooled",) if self._pools else ("fused",)
        (output,) = self._computed(turned, name, 1)
        return self.head.logits_of_pooled(output if self._pools else pool(output))

    def logits_of_turns(self, whole: Float32[Array, "1 3 s s"]) -> Float32[Array, "t 7"]:
        """Logits, before the temperature, of one photo in each of the orientations alone."""
        return self.logits_in_turn(np.repeat(whole, self.turns, axis=0), np.arange(self.turns))

    def _run(self, batch: Batch, names: Sequence[str]) -> list[Array]:
        outputs = self._computed(batch, names, self.turns)
        if self.turns == 1:
            return outputs
        return [_mean_of_turns(output.reshape(self.turns, len(batch), *output.shape[1:])) for output in outputs]

    def _computed(self, batch: Batch, names: Sequence[str], turns: int) -> list[Array]:
        """The named outputs for the batch as it is, then for the batch turned by a quarter, and so on."""
        if turns * len(batch) <= RUN:
            outputs = self._session.run(names, {"batch": batch})
        else:
            session, jobs = self._one_thread_session(), product(range(turns), range(0, len(batch), RUN))
            in_background = len(batch) > 1 and not is_waited_for()

            def part(job: tuple[int, int]) -> list[Array]:
                quarters, at = job
                if in_background:
                    hold_back()
                turned = np.rot90(batch[at : at + RUN], quarters, axes=(2, 3))
                return list(session.run(names, {"batch": np.ascontiguousarray(turned)}))

            parts = (self._first if len(batch) == 1 else self._workers).map(part, jobs)
            outputs = [np.concatenate(column) for column in zip(*parts, strict=True)]
        return [np.moveaxis(output, 3, 1) if self._pools and output.ndim == 4 else output for output in outputs]

    def _one_thread_session(self) -> ort.InferenceSession:
        """Made for the first batch: whoever asks for one prediction need not wait for it."""
        with self._lock:
            if self._alone is None:
                self._alone = session_of(self._file, 1)
            return self._alone


def _mean_of_turns(outputs: Float32[Array, "t n ..."]) -> Float32[Array, "n ..."]:
    """Mean over the turns, each map turned back by the quarters that its photo was turned."""
    if outputs.ndim == 3:  # the mean over space, or logits: no place in them
        return np.asarray(outputs.mean(axis=0), dtype=np.float32)
    total = outputs[0].copy()
    for quarters in range(1, len(outputs)):
        total += np.rot90(outputs[quarters], -quarters, axes=(2, 3))
    return np.asarray(total / np.float32(len(outputs)), dtype=np.float32)


def session_of(file: bytes, threads: int) -> ort.InferenceSession:
    """Session of ONNX Runtime on so many threads, which says nothing but errors."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    return ort.InferenceSession(file, options, providers=["CPUExecutionProvider"])
