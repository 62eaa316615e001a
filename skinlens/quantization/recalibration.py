"""Recalibration: a released network served as the mean over quarter turns, with all that was fitted to its answers.

The network's files stay as they are. Temperature, cut-off, prediction sets, out-of-distribution statistics and parity
belong to the answers, and are fitted anew on the same photos as by ``release_builder.export``.
"""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from jaxtyping import Float32

from skinlens import paths
from skinlens.errors import WeightsError
from skinlens.inference.engine import Engine
from skinlens.inference.release import Manifest, file_entry, load_manifest, write_manifest
from skinlens.networks.student import load_released
from skinlens.quantization.provenance import made_now
from skinlens.quantization.ptq import export_backbone
from skinlens.quantization.release_builder import (
    OOD,
    Quantized,
    calibrated,
    engine_of,
    fitted_ood,
    ood_file,
    reference_output,
    run_on,
    summary,
)
from skinlens.records import Array
from skinlens.training.ham10000 import Entry, ImageSet
from skinlens.training.recipe import Recipe, recipe_from_dict
from skinlens.training.sources import load_sources


def recalibrate(
    release: Path,
    training: Sequence[Entry],
    validation: Sequence[Entry],
    out: Path,
    *,
    turns: int,
    version: str,
    note: str = "",
) -> Path:
    """Write the release of the folder ``release`` into ``out``, served as the mean over ``turns`` quarter turns (1 or
    4); returns the path of its manifest.

    What is said of the patient is left out, since its weight belongs to the answers too: ``context-fit`` adds it again.

    Raises:
        WeightsError: the release cannot be used, or ``out`` is its own folder.
        OSError: ``out`` cannot be written.
        DatasetError: a source of its recipe is not there.
    """
    if out.exists() and out.samefile(release):
        raise WeightsError(
            f"The new release cannot be written into {out}, the folder of the one that it is made from: expected "
            "another folder. Choose one by --out."
        )
    manifest = load_manifest(release)
    recipe = recipe_from_dict(manifest.content["recipe"])
    sources = load_sources(recipe.sources, paths.ROOT / "recipes")  # or fail before the work
    train, val = (ImageSet.of(entries, recipe.input) for entries in (training, validation))
    engine = _engine(manifest, turns)
    served = Quantized(engine, run_on(engine, val, "int8 on val"), _float_logits(manifest, recipe, val, turns))
    fitted = calibrated(served, val, [entry.group for entry in validation])
    ood = fitted_ood(served, recipe, train, sources)
    out.mkdir(parents=True, exist_ok=True)
    files = {name: entry for name, entry in manifest.content["files"].items() if name != manifest.content["ood"]}
    contents = {name: manifest.read(name) for name in files} | {OOD: ood_file(ood)}
    left = {key: value for key, value in manifest.content.items() if key != "patient_context"}
    content = {
        **left,
        **made_now(version),
        "turns": turns,
        "note": note,
        "ood": OOD,
        **fitted,
        "reference": reference_output(engine),
        "files": {**files, OOD: file_entry(contents[OOD])},
    }
    path = write_manifest(out, content, contents)
    print(summary(content))
    return path


def _engine(manifest: Manifest, turns: int) -> Engine:
    """The release's own engine with so many turns."""
    backbone = manifest.read(manifest.content["backbones"]["int8"])
    return Engine(
        backbone, manifest.head(), manifest.input_spec, manifest.model_ref(), exits=manifest.exits(), turns=turns
    )


def _float_logits(manifest: Manifest, recipe: Recipe, val: ImageSet, turns: int) -> Float32[Array, "n 7"]:
    """Logits on ``val`` of the float network that the release was quantized from, with so many turns."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "float.onnx"
        export_backbone(load_released(manifest), path, recipe.input.size_px)
        return run_on(engine_of(path, manifest.head(), recipe, turns), val, "float on val").logits
