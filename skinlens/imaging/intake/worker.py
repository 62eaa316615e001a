"""Decoder process: one file after another from standard input, bands of rows to standard output.

``isolation`` starts it as ``python -c "… main()"``. It imports Pillow, numpy, simplejpeg and, for such files,
pillow-heif and tifffile; it writes nothing to the disk. The kernel ends it when a file takes too much processor time
(ITIMER_PROF), and gives it no more memory than one photo may have (RLIMIT_AS); on Windows, which has neither, only
``isolation``'s clock limits it.

A request is a length (8 bytes, big-endian) and the file. The answer is a row of messages, each a kind (1 byte), a
length (4 bytes) and a body: ``S`` size and format (JSON), ``B`` a band of rows (RGB bytes), ``N`` the notes and the
width of the field of view (JSON; the end), or ``R`` the sentence of a refusal (the end, at any time).
"""

import contextlib
import json
import os
import signal
import struct
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pillow_heif  # noqa: F401 (its code is not to count as memory that a file takes)

from skinlens.errors import UnreadableImage
from skinlens.imaging.intake.decode import decode
from skinlens.imaging.intake.sniffing import MAX_DECODE_MB, MAX_DECODE_S, TOO_MUCH_MEMORY

REQUEST, MESSAGE = struct.Struct(">Q"), struct.Struct(">cI")
_MAX_NOISE = 300
"""Characters of what a decoder writes to standard error that are told in a refusal."""
_BASE_MB = 60
"""What the process has in memory before it is given a file, and a little."""
_TIME_S = MAX_DECODE_S - 0.5
"""Left to the process that asked: about half a second for the hash of 50 megapixels."""


def main() -> None:
    """Answer requests until standard input ends, as it does when the process that asked has ended in any way."""
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(sys.stdout.fileno()), "wb", buffering=0)
    noise, memory = _Noise(), _Memory()
    os.dup2(2, 1)  # what a library prints is noise, and no answer
    while header := _exactly(requests, REQUEST.size):
        data = _exactly(requests, *REQUEST.unpack(header))
        with _limited_time():
            _answer(data, answers, noise, memory)
        del data
        memory.release()


def _answer(data: bytes, answers: BinaryIO, noise: "_Noise", memory: "_Memory") -> None:
    try:
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            size = len(data)
            decoding = decode(data, lambda width_px, height_px: memory.limit(size, width_px * height_px))
            shape = (decoding.width_px, decoding.height_px, decoding.orientation)
            _send(answers, b"S", json.dumps([decoding.source_format, *shape]).encode())
            for band in decoding.bands:
                _send(answers, b"B", np.ascontiguousarray(band).data)
        noise.read()
    except MemoryError:
        memory.release()
        _send(answers, b"R", TOO_MUCH_MEMORY.encode())
    except UnreadableImage as refusal:
        memory.release()  # what was decoded is held by the exception; the sentence needs some bytes, too
        said = " ".join([*noise.read().split(), *(str(one.message) for one in warned)])
        _send(answers, b"R", _with_noise(str(refusal), said).encode())
    else:
        _send(answers, b"N", json.dumps([decoding.notes, decoding.field_width_mm]).encode())


def _with_noise(refusal: str, said: str) -> str:
    """Refusal with the decoder's own message appended, for the administrator rather than the clinician."""
    said = said.replace("tempfile.tif: ", "")
    printable = "".join(character for character in said if character.isprintable())[:_MAX_NOISE].rstrip(" .")
    return f"{refusal} (The decoder said: {printable}.)" if printable else refusal


def _send(answers: BinaryIO, kind: bytes, body: "bytes | memoryview") -> None:
    view = memoryview(body).cast("B")
    for part in (MESSAGE.pack(kind, len(view)), view):
        rest = memoryview(part)
        while rest:  # a raw pipe takes what it has room for
            rest = rest[answers.write(rest) :]


def _exactly(stream: BinaryIO, size: int) -> bytes:
    """``size`` bytes, or none where the stream ends before."""
    data = stream.read(size)
    return data if len(data) == size else b""


@contextlib.contextmanager
def _limited_time() -> Iterator[None]:
    if not hasattr(signal, "setitimer"):
        yield
        return
    signal.setitimer(signal.ITIMER_PROF, _TIME_S)  # processor time, not the clock's; not handled, SIGPROF ends
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


class _Memory:
    """The limit of this process's memory, where the platform holds one."""

    def __init__(self) -> None:
        statm = Path("/proc/self/statm")
        self._base = int(statm.read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE") if statm.exists() else 0

    def limit(self, file_bytes: int, pixels: int) -> None:
        """Leave out what the asking process needs: the file, and three bytes a pixel."""
        self._set(self._base + (MAX_DECODE_MB - _BASE_MB) * 1_000_000 - file_bytes - 3 * pixels)

    def release(self) -> None:
        self._set(None)

    def _set(self, most: int | None) -> None:
        if not self._base:
            return
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        ceiling = resource.RLIM_INFINITY if most is None else most
        resource.setrlimit(
            resource.RLIMIT_AS, (ceiling if hard == resource.RLIM_INFINITY else min(ceiling, hard), hard)
        )


class _Noise:
    """What C libraries write to standard error: caught in a pipe that never fills, and never reaches the terminal."""

    def __init__(self) -> None:
        self._pipe, end = os.pipe()
        sys.stderr.flush()
        if hasattr(os, "set_blocking") and os.name == "posix":
            os.set_blocking(self._pipe, False)
            os.set_blocking(end, False)
            os.dup2(end, 2)
        else:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        os.close(end)

    def read(self) -> str:
        """Bytes that came since the last time."""
        try:
            return os.read(self._pipe, 65_536).decode(errors="replace") if os.name == "posix" else ""
        except BlockingIOError:
            return ""
