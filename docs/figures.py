"""Tables for the README and the model card, from the JSON files that the measurements wrote.

``cog`` calls these functions where the documents ask for a figure (``make docs``), so no figure is ever typed. They
take what ``python -m skinlens evaluate --json`` and ``python -m skinlens export`` wrote, and return Markdown.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from skinlens import published_figures
from skinlens.evaluation.segmentation import GOOD
from skinlens.formatting import duration, estimate, grouped, megabytes, rounded_percent
from skinlens.inference.manifest_schema import current
from skinlens.labels import BY_CODE, MELANOMA
from skinlens.quantization.release_builder import CLOSE_ACCURACY, CLOSE_AGREEMENT
from skinlens.wording.evaluation import HEADLINES
from skinlens.wording.naming import in_sentence

ROOT = Path(__file__).resolve().parents[1]

TITLES = {key: in_sentence(title) for key, title in HEADLINES.items()}


def evaluation(split: str) -> dict[str, Any]:
    """Figures that ``evaluate`` wrote about one split: ``val`` or ``test``."""
    return published_figures.read(ROOT / "weights" / f"evaluation-{split}.json")


def manifest() -> dict[str, Any]:
    """Manifest that ``export`` wrote beside the weights."""
    return current(read(ROOT / "weights" / "manifest.json"))


def read(path: Path) -> dict[str, Any]:
    """A JSON file that a measurement wrote."""
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def headline(*evaluations: Mapping[str, Any]) -> str:
    """One row a figure, one column a split, each value with its 95 % interval."""
    header = ["", *(f"{one['split']} ({grouped(one['n'])} photos)" for one in evaluations)]
    return table(header, [[title, *(estimate(one.get(key)) for one in evaluations)] for key, title in TITLES.items()])


def headline_row(result: Mapping[str, Any]) -> str:
    """The figures that come first, of one split, in one row."""
    keys = ("balanced_accuracy", "macro_f1", "melanoma_auc", "ece")
    header = [f"{result['split']} ({grouped(result['n'])} photos)", *(TITLES[key] for key in keys)]
    return table(header, [["released model, int8", *(estimate(result.get(key)) for key in keys)]])


def per_class(result: Mapping[str, Any]) -> str:
    """One row a class: photos, recall and precision."""
    rows = []
    for code in result["labels"]:
        figures = result["per_class"][code]
        rows.append([code, BY_CODE[code].name, grouped(figures["n"])])
        rows[-1] += [estimate(figures["recall"]), estimate(figures["precision"])]
    return table(["class", "", "photos", "recall", "precision"], rows)


def confusion(result: Mapping[str, Any]) -> str:
    """Rows: the diagnosis of the data set; columns: the class that the model puts first."""
    rows = [
        [f"**{code}**", *(grouped(count) for count in counts)]
        for code, counts in zip(result["labels"], result["confusion"], strict=True)
    ]
    return table(["", *result["labels"]], rows)


def provenance(result: Mapping[str, Any]) -> str:
    """Sentence on the model that the figures are about."""
    model = result["model"]
    missing = f"; {grouped(result['missing'])} pictures of the list were missing" if result["missing"] else ""
    return f"Measured on {model['name']} {model['version']} (engine sha256 `{model['sha256'][:12]}…`){missing}.\n"


def melanoma_sentence(result: Mapping[str, Any]) -> str:
    """Share of the melanomas that the model puts first, in one sentence that can stand alone."""
    figures = result["per_class"][MELANOMA]
    return (
        f"Of {grouped(figures['n'])} photos of melanomas in `{result['split']}`, the model puts melanoma first in a "
        "share of "
        f"{estimate(figures['recall'])}.\n"
    )


def parity(release: Mapping[str, Any]) -> str:
    """Cost of quantization: the float and the int8 network on the same photos."""
    both = release["parity"]
    rows = [
        [
            title,
            f"{both['float'][key]:.3f}",
            f"{both['int8'][key]:.3f}",
            f"{both['int8'][key] - both['float'][key]:+.4f}",
        ]
        for key, title in TITLES.items()
        if key in both["float"] and key in both["int8"]
    ]
    return table([f"on {both['split']}", "float32", "int8, served", "difference"], rows)


def agreement(release: Mapping[str, Any]) -> str:
    """Agreement of int8 and float32 in one sentence, and a table of the ways to quantize that were tried."""
    quantization = release["quantization"]
    sentence = (
        "Both as the mean over the turns that is served: they put the same class first for "
        f"{rounded_percent(release['parity']['top1_agreement'], 2)} of the photos. A difference of a point here is a "
        "few photos of the rare classes. Each way to calibrate was tried in one orientation, on "
        f"{grouped(quantization['photos'])} photos of `{quantization['photos_from']}`, with some of the first stages "
        f"left in float. Kept was the one with the fewest, since they cost time, of those that agree within "
        f"{rounded_percent(CLOSE_AGREEMENT, 1)} of the best and lose at most {rounded_percent(CLOSE_ACCURACY)} of "
        "balanced accuracy:\n\n"
    )
    rows = [
        [
            one["calibration"] + (" **(kept)**" if one == quantization["chosen"] else ""),
            ", ".join(f"`{layer.rstrip('/')}`" for layer in one["float_layers"]) or "none",
            rounded_percent(one["top1_agreement"], 2),
            f"{one['balanced_accuracy']:.3f}",
            megabytes(one["bytes"], 2),
        ]
        for one in quantization["tried"]
    ]
    return sentence + table(["calibration", "in float", "agreement", "balanced accuracy", "file"], rows)


def threshold_sentence(release: Mapping[str, Any]) -> str:
    """Sentence on melanoma's threshold: its value, sensitivity and specificity."""
    one = release["melanoma_threshold"]
    return (
        f"Melanoma's threshold lies at a probability of {one['value']:.3f}: on {one['chosen_on']}, its sensitivity is "
        f"{one['sensitivity']:.3f} and its specificity {one['specificity']:.3f}.\n"
    )


