"""Tables for the README and the model card, from the JSON files that the measurements wrote.

``cog`` calls these functions where the documents ask for a figure (``make docs``), so no figure is ever typed. They
take what ``python -m skinlens evaluate --json`` and ``python -m skinlens export`` wrote, and return Markdown.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from skinlens import published_figures
from skinlens.formatting import duration, estimate, grouped, megabytes, rounded_percent
from skinlens.inference.manifest_schema import current
from skinlens.labels import BY_CODE, MELANOMA
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
        f"Both put the same class first for {rounded_percent(release['parity']['top1_agreement'], 2)} of the photos. "
        f"Each way to calibrate was tried, on {grouped(quantization['photos'])} photos of "
        f"`{quantization['photos_from']}`, "
        "with none and with some of the first stages left in float; the best agreement was kept:\n\n"
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
    photos = one["photos"]["of"].replace("val", "photos of `val`")
    sentence = (
        "Stock is the float student in eager torch with pytorch-grad-cam and lime. Both explain the mean over turns "
        "that is served; SkinLens computes a channel of Score-CAM, and as the app makes it a sample of LIME, in one of "
        "the turns alone, in order. Medians of "
        f"{one['photos']['pairs']} pairs in turn on {photos} at {one['input_px']} px; "
        f"release {one['model']['version']}, {measured_on(one)}.\n\n"
    )
    return sentence + table(["", "stock", "SkinLens", "faster", "less CPU time"], rows)


def speed_sentence() -> str:
    """Sentence on the speed of the three maps against the published libraries."""
    one = read(ROOT / "benchmarks" / "results" / "explain_cost.json")
    seconds = one["median"]["default"]["three"]["wall_ms"]
    times, release = one["ratios"]["three_default"], one["model"]["version"]
    return (
        f"The three maps take {duration(seconds, 1)} on {processor(one)}, "
        f"{times:.0f} times as fast as with the published libraries (release {release}): "
        "[Speed](docs/performance.md).\n"
    )


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
    sentence = (
        f"Rank correlation of a default map with its own limit, on {one['photos']['count']} photos of "
        f"`{one['photos']['of']}`; for LIME, of its patches' coefficients. There stock takes "
        f"{grouped(one['stock']['samples'])} samples, SkinLens {lime['samples_mean']:.0f} on average, since it stops "
        "when "
        f"the map is steady (release {lime['release']}). Of the channels of Score-CAM, of which stock tries all, "
        f"{score_cam['channels_tried_mean']:.0f} are tried on average for the same reason (release "
        f"{score_cam['release']}).\n\n"
    )
    return sentence + table(["", "stock, median", "worst photo", "SkinLens, median", "worst photo"], rows)


def soak(result: Mapping[str, Any] | None = None) -> str:
    """Table of the processes killed and of the losses, from ``tests/soak/kill.py``."""
    one = result or read(ROOT / "benchmarks" / "results" / "soak_kill.json")
    rows = [
        ["processes killed with SIGKILL", grouped(one["kills"])],
        ["of these in the middle of a step", grouped(one["kills_in_a_step"])],
        ["saves acknowledged before", grouped(one["saves"])],
        ["edits, maps and views acknowledged before", grouped(one["edits"])],
        ["erasures acknowledged before", grouped(one["erasures"])],
        ["kills between a commit and the note of the log's head", grouped(one["heads_behind"])],
        ["**kills after which any check or the next start had something to say**", f"**{grouped(one['failures'])}**"],
    ]
    seeds = f"{grouped(one['first_seed'])} to {grouped(one['first_seed'] + one['kills'] - 1)}"
    sentence = f"Each after a random time of up to {one['longest_s']} s, seeds {seeds}; {measured_on(one)}.\n\n"
    return sentence + table(["", "count"], rows)


def soak_faults(result: Mapping[str, Any] | None = None) -> str:
    """Faults that were put into each step of the store, from ``tests/soak/faults.py``."""
    one = result or read(ROOT / "benchmarks" / "results" / "soak_faults.json")
    steps = one["steps"]
    rows = [
        [name, grouped(of["faults"]), grouped(of["said"]), f"**{grouped(of['wrong'])}**"] for name, of in steps.items()
    ]
    total = [sum(of[part] for of in steps.values()) for part in ("faults", "said", "wrong")]
    rows.append(["all", *(grouped(count) for count in total)])
    sentence = (
        f"Every {one['every']}th of all faults, from a random one on; {one['seconds']:.0f} s on {measured_on(one)}. "
        "What was not said did no harm: the step was done.\n\n"
    )
    return sentence + table(["step", "faults", "said in a sentence", "**anything lost, unsaid or not mended**"], rows)


def soak_uploads(result: Mapping[str, Any] | None = None) -> str:
    """Changed uploads and what intake answered, from ``tests/soak/uploads.py``."""
    one = result or read(ROOT / "benchmarks" / "results" / "soak_uploads.json")
    rows = [
        ["changed files", grouped(one["files"])],
        ["read as a photo all the same", grouped(one["read"])],
        ["refused in a sentence", grouped(one["refused"])],
        ["refused because the decoder's process ended", grouped(one["ended"])],
        ["slowest answer, seconds", f"{one['slowest_s']:.1f}"],
        ["**anything else raised, or a whole file read otherwise afterwards**", f"**{grouped(one['wrong'])}**"],
    ]
    sentence = (
        f"Seeds {grouped(one['first_seed'])} to {grouped(one['first_seed'] + one['files'] - 1)}, "
        f"{one['seconds']:.0f} s on "
        f"{measured_on(one)}.\n\n"
    )
    return sentence + table(["", "count"], rows)


def soak_databases(result: Mapping[str, Any] | None = None) -> str:
    """Changed databases and what the store answered, from ``tests/soak/databases.py``."""
    one = result or read(ROOT / "benchmarks" / "results" / "soak_databases.json")
    rows = [
        ["changed databases", grouped(one["files"])],
        ["of these said at the start", grouped(one["found_at_start"])],
        [f"of these with a sentence on at least one of {one['pages']} pages", grouped(one["felt"])],
        ["sentences in all", grouped(one["sentences"])],
        ["**other data shown, no sentence, or not brought back by the backup**", f"**{grouped(one['wrong'])}**"],
    ]
    sentence = (
        f"Seeds {grouped(one['first_seed'])} to {grouped(one['first_seed'] + one['files'] - 1)}, "
        f"{one['seconds']:.0f} s on "
        f"{measured_on(one)}.\n\n"
    )
    return sentence + table(["", "count"], rows)


def group(result: Mapping[str, Any] | None = None) -> str:
    """A store that many write to at once, from ``benchmarks/group.py``."""
    one = result or read(ROOT / "benchmarks" / "results" / "group.json")

    def milliseconds(spread: Mapping[str, float]) -> str:
        return ", ".join(grouped(spread[name]) for name in ("median", "p95", "p99", "longest"))

    rows = [
        ["writers at once, each a process", f"{one['writers']}"],
        ["visits in the store at the end", grouped(one["visits"])],
        ["of these saved by the writers while they were measured", grouped(one["saved"])],
        ["saves a second, all writers together", grouped(one["saved"] / one["seconds"])],
        ["a save: median, 95 %, 99 %, longest, ms", milliseconds(one["save_ms"])],
        ["a page of the list and a case meanwhile: the same, ms", milliseconds(one["read_ms"])],
        ["**refused**", f"**{grouped(one['refused'])}**"],
        ["**visits or files lost, or entries of the audit log amiss**", f"**{grouped(one['wrong'])}**"],
        ["database at the end, MB", grouped(one["database_mb"])],
        *([f"{name} at the end, median, ms", f"{took:,.1f}"] for name, took in one["median_ms"].items()),
    ]
    load = f"the load of the computer was {one['machine']['load_1min']} at the end"
    return f"{grouped(one['seconds'])} s on {measured_on(one)}; {load}.\n\n" + table(["", ""], rows)


def load(result: Mapping[str, Any] | None = None) -> str:
    """Many tabs at once, a column for each run of ``benchmarks/load.py``."""
    runs = (result or read(ROOT / "benchmarks" / "results" / "load.json"))["runs"]
    words = {
        "read_s": "upload to the photo and the question, median and 95 %, s",
        "result_s": "Show result to result, median and 95 %, s",
        "maps_s": "upload to three maps, median and 95 %, s",
        "whole_s": "upload to saved case, median and 95 %, s",
    }
    rows = [
        ["**tabs**", *(f"**{one['tabs']}**" for one in runs)],
        ["asked for by", *(CLIENTS[one["clients"]] for one in runs)],
        ["uploaded", *(one.get("photos", "drawn lesions") for one in runs)],
        ["order of work", *(f"before {one['before']}" if "before" in one else "today's" for one in runs)],
        ["minutes in which journeys were begun", *(f"{one['minutes']:g}" for one in runs)],
        [
            "priority of server and clients, as of nice",
            *("{server}, {clients}".format(**one["nice"]) for one in runs),
        ],
        ["seconds, with those that ended what they had begun", *(f"{one['seconds']:.0f}" for one in runs)],
        ["journeys: upload, result, three maps, saved case", *(grouped(one["journeys"]) for one in runs)],
        ["errors", *(grouped(one["errors"]) for one in runs)],
        ["under way when the time was up", *(grouped(one["unfinished"]) for one in runs)],
        ["cases with another photo, patient or prediction", *(grouped(one["mixed"]) for one in runs)],
        *([title, *(_median_and_p95(one[name]) for one in runs)] for name, title in words.items()),
        ["processor time of the server, s a journey", *(_a_journey(one, "cpu_s_a_journey") for one in runs)],
        *(
            [f"processor time of {words}, s", *(grouped(one["cpu_s"][name]) for one in runs)]
            for name, words in OF_WHOM.items()
        ),
        *(
            [f"memory of the server, {words}, MB", *(grouped(one["memory_mb"][name]) for one in runs)]
            for name, words in (("start", "before"), ("peak", "at most"), ("end", "after"))
        ),
        ["load of the computer before", *(f"{one['machine']['load_1min']}" for one in runs)],
        ["commit", *(f"`{one['machine']['commit']}`" for one in runs)],
    ]
    sentence = f"On loopback, the clients on the same {processor(runs[-1])} as the server.\n\n"
    return sentence + table(["", *([""] * len(runs))], rows)


CLIENTS = {"websocket": "a client", "chromium": "Chromium"}
OF_WHOM = {"server": "the server", "clients": "the clients", "others": "other programs beside them"}


def _a_journey(run: Mapping[str, Any], name: str) -> str:
    return f"{run[name]:.1f}" if run["journeys"] else "none"


def _median_and_p95(spread: Mapping[str, float]) -> str:
    return f"{spread['median']:.1f}, {spread['p95']:.1f}" if spread else "none"


def processor(result: Mapping[str, Any]) -> str:
    """Cores and processor on which a result was measured, as "2 cores of AMD EPYC with AVX2"; older results do not say
    with which vector instructions.
    """
    simd = result["machine"].get("simd", "")
    return f"{result['machine']['cores']} cores of {result['machine']['cpu']}{f' with {simd}' if simd else ''}"


def measured_on(result: Mapping[str, Any]) -> str:
    """Cores and processor, as of ``processor``, with the commit."""
    return f"{processor(result)}, commit `{result['machine']['commit']}`"


def table(header: list[str], rows: list[list[str]]) -> str:
    """A Markdown table; the first column is text, all others are numbers or text as they come."""
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
