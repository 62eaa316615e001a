"""The model card's tables on what stands behind the figures say what was measured, and say what was not."""

import json
from pathlib import Path
from typing import Any

import pytest

import evidence
import figures


def figure(value: float | None) -> dict[str, float | None]:
    return {
        "value": value,
        "low": None if value is None else value - 0.1,
        "high": None if value is None else value + 0.1,
    }


ROW = {
    "threshold": 0.1,
    "true_positives": 9,
    "false_negatives": 1,
    "false_positives": 27,
    "true_negatives": 63,
    "sensitivity": figure(0.9),
    "specificity": figure(0.7),
}
GROUP = {"group": "histology", "n": 80, "melanomas": 10, **dict.fromkeys(evidence.PARTS, figure(0.5))}
MEASURED: dict[str, Any] = {
    "n": 100,
    "split": "test",
    "model": {"sha256": "ab" * 32},
    "melanoma_auc": figure(0.9),
    "reliability": {
        "top": [{"n": 100, "stated": 0.815, "happened": figure(0.8)}],
        "melanoma": [{"n": 100, "stated": 0.1, "happened": figure(0.2)}],
    },
    "thresholds": {"melanoma": {"shipped": 0.1, "positives": 10, "negatives": 90, "rows": [ROW]}},
    "subgroups": {"confirmed_by": [{**GROUP, "melanoma_auc": figure(None)}]},
    "risk_coverage": {
        "aurc": figure(0.2),
        "aurc_of_a_perfect_ranking": 0.0184,
        "points": [{"coverage": share, "risk": figure(share / 2)} for share in (0.45, 0.5, 1.0)],
    },
    "prediction_sets": {
        "level": 0.9,
        "calibrated_on": "756 photos of val",
        "n": 100,
        **{key: figure(0.5) for key in ("coverage", "mean_size", "single", "melanoma_ruled_out")},
        "per_class": {"mel": {"n": 10, "coverage": figure(0.9), "mean_size": figure(2.5)}},
    },
    "ood": {
        "n": 150,
        "auroc": figure(0.85),
        "in_distribution_rejection": figure(0.2),
        "kinds": [{"kind": "noise", "n": 20, "auroc": figure(0.75), "rejection_rate": 0.95}],
    },
}


def last(text: str) -> str:
    return text.splitlines()[-1]


def test_each_table_says_what_was_measured_and_on_which_photos() -> None:
    assert last(evidence.reliability(MEASURED)) == "| melanoma | 0.10 | 0.200 (0.100–0.300) | 100 |"
    assert evidence.reliability(MEASURED).startswith("On 100 photos of `test`.\n")
    assert last(evidence.subgroups(MEASURED)).startswith("| diagnosis known by: histology | 80 | 10 | 0.500 (")
    assert " not measurable " in last(evidence.subgroups(MEASURED))
    lines = evidence.risk_coverage(MEASURED).splitlines()
    assert "could reach with these errors is 0.018" in lines[0]
    assert lines[-2:] == ["| 50\u00a0% | 0.250 (0.150–0.350) |", "| 100\u00a0% | 0.500 (0.400–0.600) |"]
    assert last(evidence.prediction_sets(MEASURED)) == (
        "| mel | melanoma | 10 | 0.900 (0.800–1.000) | 2.500 (2.400–2.600) |"
    )
    assert "Level 90\u00a0%, calibrated on 756 photos of val; measured on 100" in evidence.prediction_sets(MEASURED)
    assert last(evidence.ood(MEASURED)) == "| noise | 20 | 0.750 (0.650–0.850) | 95\u00a0% |"


def test_predictive_values_come_from_the_prevalence_not_from_the_data() -> None:
    cells = last(evidence.thresholds(MEASURED, "melanoma")).split(" | ")
    assert cells[0] == "| 0.100 **(in use)**"
    assert cells[3:5] == ["1", "27"]
    # At 20 %: 180 of 420 flagged are ill; 560 of 580 others are not.
    assert cells[-1] == "0.429 / 0.966 |"


