"""What the documents promise: nothing is sent, and nothing is kept outside of the data folder and the temporary one.

The guard in ``conftest`` sees what Python's sockets do. Native libraries have their own way to the kernel, so here real
commands run under ``strace``.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from PIL import Image

from skinlens.imaging.synthetic import draw_synthetic_lesion
from tests.traces import Trace

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[1]
REFERENCE = """
from skinlens.checks.contract import Subject
from skinlens.checks.registry import CHECKS
from skinlens.explain import explain
from skinlens import pipeline
classifier = pipeline.load_classifier()
photo = pipeline.example(classifier).photo
CHECKS["reference"].compute(Subject(classifier, photo, (explain("grad_cam", classifier, photo, "mel"),)))
"""
LIVES_ON = "import skinlens.pipeline, time; skinlens.pipeline.load_classifier(); time.sleep(8)"
"""ONNX Runtime 1.32 looks up its maker's host some seconds after its start."""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Of a user who has nothing yet."""
    made = tmp_path / "user"
    made.mkdir()
    return made


def run(trace: Trace, home: Path, words: list[str]) -> None:
    """Python with these words, in the folder of the program, as a user would who has a home and nothing else set."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("ORT_", "HF_", "XDG_"))}
    environment.pop("MPLCONFIGDIR", None)
    done = subprocess.run(
        trace.command(sys.executable, *words),
        cwd=ROOT,
        env=environment | {"HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["-m", "skinlens", "doctor"],
        ["-m", "skinlens", "explain", "{photo}", "--out", "{out}"],
        ["-m", "skinlens", "report", "{photo}", "--out", "{out}.pdf"],
        ["-m", "skinlens", "backup", "{out}"],
        ["-c", LIVES_ON],
        ["-c", REFERENCE],
    ],
    ids=["doctor", "explain", "report", "backup", "a-process-that-lives-on", "reference"],
)
def test_a_command_reaches_nobody_and_writes_nowhere_else(
    words: list[str],
    home: Path,
    outlined_release: Path,
    tmp_path: Path,
    skinlens_home: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With a small release: what is loaded and written is the same, and maps take a tenth of the time."""
    monkeypatch.setenv("SKINLENS_WEIGHTS", str(outlined_release))
    photo = tmp_path / "photo.jpg"
    Image.fromarray(draw_synthetic_lesion(1)).save(photo, quality=92)
    trace = Trace(tmp_path / "trace")
    run(trace, home, [word.format(photo=photo, out=tmp_path / "out") if "{" in word else word for word in words])
    assert trace.reached() == set()
    # The temporary folder of this test holds the user's home, so it is asked for by itself.
    assert trace.written([skinlens_home, Path(tempfile.gettempdir())]) == set()
    assert list(home.rglob("*")) == []


def test_the_trace_shows_what_would_be_sent_and_kept(home: Path, tmp_path: Path) -> None:
    """The same eyes on something that does both."""
    script = (
        "import socket, pathlib; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect(('192.0.2.1', 53)); "
        "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect(('127.0.0.1', 53)); "
        "pathlib.Path.home().joinpath('kept').write_text('x')"
    )
    trace = Trace(tmp_path / "trace")
    run(trace, home, ["-c", script])
    assert trace.reached() == {"192.0.2.1"}
    assert trace.written([tmp_path / "elsewhere"]) == {str(home / "kept")}


def test_telemetry_is_off_whatever_the_environment_says() -> None:
    script = "import os, skinlens; print(os.environ['ORT_DISABLE_TELEMETRY'], os.environ['HF_HUB_OFFLINE'])"
    environment = os.environ | {"ORT_DISABLE_TELEMETRY": "0", "HF_HUB_OFFLINE": "0"}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["1", "1"]
