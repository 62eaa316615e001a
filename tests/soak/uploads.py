"""Soak: uploads that are changed where their format says something, and put to intake.

Each is answered with a photo or with a refusal in a sentence; nothing else is raised, and a whole file is read as
before afterwards. Segments, chunks, boxes, directory lines and data elements are changed, doubled, moved, taken out or
taken from another file; checksums are mended, so that a decoder gets to see the change.

    PYTHONPATH=. .venv/bin/python tests/soak/uploads.py --files 100000 --minutes 30
"""

import argparse
import json
import random
import re
import struct
import sys
import time
import zlib
from collections import Counter
from collections.abc import Callable
from functools import cache
from itertools import pairwise
from typing import Any

from skinlens.errors import UnreadableImage
from skinlens.imaging.intake import isolation, read_photo
from tests import dicom_files, intake_files

EXTREME = (0, 1, 2, 7, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)
ENDED = "the decoder ended at this file"
CODED = ("jpeg_lossless", "jpeg_ls", "htj2k", "deflated", "big_endian")
"""Of ``tests/dicom/``: one for each decoder and each way to read a data set."""
LOOK_EVERY = 500
"""Files between two looks whether a whole file is still read as before."""
Parts = list[bytes]


@cache
def whole_files() -> dict[str, bytes]:
    """Name → a valid file, of each kind that intake reads."""
    coded = {f"dicom {name}": dicom_files.encoded_elsewhere(name) for name in CODED}
    return {**intake_files.files(), "dicom": dicom_files.plain(intake_files.picture()), **coded}


def _jpeg(data: bytes) -> Parts:
    parts, at = [data[:2]], 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        if data[at + 1] == 0xDA:
            break
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        parts.append(data[at:end])
        at = end
    return [*parts, data[at:]]


def _png(data: bytes) -> Parts:
    parts, at = [data[:8]], 8
    while at < len(data):
        end = at + 12 + int.from_bytes(data[at : at + 4], "big")
        parts.append(data[at:end])
        at = end
    return parts


def _riff(data: bytes) -> Parts:
    parts, at = [data[:12]], 12
    while at < len(data):
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        end = at + 8 + size + size % 2
        parts.append(data[at:end])
        at = end
    return parts


def _tiff(data: bytes) -> Parts:
    """The first directory line by line."""
    start = struct.unpack_from("<I", data, 4)[0]
    lines = struct.unpack_from("<H", data, start)[0]
    edges = [0, start, *(start + 2 + 12 * line for line in range(lines + 1)), len(data)]
    return [data[begin:end] for begin, end in pairwise(edges)]


def _boxes(data: bytes) -> Parts:
    """Headers of the boxes, those inside ``meta`` and ``iprp`` as well, and what is between them."""
    edges = {0, len(data)}

    def walk(at: int, end: int) -> None:
        while at + 8 <= end:
            size, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
            if size < 8 or at + size > end:
                return
            edges.update((at, at + 8))
            if kind in (b"meta", b"iprp", b"ipco"):
                walk(at + (12 if kind == b"meta" else 8), at + size)
            at += size

    walk(0, len(data))
    found = sorted(edges)
    return [data[begin:end] for begin, end in pairwise(found)]


def _dicom(data: bytes) -> Parts:
    """Data elements in explicit little endian; coded pixels at what looks like a marker of JPEG or JPEG 2000."""
    parts, at = [data[:132]], 132
    while at + 8 <= len(data):
        long = data[at + 4 : at + 6] in (b"OB", b"OW", b"SQ", b"UN", b"UT", b"OF")
        size = int.from_bytes(data[at + 8 : at + 12] if long else data[at + 6 : at + 8], "little")
        end = min(len(data), at + (12 if long else 8) + size)
        marks = [match.start() for match in _MARKER.finditer(data, at, end)] if size == 0xFFFFFFFF else []
        edges = (at, *marks, end)
        parts += [data[begin:until] for begin, until in pairwise(edges)]
        at = end
    return [*parts, data[at:]] if at < len(data) else parts


_MARKER = re.compile(rb"\xff[\x4f-\x93\xc0-\xfe]")


def _lumps(data: bytes) -> Parts:
    return [data[:14], data[14:54], data[54:]]


_TAKEN_APART: dict[str, Callable[[bytes], Parts]] = {
    "jpeg": _jpeg,
    "png": _png,
    "webp": _riff,
    "tiff": _tiff,
    "heic": _boxes,
    "dicom": _dicom,
    "bmp": _lumps,
}


def changed(name: str, seed: int) -> bytes:
    """The valid file of that name, changed in one to three places."""
    chance = random.Random(f"{name} {seed}")
    kind = name.partition(" ")[0]
    parts = _TAKEN_APART[kind](whole_files()[name])
    for _ in range(chance.choice((1, 1, 2, 3))):
        parts = _CHANGES[chance.randrange(len(_CHANGES))](parts, kind, chance)
    if kind == "png" and chance.random() < 0.8:
        parts = [parts[0], *map(_with_checksum, parts[1:])] if parts else parts
    if kind == "webp" and parts and chance.random() < 0.5:
        parts[0] = parts[0][:4] + struct.pack("<I", max(0, sum(map(len, parts)) - 8)) + parts[0][8:]
    made = b"".join(parts)
    return made[: chance.randrange(len(made))] if made and chance.random() < 0.05 else made


def _with_checksum(chunk: bytes) -> bytes:
    return chunk[:-4] + struct.pack(">I", zlib.crc32(chunk[4:-4])) if len(chunk) >= 12 else chunk


