"""The table of the runs: what was run is measured, what was not says so, and the leaky protocol is named."""

import math
import shutil
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from skinlens.errors import DatasetError
from skinlens.evaluation.ablation import ablation, difference, measure, measure_mean, run_folders, summary
from skinlens.evaluation.ablation_rows import FIGURES, RELEASED, ROWS, Measured, Row, scaled
from skinlens.evaluation.previous_results import merge_previous_results
from skinlens.evaluation.released_rows import measure_released, view_logits
from skinlens.imaging.preprocess import normalize
from skinlens.inference.calibration import softmax
from skinlens.inference.classifier import load_classifier
from skinlens.inference.patient_context import PatientContext
from skinlens.inference.release import load_manifest, write_manifest
from skinlens.labels import CODES
from skinlens.training.checkpoints import PREDICTIONS
from skinlens.training.context import fit_context
from skinlens.training.ham10000 import labels_of, load_images
from skinlens.training.loop import train
from skinlens.training.model_soup import average
from skinlens.training.protocols import lesion_disjoint_split, paper_split
from tests.tiny_release import RECIPE, draw_dataset

pytestmark = pytest.mark.slow

NEAR = 2e-5
"""The same sums in batches of another size."""


def test_a_table_of_what_was_run(release: Path, tmp_path: Path) -> None:
    entries = {part: draw_dataset(tmp_path / part, seed, 2) for seed, part in enumerate(("train", "val", "test"))}
    runs, recipe = tmp_path / "runs", replace(RECIPE, name="hsb", epochs=1)
    data = lesion_disjoint_split(entries["train"], entries["val"], recipe)
    train(recipe, data, runs / "hsb")
    shutil.copytree(runs / "hsb", runs / "hsb-seed2")
    train(replace(recipe, name="plain_cnn", network="plain_cnn"), data, runs / "plain_cnn")
    half = train(replace(recipe, name="kd_single", epochs=2), data, runs / "kd_single").with_name("log.jsonl")
    half.write_text(half.read_text(encoding="utf-8").splitlines()[0], encoding="utf-8")
    average([runs / "hsb", runs / "hsb-seed2"], [3, 1], runs / "averaged")
    (runs / "search_weights").mkdir()
    (runs / "search_weights" / "search.json").write_text('{"rows": []}', encoding="utf-8")
    found = ablation(runs, entries, release, resamples=20, say=lambda text: None)
    lesion, paper = found["protocols"]["lesion"], found["protocols"]["paper"]
    rows = {row["name"]: row for row in lesion["rows"]}
    assert list(rows) == [row.name for row in (*ROWS, *RELEASED)]
    assert rows["kd_multi"] == {
        "name": "kd_multi",
        "title": rows["kd_multi"]["title"],
        "status": "not run",
        "figures": {},
    }
    assert rows["hsb"]["status"] == rows["int8"]["status"] == "measured"
    assert len(rows["hsb"]["each_seed"]["accuracy"]) == 2
    assert rows["hsb"]["parameters"] > rows["plain_cnn"]["parameters"] > 0
    assert rows["hsb"]["macs"] > 0
    assert (rows["hsb"]["size_px"], rows["hsb"]["epochs"]) == (64, 1)
    assert rows["averaged"]["figures"] == rows["hsb"]["figures"]
    assert rows["mean"]["status"] == rows["kd_single"]["status"] == "not run"
    assert found["search"] == {"rows": []}
    assert set(rows["hsb"]["figures"]) == set(FIGURES)
    assert not lesion["leaky"]
    assert paper["leaky"]
    assert all(row["status"] == "not run" for row in paper["rows"])
    leaky = {row["name"]: row for row in paper["rows"]}
    assert leaky["kd_multi_fusion"]["paper_reports"]["accuracy"] == 95.88
    text = summary(found)
    assert "paper (leaky)" in text
    assert "not run" in text


