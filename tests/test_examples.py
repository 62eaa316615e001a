"""The examples, and the Python of the README, do what they say on the model that ships."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from skinlens.imaging.synthetic import draw_synthetic_lesion

ROOT = Path(__file__).resolve().parents[1]

pytestmark = pytest.mark.slow


def run(code: list[str], folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, *code],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "PATH": "", "HOME": str(folder)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_readmes_python_runs(tmp_path: Path) -> None:
    (block,) = re.findall(r"^```python\n(.*?)^```", (ROOT / "README.md").read_text(encoding="utf-8"), re.M | re.S)
    (of_file,) = re.findall(r"  # or (\S.*)$", block, re.M)
    Image.fromarray(draw_synthetic_lesion(3)).save(tmp_path / "photo.jpg")
    more = f"print(heatmap.shape, float(heatmap.max()))\nprint({of_file}.photo.pixels.shape)"
    printed = run(["-c", block + more], tmp_path)
    assert re.match(r"\w[\w ]+ 0\.\d+\n\(\d+, \d+\) 1\.0\n\(450, 600, 3\)\n$", printed)


def test_the_readme_stays_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 100


def test_one_photo_is_explained(tmp_path: Path) -> None:
    photo = tmp_path / "lesion.png"
    Image.fromarray(draw_synthetic_lesion(3)).save(photo)
    printed = run([str(ROOT / "examples" / "explain_one_photo.py"), str(photo), "over.png"], tmp_path)
    shares = [float(share) for share in re.findall(r"^ *([\d.]+)%", printed, re.M)]
    assert len(shares) == 7
    assert sum(shares) == pytest.approx(100, abs=0.4)
    with Image.open(tmp_path / "over.png") as over, Image.open(photo) as given:
        assert over.size == given.size
