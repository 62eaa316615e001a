"""What is no photo is refused in words; whatever the bytes, nothing else comes out and nothing leaks."""

import struct
import warnings
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from skinlens.errors import UnreadableImage
from skinlens.imaging.intake import MAX_BYTES, photo_from_pixels, read_photo
from skinlens.imaging.intake.sniffing import check_size, check_weight
from tests.intake_files import KINDS, encoded, files, flat, picture, refusal

# ---------------------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty (0 bytes)"),
        (b"Patient: see letter. \xc3\xa4\n" * 90, "it is text"),
        ("ä".encode() * 3000, "it is text"),
        (b"<?xml version='1.0'?>\n<svg xmlns='http://www.w3.org/2000/svg'/>", "an SVG drawing"),
        (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3", "a PDF document"),
        (bytes(128) + b"DICM" + bytes(100), "does not say how its picture is coded"),
        (b"<!DOCTYPE html><html></html>", "a web page"),
        (encoded(picture(), "GIF"), "a GIF picture"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
        (b"\0\0\0\x1cftypavif\0\0\0\0mif1avifmiaf", "AVIF"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0isommp42", "a film"),
        (b"RIFF\x24\0\0\0WAVEfmt ", "a sound or a film"),
        (b"II+\0\x08\0\0\0", "a BigTIFF file"),
        (b"II*\0\x10\0\0\0CR\x02\0", "a camera raw file"),
        (b"PK\x03\x04\x14\0", "an archive"),
        (b"\x7fELF\x02\x01\x01\0", "7f 45 4c 46"),
        (bytes(5000), "00 00 00 00"),
        (encoded(Image.new("RGB", (1, 1)), "PNG"), "1 × 1 px"),
        (encoded(Image.new("RGB", (500, 31)), "JPEG"), "500 × 31 px"),
        (bytes(MAX_BYTES + 1), "at most 25 MB"),
        (encoded(flat("1", 1), "TIFF", compression="group4"), "method 4"),
        (encoded(picture(), "TIFF", tiffinfo={254: 1}), "camera raw"),
    ],
)
def test_a_file_that_is_no_photo_is_refused_by_what_it_is(data: bytes, words: str) -> None:
    message = refusal(data)
    assert words in message
    assert "expected" in message
    assert any(verb in message for verb in ("pload", "Choose", "Export"))  # what to do now
    assert message.endswith(".")


FIRST_OF_SEVERAL = {
    "jpeg of two",
    "tiff of three",
    "webp animated",
    "png animated",
}  # cut late, their first picture is complete


@pytest.mark.parametrize(
    ("kind", "share"),
    [(kind, share) for kind in KINDS for share in (0.3, 0.6, 0.85) if share < 0.5 or kind not in FIRST_OF_SEVERAL],
)
def test_a_truncated_file_is_refused(kind: str, share: float) -> None:
    assert "damaged" in refusal(files()[kind][: int(len(files()[kind]) * share)])


def bombs() -> dict[str, bytes]:
    """Files of a few hundred bytes whose header promises more than 50 megapixels."""
    png = bytearray(files()["png 16"])
    png[16:24] = struct.pack(">II", 100_000, 100_000)
    png[29:33] = struct.pack(">I", zlib.crc32(png[12:29]))
    jpeg = bytearray(files()["jpeg progressive"])
    start_of_frame = jpeg.index(b"\xff\xc2") + 5
    jpeg[start_of_frame : start_of_frame + 4] = struct.pack(">HH", 60_000, 60_000)
    bmp = bytearray(files()["bmp"])
    bmp[18:26] = struct.pack("<II", 60_000, 60_000)
    tiff = encoded(picture(), "TIFF").replace(
        struct.pack("<HHII", 256, 4, 1, 64), struct.pack("<HHII", 256, 4, 1, 1 << 30)
    )
    canvas = (16_000).to_bytes(3, "little")
    webp = b"RIFF" + struct.pack("<I", 22) + b"WEBPVP8X" + struct.pack("<II", 10, 2) + canvas * 2
    return {"PNG": bytes(png), "JPEG": bytes(jpeg), "BMP": bytes(bmp), "TIFF": tiff, "WebP": webp}


@pytest.mark.parametrize("kind", bombs())
def test_a_decompression_bomb_is_refused_by_its_header(kind: str) -> None:
    assert "at most 50 megapixels" in refusal(bombs()[kind])


# --------------------------------------------------------------------------------------------------------- mutations


@st.composite
def mutations(draw: st.DrawFn, whole: bytes) -> bytes:
    """``whole`` with some bytes changed, and perhaps a piece cut out, put in, or cut off."""
    data = bytearray(whole)
    reach = len(data) if draw(st.booleans()) else min(len(data), 400)  # headers matter most
    for position, value in draw(st.lists(st.tuples(st.integers(0, reach - 1), st.integers(0, 255)), max_size=12)):
        data[position] = value
    start, length = draw(st.integers(0, len(data) - 1)), draw(st.integers(1, 20))
    how = draw(st.sampled_from(["leave", "leave", "cut out", "put in", "cut off"]))
    if how == "cut out":
        del data[start : start + length]
    elif how == "put in":
        data[start:start] = draw(st.binary(min_size=length, max_size=length))
    elif how == "cut off":
        del data[start:]
    return bytes(data)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_mutated_file_is_a_photo_or_is_refused(kind: str) -> None:
    @settings(max_examples=60, deadline=None)
    @given(mutations(files()[kind]))
    def check(data: bytes) -> None:
        # Recorded, not raised: an exception made of a warning would be translated like any other.
        with warnings.catch_warnings(record=True) as leaked:
            warnings.simplefilter("always")
            try:
                photo = read_photo(data)
            except UnreadableImage:
                pass
            else:
                assert photo.pixels.dtype == np.uint8
                assert min(photo.pixels.shape[:2]) >= 32
                assert photo.sha256 == photo_from_pixels(photo.pixels, photo.source_format).sha256
        assert leaked == []

    check()


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300), st.sampled_from(["", *KINDS]))
def test_arbitrary_bytes_behind_a_true_signature_are_refused(tail: bytes, kind: str) -> None:
    refusal((files()[kind][:12] if kind else b"") + tail)


def test_what_is_just_over_a_limit_is_seen_to_be_over_it() -> None:
    with pytest.raises(UnreadableImage, match=r"at most 25 MB were expected, and it has 25\.1 MB"):
        check_weight(MAX_BYTES + 1)
    with pytest.raises(UnreadableImage, match=r"at most 50 megapixels were expected.*\(50\.1 megapixels\)"):
        check_size(7_071, 7_072)
    check_weight(MAX_BYTES)
    check_size(10_000, 5_000)
