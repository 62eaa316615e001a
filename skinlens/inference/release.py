"""Release of a model: ``weights/manifest.json`` to a verified engine. A file is used only if its SHA-256 is the one in
the manifest, and the manifest of the folder that ships only if it is the one that this version was made with (see
``release``).
"""

import hashlib
import io
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from skinlens import paths
from skinlens.atomic_file import replace_files
from skinlens.errors import WeightsError
from skinlens.imaging.preprocess import InputSpec
from skinlens.inference import manifest_schema
from skinlens.inference.bundle_metadata import METADATA, bundle_metadata
from skinlens.inference.calibration import ConformalSets
from skinlens.inference.engine import Engine, ExitLayer, Exits, Head
from skinlens.inference.ood import MahalanobisOOD
from skinlens.inference.patient_context import ContextModel, context_model
from skinlens.labels import CODES
from skinlens.records import ModelRef, Threshold
from skinlens.wording.errors import RESTORE_MANIFEST, RESTORE_WEIGHTS

Precision = Literal["int8", "float32"]
BUNDLED = paths.WEIGHTS
REFERENCE_SEED = 0
"""Of the drawn example whose logits the manifest holds, so that ``doctor`` can ask the engine again."""
HEAD_PARTS = ("hidden_weight", "hidden_bias", "output_weight", "output_bias")


WEIGHTS_VARIABLE = "SKINLENS_WEIGHTS"


def weights_directory() -> Path:
    """The folder that ``SKINLENS_WEIGHTS`` names, otherwise the one that ships."""
    named = os.environ.get(WEIGHTS_VARIABLE, "").strip()
    return Path(named).expanduser() if named else BUNDLED


@dataclass(frozen=True)
class Manifest:
    """Manifest of one released model."""

    directory: Path
    content: dict[str, Any]
    """The whole JSON under the keys of this version: recipe, data, parity, figures, …"""
    sha256: str
    """``manifest_schema.digest`` of the JSON as it was written."""

    @property
    def bundled(self) -> bool:
        """Whether it is the one that this version was made with, wherever it lies."""
        return self.sha256 == manifest_schema.bundled_digest()

    @property
    def version(self) -> str:
        return str(self.content["version"])

    @property
    def temperature(self) -> float:
        return float(self.content["temperature"])

    @property
    def input_spec(self) -> InputSpec:
        parts: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in self.content["input"].items()
        }
        return InputSpec(**parts)

    @property
    def melanoma_threshold(self) -> Threshold:
        return Threshold(**self.content["melanoma_threshold"])

    @property
    def set_rule(self) -> ConformalSets | None:
        """Rule of the conformal prediction sets; None for a release from before there were any."""
        rule = self.content.get("prediction_set")
        if rule is None:
            return None
        class_thresholds = tuple(float(rule["class_thresholds"][code]) for code in CODES)
        return ConformalSets(
            float(rule["level"]), class_thresholds, str(rule["calibrated_on"]), str(rule["half_sha256"])
        )

    @property
    def context_model(self) -> ContextModel | None:
        """Model of patient context, which adds age, sex and site; None for a release that was made without."""
        return context_model(self.content.get("patient_context"))

    def model_ref(self, precision: Precision = "int8") -> ModelRef:
        digest = self.content["files"][self.content["backbones"][precision]]["sha256"]
        return ModelRef(str(self.content["name"]), self.version, digest)

    @property
    def turns(self) -> int:
        """Quarter turns whose maps are averaged: 1, the photo as it is, for a release that does not name any."""
        return int(self.content.get("turns", 1))

    def read(self, name: str) -> bytes:
        """A file of this release. What is returned is what was checked: nothing reads the file a second time.

        Raises:
            WeightsError: it is missing, or is not the file that was released.
        """
        try:
            file = (self.directory / name).read_bytes()
        except OSError as problem:
            raise WeightsError(
                f"The model file {name} cannot be read in {self.directory} ({problem.strerror}). {RESTORE_WEIGHTS}"
            ) from problem
        expected, actual = self.content["files"][name]["sha256"], hashlib.sha256(file).hexdigest()
        if actual != expected:
            raise WeightsError(
                f"The model file {name} is not the one that was released: expected SHA-256 {expected[:12]}…, found "
                f"{actual[:12]}…. {RESTORE_WEIGHTS}"
            )
        return file

    def head(self) -> Head:
        with np.load(io.BytesIO(self.read(self.content["head"])), allow_pickle=False) as arrays:
            return Head(*(arrays[part] for part in HEAD_PARTS))

    def exits(self) -> Exits | None:
        """The early answers' layers; None for the first releases, which do not hold them."""
        known = self.content.get("exits")
        if known is None:
            return None
        with np.load(io.BytesIO(self.read(self.content["head"])), allow_pickle=False) as arrays:
            return Exits(
                *(
                    ExitLayer(
                        arrays[f"{name}_weight"],
                        arrays[f"{name}_bias"],
                        float(known[name]["temperature"]),
                        float(known[name]["balanced_accuracy"]),
                    )
                    for name in Exits._fields
                )
            )

    def ood(self) -> MahalanobisOOD:
        """Out-of-distribution statistics of the training photos: for the distance of a new photo from them."""
        with np.load(io.BytesIO(self.read(self.content["ood"])), allow_pickle=False) as arrays:
            return MahalanobisOOD(arrays["mean"], arrays["whitening"], float(arrays["limit"]))


