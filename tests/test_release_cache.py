"""A tiny release is trained once; what a killed, a parallel or an older run left is never handed out."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.release_cache import KEPT, ROOT, cached, digest_of, key_of, sources, threads

MODULES = ("skinlens.training.loop", "skinlens.quantization.release_builder")


class Trained:
    """Writes two files as a training would, and counts how often."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self, folder: Path) -> None:
        self.times += 1
        (folder / "part").mkdir(parents=True)
        (folder / "manifest.json").write_text("{}")
        (folder / "part" / "weights.bin").write_bytes(b"\0\1\2")


@pytest.fixture
def trained() -> Trained:
    return Trained()


def test_it_is_made_once_and_handed_out_as_a_copy(tmp_path: Path, trained: Trained) -> None:
    one = cached(tmp_path / "cache", "tiny", "k", trained, tmp_path / "one")
    (one / "manifest.json").write_text("altered by a test")
    other = cached(tmp_path / "cache", "tiny", "k", trained, tmp_path / "other")
    assert trained.times == 1
    assert (other / "manifest.json").read_text() == "{}"
    assert sorted(path.name for path in other.rglob("*")) == ["manifest.json", "part", "weights.bin"]


@pytest.mark.parametrize("harm", ["alter", "remove", "add", "digests"])
def test_a_damaged_entry_is_made_again(tmp_path: Path, trained: Trained, harm: str) -> None:
    cached(tmp_path / "cache", "tiny", "k", trained, tmp_path / "one")
    entry = tmp_path / "cache" / "tiny-k"
    if harm == "alter":
        (entry / "part" / "weights.bin").write_bytes(b"\0\1\3")
    elif harm == "remove":
        (entry / "part" / "weights.bin").unlink()
    elif harm == "add":
        (entry / "stray").touch()
    else:
        (entry / "digests.json").write_text("{")
    again = cached(tmp_path / "cache", "tiny", "k", trained, tmp_path / "other")
    assert trained.times == 2
    assert (again / "part" / "weights.bin").read_bytes() == b"\0\1\2"
    assert not (again / "stray").exists()


KILLED = """
import os, sys
from pathlib import Path
from tests.release_cache import cached

def make(folder):
    folder.mkdir()
    (folder / "manifest.json").write_text("half")
    os._exit(9)

cached(Path(sys.argv[1]) / "cache", "tiny", "k", make, Path(sys.argv[1]) / "one")
"""


def test_a_killed_run_leaves_nothing_that_counts(tmp_path: Path, trained: Trained) -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], cwd=ROOT, check=False)
    assert killed.returncode == 9
    found = cached(tmp_path / "cache", "tiny", "k", trained, tmp_path / "two")
    assert trained.times == 1
    assert (found / "manifest.json").read_text() == "{}"
    assert not list((tmp_path / "cache").glob("*.unfinished"))


SIDE_BY_SIDE = """
import sys, time
from pathlib import Path
from tests.release_cache import cached

folder, name = Path(sys.argv[1]), sys.argv[2]

def make(into):
    into.mkdir()
    (into / "manifest.json").write_text("{}")
    with (folder / "makers").open("a") as makers:
        makers.write(name + "\\n")
    time.sleep(1)  # long enough for the other to come by

(folder / f"ready-{name}").touch()
while len(list(folder.glob("ready-*"))) < 2:
    time.sleep(0.01)
cached(folder / "cache", "tiny", "k", make, folder / name)
"""


def test_of_two_runs_side_by_side_one_trains(tmp_path: Path) -> None:
    runs = [
        subprocess.Popen([sys.executable, "-c", SIDE_BY_SIDE, str(tmp_path), name], cwd=ROOT) for name in ("one", "two")
    ]
    assert [run.wait(60) for run in runs] == [0, 0]
    assert len((tmp_path / "makers").read_text().splitlines()) == 1
    assert [(tmp_path / name / "manifest.json").read_text() for name in ("one", "two")] == ["{}", "{}"]


def test_old_entries_go(tmp_path: Path, trained: Trained) -> None:
    for number in range(KEPT + 2):
        cached(tmp_path / "cache", "tiny", f"k{number}", trained, tmp_path / f"copy{number}")
    cached(tmp_path / "cache", "other", "k", trained, tmp_path / "copy")
    kept = sorted(path.name for path in (tmp_path / "cache").iterdir() if path.is_dir())
    assert kept == ["other-k", *(f"tiny-k{number}" for number in range(2, KEPT + 2))]


def test_the_key_follows_the_sources_and_the_instructions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {path.relative_to(ROOT).as_posix() for path in sources(MODULES, ())}
    assert files >= {
        f"skinlens/{name}.py"
        for name in ("training/loop", "quantization/release_builder", "networks/student", "labels")
    }
    assert not any(name.startswith(("skinlens/ui/", "skinlens/store/", "skinlens/evaluation/")) for name in files)
    path = tmp_path / "source.py"
    path.write_text("epochs = 2\n")
    keys = [key_of(iter([path])), key_of(iter([path]))]
    assert keys[0] == keys[1]
    monkeypatch.setenv("ATEN_CPU_CAPABILITY", "avx2-of-this-test")
    keys.append(key_of(iter([path])))
    path.write_text("epochs = 3\n")
    keys.append(key_of(iter([path])))
    assert len(set(keys)) == 3


def test_what_is_compared_byte_for_byte_goes_by_its_origin_and_the_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def key() -> str:
        return key_of(iter([]), digest_of(tmp_path), threads())

    (tmp_path / "weights.bin").write_bytes(b"one")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    keys = [key(), key()]
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    keys.append(key())
    (tmp_path / "weights.bin").write_bytes(b"two")
    keys.append(key())
    assert keys[0] == keys[1]
    assert len(set(keys)) == 3
