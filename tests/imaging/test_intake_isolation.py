"""The process that decodes: limited, replaced when it overruns or dies, quiet, and gone when the app is."""

import io
import os
import re
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from skinlens.errors import UnreadableImage
from skinlens.imaging.intake import isolation, read_photo, read_photo_file, read_trusted_photo
from skinlens.imaging.intake.sniffing import TOO_MUCH_MEMORY, TOO_MUCH_TIME
from tests.intake_files import KINDS, files, refusal

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.slow
POSIX = pytest.mark.skipif(os.name != "posix", reason="processes are signalled as POSIX has it")
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="the limit of memory is Linux's alone")


@pytest.fixture
def pool(monkeypatch: pytest.MonkeyPatch) -> Iterator[isolation._Pool]:
    """Processes of the test's own, ended with it."""
    own = isolation._Pool()
    monkeypatch.setattr(isolation, "_pool", own)
    yield own
    own.end()


def pid_of_one(pool: isolation._Pool) -> int:
    (process,) = pool._all
    return process._popen.pid


@pytest.mark.parametrize("kind", KINDS)
def test_both_routes_give_one_photo(kind: str) -> None:
    limited, here = read_photo(files()[kind]), read_trusted_photo(files()[kind])
    assert (limited.sha256, limited.source_format, limited.notes) == (here.sha256, here.source_format, here.notes)


def test_one_process_serves_photo_after_photo(pool: isolation._Pool) -> None:
    read_photo(files()["png"])
    first = pid_of_one(pool)
    refusal(files()["png"][:300])
    read_photo(files()["jpeg"])
    assert pid_of_one(pool) == first


@POSIX
def test_a_process_that_was_killed_while_it_waited_is_replaced(pool: isolation._Pool) -> None:
    read_photo(files()["png"])
    killed = pid_of_one(pool)
    os.kill(killed, signal.SIGKILL)
    next(iter(pool._all))._popen.wait()
    assert read_photo(files()["png"]).sha256 == read_trusted_photo(files()["png"]).sha256
    assert pid_of_one(pool) != killed


