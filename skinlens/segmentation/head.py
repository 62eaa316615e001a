"""Segmentation of the lesion: a small head beside the classifying one, on the same fused map.

The head is made for one engine file; with another it is refused. Its network is defined and trained in
``skinlens.training.lesion_segmentation``; serving it needs ONNX Runtime and numpy. What is shown and stored is no mask
but a closed curve that the clinician can move (``contour``).
"""

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from skinlens import clock
from skinlens.errors import WeightsError
from skinlens.imaging.preprocess import InputSpec, to_batch
from skinlens.inference.engine import BATCH, Engine, session_of
from skinlens.inference.release import BUNDLED, load_manifest
from skinlens.records import Array, Batch, FeatureMaps, ModelRef, Outline, Photo
from skinlens.segmentation.contour import as_points, mask_to_contour, view_to_photo
from skinlens.wording.errors import not_loadable


class SegmentationHead:
    """Network input and fused map → how probable it is that each place belongs to the lesion. Thread-safe."""

    def __init__(self, file: Path | bytes, spec: InputSpec, model_ref: ModelRef, threads: int = 2) -> None:
        """``file``: or what was read of it. ``spec``: of the engine that the head was made for. ``model_ref``: of
        the head.

        Raises:
            WeightsError: the file is no network, or not one with this project's inputs and output.
        """
        name = file.name if isinstance(file, Path) else "The outline head of the release"
        try:
            content = file if isinstance(file, bytes) else file.read_bytes()
            self._session = session_of(content, threads)
        except Exception as problem:  # ONNX Runtime raises a family of its own, rooted in Exception
            raise WeightsError(not_loadable(name, problem)) from problem
        names = [tensor.name for tensor in (*self._session.get_inputs(), *self._session.get_outputs())]
        if names != ["batch", "fused", "lesion"]:
            raise WeightsError(f"{name}: expected the tensors batch, fused and lesion, found {', '.join(names)}.")
        self.spec, self.model_ref = spec, model_ref

    def probs(self, batch: Batch, fused: FeatureMaps) -> Float32[Array, "n s s"]:
        """Probability of belonging to the lesion, 0 to 1, for each place of the network's square input."""
        parts = [
            self._session.run(None, {"batch": batch[start : start + BATCH], "fused": fused[start : start + BATCH]})[0]
            for start in range(0, len(batch), BATCH)
        ]
        return np.asarray(np.concatenate(parts)[:, 0], dtype=np.float32)


def load_segmentation_head(directory: Path = BUNDLED, threads: int = 2) -> SegmentationHead:
    """The verified head that draws the lesion's outline, for the int8 engine of the same folder.

    Raises:
        WeightsError: as above, or the release has none, or it was made for another engine.
    """
    manifest = load_manifest(directory)
    entry = manifest.content.get("outline")
    again = "Run: python -m skinlens outline-train"
    if entry is None:
        raise WeightsError(f"The model {manifest.version} was released without an outline of the lesion. {again}")
    engine = manifest.model_ref()
    if entry["backbone_sha256"] != engine.sha256:
        raise WeightsError(
            f"The outline head {entry['file']} was made for another model: expected {engine.sha256[:12]}…, found "
            f"{entry['backbone_sha256'][:12]}…. {again}"
        )
    file = manifest.read(entry["file"])
    model_ref = ModelRef(
        f"{engine.name}, outline", manifest.version, manifest.content["files"][entry["file"]]["sha256"]
    )
    return SegmentationHead(file, manifest.input_spec, model_ref, threads)


@dataclass(frozen=True)
class Proposal:
    """Outline that the head proposes for one photo."""

    outline: Outline | None
    """None where it found no lesion."""
    duration_ms: float


def propose(engine: Engine, head: SegmentationHead, photo: Photo) -> Proposal:
    """The lesion's outline as the model sees it."""
    started = time.perf_counter()
    batch = to_batch([photo], engine.spec)
    contour = mask_to_contour(head.probs(batch, engine.features(batch))[0])
    outline = None
    if contour is not None:
        points = view_to_photo(contour, photo, engine.spec)
        outline = Outline(as_points(points), "model", photo.sha256, head.model_ref, clock.utc_now())
    return Proposal(outline, (time.perf_counter() - started) * 1000)