def load_manifest(directory: Path = BUNDLED) -> Manifest:
    """Read and check the manifest of a weights folder.

    Raises:
        WeightsError: there is none, it does not say what this version needs, or it lies in the folder that ships and is
            not the one that ships.
    """
    path = directory / "manifest.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as problem:
        raise WeightsError(f"No model is installed: expected {path} ({problem.strerror}).") from problem
    except (ValueError, RecursionError) as problem:
        raise WeightsError(f"{path} is not a manifest: {problem}. {RESTORE_MANIFEST}") from problem
    if not isinstance(content, dict):
        raise WeightsError(f"{path} is not a manifest: expected a JSON object. {RESTORE_MANIFEST}")
    now = manifest_schema.current(content)
    manifest_schema.check(now, path)
    manifest = Manifest(directory, now, manifest_schema.digest(content))
    if ships(directory) and not manifest.bundled:
        expected, actual = manifest_schema.bundled_digest()[:12], manifest.sha256[:12]
        raise WeightsError(
            f"{path} is not the manifest that this version came with: expected SHA-256 {expected}…, found {actual}…. "
            f"{RESTORE_WEIGHTS} A model of your own is used from a folder of its own, which "
            "--weights or the setting SKINLENS_WEIGHTS names."
        )
    return manifest


def ships(directory: Path) -> bool:
    """Whether it is the folder that comes with the program."""
    return directory.resolve() == BUNDLED.resolve()


def file_entry(content: bytes) -> dict[str, Any]:
    """Entry of a file in the manifest: its SHA-256 and its size."""
    return {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}


def write_manifest(directory: Path, content: dict[str, Any], files: Mapping[str, bytes] | None = None) -> Path:
    """The one place where a manifest is written, ``metadata.json`` from it, and with it the release's new ``files``.

    Where one of them cannot be written the release stays as it was. The manifest of the folder that ships is bound to
    the code from then on.
    """
    path = directory / "manifest.json"
    texts = {path: content, directory / METADATA: bundle_metadata(content)}
    if ships(directory):
        texts[manifest_schema.BUNDLED_RELEASE] = manifest_schema.bundled_release(content)
    contents = {directory / name: file for name, file in (files or {}).items()}
    contents |= {each: f"{json.dumps(text, indent=2)}\n".encode() for each, text in texts.items()}
    replace_files(contents)
    return path


def load_engine(directory: Path = BUNDLED, precision: Precision = "int8", threads: int = 2) -> Engine:
    """The verified engine of a weights folder.

    Raises:
        WeightsError: as above, or the folder does not hold that precision.
    """
    manifest = load_manifest(directory)
    name = manifest.content["backbones"].get(precision)
    if name is None:
        raise WeightsError(f"{directory} holds no {precision} network, only {sorted(manifest.content['backbones'])}.")
    return Engine(
        manifest.read(name),
        manifest.head(),
        manifest.input_spec,
        manifest.model_ref(precision),
        threads,
        exits=manifest.exits(),
        turns=manifest.turns,
    )
