"""Files that break a rule and hold every pixel are read, with a note; "damaged" is said of damaged files alone."""

import io
import itertools
import random
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image

from skinlens.errors import UnreadableImage
from skinlens.imaging.intake import read_photo
from skinlens.records import Photo
from tests.hostile_files import png_chunk
from tests.intake_files import KINDS, case, encoded, files, picture, reference, refusal

STRAY = "Stray bytes between the parts of the file were left out."
NO_END = "The end mark of the file is missing; the whole picture is there."


@pytest.mark.parametrize(
    ("name", "note"), [("14_jpeg_stray_bytes_between_segments.jpg", STRAY), ("15_jpeg_without_eoi.jpg", NO_END)]
)
def test_a_jpeg_that_breaks_a_rule_is_read_with_a_note(name: str, note: str) -> None:
    photo = read_photo(case(name))
    difference = np.abs(photo.pixels.astype(int) - reference())
    assert difference.mean() < 2.5  # of a JPEG of quality 90 of this noisy picture
    assert photo.notes == (note,)


def noisy() -> Image.Image:
    """A picture in which each area has something to lose."""
    noise = np.random.default_rng(0).integers(0, 60, (96, 128, 3))
    smooth = np.asarray(picture().resize((128, 96))).astype(int)
    return Image.fromarray((smooth // 2 + noise).astype(np.uint8))


def outcome(data: bytes) -> tuple[Photo | None, str]:
    """The photo, or the sentence of the refusal."""
    try:
        return read_photo(data), ""
    except UnreadableImage as refused:
        return None, str(refused)


JPEGS: dict[str, dict[str, Any]] = {
    "baseline": {},
    "4:4:4": {"subsampling": 0},
    "optimized": {"optimize": True},
    "restarts": {"restart_marker_rows": 1},
    "progressive": {"progressive": True},
}


@pytest.mark.parametrize("kind", JPEGS)
def test_a_jpeg_that_was_cut_is_whole_or_refused(kind: str) -> None:
    """Wherever it was cut off: what is read has every pixel of the whole file."""
    whole = encoded(noisy(), "JPEG", quality=90, **JPEGS[kind])
    expected = read_photo(whole)
    start = whole.index(b"\xff\xda") + 14
    cuts = [*range(start, len(whole) - 40, max(1, (len(whole) - start) // 25)), *range(len(whole) - 12, len(whole))]
    refused = 0
    for cut in cuts:
        photo, message = outcome(whole[:cut])
        if photo is None:
            refused += 1
            assert "ends before the picture is complete" in message
        else:
            np.testing.assert_array_equal(photo.pixels, expected.pixels)
            assert photo.notes == (NO_END,)
    assert len(cuts) - 12 <= refused < len(cuts)  # without the end mark alone, it is read


def test_a_progressive_jpeg_without_its_last_pass_is_not_whole() -> None:
    whole = encoded(noisy(), "JPEG", quality=90, progressive=True)
    assert "ends before the picture is complete" in refusal(whole[: whole.rindex(b"\xff\xda")])


@pytest.mark.parametrize("cut", [12, 10, 4, 1])
def test_a_png_without_its_end_is_read_with_a_note(cut: int) -> None:
    photo = read_photo(encoded(picture(), "PNG")[:-cut])
    np.testing.assert_array_equal(photo.pixels, np.asarray(picture()))
    assert photo.notes == (NO_END,)


def test_a_png_that_breaks_off_in_its_text_is_read_with_a_note() -> None:
    plain = encoded(picture(), "PNG")
    photo = read_photo(plain[:-12] + png_chunk(b"tEXt", b"k\0" + b"v" * 500)[:100])
    np.testing.assert_array_equal(photo.pixels, np.asarray(picture()))
    assert photo.notes == (NO_END,)


@pytest.mark.parametrize("cut", [13, 40, 80])
def test_a_png_that_breaks_off_in_its_pixels_is_damaged(cut: int) -> None:
    assert "damaged" in refusal(encoded(picture(), "PNG")[:-cut])


# ------------------------------------------------------------------------------------- named as what they are


def jpeg_with_frame(marker: int, precision: int = 8) -> bytes:
    data = bytearray(files()["jpeg"])
    at = data.index(b"\xff\xc0")
    data[at + 1], data[at + 4] = marker, precision
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (case("19_canon_cr3_header_only.cr3"), "a camera raw file (Canon CR3)"),
        (jpeg_with_frame(0xF7), "JPEG-LS was found"),
        (jpeg_with_frame(0xC3), "lossless JPEG was found"),
        (jpeg_with_frame(0xC5), "hierarchical JPEG was found"),
        (jpeg_with_frame(0xC0, 12), "JPEG of 12 bits a sample was found"),
        (bytes.fromhex("00051607000200004d6163204f532058") + bytes(100), "its name begins with ._"),
        (bytes(70_000), "a cloud drive (OneDrive, iCloud, Dropbox) has not downloaded"),
        (b"bplist00\xd8" + bytes(50) + b"NSURLNameKey", "still in iCloud"),
        (b'{"url": "https://docs.google.com/open?id=1", "doc_id": "1"}', "the placeholder of a document"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "was not downloaded"),
        (b"[InternetShortcut]\r\nURL=https://example.org\r\n", "a link to a web page"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "an EPS or PostScript drawing"),
        (b"\xc5\xd0\xd3\xc6" + bytes(60), "an EPS or PostScript drawing"),
        (b"II\xbc\x01\x08\0\0\0", "a JPEG XR picture"),
        (b"P6\n64 48\n255\n" + bytes(99), "a PNM picture"),
        (b"\0\0\1\0\1\0\x10\x10", "an icon"),
    ],
)
def test_a_sound_file_of_another_kind_is_named_and_not_called_damaged(data: bytes, words: str) -> None:
    message = refusal(data)
    assert words in message
    assert "damaged" not in message
    assert "expected" in message
    assert message.endswith(".")


def test_arithmetic_coding_is_read_or_named() -> None:
    """libjpeg-turbo may be built with it. These bytes are no such code, which it cannot know."""
    photo, message = outcome(jpeg_with_frame(0xC9))
    assert (photo is not None) != ("JPEG with arithmetic coding was found" in message)


# -------------------------------------------------------------------------------------------- seeded mutations


def _pieces(data: bytes) -> list[bytes]:
    """A file as the parts that its format is made of: chunks, segments, directory lines."""
    if data.startswith(b"\x89PNG"):
        cuts, at = [8], 8
        while at < len(data):
            at += 12 + int.from_bytes(data[at : at + 4], "big")
            cuts.append(at)
    elif data.startswith(b"\xff\xd8"):
        cuts, at = [2], 2
        while data[at + 1] != 0xDA:
            at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
            cuts.append(at)
    elif data[:4] in (b"II*\0", b"MM\0*"):
        order = "<" if data[:2] == b"II" else ">"
        (first,) = struct.unpack_from(order + "I", data, 4)
        (lines,) = struct.unpack_from(order + "H", data, first)
        cuts = [4, 8, first, *(first + 2 + 12 * line for line in range(lines + 1))]
    elif data.startswith(b"RIFF"):
        cuts, at = [12], 12
        while at < len(data):
            length = int.from_bytes(data[at + 4 : at + 8], "little")
            at += 8 + length + length % 2
            cuts.append(at)
    else:
        cuts = [14, 30, 54, len(data) // 2]
    edges = [0, *(cut for cut in cuts if cut < len(data)), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(edges)]


def _mutated(kind: str, chance: random.Random) -> bytes:
    pieces = _pieces(files()[kind])
    for _ in range(chance.randint(1, 3)):
        which = chance.randrange(len(pieces))
        piece, how = pieces[which], chance.choice(["double", "drop", "repeat", "cut", "corrupt", "corrupt"])
        if how == "double":
            pieces.insert(which, piece)
        elif how == "drop" and len(pieces) > 1:
            pieces.pop(which)
        elif how == "repeat":
            pieces[which] = piece * chance.randint(2, 50)
        elif how == "cut":
            pieces[which] = piece[: chance.randint(0, len(piece))]
        else:
            _corrupt(pieces, which, chance)
    return b"".join(pieces)


def _corrupt(pieces: list[bytes], which: int, chance: random.Random) -> None:
    piece = bytearray(pieces[which])
    for _ in range(chance.randint(1, 4)):
        if piece:
            at = chance.randrange(min(len(piece), chance.choice([12, 64, 10**6])))
            piece[at] = chance.choice([0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)])
    if len(piece) >= 12 and piece[4:8].isalpha() and pieces[0].startswith(b"\x89PNG"):
        piece[-4:] = struct.pack(">I", zlib.crc32(bytes(piece[4:-4])))  # else the checksum alone would be tested
    pieces[which] = bytes(piece)


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_with_its_parts_mixed_up_is_a_photo_or_refused(kind: str, capfd: pytest.CaptureFixture[str]) -> None:
    chance = random.Random(f"parts of {kind}")
    for _ in range(25):
        data = _mutated(kind, chance)
        photo, message = outcome(data)
        if photo is None:
            assert message.rstrip(")").endswith(".")
            assert "expected" in message
        else:
            assert min(photo.pixels.shape[:2]) >= 32
    assert capfd.readouterr() == ("", "")


def test_a_photo_is_not_read_from_the_preview_in_its_exif() -> None:
    """Where the header of a JPEG is broken, the next marker must not be one inside of an EXIF block."""
    block = Image.Exif()
    block[0x010E] = "x"
    preview = io.BytesIO()
    Image.new("RGB", (40, 40), (255, 0, 0)).save(preview, "JPEG")
    plain = encoded(picture(), "JPEG")
    segment = b"Exif\0\0" + block.tobytes()[6:] + preview.getvalue()
    data = plain[:2] + b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment + b"stray" + plain[2:]
    photo = read_photo(data)
    assert photo.pixels.shape == (48, 64, 3)
    assert photo.notes == (STRAY,)
