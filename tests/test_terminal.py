"""The command line on terminals and in folders that are not as its author's are."""

import io
import os
import pwd
import signal
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest
from PIL import Image

from skinlens import serve
from skinlens.accounts import Tokens
from skinlens.cli import main
from skinlens.errors import StoreError
from skinlens.imaging.synthetic import draw_synthetic_lesion
from skinlens.store import default_home


def printed(monkeypatch: pytest.MonkeyPatch, encoding: str, *words: str) -> tuple[int, str]:
    """Exit status, and what stands on a terminal with that code page."""
    out = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", out)
    status = main(words)
    out.flush()
    return status, out.buffer.getvalue().decode(encoding)  # type: ignore[attr-defined]


def save_photo(path: Path) -> None:
    """One with a note: it has a transparent corner."""
    drawn = draw_synthetic_lesion(1)
    opacity = np.full(drawn.shape[:2], 255, np.uint8)
    opacity[:20, :20] = 0
    Image.fromarray(np.dstack([drawn, opacity])).save(path, "PNG")


@pytest.mark.parametrize("encoding", ["cp932", "gbk", "ascii", "cp437", "latin-1", "utf-8"])
def test_a_reading_in_words_on_every_code_page(
    release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    save_photo(tmp_path / "photo.png")
    status, words = printed(monkeypatch, encoding, "predict", str(tmp_path / "photo.png"), "--weights", str(release))
    assert status == 0
    assert "Note: " in words
    assert "filled with white" in words
    assert "Not a medical device" in words
    assert "\\xa0" not in words
    assert "\\u" not in words


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a file's name is text")
@pytest.mark.parametrize(("encoding", "shown"), [("utf-8", "l\\xe9sion 傷.png"), ("ascii", "l\\xe9sion \\u50b7.png")])
def test_a_name_that_is_no_text(
    release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoding: str, shown: str
) -> None:
    photo = tmp_path / os.fsdecode(b"l\xe9sion " + "傷.png".encode())
    save_photo(photo)
    status, words = printed(monkeypatch, encoding, "predict", str(photo), "--weights", str(release))
    assert status == 0
    assert words.splitlines()[0].endswith(shown)
    missing = photo.with_name(photo.name + ".gone")
    status, words = printed(monkeypatch, encoding, "predict", str(missing), "--weights", str(release))
    assert status == 2
    assert words.strip().endswith(f"{shown}.gone: No such file or directory")
    status, words = printed(monkeypatch, encoding, "predict", "--json", str(photo), "--weights", str(release))
    assert (status, words[0]) == (0, "{")


def test_a_user_without_a_home_is_told_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(_number: int) -> object:
        raise KeyError("getpwuid(): uid not found")

    for name in ("SKINLENS_HOME", "HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    with pytest.raises(StoreError, match=r"this user has no home folder\. Set SKINLENS_HOME to a whole path"):
        default_home()
    monkeypatch.setenv("SKINLENS_HOME", "~nobody-of-that-name/cases")
    with pytest.raises(StoreError, match="SKINLENS_HOME is ~nobody-of-that-name/cases, and that user has no home"):
        default_home()


def test_a_relative_home_is_meant_from_where_it_was_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SKINLENS_HOME", "my cases")
    assert default_home() == tmp_path / "my cases"


def test_the_app_takes_the_same_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It works in the folder of the program, so what is relative is settled before."""
    found: list[tuple[str, str, str]] = []

    def note(command: list[str]) -> NoReturn:
        found.append((os.environ["SKINLENS_HOME"], os.environ["SKINLENS_WEIGHTS"], str(Path.cwd())))
        raise SystemExit

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SKINLENS_HOME", "my cases")
    monkeypatch.setenv("SKINLENS_WEIGHTS", "~/weights")
    monkeypatch.setenv(serve.TOKEN, "")  # which is set anew, and must not outlive the test
    monkeypatch.setenv(serve.BEHIND_PROXY, "")
    monkeypatch.setattr(serve, "become", note)
    with pytest.raises(SystemExit):
        serve.serve("127.0.0.1", serve.free_port("127.0.0.1", int(os.environ["SKINLENS_TEST_PORT"])))
    assert found == [(str(tmp_path / "my cases"), "~/weights", str(serve.ROOT))]


@pytest.mark.parametrize("windows", [False, True])
def test_a_program_in_a_folder_with_spaces_is_started_and_its_end_is_ours(tmp_path: Path, windows: bool) -> None:
    script = tmp_path / "two words" / "it is.py"
    script.parent.mkdir()
    script.write_text("import sys; print(sys.argv[1:]); sys.exit(7)")
    start = (
        "import sys; from skinlens import serve; "
        f"serve.WINDOWS = {windows}; serve.become([sys.executable, {str(script)!r}, 'a b', ''])"
    )
    done = subprocess.run(
        [sys.executable, "-c", start], cwd=serve.ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout.strip()) == (7, "['a b', '']")


def test_sigterm_ends_a_command_as_ctrl_c_does(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Tokens, "all", lambda _: signal.raise_signal(signal.SIGTERM))
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        assert main(["api", "token", "list"]) == 143
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, before)
    assert capsys.readouterr().err.splitlines()[-1] == "skinlens: stopped."