def _field(parts: Parts, kind: str, chance: random.Random) -> Parts:
    """A number near the beginning of a part, where lengths, types and dimensions stand."""
    which = chance.randrange(len(parts))
    part = bytearray(parts[which])
    width = chance.choice((1, 2, 4))
    if len(part) >= width:
        at = chance.randrange(min(len(part) - width + 1, 48))
        value = chance.choice(EXTREME) & ((1 << (8 * width)) - 1)
        part[at : at + width] = value.to_bytes(width, chance.choice(("big", "little")))
    return [*parts[:which], bytes(part), *parts[which + 1 :]]


def _step(parts: Parts, kind: str, chance: random.Random) -> Parts:
    """A byte a little larger or smaller."""
    which = chance.randrange(len(parts))
    part = bytearray(parts[which])
    if part:
        at = chance.randrange(len(part))
        part[at] = (part[at] + chance.choice((-2, -1, 1, 2))) % 256
    return [*parts[:which], bytes(part), *parts[which + 1 :]]


def _bits(parts: Parts, kind: str, chance: random.Random) -> Parts:
    which = chance.randrange(len(parts))
    part = bytearray(parts[which])
    for _ in range(1 + chance.randrange(8) if part else 0):
        part[chance.randrange(len(part))] ^= 1 << chance.randrange(8)
    return [*parts[:which], bytes(part), *parts[which + 1 :]]


def _doubled(parts: Parts, kind: str, chance: random.Random) -> Parts:
    which = chance.randrange(len(parts))
    return [*parts[:which], *[parts[which]] * chance.choice((2, 3, 50)), *parts[which + 1 :]]


def _without(parts: Parts, kind: str, chance: random.Random) -> Parts:
    which = chance.randrange(len(parts))
    return [*parts[:which], *parts[which + 1 :]] or [b""]


def _moved(parts: Parts, kind: str, chance: random.Random) -> Parts:
    rest = list(parts)
    part = rest.pop(chance.randrange(len(rest)))
    rest.insert(chance.randrange(len(rest) + 1), part)
    return rest


def _foreign(parts: Parts, kind: str, chance: random.Random) -> Parts:
    """A part of another file of the same kind."""
    other = chance.choice([name for name in whole_files() if name.partition(" ")[0] == kind])
    part = chance.choice(_TAKEN_APART[kind](whole_files()[other]))
    at = chance.randrange(len(parts) + 1)
    return [*parts[:at], part, *parts[at + chance.randrange(2) :]]


_CHANGES = (_field, _field, _field, _step, _bits, _doubled, _without, _moved, _foreign)


def soak(files: int, seed: int, minutes: float, kinds: str = "") -> dict[str, Any]:
    """The figures of the table in ``docs/reliability.md``; what is wrong goes to stderr with its seed.

    ``kinds``: how the names of the files begin that are changed.
    """
    names, answers, wrong, slowest = [name for name in whole_files() if name.startswith(kinds)], Counter[str](), 0, 0.0
    expected = {name: read_photo(data).sha256 for name, data in whole_files().items()}
    begun = time.monotonic()
    tried = 0
    for number in range(seed, seed + files):
        if time.monotonic() - begun > 60 * minutes:
            break
        name = names[number % len(names)]
        answer, took = _answer(changed(name, number))
        slowest, tried = max(slowest, took), tried + 1
        answers[answer if answer in _ANSWERS else "other"] += 1
        if answer not in _ANSWERS:
            wrong += 1
        if answer not in _ANSWERS or answer == "ended":
            print(f"{name}, seed {number}: {answer}", file=sys.stderr)
        if tried % LOOK_EVERY == 0 and read_photo(whole_files()[name]).sha256 != expected[name]:
            wrong += 1
            print(f"after seed {number}, the whole {name} was read otherwise", file=sys.stderr)
    return {
        "files": tried,
        "first_seed": seed,
        **{one: answers[one] for one in _ANSWERS},
        "wrong": wrong,
        "slowest_s": round(slowest, 2),
        "seconds": round(time.monotonic() - begun, 1),
    }


_ANSWERS = ("read", "refused", "ended")
"""Also the end of the decoder process is an answer: the file is refused, and the app goes on."""


def _answer(data: bytes) -> tuple[str, float]:
    """What came of it, and after how many seconds."""
    begun = time.monotonic()
    try:
        photo = read_photo(data)
        answer = "read" if photo.pixels.ndim == 3 and photo.pixels.shape[2] == 3 else f"shape {photo.pixels.shape}"
    except UnreadableImage as refusal:
        said = str(refusal)
        answer = "ended" if ENDED in said else "refused" if said.endswith((".", ".)")) else f"no sentence: {said}"
    except Exception as error:  # noqa: BLE001  it is what is looked for
        answer = f"{type(error).__name__}: {error}"
    return answer, time.monotonic() - begun


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--minutes", type=float, default=60.0, help="No file is begun after so long.")
    parser.add_argument("--seed", type=int, default=None, help="Of the first file; drawn and printed by default.")
    parser.add_argument("--kinds", default="", help="How the names of the files begin that are changed, as “dicom”.")
    given = parser.parse_args()
    seed = random.SystemRandom().randrange(10**9) if given.seed is None else given.seed
    isolation.start()
    figures = soak(given.files, seed, given.minutes, given.kinds)
    print(json.dumps(figures, indent=2))
    return 1 if figures["wrong"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
