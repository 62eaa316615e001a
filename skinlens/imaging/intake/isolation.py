"""Decoder processes: started, fed with files, ended and replaced when they overrun or die.

A process is started new (never forked: this one has threads), is kept for the next photo, and ends by itself when its
standard input ends. So nothing of it outlives the app, in whatever way the app ends.
"""

import atexit
import contextlib
import json
import os
import sys
import threading
from collections.abc import Callable
from typing import NamedTuple, TypeVar

import numpy as np

from skinlens import paths
from skinlens.background import Worker
from skinlens.errors import UnreadableImage
from skinlens.imaging.intake import patient
from skinlens.imaging.intake.canvas import Canvas
from skinlens.imaging.intake.patient import PatientFields
from skinlens.imaging.intake.sniffing import MAX_BYTES, TOO_MUCH_TIME, check_size
from skinlens.imaging.intake.worker import DEIDENTIFIED, MESSAGE, PATIENT, PHOTO, REQUEST

Answer = TypeVar("Answer")

MAX_PROCESSES = max(2, min(4, os.cpu_count() or 1))
"""So that one costly file does not keep the other sessions from theirs."""
MAX_WAIT_S = 60
"""By the clock, for a process that is stuck, or that shares a busy computer. The limit of processor time is shorter."""
_PIPE_BYTES = 1 << 20
"""Of the 64 kB that a pipe has, an answer of 36 MB would fill 550: each time the processor changes the process."""
_MAX_BAND_BYTES = 16_000_000
_MAX_WORDS = 100_000
"""Bytes of the messages that are no pixels."""
_MAX_COPY_BYTES = MAX_BYTES + 100_000
"""Of a file without its patient: some tags are written that the sender's file may lack."""
_COMMAND = "import sys; sys.path.insert(0, sys.argv[1]); from skinlens.imaging.intake.worker import main; main()"


class Decoded(NamedTuple):
    """Answer of the worker process on a file."""

    canvas: Canvas
    source_format: str
    notes: list[str]
    field_width_mm: float | None


class _Ended(Exception):
    """The process ended, or does not keep to the messages."""


