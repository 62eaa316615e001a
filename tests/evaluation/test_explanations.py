"""The figures of the explanation methods: by hand where they can be, and the whole on a tiny release."""

import json
from pathlib import Path

import jaxtyping
import numpy as np
import pytest
import torch
from PIL import Image

from skinlens.errors import DatasetError
from skinlens.evaluation.approximation_gates import gates, gates_summary
from skinlens.evaluation.explanations import (
    FIGURES,
    agreements_of,
    choose,
    evaluate_explanations,
    explain_all,
    figures_of,
    mask_of_view,
    mean_of_rows,
    summary,
    verdicts,
)
from skinlens.evaluation.model_randomization import STAGES, randomized
from skinlens.explain import METHODS
from skinlens.imaging.intake import photo_from_pixels, read_photo
from skinlens.imaging.preprocess import to_batch
from skinlens.imaging.synthetic import draw_synthetic_lesion
from skinlens.inference.classifier import Classifier, load_classifier
from skinlens.inference.release import load_manifest
from skinlens.labels import CODES
from skinlens.networks.student import load_released
from skinlens.training.ham10000 import Entry
from tests.tiny_release import draw_dataset

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def classifier(release: Path) -> Classifier:
    return load_classifier(release)


def entries(counts: dict[int, int]) -> list[Entry]:
    return [Entry(f"{label}-{n}", Path("x"), label) for label, count in counts.items() for n in range(count)]


def test_the_sample_is_as_even_as_there_are_photos() -> None:
    chosen = choose(entries({0: 50, 1: 3, 2: 20}), 13, seed=1)
    assert np.bincount([entry.label for entry in chosen]).tolist() == [5, 3, 5]
    assert len({entry.image_id for entry in chosen}) == 13
    assert chosen == choose(entries({0: 50, 1: 3, 2: 20}), 13, seed=1)
    assert chosen != choose(entries({0: 50, 1: 3, 2: 20}), 13, seed=2)


def test_a_mask_is_cropped_as_the_photo_is(classifier: Classifier) -> None:
    photo = photo_from_pixels(np.zeros((90, 300, 3), np.uint8), "PNG")  # the network sees the middle 120 columns
    mask = np.zeros((90, 300), bool)
    mask[:, :150] = True
    seen = mask_of_view(mask, photo, classifier)
    assert seen.shape == (64, 64)
    assert seen[:, :32].all()
    assert not seen[:, 32:].any()


def test_the_mean_leaves_out_maps_that_point_nowhere() -> None:
    table = np.array([[1.0, np.nan], [3.0, np.nan]])
    means = mean_of_rows(table)
    assert means[0] == 2
    assert np.isnan(means[1])


def test_figures_of_one_map(classifier: Classifier) -> None:
    photo = photo_from_pixels(draw_synthetic_lesion(1), "drawn")
    maps = explain_all(classifier, photo)
    assert [one.method for one in maps] == list(METHODS)
    telling = next(one for one in maps if np.ptp(one.heatmap))
    inside = telling.heatmap > 0.5
    found = dict(zip(FIGURES, figures_of(classifier, photo, telling, inside), strict=True))
    assert found["gain"] == pytest.approx(found["insertion"] - found["deletion"])
    assert found["gain_over_random"] == pytest.approx(
        found["gain"] - (found["random_insertion"] - found["random_deletion"])
    )
    assert found["area"] == pytest.approx(inside.mean())
    assert found["pointing_game"] == 1  # the hottest point is among the hot ones
    assert agreements_of([telling] * 3 if len({one.method for one in maps}) == 1 else maps).shape == (3, 2)


def interval(low: float | None) -> dict[str, float | None]:
    return {"value": low, "low": low, "high": low}


def test_verdicts() -> None:
    good = {
        "gain_over_random": interval(0.01),
        "relevance_mass_over_area": interval(0.2),
        "model_randomization": [{"spearman_median": 0.9}, {"spearman_median": 0.1}],
        "float": {"spearman_median": 0.97},
    }
    assert set(verdicts(good).values()) == {True}
    bad = {
        "gain_over_random": interval(-0.01),
        "relevance_mass_over_area": interval(None),
        "model_randomization": [{"spearman_median": 0.1}, {"spearman_median": 0.9}],
        "float": {"spearman_median": 0.5},
    }
    assert verdicts(bad) == {"faithful": False, "focused": None, "learned": False, "quantized": False}


