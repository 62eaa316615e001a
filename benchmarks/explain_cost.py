"""Cost of a prediction and its three explanations beside the stock libraries: ``python -m benchmarks.explain_cost``.

Stock is what a script would do with the released float student: torch in eager mode, pytorch-grad-cam's ``GradCAM`` and
``ScoreCAM``, and lime's ``LimeImageExplainer.explain_instance`` (1,000 samples, quickshift), each as it comes. SkinLens
is timed twice: "same" has the definitions and sample counts of stock (LIME on the probability, 1,000 samples, the same
quickshift superpixels; Score-CAM over all channels, though each in one of the turns alone), "default" is what the app
does unless told otherwise.

Both run in turn on the same photos, in one process, after one warm-up each: photos of ``val`` where the setting
``SKINLENS_HAM10000`` names the data set, drawn lesions otherwise. Cold starts and peak memory are those of fresh
processes. Medians; ratios are stock over SkinLens; nothing is asserted. What LIME costs depends on the photo, hence
eleven of them. Takes about six minutes on two quiet cores; on busy ones the ratios of CPU time are the ones to read.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmarks import explain_sides
from benchmarks.explain_sides import DRAWN, SkinLens, Stock, peak_mb, read
from benchmarks.machine import machine

# Nothing heavy is imported here: Linux counts the memory of the process that starts another into the other's peak.

ROOT = Path(__file__).resolve().parents[1]
WEIGHTS = ROOT / "weights"
BATCH_PHOTOS, BATCH_RUNS = 16, 15
PREDICTIONS = 7
"""On each photo and side, of which the median counts."""
METHODS = ("grad_cam", "score_cam", "lime")

Timed = dict[str, float]
"""``wall_ms`` and ``cpu_ms`` of one call; CPU time is summed over threads."""


def timed(work: Callable[[], object]) -> Timed:
    cpu, wall = time.process_time(), time.perf_counter()
    work()
    return {
        "wall_ms": (time.perf_counter() - wall) * 1000,
        "cpu_ms": (time.process_time() - cpu) * 1000,
    }


def median(times: list[Timed]) -> Timed:
    return {kind: round(statistics.median(one[kind] for one in times), 2) for kind in ("wall_ms", "cpu_ms")}


# ------------------------------------------------------------------------------ what runs in a process of its own


def choose_photos(count: int) -> list[str]:
    """Files of ``val``, every nth so that all classes and both clinics occur; drawn lesions without the data set."""
    from skinlens.errors import DatasetError
    from skinlens.training.ham10000 import dataset_folder, load_index

    try:
        entries = load_index(dataset_folder(), "val")
    except DatasetError:
        return [f"{DRAWN}{seed}" for seed in range(count)]
    return [str(entry.path) for entry in entries[:: len(entries) // count][:count]]


def memory(side: str, weights: str, name: str) -> dict[str, float]:
    """Peak while the three maps of one photo are made, one after the other."""
    photo = read(name)
    if side == "stock":
        stock = Stock(weights)
        for method in METHODS:
            stock.explain(method, photo, "mel")
    else:
        skinlens = SkinLens(weights)
        for method in METHODS:
            (skinlens.same if side == "same" else skinlens.default)(method, photo, "mel")
    return {"peak_mb": round(peak_mb(), 1)}


def pairs(weights: str, names: list[str]) -> dict[str, Any]:
    """Times of both sides in turn on each photo, for the class that SkinLens puts first."""
    import numpy as np

    from skinlens.explain import METHODS as TABLE
    from skinlens.imaging.preprocess import to_batch

    stock, skinlens = Stock(weights), SkinLens(weights)
    times: dict[str, dict[str, list[Timed]]] = {"stock": {}, "same": {}, "default": {}}

    def note(side: str, what: str, work: Callable[[], object], runs: int = 1) -> None:
        took = median([timed(work) for _ in range(runs)])
        times[side].setdefault(what, []).append(took)

    warm = read(f"{DRAWN}99")
    for _ in range(3):
        stock.predict(warm), skinlens.predict(warm)
    stock.explain("grad_cam", warm, "mel")
    skinlens.same("grad_cam", warm, "mel"), skinlens.same("lime", warm, "mel"), skinlens.default("lime", warm, "mel")
    for number, name in enumerate(names, 1):
        photo = read(name)
        label = skinlens.predict(photo).top.code
        note("stock", "predict", lambda photo=photo: stock.predict(photo), PREDICTIONS)
        note("same", "predict", lambda photo=photo: skinlens.predict(photo), PREDICTIONS)
        for method in METHODS:
            arguments = (method, photo, label)
            note("stock", method, lambda given=arguments: stock.explain(*given))
            note("same", method, lambda given=arguments: skinlens.same(*given))
            note("default", method, lambda given=arguments: skinlens.default(*given))
        told = ", ".join(
            f"{side} {sum(times[side][method][-1]['wall_ms'] for method in METHODS) / 1000:.1f} s" for side in times
        )
        print(f"  photo {number} of {len(names)}: three maps in {told}", file=sys.stderr, flush=True)
    for side in times.values():
        side["three"] = [
            {kind: sum(one[kind] for one in parts) for kind in parts[0]}
            for parts in zip(*(side[method] for method in METHODS), strict=True)
        ]
    engine = skinlens.classifier.engine
    batch = np.repeat(to_batch([warm], engine.spec), BATCH_PHOTOS, axis=0)
    throughput: dict[str, float] = {}
    for side, probs in {"stock": stock.probs, "skinlens": skinlens.probs}.items():
        probs(batch)
        took = median([timed(lambda probs=probs: probs(batch)) for _ in range(BATCH_RUNS)])["wall_ms"]
        throughput[side] = round(BATCH_PHOTOS / took * 1000, 1)
    # The same work per pixel at the 224 px of other networks of this kind, to compare with theirs.
    throughput["skinlens_at_224_px"] = round(throughput["skinlens"] * (engine.spec.size_px / 224) ** 2, 1)
    return {
        "median": {side: {what: median(found) for what, found in one.items()} for side, one in times.items()},
        "batch_16_photos_per_s": throughput,
        "input_px": engine.spec.size_px,
        "model": {"version": engine.model_ref.version, "sha256": engine.model_ref.sha256},
        "defaults": {method: TABLE[method].defaults for method in METHODS},
    }


ROLES: dict[str, Callable[..., Any]] = {
    "choose_photos": choose_photos,
    "memory": memory,
    "pairs": pairs,
}


def in_fresh_process(role: str, *arguments: object) -> tuple[Any, float]:
    """Return value of ``role`` for these arguments in a new interpreter, and the wall time until it came, in ms."""
    return said_by(__file__, "--role", role, json.dumps(arguments, default=str))


def said_by(script: str, *arguments: str) -> tuple[Any, float]:
    """The JSON line that a script writes in a new interpreter, and the wall time until it did, in ms."""
    # Two progress bars a photo would cost the libraries a little, and hide the ones that tell where this stands.
    environment = os.environ | {"TQDM_DISABLE": "1", "PYTHONPATH": str(ROOT)}
    started = time.perf_counter()
    command = [sys.executable, script, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        line = process.stdout.readline()
        wall_ms = (time.perf_counter() - started) * 1000
    if process.returncode:
        raise SystemExit(f"The part {arguments} of the benchmark failed; its message stands above.")
    return json.loads(line), wall_ms


def ratios(found: Mapping[str, Mapping[str, Timed]], cold: Mapping[str, Timed], kind: str) -> dict[str, float]:
    """Stock over SkinLens; larger is better for SkinLens."""
    stock, same = found["stock"], found["same"]
    result = {what: stock[what][kind] / same[what][kind] for what in ("predict", *METHODS)}
    result["three_same"] = stock["three"][kind] / same["three"][kind]
    result["three_default"] = stock["three"][kind] / found["default"]["three"][kind]
    result["cold_start"] = cold["stock"][kind] / cold["skinlens"][kind]
    return {what: round(value, 2) for what, value in result.items()}


def measure(weights: Path, count: int) -> dict[str, Any]:
    names, _ = in_fresh_process("choose_photos", count)
    drawn = names[0].startswith(DRAWN)
    starts: dict[str, list[Timed]] = {"stock": [], "skinlens": []}
    loaded: dict[str, float] = {}
    for number, name in enumerate(names, 1):
        for side, times in starts.items():
            told, wall_ms = said_by(explain_sides.__file__, side, str(weights), name)
            times.append({"wall_ms": wall_ms, "cpu_ms": told["cpu_ms"]})
            loaded[side] = round(told["memory_mb"], 1)
        print(f"  cold start {number} of {len(names)}", flush=True)
    cold = {side: median(times) for side, times in starts.items()}
    peaks: dict[str, float] = {}
    for side in ("stock", "same", "default"):
        peaks[side] = in_fresh_process("memory", side, weights, names[0])[0]["peak_mb"]
        print(f"  peak memory, {side}: {peaks[side]:.0f} MB", flush=True)
    paired, _ = in_fresh_process("pairs", weights, names)
    return {
        "photos": {"of": "drawn lesions" if drawn else "val", "pairs": len(names)},
        "ratios": ratios(paired["median"], cold, "wall_ms"),
        "ratios_cpu": ratios(paired["median"], cold, "cpu_ms"),
        **paired,
        "cold_start": cold,
        "peak_memory_mb": peaks,
        "memory_after_first_prediction_mb": loaded,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", type=Path, default=WEIGHTS, help="folder with the manifest")
    parser.add_argument("--photos", type=int, default=11, help="pairs of each measurement")
    parser.add_argument("--json", type=Path, default=Path(__file__).parent / "results" / "explain_cost.json")
    parser.add_argument("--role", nargs=2, metavar=("ROLE", "ARGUMENTS"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.role:
        role, given = arguments.role
        print(json.dumps(ROLES[role](*json.loads(given))), flush=True)
        return
    where = machine()  # before the load of these measurements stands in it
    report = measure(arguments.weights, arguments.photos) | {"machine": where}
    report["machine"]["load_1min_at_the_end"] = machine()["load_1min"]  # this alone makes about 2; more was company
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    arguments.json.write_text(json.dumps(report, indent=2) + "\n")
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