class _Process(Worker):
    """One process. It serves one caller at a time."""

    def __init__(self) -> None:
        super().__init__(_COMMAND, paths.IMPORT_ROOT, bufsize=0, MALLOC_ARENA_MAX="2")
        if sys.platform == "linux":
            import fcntl

            for pipe in (self.requests, self.answers):
                with contextlib.suppress(OSError):  # the system's limit for this user is reached
                    fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)

    def decode(self, data: bytes) -> Decoded:
        """Raises UnreadableImage; after _Ended the process is of no more use."""
        return self._ask(PHOTO, data, self._listen)

    def patient_fields(self, data: bytes) -> PatientFields:
        """Raises UnreadableImage; after _Ended the process is of no more use."""
        return self._ask(PATIENT, data, self._fields)

    def deidentified(self, data: bytes) -> tuple[bytes, PatientFields]:
        """Raises UnreadableImage; after _Ended the process is of no more use."""
        return self._ask(DEIDENTIFIED, data, self._copy_and_fields)

    def _ask(self, wanted: bytes, data: bytes, listen: Callable[[], Answer]) -> Answer:
        try:
            with self.at_most(MAX_WAIT_S):
                self._write(REQUEST.pack(wanted, len(data)))
                self._write(data)
                return listen()
        except (OSError, ValueError) as error:
            raise _Ended from error

    def why(self) -> UnreadableImage:
        """The refusal of the file at which the process ended."""
        status, too_long = self.post_mortem()
        if too_long:
            return UnreadableImage(TOO_MUCH_TIME)
        return UnreadableImage(
            f"The picture could not be decoded: a photo was expected, and the decoder ended at this file ({status}). "
            "Open it in an image program, save it as a new JPEG or PNG, and upload that."
        )

    def _listen(self) -> Decoded:
        canvas, source_format = None, ""
        while True:
            kind, size = MESSAGE.unpack(self._read(MESSAGE.size))
            if kind == b"B" and canvas is not None:
                width = canvas.stored_width
                if size > _MAX_BAND_BYTES or size % (3 * width):
                    raise _Ended
                room = canvas.room(size)
                if room is not None:
                    self._fill(room, size)
                else:
                    canvas.add(np.frombuffer(self._read(size), np.uint8).reshape(-1, width, 3))
                continue
            if size > _MAX_WORDS:
                raise _Ended
            body = self._read(size).decode()
            if kind == b"S" and canvas is None:
                source_format, width_px, height_px, orientation = json.loads(body)
                check_size(width_px, height_px)
                canvas = Canvas(width_px, height_px, orientation)
            elif kind == b"R":
                raise UnreadableImage(body)
            elif kind == b"N" and canvas is not None and canvas.full:
                notes, field_width_mm = json.loads(body)
                return Decoded(canvas, source_format, notes, field_width_mm)
            else:
                raise _Ended

    def _fields(self) -> PatientFields:
        return patient.of_json(self._message(b"F", _MAX_WORDS).decode())

    def _copy_and_fields(self) -> tuple[bytes, PatientFields]:
        return bytes(self._message(b"D", _MAX_COPY_BYTES)), self._fields()

    def _message(self, expected: bytes, most: int) -> bytearray:
        kind, size = MESSAGE.unpack(self._read(MESSAGE.size))
        if kind not in (expected, b"R") or size > (most if kind == expected else _MAX_WORDS):
            raise _Ended
        body = self._read(size)
        if kind == b"R":
            raise UnreadableImage(body.decode())
        return body

    def _write(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[self.requests.write(rest) :]

    def _read(self, size: int) -> bytearray:
        data = bytearray(size)
        self._fill(memoryview(data), size)
        return data

    def _fill(self, rest: memoryview, size: int) -> None:
        if len(rest) != size:  # more rows than the picture has
            raise _Ended
        while rest:
            got = self.answers.readinto(rest)  # type: ignore[attr-defined]  # a raw file: it was opened unbuffered
            if not got:
                raise _Ended
            rest = rest[got:]


class _Pool:
    """The processes that wait for a file, and how many may work."""

    def __init__(self) -> None:
        self._may_work = threading.BoundedSemaphore(MAX_PROCESSES)
        self._lock = threading.Lock()
        self._waiting: list[_Process] = []
        self._all: set[_Process] = set()

    def ask(self, question: Callable[[_Process], Answer]) -> Answer:
        with self._may_work:
            process = self._take()
            try:
                answer = question(process)
            except UnreadableImage:
                self._put_back(process)
                raise
            except _Ended as ended:
                raise self._remove(process).why() from ended
            except BaseException:  # Ctrl+C in the middle: what comes next from it would be of this file
                self._remove(process).end()
                raise
            self._put_back(process)
            return answer

    def start(self) -> None:
        """Have one process ready, or on its way."""
        with self._lock:
            if not self._all:
                self._waiting.append(self._new())

    def end(self) -> None:
        with self._lock:
            for process in self._all:
                process.end()
            self._all.clear()
            self._waiting.clear()

    def let_go(self) -> None:
        for process in self._all:
            process.let_go()

    def _take(self) -> _Process:
        with self._lock:
            while self._waiting:
                process = self._waiting.pop()
                if process.alive:
                    return process
                process.end()
                self._all.discard(process)
            return self._new()

    def _new(self) -> _Process:
        try:
            process = _Process()
        except OSError as error:
            raise UnreadableImage(
                f"The program that decodes photos could not be started ({error.strerror or error}). "
                "Close other programs, and upload the photo again."
            ) from error
        self._all.add(process)
        return process

    def _put_back(self, process: _Process) -> None:
        with self._lock:
            self._waiting.append(process)

    def _remove(self, process: _Process) -> _Process:
        with self._lock:
            self._all.discard(process)
        return process


_pool = _Pool()


def decode(data: bytes) -> Decoded:
    """Upright pixels, format, notes and scale of a file, decoded in another process. Raises UnreadableImage."""
    return _pool.ask(lambda process: process.decode(data))


def patient_fields(data: bytes) -> PatientFields:
    """Patient fields of a DICOM file, read in another process. Raises UnreadableImage."""
    return _pool.ask(lambda process: process.patient_fields(data))


def deidentified(data: bytes) -> tuple[bytes, PatientFields]:
    """A DICOM file without its patient, and the patient's fields, from another process. Raises UnreadableImage."""
    return _pool.ask(lambda process: process.deidentified(data))


def start() -> None:
    """Start the first process now, so that the first photo need not wait for it (about 0.3 s)."""
    _pool.start()


def _new_pool_in_a_fork() -> None:
    global _pool  # noqa: PLW0603 (the parent's pipes must not be written by two)
    _pool.let_go()
    _pool = _Pool()


atexit.register(lambda: _pool.end())  # noqa: PLW0108 (the pool of that moment)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_new_pool_in_a_fork)
