"""Files of which a part is missing though their end looks sound: an end mark appended, zeros in the place of pixels."""

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from skinlens.imaging.intake import read_photo
from tests.imaging.test_intake_containers import JPEGS, noisy, outcome
from tests.intake_files import encoded, refusal

EARLY = "it ends before the picture is complete"
END = b"\xff\xd9"


def claiming_rows(data: bytes, factor: int) -> bytes:
    """The JPEG with a header that claims so many times its rows."""
    at = next(found for mark in (b"\xff\xc0", b"\xff\xc2") if (found := data.find(mark)) >= 0) + 5
    return data[:at] + (factor * int.from_bytes(data[at : at + 2], "big")).to_bytes(2, "big") + data[at + 2 :]


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("size", [(128, 96), (1280, 960)])
@pytest.mark.parametrize("kind", JPEGS)
def test_an_end_mark_does_not_make_a_cut_jpeg_whole(kind: str, size: tuple[int, int], mode: str) -> None:
    whole = encoded(noisy().resize(size).convert(mode), "JPEG", quality=90, **JPEGS[kind])
    for broken in (whole[: len(whole) // 2] + END, claiming_rows(whole, 4), claiming_rows(whole, 2)):
        assert EARLY in refusal(broken)


@pytest.mark.parametrize("kind", [*JPEGS, "no YCbCr", "two"])
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("trailing", [b"", bytes(100), b"a film clip"])
def test_a_whole_jpeg_is_read_as_pillow_reads_it(kind: str, mode: str, trailing: bytes) -> None:
    options = JPEGS.get(kind, {"keep_rgb": True})
    image = noisy().convert(mode)
    whole = encoded(image, "JPEG", quality=90, **options) * (2 if kind == "two" else 1) + trailing
    photo = read_photo(whole)
    with Image.open(io.BytesIO(whole)) as opened:
        np.testing.assert_array_equal(photo.pixels, np.asarray(opened.convert("RGB")))
    assert len(photo.notes) == (mode == "CMYK")  # that it has no profile


@pytest.mark.parametrize("kind", JPEGS)
def test_a_jpeg_with_an_end_mark_has_every_pixel_or_is_refused(kind: str) -> None:
    """Wherever it was cut off, to the last byte."""
    whole = encoded(noisy(), "JPEG", quality=90, **JPEGS[kind])
    expected, start = read_photo(whole).pixels, whole.index(b"\xff\xda") + 14
    cuts = [*range(start, len(whole) - 40, max(1, (len(whole) - start) // 25)), *range(len(whole) - 20, len(whole))]
    refused = 0
    for cut in cuts:
        photo, message = outcome(whole[:cut].removesuffix(b"\xff") + END)
        refused += photo is None
        if photo is None:
            assert EARLY in message
        else:
            np.testing.assert_array_equal(photo.pixels, expected)
    assert refused >= len(cuts) - 4


def odd_sampling() -> bytes:
    """A picture whose header tells a sampling that simplejpeg does not know: three to one and two to one."""
    data = bytearray(encoded(Image.new("RGB", (64, 64), (120, 90, 80)), "JPEG", subsampling=0))
    at = data.index(b"\xff\xc0") + 11
    data[at], data[at + 3], data[at + 6] = 0x31, 0x11, 0x21
    return bytes(data)


def test_a_cut_jpeg_that_only_pillow_decodes_is_refused() -> None:
    assert EARLY in refusal(odd_sampling())  # as it was written, it has fewer blocks than that sampling needs


def test_stray_bytes_behind_the_last_pixel_are_no_missing_pixels() -> None:
    whole = encoded(noisy(), "JPEG", quality=90)
    photo = read_photo(whole[:-2] + b"\0stray" + END)
    np.testing.assert_array_equal(photo.pixels, read_photo(whole).pixels)


KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "jpeg": ("JPEG", {"quality": 90}),
    "jpeg of high quality": ("JPEG", {"quality": 100, "subsampling": 0}),
    "jpeg progressive": ("JPEG", {"quality": 90, "progressive": True}),
    "webp": ("WEBP", {"quality": 90}),
    "webp lossless": ("WEBP", {"lossless": True}),
    "heic": ("HEIC", {"quality": 90}),
    "png": ("PNG", {}),
    "tiff lzw": ("TIFF", {"compression": "tiff_lzw"}),
    "tiff deflate": ("TIFF", {"compression": "tiff_deflate"}),
}


@pytest.mark.slow
@pytest.mark.parametrize("part", [0.5, 0.8])
@pytest.mark.parametrize("kind", KINDS)
def test_zeros_in_the_place_of_the_last_pixels_are_damage(kind: str, part: float) -> None:
    """As a copy leaves them that broke off after the length of the file was set."""
    format_, options = KINDS[kind]
    whole = encoded(noisy().resize((640, 480)), format_, **options)
    cut = int(part * len(whole))
    message = refusal(whole[:cut] + bytes(len(whole) - cut))
    assert "is damaged" in message
    assert "copy the photo from the camera again" in message.lower()


@pytest.mark.parametrize("kind", ["jpeg", "webp", "heic"])
def test_zeros_behind_the_end_of_a_file_are_no_damage(kind: str) -> None:
    format_, options = KINDS[kind]
    whole = encoded(noisy(), format_, **options)
    padded = read_photo(whole + bytes(8192))
    np.testing.assert_array_equal(padded.pixels, read_photo(whole).pixels)
    assert padded.notes == ()


def test_zeros_behind_a_jpeg_without_its_end_mark_are_padding() -> None:
    whole = encoded(noisy(), "JPEG", quality=90)
    padded = read_photo(whole[:-2] + bytes(500))
    np.testing.assert_array_equal(padded.pixels, read_photo(whole).pixels)
    assert padded.notes == ("The end mark of the file is missing; the whole picture is there.",)


def test_a_flat_picture_whose_coded_pixels_end_in_zeros_is_whole() -> None:
    flat = Image.new("RGB", (640, 480), (0, 0, 0))
    flat.paste(noisy(), (0, 0))
    whole = encoded(flat, "JPEG", quality=90, optimize=True)
    assert whole[-40:-3] == bytes(37)  # else it is no such picture
    assert read_photo(whole).notes == ()


def test_a_strip_of_a_tiff_that_stands_in_its_header_is_damage() -> None:
    """Where the list of strips was lost: it was read as black."""
    whole = encoded(noisy(), "TIFF", compression="tiff_deflate", strip_size=128 * 3 * 16)
    entry = whole.rindex(b"\x11\x01\x04\0")
    at = int.from_bytes(whole[entry + 8 : entry + 12], "little")
    assert "damaged" in refusal(whole[:at] + bytes(4) + whole[at + 4 :])
