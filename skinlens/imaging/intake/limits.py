"""Limits of memory and processor time on this process while it decodes: for a process that may end at a file.

The kernel ends it when a file takes too much processor time (ITIMER_PROF), and gives it no more memory than one photo
may have (RLIMIT_AS); on Windows, which has neither, only the clock of the process that asked limits it.
"""

import contextlib
import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from skinlens.errors import UnreadableImage
from skinlens.imaging.intake.container import ParsedImage
from skinlens.imaging.intake.containers import parse_container
from skinlens.imaging.intake.decode import Decoding, decode
from skinlens.imaging.intake.deidentified import deidentified
from skinlens.imaging.intake.patient import PatientFields, fields_of
from skinlens.imaging.intake.sniffing import MAX_DECODE_MB, MAX_DECODE_S, TOO_MUCH_MEMORY, recognize

Used = TypeVar("Used")
_MAX_NOISE = 300
"""Characters of what a decoder writes to standard error that are told in a refusal."""
_BASE_MB = 60
"""What the process has in memory before it is given a file, and a little."""
_TIME_S = MAX_DECODE_S - 0.5
"""Left to the process that asked: about half a second for the hash of 50 megapixels."""


class LimitedDecoder:
    """Decoder of this process, which has one thread. Standard error is a pipe of its own from then on."""

    def __init__(self, *, beside: bool = False) -> None:
        """``beside``: the file and the photo are in this process too, and not in another that asked."""
        import pillow_heif  # noqa: F401 (its code is not to count as memory that a file takes)

        self._noise, self._memory, self._beside = _Noise(), _Memory(), beside

    def decode(self, data: bytes, use: Callable[[Decoding], Used]) -> Used:
        """Result of ``use`` on the picture, within the limits; it takes all bands. Raises UnreadableImage."""
        size = len(data)

        def limit(width_px: int, height_px: int) -> None:
            pixels = width_px * height_px
            self._memory.limit(0 if self._beside else size + 3 * pixels)

        return self._within(data, lambda: use(decode(data, limit)))

    def patient_fields(self, data: bytes) -> PatientFields:
        """The patient fields of a DICOM file, within the limits. Raises UnreadableImage."""
        return self._of_dicom(data, len(data), fields_of)

    def deidentified(self, data: bytes) -> tuple[bytes, PatientFields]:
        """A DICOM file without its patient, and the patient's fields, within the limits. Raises UnreadableImage."""

        def write(container: ParsedImage) -> tuple[bytes, PatientFields]:
            fields = fields_of(container)
            return deidentified(container), fields

        return self._of_dicom(data, 2 * len(data), write)

    def _of_dicom(self, data: bytes, elsewhere: int, work: Callable[[ParsedImage], Used]) -> Used:
        """Result of ``work`` on the parsed file; the process that asked needs ``elsewhere`` bytes."""
        import pydicom  # noqa: F401 (its code is not to count as memory that the file takes)

        def run() -> Used:
            container = parse_container("DICOM", data)
            self._memory.limit(0 if self._beside else elsewhere)
            return work(container)

        return self._within(data, run)

    def _within(self, data: bytes, work: Callable[[], Used]) -> Used:
        with _limited_time():
            try:
                with warnings.catch_warnings(record=True) as warned:
                    warnings.simplefilter("always")
                    used = work()
            except MemoryError as problem:
                self._memory.release()
                raise UnreadableImage(TOO_MUCH_MEMORY) from problem
            except UnreadableImage as refusal:
                self._memory.release()  # what was decoded is held by the exception; the sentence needs some bytes, too
                said = " ".join([*self._noise.read().split(), *(str(warning.message) for warning in warned)])
                # Of a DICOM file the warnings quote values, as of a tag that is not what it should be: a name, a date.
                raise UnreadableImage(_with_noise(str(refusal), "" if _is_dicom(data) else said)) from refusal
            finally:
                self._memory.release()
        self._noise.read()
        return used


def _is_dicom(data: bytes) -> bool:
    try:
        return recognize(data) == "DICOM"
    except UnreadableImage:
        return False


def _with_noise(refusal: str, said: str) -> str:
    """The refusal, and what the decoder said: for whoever looks after the computer, not for the clinician."""
    said = said.replace("tempfile.tif: ", "")
    printable = "".join(character for character in said if character.isprintable())[:_MAX_NOISE].rstrip(" .")
    return f"{refusal} (The decoder said: {printable}.)" if printable else refusal


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

    def limit(self, elsewhere: int) -> None:
        """Leave out so many bytes, which the asking process needs."""
        self._set(self._base + (MAX_DECODE_MB - _BASE_MB) * 1_000_000 - elsewhere)

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
