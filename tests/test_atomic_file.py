"""Files that are replaced whole: where one cannot be written, all are as they were, and the error names it."""

import errno
import json
import os
import stat
import threading
from pathlib import Path

import pytest

from skinlens.atomic_file import PRIVATE, replace_files, replace_json, replace_text
from tests.faults import files_of_at_most


def test_what_cannot_be_written_is_as_it_was_and_named(tmp_path: Path) -> None:
    first, second = tmp_path / "a.json", tmp_path / "b.json"
    replace_files({first: b"old", second: b"old"})
    with files_of_at_most(10), pytest.raises(OSError, match="File too large") as refused:
        replace_files({first: b"new", second: b"new" * 10})
    assert (refused.value.errno, refused.value.filename) == (errno.EFBIG, str(second))
    assert [path.read_bytes() for path in (first, second)] == [b"old", b"old"]
    assert sorted(tmp_path.iterdir()) == [first, second], "nothing half-written is left"


def test_all_are_written_before_the_first_takes_its_place(tmp_path: Path) -> None:
    first, second = tmp_path / "a.json", tmp_path / "none" / "b.json"
    first.write_bytes(b"old")
    with pytest.raises(FileNotFoundError) as refused:
        replace_files({first: b"new", second: b"new"})
    assert refused.value.filename == str(second), "and not the name of what is written beside it"
    assert first.read_bytes() == b"old"


def test_figures_are_json_or_nothing(tmp_path: Path) -> None:
    path = tmp_path / "figures.json"
    replace_json(path, {"a": 1})
    with pytest.raises(ValueError, match="not JSON compliant"):
        replace_json(path, {"a": float("nan")})
    assert json.loads(path.read_text()) == {"a": 1}


def test_the_mode_is_the_usual_one_or_that_of_this_account_alone(tmp_path: Path) -> None:
    replace_text(tmp_path / "usual", "")
    replace_text(tmp_path / "private", "", PRIVATE)
    (tmp_path / "plain").touch()
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes["usual"] == modes["plain"]
    assert modes["private"] == PRIVATE


def test_a_link_is_followed_and_a_pipe_is_written_to(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "file")
    replace_text(tmp_path / "link", "text")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_text() == "text"
    pipe, read = tmp_path / "pipe", list[str]()
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()))
    reader.start()
    replace_text(pipe, "text")
    reader.join()
    assert read == ["text"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)
