"""The commands that measure a release on HAM10000: what they write, and what they say where something is missing."""

import json
from pathlib import Path

import jaxtyping
import pytest

from skinlens.cli import main
from skinlens.explain import METHODS
from tests.faults import files_of_at_most

pytestmark = pytest.mark.slow


def test_the_explanation_methods_are_measured(
    ham10000: Path, release: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "explanations.json"
    jaxtyping.config.update("jaxtyping_disable", True)  # torch's tracer makes tensors of the sizes that are checked
    try:
        status = main(["evaluate", "--explanations", "1", "--weights", str(release), "--json", str(path)])
    finally:
        jaxtyping.config.update("jaxtyping_disable", False)
    assert status == 0
    assert set(json.loads(path.read_text())["methods"]) == set(METHODS)
    words = capsys.readouterr().out
    assert "1 photos of val" in words
    assert "gates of the approximations" in words


def test_figures_are_written_beside_what_they_were_measured_of(
    ham10000: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Those of the release that ships are not replaced by those of another."""
    written: list[Path] = []
    monkeypatch.setattr(
        "skinlens.evaluation.explanations.evaluate_release", lambda weights, count, path: written.append(path)
    )
    monkeypatch.setattr("skinlens.quantization.sensitivity.sensitivity", lambda run, training, validation: {})
    monkeypatch.setattr("skinlens.quantization.sensitivity.write", lambda result, path: written.append(path))
    other, run = tmp_path / "other", tmp_path / "run"
    assert main(["evaluate", "--explanations", "1", "--weights", str(other)]) == 0
    assert main(["sensitivity", str(run)]) == 0
    assert written == [other / "explanations-val.json", run / "quantization-sensitivity.json"]
    monkeypatch.setenv("SKINLENS_WEIGHTS", str(other))
    assert main(["evaluate", "--explanations", "1"]) == 0
    assert written[2] == other / "explanations-val.json"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "found no JSON object (Expecting value"),
        ("cut {", "found no JSON object (Expecting value"),
        ("[]", "found no JSON object."),
        ('{"a": 1}', "found the keys a."),
        ('{"protocols": {"lesion": {"rows": [1]}, "paper": {"rows": []}}, "bootstrap": {}, "created_at": ""}', "found"),
    ],
)
def test_a_file_that_holds_no_table_is_refused_before_anything_is_measured(
    ham10000: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str, words: str
) -> None:
    path = tmp_path / "table.json"
    path.write_text(content)
    assert main(["ablation", "--runs", str(tmp_path), "--json", str(path)]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"skinlens: {path} is there and holds no table of earlier runs: expected one that --json")
    assert words in said
    assert path.read_text() == content


def test_a_disk_that_is_full_is_said_with_the_file(
    ham10000: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "figures.json"
    path.write_text("old")
    result = {"table": "x" * 9000, "missing_ids": [], "unreadable_ids": []}
    monkeypatch.setattr("skinlens.evaluation.evaluate.evaluate", lambda *given: result)
    with files_of_at_most(8192):
        status = main(["evaluate", "--images", ".", "--labels", "labels.csv", "--json", str(path)])
    assert status == 2
    assert capsys.readouterr().err == f"skinlens: {path}: File too large\n"
    assert path.read_text() == "old"


@pytest.mark.parametrize("command", [["outline-train"], ["evaluate", "--explanations"]])
def test_without_the_data_set_they_say_so(
    command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("SKINLENS_HAM10000", raising=False)
    assert main(command) == 2
    assert "SKINLENS_HAM10000" in capsys.readouterr().err


def test_evaluate_asks_for_what_it_needs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate"]) == 2
    assert "Expected --images and --labels together" in capsys.readouterr().err
    assert main(["evaluate", "--images", "."]) == 2
    assert "found --images alone" in capsys.readouterr().err
    assert main(["evaluate", "--invariance", "0"]) == 2
    assert "x>=1" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["evaluate", "ablation", "sensitivity"])
def test_a_file_that_could_not_be_written_is_refused_before_the_work(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = ["runs/any"] if command == "sensitivity" else []
    assert main([command, *more, "--json", str(tmp_path / "none" / "figures.json")]) == 2
    assert f"there is no folder {tmp_path / 'none'}" in "".join(capsys.readouterr().err)
    assert main([command, *more, "--json", str(tmp_path)]) == 2
    assert "is a directory" in capsys.readouterr().err


def test_the_table_asks_for_a_folder_of_runs(
    ham10000: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["ablation", "--runs", str(tmp_path / "none")]) == 2
    assert f"There is no folder {tmp_path / 'none'}" in capsys.readouterr().err