def test_the_leaky_protocol_is_measured_on_its_own_pictures(
    release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = {part: draw_dataset(tmp_path / part, seed, 1) for seed, part in enumerate(("train", "val", "test"))}
    everything = [one for part in entries.values() for one in part]
    recipe = replace(RECIPE, name="hsb", epochs=1)
    monkeypatch.setattr("skinlens.training.protocols.PAPER_PER_CLASS", 10)
    data = paper_split(everything, recipe)
    train(recipe, data, tmp_path / "runs" / "hsb-paper")
    found = ablation(tmp_path / "runs", entries, release, resamples=20, say=lambda text: None)
    row = next(one for one in found["protocols"]["paper"]["rows"] if one["name"] == "hsb")
    assert row["n"] == len(data.val_labels) == 7
    assert next(one for one in found["protocols"]["lesion"]["rows"] if one["name"] == "hsb")["status"] == "not run"


def test_rows_whose_runs_are_elsewhere_are_kept(release: Path, tmp_path: Path) -> None:
    entries = {part: draw_dataset(tmp_path / part, seed, 2) for seed, part in enumerate(("train", "val", "test"))}
    data = lesion_disjoint_split(entries["train"], entries["val"], replace(RECIPE, epochs=1))
    here, there, said = tmp_path / "here", tmp_path / "there", list[str]()
    for runs, name in ((there, "hsb"), (there, "kd_single"), (here, "plain_cnn")):
        train(replace(RECIPE, name=name, epochs=1), data, runs / name)
    previous = ablation(there, entries, release, resamples=20, say=said.append)
    previous["created_at"] = "2026-01-01T00:00:00+00:00"
    for row in previous["protocols"]["lesion"]["rows"]:
        row.pop("measured_at", None)
    both = ablation(here, entries, release, previous=previous, resamples=20, say=said.append)
    then = {row["name"]: row for row in previous["protocols"]["lesion"]["rows"]}
    rows = {row["name"]: row for row in both["protocols"]["lesion"]["rows"]}
    assert [name for name, row in rows.items() if row["status"] == "measured"] == [
        "plain_cnn",
        "hsb",
        "kd_single",
        "int8",
        "int8_one_view",
        "int8_eight_views",
    ]
    assert rows["hsb"] == then["hsb"] | {"measured_at": previous["created_at"]}
    assert rows["plain_cnn"]["measured_at"] == both["created_at"]
    assert both["protocols"]["lesion"]["differences"] == previous["protocols"]["lesion"]["differences"] != []
    assert any("kept as measured on 2026-01-01" in one for one in said)
    other = previous | {"bootstrap": previous["bootstrap"] | {"resamples": 30}}
    with pytest.raises(DatasetError, match="intervals made as now"):
        ablation(here, entries, release, previous=other, resamples=20, say=said.append)
    then["kd_single"]["n"] = 3
    with pytest.raises(DatasetError, match="photos"):
        ablation(here, entries, release, previous=previous, resamples=20, say=said.append)


def test_a_difference_of_other_figures_is_dropped() -> None:
    """Of two rows that were kept, and of which one has been measured anew since."""
    figures = {"accuracy": {"value": 0.5, "low": 0.4, "high": 0.6}}
    anew = {"accuracy": {"value": 0.7, "low": 0.6, "high": 0.8}}
    again = {"accuracy": {"value": 0.5, "low": 0.4, "high": math.nextafter(0.6, 1)}}

    def table(hsb: dict[str, object], differences: list[dict[str, object]], second: str) -> dict[str, Any]:
        rows = [
            {"name": "hsb", "title": "", "status": "measured", "n": 9, "figures": hsb},
            {
                "name": "kd_single",
                "title": "",
                "status": second,
                "n": 9,
                "figures": figures if second == "measured" else {},
            },
        ]
        protocols = {"lesion": {"rows": rows, "differences": differences}}
        return {"protocols": protocols, "bootstrap": {}, "search": None, "created_at": "2026-01-01"}

    one = {"of": "kd_single", "minus": "hsb", "figures": {}}
    for hsb, expected in ((figures, [one]), (anew, []), (again, [one])):
        found = table(hsb, [], "not run")
        merge_previous_results(found, table(figures, [one], "measured"), lambda text: None)
        assert found["protocols"]["lesion"]["rows"][1]["figures"] == figures
        assert found["protocols"]["lesion"]["differences"] == expected


def test_the_released_model_by_other_views_and_with_the_context(release: Path, tmp_path: Path) -> None:
    """Against the classifier's own answers to each photo; the context is that of the photo's patient."""
    entries, classifier = draw_dataset(tmp_path / "val", 1, 2), load_classifier(release)
    for number, entry in enumerate(entries):  # each looks different from every side
        corners = np.random.default_rng(number).integers(0, 256, (3, 4, 3))
        Image.fromarray(np.kron(corners, np.ones((100, 100, 1))).astype(np.uint8)).save(entry.path)
    contexts = {entries[0].image_id: PatientContext(70.0, "male", "head"), "another photo": PatientContext(1.0)}
    spec = classifier.engine.spec
    images, truth = load_images(entries, spec), labels_of(entries)
    rows = measure_released(release, entries, contexts)
    assert list(rows) == [row.name for row in RELEASED if row.name != "int8_context" or classifier.context_model]
    views = np.stack([classifier.turned_probs_of_view(image) for image in images])
    assert np.ptp(views, axis=1).max() > 50 * NEAR, "an order of the views that is wrong would be seen"
    served = np.concatenate([classifier.probs(normalize(image[np.newaxis], spec)) for image in images])
    np.testing.assert_allclose(rows["int8"].probs[0], served, atol=NEAR)
    logits = classifier.temperature * np.log(views[:, 0])
    np.testing.assert_allclose(rows["int8_one_view"].probs[0], scaled(logits, truth), atol=NEAR)
    assert "latency_ms" in rows["int8"].cost
    assert "latency_ms" not in rows["int8_eight_views"].cost
    every_view = view_logits(classifier, images)
    order = [0, 1, 2, 3, 4, 7, 6, 5]  # a mirrored photo turns the other way
    each = softmax(every_view.reshape(-1, 7), classifier.temperature).reshape(every_view.shape)
    np.testing.assert_allclose(each, views.transpose(1, 0, 2)[order], atol=NEAR)
    plain = softmax(every_view.reshape(-1, 7)).reshape(every_view.shape).mean(axis=0)
    expected = scaled(np.log(plain).astype(np.float32), truth)
    np.testing.assert_allclose(rows["int8_eight_views"].probs[0], expected, atol=NEAR)
    assert "int8_context" not in measure_released(release, entries)

    path = tmp_path / "with context"
    shutil.copytree(release, path)
    known = [PatientContext(float(age), "male", "head") for age in range(20, 90, 10)]
    fitted = fit_context(known, np.arange(len(CODES)), "seven lesions")
    more = {"patient_context": {**fitted.content(), "chosen_on": "seven photos", "log_loss_of_weight": {}}}
    write_manifest(path, {**load_manifest(path).content, **more})
    model = load_classifier(path).context_model
    assert model is not None
    with_context = measure_released(path, entries, contexts)["int8_context"].probs[0]
    nothing = [PatientContext()] * (len(entries) - 1)
    np.testing.assert_array_equal(
        with_context, model.adjusted(rows["int8"].probs[0], [contexts[entries[0].image_id], *nothing])
    )
    assert not np.allclose(with_context[0], rows["int8"].probs[0][0], atol=1e-3)


def test_the_mean_of_two_runs(release: Path, tmp_path: Path) -> None:
    """Of one network with itself it is that network; it has the parameters of both."""
    entries = {part: draw_dataset(tmp_path / part, seed, 2) for seed, part in enumerate(("train", "val"))}
    runs, recipe = tmp_path / "runs", replace(RECIPE, name="teacher", epochs=1)
    train(recipe, lesion_disjoint_split(entries["train"], entries["val"], recipe), runs / "teacher")
    assert measure_mean("", [runs / "teacher", runs / "companion"], entries, lambda text: None) is None
    shutil.copytree(runs / "teacher", runs / "companion")
    alone = measure(Row("teacher", ""), runs, "lesion", entries, lambda text: None)
    both = measure(Row("mean", "", ensemble_of=("teacher", "companion")), runs, "lesion", entries, lambda text: None)
    assert alone is not None
    assert both is not None
    np.testing.assert_allclose(both.probs[0], alone.probs[0], atol=1e-4)
    assert both.cost["parameters"] == 2 * alone.cost["parameters"]


def test_a_run_of_a_recipe_from_before_is_left_out(tmp_path: Path) -> None:
    """It stops neither the table nor passes for a run of today; one that is under way is not asked."""
    folder, said = tmp_path / "teacher", list[str]()
    folder.mkdir()
    for recipe, lines in (({"epochs": 1, "gone": 2}, 1), ({"epochs": 2}, 1)):
        torch.save({"recipe": recipe, "network": {}}, folder / "best.pt")
        (folder / "log.jsonl").write_text("{}\n" * lines)
        assert measure(Row("teacher", "Teacher"), tmp_path, "lesion", {}, said.append) is None
        mean = Row("mean", "Mean", ensemble_of=("teacher", "teacher"))
        assert measure(mean, tmp_path, "lesion", {}, said.append) is None
    left_out = [one.rpartition("left out: ")[2] for one in said if "left out" in one]
    assert [one[:32] for one in left_out[:3]] == ["the checkpoint: unknown field 'g"] * 3
    assert left_out[3:] == ["1 of 2 epochs"] * 3


def test_folders_of_a_row(tmp_path: Path) -> None:
    for name in ("hsb", "hsb-seed2", "hsb-paper", "hsb_fusion", "hsb-seed2-paper", "hsb-old"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "best.pt").touch()
    row = Row("hsb", "")
    assert [path.name for path in run_folders(row, tmp_path, "lesion")] == ["hsb", "hsb-seed2"]
    assert [path.name for path in run_folders(row, tmp_path, "paper")] == ["hsb-paper", "hsb-seed2-paper"]


def test_a_difference_by_hand() -> None:
    """One row always right, one right on one of two photos of each class: .5 in accuracy, whatever is drawn."""
    count = len(CODES)
    truth = np.repeat(np.arange(count), 2)
    right = np.eye(count)[truth]
    half = right.copy()
    half[::2] = np.roll(half[::2], 1, axis=1)
    groups = truth  # both photos of a class are drawn together
    rows = [Measured([1], [probs], truth, groups, {}) for probs in (right, half)]
    found = difference(rows[0], rows[1], ("all", "half"), 50)
    assert found is not None
    assert found["figures"]["accuracy"] == pytest.approx({"value": 0.5, "low": 0.5, "high": 0.5})
    assert difference(None, rows[1], ("all", "half"), 50) is None


def test_earlier_rows_on_photos_of_another_detail_leave_the_table_but_for_the_leaks() -> None:
    def row(name: str, **more: object) -> dict[str, Any]:
        return {"name": name, "title": name, "status": "measured", "n": 9, "figures": {}, "measured_at": "then", **more}

    def table(lesion: list[dict[str, Any]], paper: list[dict[str, Any]]) -> dict[str, Any]:
        protocols = {"lesion": {"rows": lesion, "differences": []}, "paper": {"rows": paper}}
        return {"protocols": protocols, "bootstrap": {}, "search": None, "created_at": "2026-01-01"}

    empty = [{"name": name, "title": name, "status": "not run", "figures": {}} for name in ("hsb", "leak", "robust")]
    found = table([*deepcopy(empty), row("int8", detail_px=300)], deepcopy(empty))
    previous = table([row("hsb"), row("leak"), row("robust", detail_px=300)], [row("leak")])
    merge_previous_results(found, previous, lambda text: None)
    status = {name: [one["status"] for one in found["protocols"][name]["rows"]] for name in ("lesion", "paper")}
    assert status == {
        "lesion": ["not run", "measured", "measured", "measured"],
        "paper": ["not run", "measured", "not run"],
    }


def test_rows_of_another_release_are_never_taken_over() -> None:
    def table(status: str) -> dict[str, Any]:
        rows = [{"name": "int8_context", "title": "", "status": status, "n": 9, "figures": {}, "measured_at": "then"}]
        protocols = {"lesion": {"rows": rows, "differences": []}}
        return {"protocols": protocols, "bootstrap": {}, "search": None, "created_at": "2026-01-01"}

    found = table("not run")
    merge_previous_results(found, table("measured"), lambda text: None)
    assert found["protocols"]["lesion"]["rows"][0]["status"] == "not run"


def test_a_run_whose_weights_were_not_kept_has_its_row_from_its_answers(tmp_path: Path) -> None:
    entries = {part: draw_dataset(tmp_path / part, seed, 2) for seed, part in enumerate(("train", "val"))}
    runs, recipe, row = tmp_path / "runs", replace(RECIPE, name="teacher", epochs=1), Row("teacher", "")
    train(recipe, lesion_disjoint_split(entries["train"], entries["val"], recipe), runs / "teacher")
    whole = measure(row, runs, "lesion", entries, lambda text: None)
    (runs / "teacher" / "best.pt").unlink()
    kept = measure(row, runs, "lesion", entries, lambda text: None)
    assert whole is not None
    assert kept is not None
    np.testing.assert_allclose(kept.probs[0], whole.probs[0], atol=1e-4)
    assert kept.cost["parameters"] == whole.cost["parameters"]

    path = runs / "teacher" / PREDICTIONS
    with np.load(path, allow_pickle=False) as archive:
        as_older_runs_have_it = {"truth" if name == "labels" else name: archive[name] for name in archive}
    np.savez(path, **as_older_runs_have_it)
    older = measure(row, runs, "lesion", entries, lambda text: None)
    assert older is not None
    np.testing.assert_array_equal(older.probs[0], kept.probs[0])

    said: list[str] = []
    assert measure(row, runs, "lesion", {"val": entries["val"][1:]}, said.append) is None
    assert "not those of val" in said[-1]
