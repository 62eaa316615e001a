"""The tutorial of a first training does what it says, in one epoch in the place of twelve."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "tutorial" / "first-training.md").read_text(encoding="utf-8")

pytestmark = pytest.mark.slow


def block(language: str, holding: str) -> str:
    """The code block of the page that holds these words."""
    (found,) = (text for text in re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.M | re.S) if holding in text)
    return found


def test_the_first_training_runs_as_the_page_says(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "tutorial"
    folder.mkdir(parents=True)
    (folder / "draw.py").write_text(block("python", "draw_dataset"))
    (folder / "train.py").write_text(block("python", "load_source"))
    (folder / "look.py").write_text(block("python", "val_logits"))
    recipe = block("toml", "detail_px")
    assert "epochs = 12" in recipe
    (folder / "first.toml").write_text(recipe.replace("epochs = 12", "epochs = 1"))
    longer = block("toml", "extends")
    (folder / "longer.toml").write_text(longer)
    printed = []
    for script in (["draw.py"], ["train.py", "runs/tutorial/first.toml"], ["look.py", "runs/first"]):
        done = subprocess.run(
            [sys.executable, str(folder / script[0]), *script[1:]],
            cwd=tmp_path,
            env={
                "PYTHONPATH": str(ROOT), "PATH": "", "HOME": str(tmp_path), "SKINLENS_SOURCES": "runs/tutorial",
                "OMP_NUM_THREADS": "1",
            },
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        printed.append(done.stdout)
    assert printed[0] == "70 photos, 14 of them for validation\n"
    run = tmp_path / "runs" / "first"
    named = set(re.findall(r"`([a-z_0-9]+\.(?:pt|npz|png|jsonl))`", PAGE))
    assert named == {path.name for path in run.iterdir()}
    (line,) = map(json.loads, (run / "log.jsonl").read_text().splitlines())
    shown = re.search(r'^\{"epoch": 12.*?…\}', PAGE, re.M | re.S)
    assert shown is not None
    assert set(re.findall(r'"(\w+)":', shown[0])) <= set(line)
    assert printed[2].startswith(f" 1  {line['loss']:.2f}  {line['val_loss']:.2f}  {line['balanced_accuracy']:.2f}\n")
    assert "akiec bcc bkl df mel nv vasc" in printed[2]
    assert longer == 'extends = "first.toml"\nepochs = 24\n'
