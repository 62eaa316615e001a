"""The tables of the documents say what the measurement said."""

from typing import Any

import figures

EVALUATION: dict[str, Any] = {
    "n": 1505,
    "missing": 0,
    "split": "val",
    "labels": ["mel", "nv"],
    "confusion": [[120, 52], [6, 1000]],
    "model": {"name": "hsb", "version": "0.1.0", "sha256": "0123456789abcdef" * 4},
    "per_class": {
        "mel": {
            "n": 172,
            "recall": {"value": 0.69767, "low": 0.63, "high": 0.76},
            "precision": {"value": 0.95238, "low": 0.91, "high": 0.98},
        },
        "nv": {
            "n": 1006,
            "recall": {"value": 0.99404, "low": 0.988, "high": 0.998},
            "precision": {"value": float("nan"), "low": float("nan"), "high": float("nan")},
        },
    },
} | {
    name: {"value": 0.7 + place / 100, "low": 0.6 + place / 100, "high": 0.8 + place / 100}
    for place, name in enumerate(figures.TITLES)
}


def tried(calibration: str, float_layers: list[str], agreement: float) -> dict[str, object]:
    return {
        "calibration": calibration,
        "float_layers": float_layers,
        "top1_agreement": agreement,
        "balanced_accuracy": 0.7,
        "bytes": 4_500_000,
    }


def of_outline(value: float) -> dict[str, Any]:
    figure = {"value": value, "low": value - 0.01, "high": value + 0.01}
    return {"n": 1500, **dict.fromkeys(figures.OUTLINE_FIGURES, figure)}


RELEASE: dict[str, Any] = {
    "name": "SkinLens student (hsb)",
    "version": "1",
    "created_at": "2026-11-23T10:00:00+00:00",
    "parameters": 4_321_000,
    "input": {"size_px": 192, "detail_px": 150},
    "temperature": 1.2345,
    "backbones": {"int8": "backbone.onnx"},
    "head": "head.npz",
    "ood": "ood.npz",
    "melanoma_threshold": {
        "value": 0.1234,
        "sensitivity": 0.9012,
        "specificity": 0.7,
        "chosen_on": "the 1,505 photos of val",
    },
    "quantization": {
        "photos": 512,
        "photos_from": "train",
        "chosen": (kept := tried("entropy", ["blocks.0/"], 0.98006)),
        "tried": [tried("minmax", [], 0.951), kept],
    },
    "parity": {
        "split": "val",
        "top1_agreement": 0.98006,
        "float": dict.fromkeys(figures.TITLES, 0.75),
        "int8": dict.fromkeys(figures.TITLES, 0.7455),
    },
    "files": {
        "backbone.onnx": {"sha256": "ab" * 32, "bytes": 5_000_000},
        "head.npz": {"sha256": "cd" * 32, "bytes": 200_000},
        "ood.npz": {"sha256": "ef" * 32, "bytes": 300_000},
        "student.pt": {"sha256": "01" * 32, "bytes": 9_000_000},
    },
}


def test_headline_puts_the_splits_side_by_side() -> None:
    lines = figures.headline(EVALUATION, EVALUATION | {"split": "test", "n": 1502}).splitlines()
    assert lines[0] == "|  | val (1,505 photos) | test (1,502 photos) |"
    assert lines[2] == "| balanced accuracy | 0.700 (0.600–0.800) | 0.700 (0.600–0.800) |"
    assert len(lines) == 2 + len(figures.TITLES)


def test_per_class_gives_recall_and_precision() -> None:
    lines = figures.per_class(EVALUATION).splitlines()
    assert lines[2:] == [
        "| mel | melanoma | 172 | 0.698 (0.630–0.760) | 0.952 (0.910–0.980) |",
        "| nv | melanocytic nevus | 1,006 | 0.994 (0.988–0.998) | not measurable |",
    ]


def test_confusion_has_the_truth_in_rows() -> None:
    lines = figures.confusion(EVALUATION).splitlines()
    assert lines[0] == "|  | mel | nv |"
    assert lines[2:] == ["| **mel** | 120 | 52 |", "| **nv** | 6 | 1,000 |"]


def test_sentences_stand_alone() -> None:
    assert figures.provenance(EVALUATION) == "Measured on hsb 0.1.0 (engine sha256 `0123456789ab…`).\n"
    assert "; 3 pictures of the list were missing." in figures.provenance(EVALUATION | {"missing": 3})
    assert figures.melanoma_sentence(EVALUATION) == (
        "Of 172 photos of melanomas in `val`, the model puts melanoma first in a share of 0.698 (0.630–0.760).\n"
    )


def test_parity_states_the_difference() -> None:
    lines = figures.parity(RELEASE).splitlines()
    assert lines[0] == "| on val | float32 | int8, served | difference |"
    assert lines[2] == "| balanced accuracy | 0.750 | 0.746 | -0.0045 |"


def test_agreement_names_what_was_tried() -> None:
    lines = figures.agreement(RELEASE).splitlines()
    assert "they put the same class first for 98.01\u00a0% of the photos" in lines[0]
    assert lines[2:] == [
        "| calibration | in float | agreement | balanced accuracy | file |",
        "| --- | --- | --- | --- | --- |",
        "| minmax | none | 95.10\u00a0% | 0.700 | 4.50 MB |",
        "| entropy **(kept)** | `blocks.0` | 98.01\u00a0% | 0.700 | 4.50 MB |",
    ]