def test_cameras_compare_all_photos_with_histology_alone() -> None:
    one = {**MEASURED, "subgroups": {"confirmed_by": [GROUP]}}
    assert evidence.cameras(one) == (
        "On `test` the melanoma AUC is 0.900 (0.800–1.000) over all photos, and 0.500 (0.400–0.600) over the 80 that "
        "were confirmed by histology.\n"
    )


@pytest.mark.parametrize(
    "table",
    ["reliability", "subgroups", "cameras", "risk_coverage", "prediction_sets", "ood"],
)
def test_what_was_not_measured_says_so(table: str) -> None:
    assert getattr(evidence, table)(None) == "Not measured for this release.\n"
    assert evidence.thresholds(None, "melanoma") == "Not measured for this release.\n"


def test_only_an_evaluation_of_the_release_counts_and_test_before_val(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figures, "ROOT", tmp_path)
    (tmp_path / "weights").mkdir()
    for split in ("val", "test"):
        (tmp_path / "weights" / f"evaluation-{split}.json").write_text(json.dumps({**MEASURED, "split": split}))
    sha256 = MEASURED["model"]["sha256"]
    one = evidence.found("ood", sha256)
    assert one is not None
    assert one["split"] == "test"
    assert evidence.found("ood", "0" * 64) is None
    older = {key: value for key, value in MEASURED.items() if key != "ood"}
    (tmp_path / "weights" / "evaluation-test.json").write_text(json.dumps(older))
    one = evidence.found("ood", sha256)
    assert one is not None
    assert one["split"] == "val"


def test_training_says_whether_there_was_a_teacher() -> None:
    alone = {"recipe": {"name": "hsb", "student": {"fusion": False}}}
    assert evidence.training(alone) == (
        "This version (recipe `hsb`) was trained on the labels, without a teacher, without layer fusion.\n"
    )
    distilled = {"teacher": "runs/teacher/best.pt", "temperature": 10.0, "weights": {"intermediate": 0.3, "logit": 0.3}}
    taught = {"recipe": {"name": "kd", "student": {"fusion": True}, "distillation": distilled}}
    assert "distilled from a teacher, with layer fusion; weights of the loss: intermediate 0.3, logit 0.3; temp" in (
        evidence.training(taught)
    )
    distilled["second_teacher"] = "runs/companion/best.pt"
    assert "distilled from a teacher and a student without one (their mean), with" in evidence.training(taught)


RUN = {
    "name": "hsb",
    "title": "HSB",
    "status": "measured",
    "figures": dict.fromkeys([*figures.TITLES, "melanoma_recall"], figure(0.7)),
    "size_px": 96,
    "epochs": 6,
    "parameters": 3_900_000.0,
    "macs": 91_000_000.0,
    "size_kb": 15_200.0,
}
NOT_RUN = {"name": "vit_tiny", "title": "ViT-Tiny", "status": "not run", "figures": {}}


def test_an_ablation_says_what_was_not_run_and_what_is_leaky() -> None:
    gain = {"of": "hsb", "minus": "vit_tiny", "figures": {"balanced_accuracy": figure(0.05)}}
    leaky = {**RUN, "paper_reports": {"accuracy": 95.88}}
    gathered = {
        "protocols": {"lesion": {"rows": [RUN, NOT_RUN], "differences": [gain]}, "paper": {"rows": [leaky, NOT_RUN]}}
    }
    lines = evidence.ablation("lesion", gathered).splitlines()
    assert lines[2].startswith("| HSB | 0.700 (0.600–0.800) |")
    assert lines[2].endswith("| 96 | 6 | 3,900,000 | 91,000,000 | 15,200 |")
    assert lines[4] == "Not run yet on these photos: ViT-Tiny."
    assert lines[-1] == "- HSB against ViT-Tiny: balanced accuracy +0.050 (-0.050 to +0.150), no clear difference."
    short = evidence.ablation("lesion", gathered, ["balanced_accuracy"]).splitlines()
    assert short[2].startswith("| HSB | 0.700 (0.600–0.800) | 96 | 6 | 3,900,000 |")
    lines = evidence.ablation("paper", gathered).splitlines()
    assert lines[0].startswith("| leaky | ")
    assert lines[2].endswith("| accuracy 95.88\u00a0% |")
    assert lines[3:] == ["", "Not run this way, and not in the paper: ViT-Tiny."]
    gathered["protocols"]["paper"]["rows"][1] = NOT_RUN | {"paper_reports": {"accuracy": 73.82}}
    assert evidence.ablation("paper", gathered).splitlines()[3].endswith("| not run | accuracy 73.82\u00a0% |")
    assert "accuracy of 0.700 (0.600–0.800) under the leaky protocol" in evidence.leak(gathered)
    gathered["protocols"]["lesion"]["rows"].append(RUN | {"name": "leak_long", "title": "HSB, longer"})
    gathered["protocols"]["paper"]["rows"].append(leaky | {"name": "leak_long", "title": "HSB, longer"})
    assert [line.split(",")[1] for line in evidence.leak(gathered).splitlines() if line] == [" HSB", " HSB"]
    assert "one recipe, HSB, longer, has" in evidence.leak(gathered)