def facts(release: Mapping[str, Any]) -> str:
    """The released model in a table: size, input, temperature, and the hashes of its files."""
    spec, files = release["input"], release["files"]
    serving = [release["backbones"]["int8"], release["head"], release["ood"]]
    rows = [
        ["version", f"{release['version']}, {release['created_at'][:10]}"],
        ["parameters", grouped(release["parameters"])],
        ["input", f"{spec['size_px']}×{spec['size_px']} px, from a photo brought to {spec['detail_px']} px of detail"],
        ["temperature", f"{release['temperature']:.3f}"],
        ["files for serving", megabytes(sum(files[name]["bytes"] for name in serving), 2)],
        *([f"`{name}`", f"sha256 `{file['sha256'][:16]}…`"] for name, file in files.items()),
    ]
    return table(["", ""], rows)


def explain_cost(result: Mapping[str, Any] | None = None) -> str:
    """Cost of a prediction and the three maps beside the stock libraries, from ``benchmarks/explain_cost.py``.

    A sentence on what was compared where, and a table: wall time, and the ratio of wall and of CPU time.
    """
    one = result or read(ROOT / "benchmarks" / "results" / "explain_cost.json")
    sentence = (
        "Stock is the float student in eager torch with pytorch-grad-cam and lime. Both explain the mean over turns "
        "that is served; SkinLens computes a channel of Score-CAM, and as the app makes it a sample of LIME, in one of "
        f"the turns alone, in order. {_pairs(one)}"
    )
    return sentence + _stock_and_skinlens(one)


def explain_cost_avx2(result: Mapping[str, Any] | None = None) -> str:
    """Cost of a prediction and the maps with AVX2 kernels alone: the same table, through ``benchmarks/avx2.py``."""
    one = result or read(ROOT / "benchmarks" / "results" / "explain_cost_avx2.json")
    sentence = (
        "What a processor without AVX-512 and VNNI makes of it: the same measurement with AVX2 kernels alone, for both "
        f"sides (`python -m benchmarks.avx2 benchmarks.explain_cost`). {_pairs(one)}"
    )
    return sentence + _stock_and_skinlens(one)


def _pairs(one: Mapping[str, Any]) -> str:
    photos = one["photos"]["of"].replace("val", "photos of `val`")
    return (
        f"Medians of {one['photos']['pairs']} pairs in turn on {photos} at {one['input_px']} px; "
        f"release {one['model']['version']}, {measured_on(one)}.\n\n"
    )


def _stock_and_skinlens(one: Mapping[str, Any]) -> str:
    times = one["median"]
    rows = []
    for title, side, what, ratio in (
        ("one prediction", "same", "predict", "predict"),
        ("Grad-CAM", "same", "grad_cam", "grad_cam"),
        ("Score-CAM, all channels, each in one turn", "same", "score_cam", "score_cam"),
        ("LIME, 1,000 samples, quickshift", "same", "lime", "lime"),
        ("the three maps, all channels and samples", "same", "three", "three_same"),
        ("the three maps, as the app makes them", "default", "three", "three_default"),
    ):
        rows.append([title, duration(times["stock"][what]["wall_ms"], 1), duration(times[side][what]["wall_ms"], 1)])
        rows[-1] += [f"{one['ratios'][ratio]:.1f} ×", f"{one['ratios_cpu'][ratio]:.1f} ×"]
    start, peak = one["cold_start"], one["peak_memory_mb"]
    rows.append(["from nothing to the first prediction", *(duration(start[side]["wall_ms"], 1) for side in start)])
    rows[-1] += [f"{one['ratios']['cold_start']:.1f} ×", f"{one['ratios_cpu']['cold_start']:.1f} ×"]
    rate = one["batch_16_photos_per_s"]
    speedup = f"{rate['skinlens'] / rate['stock']:.1f} ×"
    rows.append(["photos a second, 16 at a time", f"{rate['stock']:.0f}", f"{rate['skinlens']:.0f}", speedup, ""])
    saved = f"{peak['stock'] / peak['default']:.1f} ×"
    rows.append(["peak memory while explaining", f"{peak['stock']:.0f} MB", f"{peak['default']:.0f} MB", saved, ""])
    return table(["", "stock", "SkinLens", "faster", "less CPU time"], rows)