def interrupted(pool: isolation._Pool, act: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> str:
    """The refusal of a photo at whose decoding something happens to the process, which is stopped until then."""
    read_photo(files()["png"])
    os.kill(pid_of_one(pool), signal.SIGSTOP)
    has_the_file, listen = threading.Event(), isolation._Process._listen

    def listen_now(process: isolation._Process) -> Any:
        has_the_file.set()
        return listen(process)

    monkeypatch.setattr(isolation._Process, "_listen", listen_now)
    said: list[str] = []
    reader = threading.Thread(target=lambda: said.append(refusal(files()["jpeg"])))
    reader.start()
    assert has_the_file.wait(60), "before that it would not be at work, and be replaced without a word"
    act()
    reader.join()
    return said[0]


@POSIX
def test_a_process_that_is_killed_at_work_ends_in_a_sentence(
    pool: isolation._Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_photo(files()["png"])
    pid = pid_of_one(pool)
    message = interrupted(pool, lambda: os.kill(pid, signal.SIGKILL), monkeypatch)
    assert message.startswith("The picture could not be decoded: a photo was expected")
    assert message.endswith("upload that.")
    assert read_photo(files()["jpeg"]).source_format == "JPEG"
    with pytest.raises(ProcessLookupError):  # waited for: no zombie
        os.kill(pid, 0)


@POSIX
def test_a_process_that_is_stuck_is_ended_by_the_clock(pool: isolation._Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    read_photo(files()["png"])  # it has started
    monkeypatch.setattr(isolation, "MAX_WAIT_S", 1)
    assert interrupted(pool, lambda: None, monkeypatch) == TOO_MUCH_TIME
    monkeypatch.setattr(isolation, "MAX_WAIT_S", 60)
    assert read_photo(files()["jpeg"]).source_format == "JPEG"


def long_jpeg() -> bytes:
    """12 megapixels, 150 passes over them."""
    stream = io.BytesIO()
    Image.new("RGB", (4000, 3000), (200, 150, 120)).save(stream, "JPEG", progressive=True)
    plain = stream.getvalue()
    last = plain.rindex(b"\xff\xda")
    return plain[:-2] + plain[last:-2] * 150 + plain[-2:]


@POSIX
def test_a_file_that_takes_too_long_is_refused(pool: isolation._Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    shorter = "from skinlens.imaging.intake import limits, worker; limits._TIME_S = 0.3; worker.main()"
    monkeypatch.setattr(isolation, "_COMMAND", f"import sys; sys.path.insert(0, sys.argv[1]); {shorter}")
    assert refusal(long_jpeg()) == TOO_MUCH_TIME
    assert read_photo(files()["jpeg"]).source_format == "JPEG"


def wide_canvas() -> bytes:
    """An animated WebP whose canvas has 50 megapixels; its decoder keeps four copies of that."""
    data = bytearray(files()["webp animated"])
    data[24:30] = (8159).to_bytes(3, "little") + (6119).to_bytes(3, "little")
    return bytes(data)


@LINUX
def test_a_file_that_needs_too_much_memory_is_refused(pool: isolation._Pool) -> None:
    assert refusal(wide_canvas()) == TOO_MUCH_MEMORY
    status = Path(f"/proc/{pid_of_one(pool)}/status").read_text()
    peak_kb = re.search(r"VmHWM:\s+(\d+)", status)
    assert peak_kb is not None
    assert int(peak_kb[1]) < 600_000
    assert read_photo(files()["jpeg"]).source_format == "JPEG"


def test_a_large_file_is_refused_before_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    film = tmp_path / "film.jpg"
    with film.open("wb") as file:
        file.truncate(6 * 1024**3)  # holes: nothing is written
    with pytest.raises(UnreadableImage, match=r"at most 25 MB were expected, and it has 6144\.0 MB"):
        read_photo_file(film)
    exact = tmp_path / "photo.png"
    exact.write_bytes(files()["png"])
    assert read_photo_file(exact).sha256 == read_photo(files()["png"]).sha256


def test_what_decoders_print_is_in_the_refusal_and_nowhere_else(capfd: pytest.CaptureFixture[str]) -> None:
    data = bytearray(files()["tiff lzw"])
    (offset,) = struct.unpack_from("<I", data, data.index(struct.pack("<HHI", 273, 4, 1)) + 8)
    data[offset : offset + 40] = bytes(range(100, 140))
    message = refusal(bytes(data))
    assert message.endswith("upload that. (The decoder said: Using code not yet in table.)")
    assert capfd.readouterr() == ("", "")


SCRIPT = """
import io, os, signal, sys
from PIL import Image
from skinlens.imaging.intake import isolation, read_photo
stream = io.BytesIO()
Image.new("RGB", (64, 48), (9, 8, 7)).save(stream, "PNG")
photo = read_photo(stream.getvalue())
"""


def run(rest: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "-X", "dev", "-c", SCRIPT + rest]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def assert_gone(pid: int) -> None:
    for _ in range(200):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    pytest.fail(f"process {pid} is still there")


@POSIX
@pytest.mark.parametrize(
    ("end", "status"),
    [("", 0), ("os._exit(3)", 3), ("os.kill(os.getpid(), signal.SIGKILL)", -9), ("raise SystemExit('x')", 1)],
)
def test_no_process_outlives_the_app(end: str, status: int) -> None:
    ended = run(f"print(next(iter(isolation._pool._all))._popen.pid, flush=True)\n{end}")
    assert ended.returncode == status
    assert ended.stderr == ("x\n" if status == 1 else "")
    assert_gone(int(ended.stdout))


@POSIX
def test_a_forked_child_has_a_process_of_its_own() -> None:
    """As torch's data loaders fork: two that write into one pipe would get each other's photos."""
    ended = run(
        "child = os.fork()\n"
        "again = read_photo(stream.getvalue())\n"
        "assert again.sha256 == photo.sha256\n"
        "print(next(iter(isolation._pool._all))._popen.pid, flush=True)\n"
        "if child:\n    assert os.waitpid(child, 0)[1] == 0\n"
        "    assert read_photo(stream.getvalue()).sha256 == photo.sha256\n"
    )
    assert ended.stderr == ""
    assert ended.returncode == 0
    assert len(set(ended.stdout.split())) == 2


def test_the_process_is_light() -> None:
    heavy = ("onnxruntime", "torch", "streamlit", "scipy", "skimage", "sqlite3", "tifffile", "matplotlib")
    code = f"import sys, skinlens.imaging.intake.worker; print(*(name for name in {heavy} if name in sys.modules))"
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ended.stdout.split() == []


def test_no_more_processes_work_than_there_may(pool: isolation._Pool) -> None:
    expected = read_trusted_photo(files()["jpeg"]).sha256
    found: list[str] = []
    threads = [
        threading.Thread(target=lambda: found.extend(read_photo(files()["jpeg"]).sha256 for _ in range(5)))
        for _ in range(3 * isolation.MAX_PROCESSES)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 15 * isolation.MAX_PROCESSES
    assert 1 <= len(pool._all) <= isolation.MAX_PROCESSES


@POSIX
def test_answers_that_keep_to_no_order_are_refused(pool: isolation._Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also a decoder that was taken over by a file cannot make this process take more than a photo."""
    for answer in (
        b"B\\0\\0\\0\\3abc",
        b"S\\xff\\xff\\xff\\xff",
        b'S\\0\\0\\0\\x13["PNG", 40, 40, 1] B\\0\\0\\x27\\x10' + b"x" * 10_000,
        b"N\\0\\0\\0\\2[]",
    ):
        code = f"import sys; sys.stdin.buffer.read(8); sys.stdout.buffer.write(b{answer.decode()!r})"
        monkeypatch.setattr(isolation, "_COMMAND", code)
        assert "decoder ended at this file" in refusal(files()["png"])
    assert pool._all == set()