def test_what_is_known_of_the_patient_has_the_photo_alone_beside_it() -> None:
    parts = {part: {"macro_f1": figure(0.7), "log_loss": figure(0.5)} for part in ("photo", "with_context")}
    context = {"n": 1498, "weight": 0.6, "fitted_on": "some lesions", **parts, "gain": {"macro_f1": figure(0.05)}}
    lines = evidence.patient_context({"split": "test", "patient_context": context}).splitlines()
    assert lines[0].startswith("On the 1,498 photos of `test`")
    assert lines[-1] == "| macro F1 | 0.700 (0.600–0.800) | 0.700 (0.600–0.800) | +0.050 (-0.050 to +0.150) |"
    assert evidence.patient_context(None) == "Not measured for this release.\n"


def test_the_figures_of_each_seed() -> None:
    each = {"balanced_accuracy": [0.7, 0.71], "macro_f1": [0.6, 0.61], "melanoma_auc": [0.8, 0.81], "ece": [0.1, 0.2]}
    several = RUN | {"seeds": [1, 2], "each_seed": each}
    alone = RUN | {"seeds": [1], "each_seed": each}
    gathered = {"protocols": {"lesion": {"rows": [several, alone, NOT_RUN]}}}
    lines = evidence.seeds(gathered).splitlines()
    assert lines[0] == "| of each seed | seeds | balanced accuracy | macro F1 | melanoma AUC |"
    assert lines[2:] == ["| HSB | 1, 2 | 0.700, 0.710 | 0.600, 0.610 | 0.800, 0.810 |"]
    assert evidence.seeds({"protocols": {"lesion": {"rows": [alone]}}}) == "Not run with several seeds yet.\n"


def test_rows_on_photos_of_another_detail_are_in_no_table_but_in_the_leaks() -> None:
    """What was measured on smaller copies is not set beside what is served; what the leak is worth stays."""
    served = RUN | {"name": "int8", "title": "The released model", "detail_px": 300}
    gathered = {"protocols": {"lesion": {"rows": [RUN, served]}, "paper": {"rows": [RUN]}}}
    assert [line[:15] for line in evidence.ablation("lesion", gathered).splitlines()[2:]] == [
        "| The released ",
        "",
        "Not run yet on ",
    ]
    assert evidence.leak(gathered).endswith("Both were measured on photos of 150 px of detail.\n")


def test_photos_of_other_clinics_have_a_table_of_the_rows_that_were_measured_there() -> None:
    auc = {"melanoma_auc": figure(0.7)}
    gain = {"of": "hsb", "minus": "hsb", "figures": auc}
    theirs = {"n": 429, "melanomas": 81, "rows": {"hsb": auc | {"seeds": [1, 2]}}, "differences": [gain]}
    gathered = {"protocols": {"lesion": {"rows": [RUN, NOT_RUN]}}, "elsewhere": {"other": theirs}}
    lines = evidence.ablation_elsewhere(gathered).splitlines()
    assert lines[0] == "On the 429 validation photos of other, 81 of melanomas:"
    assert lines[2:5] == ["|  | seeds | melanoma AUC |", "| --- | --- | --- |", "| HSB | 1, 2 | 0.700 (0.600–0.800) |"]
    assert lines[-1] == "- HSB against HSB: melanoma AUC +0.700 (+0.600 to +0.800), the interval leaves out 0."
    assert evidence.ablation_elsewhere({"elsewhere": {}}) == "Not measured on photos of other clinics yet.\n"


