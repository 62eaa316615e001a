"""DICOM photos as other programs encode them: each transfer syntax gives the pixels that went in, or says why not."""

import re
import struct
import zlib

import numpy as np
import pytest
from pydicom.pixels.decoders.base import _PIXEL_DATA_DECODERS
from pydicom.uid import (
    ExplicitVRBigEndian,
    HTJ2KLossless,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
)

from skinlens.imaging.intake import MAX_BYTES, read_photo, read_trusted_photo
from skinlens.imaging.intake.transfer_syntax import CODINGS
from tests.dicom_files import dicom, encoded_elsewhere, frame_of, jpeg, jpeg_2000, plain
from tests.intake_files import picture, refusal

PICTURE = picture()
PIXELS = np.asarray(PICTURE)
GRAY = np.asarray(PICTURE.convert("L"))
AS_GRAY = np.repeat(GRAY[..., None], 3, axis=2)
REDUCED = ("Brightness was reduced from 12 to 8 bits.",)
LOSSLESS = (
    *("jpeg_lossless", "jpeg_lossless_first_order", "jpeg_ls", "jpeg_ls_planes", "jpeg_ls_samples"),
    *("htj2k", "htj2k_rpcl", "deflated", "big_endian"),
)


def test_every_transfer_syntax_that_pydicom_decodes_is_read() -> None:
    assert {str(syntax) for syntax in _PIXEL_DATA_DECODERS} == {*CODINGS}


@pytest.mark.parametrize("name", LOSSLESS)
def test_what_another_program_encoded_without_loss_has_the_same_pixels(name: str) -> None:
    photo = read_photo(encoded_elsewhere(name))
    np.testing.assert_array_equal(photo.pixels, PIXELS)
    assert photo.notes == ()
    np.testing.assert_array_equal(read_trusted_photo(encoded_elsewhere(name)).pixels, PIXELS)


@pytest.mark.parametrize(("name", "most"), [("jpeg_ls_near", 2), ("htj2k_lossy", 1), ("jpeg_extended", 3)])
def test_what_lost_something_is_as_near_as_its_encoder_left_it(name: str, most: int) -> None:
    difference = np.abs(read_photo(encoded_elsewhere(name)).pixels.astype(int) - PIXELS)
    assert 0 < difference.max() <= most


@pytest.mark.parametrize("name", ["jpeg_ls_12_bits", "big_endian_12_bits"])
def test_deep_gray_is_brought_to_eight_bits(name: str) -> None:
    photo = read_photo(encoded_elsewhere(name))
    np.testing.assert_array_equal(photo.pixels, AS_GRAY)
    assert photo.notes == REDUCED


def test_film_colors_without_loss_become_rgb() -> None:
    expected = np.asarray(PICTURE.convert("YCbCr").convert("RGB"))
    np.testing.assert_array_equal(read_photo(encoded_elsewhere("jpeg_lossless_ybr")).pixels, expected)


def test_what_a_lossless_jpeg_says_of_its_colors_is_not_asked() -> None:
    """A JFIF segment would mean film colors, which lossless JPEG cannot convert: the data set says RGB."""
    frame = frame_of("jpeg_lossless")
    named = frame[:2] + b"\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0" + frame[2:]
    photo = read_photo(dicom([named], PICTURE.size, "RGB", JPEGLosslessSV1))
    np.testing.assert_array_equal(photo.pixels, PIXELS)


def test_words_in_big_endian_are_turned_and_bytes_are_not() -> None:
    """Samples of 8 bits stand in bytes (OB) or, as the standard has it, in pairs within words (OW)."""
    swapped = np.frombuffer(PIXELS.tobytes(), "<u2").byteswap().tobytes()
    whole = encoded_elsewhere("big_endian")
    as_words = whole.replace(PIXELS.tobytes(), swapped).replace(b"\x7f\xe0\0\x10OB", b"\x7f\xe0\0\x10OW")
    assert as_words != whole
    np.testing.assert_array_equal(read_photo(as_words).pixels, PIXELS)
    table = {
        f"{color}PaletteColorLookupTable{part}": value
        for color in ("Red", "Green", "Blue")
        for part, value in (("Descriptor", [256, 0, 16]), ("Data", np.arange(256, dtype=">u2").byteswap().tobytes()))
    }
    table = {
        name: value if "Data" not in name else (np.arange(256, dtype=">u2") * 257).tobytes()
        for name, value in table.items()
    }
    data = dicom([GRAY.tobytes()], PICTURE.size, "PALETTE COLOR", ExplicitVRBigEndian, **table)
    np.testing.assert_array_equal(read_photo(data).pixels, AS_GRAY)