def test_the_threshold_says_what_it_does() -> None:
    assert figures.threshold_sentence(RELEASE) == (
        "Melanoma's threshold lies at a probability of 0.123: on the 1,505 photos of val, its sensitivity is 0.901 and "
        "its specificity 0.700.\n"
    )


def test_facts_count_what_serving_needs() -> None:
    lines = figures.facts(RELEASE).splitlines()
    assert "| files for serving | 5.50 MB |" in lines
    assert "| version | 1, 2026-11-23 |" in lines
    assert lines[-1] == "| `student.pt` | sha256 `0101010101010101…` |"


def test_explain_cost_sets_each_time_beside_stock() -> None:
    methods = ("predict", "grad_cam", "score_cam", "lime")
    times = {
        "stock": {method: {"wall_ms": 8000.0} for method in (*methods, "three")},
        "same": {method: {"wall_ms": 1000.0} for method in (*methods, "three")} | {"predict": {"wall_ms": 7.125}},
        "default": {"three": {"wall_ms": 400.0}},
    }
    ratios = dict.fromkeys((*methods, "three_same", "cold_start"), 8.0) | {"three_default": 20.04}
    lines = figures.explain_cost(
        {
            "median": times,
            "ratios": ratios,
            "ratios_cpu": ratios | {"predict": 4.0},
            "cold_start": {"stock": {"wall_ms": 8000.0}, "skinlens": {"wall_ms": 500.0}},
            "peak_memory_mb": {"stock": 1500.4, "same": 300.0, "default": 250.0},
            "batch_16_photos_per_s": {"stock": 40.0, "skinlens": 200.4},
            "photos": {"of": "val", "pairs": 5},
            "input_px": 192,
            "model": {"version": "0.5.0"},
            "machine": {"cores": 2, "cpu": "a processor", "commit": "0123456789ab"},
        }
    ).splitlines()
    assert lines[0].endswith(
        "5 pairs in turn on photos of `val` at 192 px; release 0.5.0, 2 cores of a processor, commit `0123456789ab`."
    )
    assert lines[4] == "| one prediction | 8.00 s | 7.1 ms | 8.0 × | 4.0 × |"
    assert lines[9:] == [
        "| the three maps, as the app makes them | 8.00 s | 400.0 ms | 20.0 × | 20.0 × |",
        "| from nothing to the first prediction | 8.00 s | 500.0 ms | 8.0 × | 8.0 × |",
        "| photos a second, 16 at a time | 40 | 200 | 5.0 × |  |",
        "| peak memory while explaining | 1500 MB | 250 MB | 6.0 × |  |",
    ]


def test_a_table_is_markdown() -> None:
    assert figures.table(["a", "b"], [["1", "2"]]) == "| a | b |\n| --- | --- |\n| 1 | 2 |\n"


def test_screen_sets_each_step_beside_its_aim() -> None:
    machine = {"cpu": "AMD EPYC", "cores": 2, "commit": "abc"}
    lines = figures.screen(
        {
            "machine": machine,
            "runs": 5,
            "photos": "photos of val",
            "seconds": {"save to saved": {"median": 0.46, "most": 1.05, "bar": 0.5}},
        }
    ).splitlines()
    assert lines[0] == "5 cases in Chromium, with photos of val; 2 cores of AMD EPYC, commit `abc`."
    assert lines[-1] == "| save to saved | 0.46 s | 1.05 s | 0.5 s |"


def test_explain_gates_sets_each_correlation_beside_stock() -> None:
    near = {"spearman_median": 0.9534, "spearman_worst": 0.9, "stock_median": 0.9, "stock_worst": 0.8126}
    lines = figures.explain_gates(
        {
            "score_cam": dict.fromkeys(near, 1.0) | {"channels_tried_mean": 117.4, "release": "0.4.0"},
            "lime": near
            | {
                "release": "0.3.0",
                "seed_spearman_median": 0.91,
                "stock_seed_spearman_median": 0.77,
                "samples_mean": 322.6,
            },
            "converged": {"lime": 10_000},
            "photos": {"of": "val", "count": 40, "lime_count": 25},
            "stock": {"samples": 1000},
        }
    ).splitlines()
    assert "117 are tried on average for the same reason (release 0.4.0)." in lines[0]
    assert "on 40 photos of `val`; for LIME, of its patches' coefficients, on the first 25." in lines[0]
    assert "There stock takes 1,000 samples, SkinLens 323 on average" in lines[0]
    assert lines[-3:] == [
        "| Score-CAM, with that over all channels | 1.000 | 1.000 | 1.000 | 1.000 |",
        "| LIME, with that of 10,000 other samples | 0.900 | 0.813 | 0.953 | 0.900 |",
        "| LIME, with that of another seed | 0.770 |  | 0.910 |  |",
    ]


def test_the_outline_is_stated_for_both_parts() -> None:
    parity = {"dice_int8_float_mean": 0.998, "dice_int8_float_worst": 0.962}
    measured = {"figures": {"val": of_outline(0.92), "test": of_outline(0.93)}, "parity": parity}
    lines = figures.outline({"outline": measured}).splitlines()
    assert lines[0] == "|  | val (1,500 photos) | test (1,500 photos) |"
    assert lines[2] == "| Dice, mean | 0.920 (0.910–0.930) | 0.930 (0.920–0.940) |"
    assert lines[-1].endswith("0.998 on average, 0.962 at worst.")
