"""The commands that measure a release on HAM10000: what they write, and what they say where something is missing."""

import json
from pathlib import Path

import jaxtyping
import pytest

from skinlens.cli import main
from skinlens.explain import METHODS

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