# ----------------------------------------------------------------------------------------------- randomised networks


def test_layers_are_reinitialized_from_the_output_on(release: Path) -> None:
    manifest = load_manifest(release)
    student = load_released(manifest)
    before = {name: value.clone() for name, value in student.state_dict().items()}
    photos = to_batch(
        [photo_from_pixels(draw_synthetic_lesion(seed), "drawn") for seed in range(3)], manifest.input_spec
    )

    def changed(network: torch.nn.Module) -> set[str]:
        now = network.state_dict()
        weights = [name for name in before if name.endswith("weight") and before[name].ndim > 1]
        return {name.split(".")[0] for name in weights if not torch.equal(before[name], now[name])}

    stages = list(randomized(student, photos))
    assert len(stages) == len(STAGES)
    assert [changed(stage) for stage in stages] == [
        {"head", "fusion"},
        {"head", "fusion", "efficientnet"},
        {"head", "fusion", "efficientnet", "cnn", "exit_1", "exit_2"},
    ]
    assert torch.equal(stages[1].efficientnet.stem[0].weight, student.efficientnet.stem[0].weight)
    assert not torch.equal(stages[2].efficientnet.stem[0].weight, student.efficientnet.stem[0].weight)
    assert all(torch.equal(value, before[name]) for name, value in student.state_dict().items())
    again = list(randomized(student, photos))[-1].state_dict()
    assert all(torch.equal(value, again[name]) for name, value in stages[-1].state_dict().items())
    for stage in stages:
        with torch.no_grad():
            fused = stage.features(torch.from_numpy(photos))[0]
        assert fused.std() > 0


# ------------------------------------------------------------------------------------------------------------ gates

MEASURED = {
    "score_cam": {"release": "1.0.0", "spearman_median": 0.999, "spearman_worst": 0.97},
    "lime": {
        "release": "0.9.0",
        "spearman_median": 0.97,
        "spearman_worst": 0.8,
        "stock_median": 0.9,
        "stock_worst": 0.7,
        "seed_spearman_median": 0.89,
    },
}


def test_the_gates_compare_what_was_measured(tmp_path: Path) -> None:
    assert [gate.passed for gate in gates(MEASURED)] == [True, False, True, True, False]
    path = tmp_path / "explain_gates.json"
    assert "not measured" in gates_summary(path)
    path.write_text(json.dumps(MEASURED))
    words = gates_summary(path)
    assert words.count("FAILED") == 2
    assert "0.890 / 0.900" in words
    assert "score_cam on release 1.0.0, lime on release 0.9.0" in words


# -------------------------------------------------------------------------------------------------------- the whole


def test_the_whole_on_a_tiny_release(release: Path, classifier: Classifier, tmp_path: Path) -> None:
    validation = draw_dataset(tmp_path / "val", 7, 1)
    masks = {}
    for entry in validation:
        dark = read_photo(entry.path.read_bytes()).pixels.astype(int).sum(axis=2) < 450
        masks[entry.image_id] = tmp_path / f"{entry.image_id}_mask.png"
        Image.fromarray((dark * 255).astype(np.uint8)).save(masks[entry.image_id])
    jaxtyping.config.update("jaxtyping_disable", True)  # torch's tracer makes tensors of the sizes that are checked
    try:
        result = evaluate_explanations(classifier, load_manifest(release), validation, masks, 2, resamples=20)
    finally:
        jaxtyping.config.update("jaxtyping_disable", False)
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert (result["n"], sum(result["classes"].values())) == (2, 2)
    assert result["model"]["sha256"] == classifier.engine.model_ref.sha256
    assert set(result["methods"]) == set(METHODS)
    for found in result["methods"].values():
        assert set(found["per_class"]) == set(CODES)
        assert [one["stage"] for one in found["model_randomization"]] == list(STAGES)
        assert set(found["verdicts"]) == {"faithful", "focused", "learned", "quantized"}
    assert len(result["agreement"]) == 3
    text = summary(result)
    assert all(info.title in text for info in METHODS.values())
    with pytest.raises(DatasetError, match="Expected a sample of 1 to 7 photos, found 8"):
        evaluate_explanations(classifier, load_manifest(release), validation, masks, 8)
