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
    assert "Expected --images and --labels, or --explanations" in capsys.readouterr().err