def test_the_search_is_a_table_of_its_own() -> None:
    row = {
        "intermediate": 0.3,
        "logit": 0.3,
        "classification": 0.4,
        "temperature": 10.0,
        "balanced_accuracy": 0.6,
        "macro_f1": 0.5,
        "melanoma_auc": 0.8,
        "val_loss": 0.7,
    }
    lines = evidence.search({"search": {"epochs": 3, "photos": "val", "rows": [row]}}).splitlines()
    assert lines[0] == "After 3 epochs, on `val`, best first:"
    assert lines[-1] == "| 0.3 | 0.3 | 0.4 | 10 | 0.600 | 0.500 | 0.800 | 0.700 |"
    assert "not searched yet" in evidence.search({"search": None})


def test_an_ablation_that_is_not_there_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidence, "ROOT", tmp_path)
    assert evidence.ablation("lesion") == "Not run yet.\n"
    assert evidence.ablation("paper") == "Leaky. Not run yet.\n"
    assert "was not measured yet" in evidence.leak()


def test_a_difference_says_whether_it_is_more_than_chance() -> None:
    gain = {"value": 0.02, "low": 0.01, "high": 0.03}
    one = {"of": "a", "minus": "b", "figures": {"balanced_accuracy": figure(0.05), "melanoma_auc": gain}}
    assert evidence.difference(one, {"a": "A", "b": "B"}) == (
        "A against B: balanced accuracy +0.050 (-0.050 to +0.150), no clear difference; "
        "melanoma AUC +0.020 (+0.010 to +0.030), the interval leaves out 0."
    )


def test_photos_of_other_sources_have_a_row_with_what_the_cut_off_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evidence, "ROOT", tmp_path)
    (tmp_path / "weights").mkdir()
    assert evidence.elsewhere("ab") == evidence.invariance("ab") == "Not measured for this release.\n"
    used = {"threshold": 0.2, "sensitivity": figure(0.9), "specificity": figure(0.4)}
    melanoma = {"rows": [used | {"threshold": 0.5, "sensitivity": figure(0.3)}, used], "shipped": 0.2, "positives": 81}
    one = {
        "n": 1429,
        "melanoma_auc": figure(0.8),
        "thresholds": {"melanoma": melanoma},
        "ood": {"in_distribution_rejection": figure(0.1)},
        "model": {"sha256": "ab"},
    }
    for split, sha256 in (("other", "ab"), ("val", "ab"), ("older", "cd")):
        content = one | {"split": split, "model": {"sha256": sha256}}
        (tmp_path / "weights" / f"evaluation-{split}.json").write_text(json.dumps(content))
    assert evidence.elsewhere("ab").splitlines()[2:] == [
        "| other | 1,429 | 81 | 0.800 (0.700–0.900) | 0.900 (0.800–1.000) | 0.400 (0.300–0.500) | 0.100 (0.000–0.200) |"
    ]
    row = {"change": "turned", "median": 0.02, "p90": 0.1, "p95": 0.2, "largest": 0.3, "melanoma_within": 0.9}
    moved = {"n": 60, "split": "val", "changes": [row | {"top_changed": 2, "side_changed": 7}]}
    (tmp_path / "weights" / "invariance-val.json").write_text(json.dumps(moved | {"model": {"sha256": "ab"}}))
    assert (
        evidence.invariance("ab").splitlines()[-1] == "| turned | 0.020 | 0.100 | 0.200 | 0.300 | 2 | 7 | 90\u00a0% |"
    )
    assert evidence.invariance("cd") == "Not measured for this release.\n"