def speed_sentence() -> str:
    """Sentence on the speed of the three maps against the published libraries, on both kinds of processor."""
    one, narrow = (
        read(ROOT / "benchmarks" / "results" / name) for name in ("explain_cost.json", "explain_cost_avx2.json")
    )
    seconds, times = _three_maps(one)
    narrow_seconds, narrow_times = _three_maps(narrow)
    return (
        f"The three maps take {seconds} on {processor(one)}, {times} times as fast as with the published libraries, "
        f"and {narrow_seconds} with AVX2 alone, {narrow_times} times as fast "
        f"(release {one['model']['version']}): [Speed](docs/performance.md).\n"
    )


def _three_maps(one: Mapping[str, Any]) -> tuple[str, str]:
    return duration(one["median"]["default"]["three"]["wall_ms"], 1), f"{one['ratios']['three_default']:.0f}"


def screen(result: Mapping[str, Any] | None = None) -> str:
    """Table of the seconds that each step takes in the browser, from ``benchmarks/screen.py``."""
    one = result or read(ROOT / "benchmarks" / "results" / "screen.json")
    rows = [
        [step, *(f"{figure[part]:.2f} s" for part in ("median", "most")), f"{figure['bar']:.1f} s"]
        for step, figure in one["seconds"].items()
    ]
    sentence = f"{one['runs']} cases in Chromium, with {one['photos']}; {measured_on(one)}.\n\n"
    return sentence + table(["from press to picture", "median", "most", "aim"], rows)


def explain_gates(result: Mapping[str, Any] | None = None) -> str:
    """Closeness of a default map to its own limit, ours and stock's, from ``benchmarks/explain_gates.py``."""
    one = result or read(ROOT / "benchmarks" / "results" / "explain_gates.json")
    score_cam, lime, samples = one["score_cam"], one["lime"], one["converged"]["lime"]
    places = ("stock_median", "stock_worst", "spearman_median", "spearman_worst")
    rows = [
        [title, *(f"{part[place]:.3f}" for place in places)]
        for title, part in (
            ("Score-CAM, with that over all channels", score_cam),
            (f"LIME, with that of {grouped(samples)} other samples", lime),
        )
    ]
    rows.append(["LIME, with that of another seed", f"{lime['stock_seed_spearman_median']:.3f}", ""])
    rows[-1] += [f"{lime['seed_spearman_median']:.3f}", ""]
    count = one["photos"]["count"]
    fewer = "" if (lime_count := one["photos"].get("lime_count", count)) == count else f", on the first {lime_count}"
    sentence = (
        f"Rank correlation of a default map with its own limit, on {count} photos of "
        f"`{one['photos']['of']}`; for LIME, of its patches' coefficients{fewer}. There stock takes "
        f"{grouped(one['stock']['samples'])} samples, SkinLens {lime['samples_mean']:.0f} on average, since it stops "
        "when "
        f"the map is steady (release {lime['release']}). Of the channels of Score-CAM, of which stock tries all, "
        f"{score_cam['channels_tried_mean']:.0f} are tried on average for the same reason (release "
        f"{score_cam['release']}).\n\n"
    )
    return sentence + table(["", "stock, median", "worst photo", "SkinLens, median", "worst photo"], rows)


def processor(result: Mapping[str, Any]) -> str:
    """Cores and processor on which a result was measured, as "2 cores of AMD EPYC with AVX2"; older results do not say
    with which vector instructions.
    """
    simd = result["machine"].get("simd", "")
    return f"{result['machine']['cores']} cores of {result['machine']['cpu']}{f' with {simd}' if simd else ''}"


def measured_on(result: Mapping[str, Any]) -> str:
    """Cores and processor, as of ``processor``, with the commit."""
    return f"{processor(result)}, commit `{result['machine']['commit']}`"


OUTLINE_FIGURES = {
    "dice": "Dice, mean",
    "dice_median": "Dice, median",
    "iou": "intersection over union, mean",
    "curve_dice": "Dice of the smooth curve that is shown, mean",
    "good_share": f"share of photos with a Dice of {GOOD} or more",
}


def outline(release: Mapping[str, Any]) -> str:
    """Table of how closely the model's outline of the lesion follows the data set's masks."""
    sets = release["outline"]["figures"]
    header = ["", *(f"{split} ({grouped(sets[split]['n'])} photos)" for split in ("val", "test"))]
    rows = [
        [title, *(estimate(sets[split][key]) for split in ("val", "test"))] for key, title in OUTLINE_FIGURES.items()
    ]
    parity = release["outline"]["parity"]
    said = (
        f"\nDice of the int8 outline against the float one: {parity['dice_int8_float_mean']:.3f} on average, "
        f"{parity['dice_int8_float_worst']:.3f} at worst.\n"
    )
    return table(header, rows) + said


def table(header: list[str], rows: list[list[str]]) -> str:
    """A Markdown table; the first column is text, all others are numbers or text as they come."""
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