@pytest.mark.parametrize("bits", [6, 8])
def test_few_bits_in_words_are_read_like_bytes(bits: int) -> None:
    samples = (GRAY >> (8 - bits)).astype("<u2") | 0x4000  # above the bits that are used: it means nothing
    photo = read_photo(
        dicom([samples.tobytes()], PICTURE.size, "MONOCHROME2", BitsAllocated=16, BitsStored=bits, HighBit=bits - 1)
    )
    assert np.abs(photo.pixels.astype(int) - AS_GRAY).max() <= (0 if bits == 8 else 4)


def test_jpeg_2000_of_twelve_bits_in_gray_and_in_color() -> None:
    for name, photometric, expected in (("gray", "MONOCHROME2", AS_GRAY), ("color", "YBR_RCT", PIXELS)):
        tags = {"BitsAllocated": 16, "BitsStored": 12, "HighBit": 11}
        data = dicom([frame_of(f"jpeg_2000_12_bits_{name}")], PICTURE.size, photometric, JPEG2000Lossless, **tags)
        assert np.abs(read_photo(data).pixels.astype(int) - expected).max() <= 1


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (encoded_elsewhere("jpeg_lossless_16_bits"), "lossless JPEG of 16 bits a sample was found"),
        (encoded_elsewhere("jpeg_extended_12_bits"), "JPEG of 12 bits a sample was found"),
        (dicom([frame_of("jpeg_ls")], (64, 47), "RGB", JPEGLSLossless), "another size"),
        (dicom([frame_of("jpeg_lossless")], (63, 48), "RGB", JPEGLosslessSV1), "another size"),
        (dicom([frame_of("htj2k")], (64, 47), "YBR_RCT", HTJ2KLossless), "another size"),
        (dicom([frame_of("jpeg_ls")], PICTURE.size, "MONOCHROME2", JPEGLSLossless), "number of channels"),
        (dicom([frame_of("jpeg_lossless")], PICTURE.size, "MONOCHROME2", JPEGLosslessSV1), "number of channels"),
        (dicom([frame_of("jpeg_ls_12_bits")], PICTURE.size, "MONOCHROME2", JPEGLSLossless), "number of bits"),
        (dicom([frame_of("jpeg_ls")[:-400]], PICTURE.size, "RGB", JPEGLSLossless), "cannot be decoded"),
        (dicom([frame_of("jpeg_lossless")[:-400]], PICTURE.size, "RGB", JPEGLosslessSV1), "before the picture is comp"),
        (dicom([jpeg(PICTURE)], PICTURE.size, "RGB", JPEGLosslessSV1), "cannot be decoded"),
        (dicom([jpeg_2000(PICTURE)], PICTURE.size, "RGB", JPEGLSLossless), "cannot be decoded"),
        (dicom([frame_of("jpeg_ls")], PICTURE.size, "RGB", JPEGLosslessSV1), ""),
        (encoded_elsewhere("deflated")[:-400], "before the picture is complete"),
        (encoded_elsewhere("deflated")[:-3000] + bytes(3000), ""),
    ],
)  # fmt: skip
def test_what_contradicts_its_data_set_or_breaks_off_is_refused_in_words(data: bytes, words: str) -> None:
    said = refusal(data)
    assert words in said
    assert not re.search(r"(?i)\bdoe\b|jane|4711|1961", said)


def test_a_deflated_file_may_unpack_to_no_more_than_an_upload_may_have() -> None:
    whole = plain(PICTURE)
    head, body = whole[: whole.index(b"\x08\0\x16\0UI")], whole[whole.index(b"\x08\0\x16\0UI") :]
    at = head.index(b"1.2.840.10008.1.2.1\0")
    head = head[: at - 2] + struct.pack("<H", 22) + b"1.2.840.10008.1.2.1.99" + head[at + 20 :]
    at = head.index(b"\2\0\0\0UL") + 8
    head = head[:at] + struct.pack("<I", len(head) - at - 4) + head[at + 4 :]

    def deflated(rest: bytes) -> bytes:
        packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        return head + packer.compress(rest) + packer.flush()

    np.testing.assert_array_equal(read_photo(deflated(body)).pixels, PIXELS)
    hostile = deflated(body + bytes(MAX_BYTES))
    assert len(hostile) < 60_000
    assert "unpacks to too much: at most 25 MB were expected" in refusal(hostile)
