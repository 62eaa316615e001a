"""Which quantized file becomes the release."""

from pathlib import Path

import pytest
import torch

from skinlens.quantization.release_builder import fastest_that_agrees, teachers

FLOAT = 0.740


def trial(layers: int, agreement: float, accuracy: float, error: float = 0.03) -> dict[str, object]:
    return {
        "float_layers": ["x"] * layers,
        "top1_agreement": agreement,
        "balanced_accuracy": accuracy,
        "logit_mean_abs": error,
    }


@pytest.mark.parametrize(
    ("tried", "chosen"),
    [
        ([trial(2, 0.986, 0.735), trial(4, 0.990, 0.738)], 0),  # close to the best: fewer float layers
        ([trial(2, 0.984, 0.735), trial(4, 0.990, 0.738)], 1),  # agrees too little
        ([trial(2, 0.989, 0.729), trial(4, 0.990, 0.738)], 1),  # loses more than a point of balanced accuracy
        ([trial(2, 0.986, 0.735), trial(2, 0.987, 0.731)], 1),  # as many: the better agreement
        ([trial(2, 0.986, 0.735, 0.04), trial(2, 0.986, 0.735, 0.03)], 1),  # and then the smaller error
        ([trial(2, 0.989, 0.700), trial(4, 0.990, 0.710), trial(3, 0.980, 0.725)], 1),  # none keeps its accuracy
    ],
)
def test_the_fastest_file_that_agrees(tried: list[dict[str, object]], chosen: int) -> None:
    assert fastest_that_agrees(tried, FLOAT) == chosen


def test_a_release_names_the_files_that_its_student_learned_from(tmp_path: Path) -> None:
    best = tmp_path / "best.pt"
    torch.save({"network": {}, "teacher_sha256": "ab", "companion_sha256": "cd"}, best)
    assert teachers(best) == {"teacher": "ab", "companion": "cd"}
    torch.save({"network": {}, "teacher_sha256": "ab", "companion_sha256": ""}, best)
    assert teachers(best) == {"teacher": "ab"}
    torch.save({"network": {}}, best)
    assert teachers(best) == {}
