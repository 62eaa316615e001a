"""Colors that no profile tells are converted to sRGB, with a note; what cannot be converted is refused."""

import struct
from typing import Any

import numpy as np
import pytest
from PIL import Image

from skinlens.imaging.intake import read_photo
from skinlens.imaging.intake.color_spaces import PRIMARIES, matrix_profile, of_code_points
from skinlens.imaging.intake.directory import first_offset, read_directory
from skinlens.imaging.intake.tiff import with_directory
from tests.hostile_files import png_chunk
from tests.intake_files import case, encoded, flat, picture, reference, refusal, srgb_profile


def differences(name: str) -> tuple[np.ndarray, tuple[str, ...]]:
    photo = read_photo(case(name))
    return np.abs(photo.pixels.astype(int) - reference()), photo.notes


@pytest.mark.parametrize(
    ("name", "note"),
    [
        ("07_png_gama_linear.png", "Colors were converted from the file's gamma and primaries to sRGB."),
        ("09_png_cicp_p3.png", "Colors were converted from Display P3 to sRGB."),
    ],
)
def test_a_lossless_file_comes_out_within_three_gray_levels(name: str, note: str) -> None:
    difference, notes = differences(name)
    assert difference.max() <= 3
    assert notes == (note,)


@pytest.mark.parametrize(
    ("name", "note"),
    [
        ("03_heic_10bit_bt2020_pq.heic", "Colors of high dynamic range (BT.2020 PQ) were converted to sRGB"),
        ("04_heic_10bit_bt2020_hlg.heic", "Colors of high dynamic range (BT.2020 HLG) were converted to sRGB"),
        ("06_jpeg_adobergb_dcf_exif_only.jpg", "Colors were converted from Adobe RGB to sRGB."),
    ],
)
def test_a_lossy_file_comes_out_within_three_gray_levels_on_average(name: str, note: str) -> None:
    """Where noise and edges were lost no reader can do better: areas of 8 × 8 pixels are compared."""
    photo = read_photo(case(name))
    areas = (photo.pixels.astype(float) - reference()).reshape(30, 8, 40, 8, 3).mean(axis=(1, 3))
    assert np.abs(areas).max() <= 3
    (said,) = photo.notes
    assert said.startswith(note)


def test_the_reference_upside_down_is_the_reference_turned() -> None:
    photo = read_photo(case("28_reference_turned_180.png"))
    np.testing.assert_array_equal(photo.pixels, reference()[::-1, ::-1])


def png_with(*chunks: bytes) -> bytes:
    plain = encoded(flat("RGB", (200, 100, 50)), "PNG")
    return plain[:33] + b"".join(chunks) + plain[33:]


def color_of(data: bytes) -> tuple[int, ...]:
    return tuple(int(value) for value in read_photo(data).pixels[0, 0])


GAMMA_SRGB, GAMMA_LINEAR = png_chunk(b"gAMA", struct.pack(">I", 45_455)), png_chunk(b"gAMA", struct.pack(">I", 100_000))
PRIMARIES_SRGB = png_chunk(b"cHRM", struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000))
PRIMARIES_P3 = png_chunk(b"cHRM", struct.pack(">8I", 31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000))
CICP_SRGB, CICP_P3 = png_chunk(b"cICP", b"\x01\x0d\0\x01"), png_chunk(b"cICP", b"\x0c\x0d\0\x01")
AS_IT_IS, LINEAR, P3 = (200, 100, 50), (229, 168, 122), (215, 93, 31)


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        ((GAMMA_SRGB,), AS_IT_IS),
        ((GAMMA_SRGB, PRIMARIES_SRGB), AS_IT_IS),
        ((GAMMA_LINEAR,), LINEAR),
        ((GAMMA_SRGB, PRIMARIES_P3), P3),
        ((CICP_P3,), P3),
        ((CICP_SRGB, GAMMA_LINEAR), AS_IT_IS),  # cICP goes before all
        ((png_chunk(b"sRGB", b"\0"), GAMMA_LINEAR), AS_IT_IS),  # and sRGB before gAMA
        ((png_chunk(b"cICP", b"\2\2\0\1"),), AS_IT_IS),
        ((png_chunk(b"gAMA", bytes(4)),), AS_IT_IS),
        ((png_chunk(b"cHRM", bytes(32)),), AS_IT_IS),
        ((png_chunk(b"cHRM", bytes(7)),), AS_IT_IS),
    ],
)
def test_png_says_its_colors_in_an_order_of_precedence(chunks: tuple[bytes, ...], expected: tuple[int, ...]) -> None:
    """P3 (200, 100, 50) is (215, 93, 31) in sRGB, by the matrices of CSS Color 4; linear light by sRGB's curve."""
    assert np.abs(np.subtract(color_of(png_with(*chunks)), expected)).max() <= 1


@pytest.mark.parametrize(("chunk", "words"), [(b"\x16\x0d\0\1", "primaries 22"), (b"\1\x0c\0\1", "transfer 12")])
def test_colors_that_cannot_be_converted_are_refused(chunk: bytes, words: str) -> None:
    message = refusal(png_with(png_chunk(b"cICP", chunk)))
    assert words in message
    assert message.endswith("Save the photo as JPEG in sRGB, and upload that.")


def test_a_film_range_is_refused() -> None:
    assert "narrow range" in refusal(png_with(png_chunk(b"cICP", b"\1\1\0\0")))


@pytest.mark.parametrize("primaries", [9, 12])
def test_heic_says_its_colors_by_code_points(primaries: int) -> None:
    data = encoded(flat("RGB", (200, 100, 50)), "HEIC", quality=-1, chroma=444, matrix_coefficients=0,
                   color_primaries=primaries, transfer_characteristics=13, full_range_flag=1)  # fmt: skip
    expected = {9: (241, 76, 29), 12: P3}[primaries]
    assert np.abs(np.subtract(color_of(data), expected)).max() <= 3


def adobe_exif(color_space: int = 0xFFFF, index: str = "R03") -> Image.Exif:
    block = Image.Exif()
    block[0x0112] = 1
    block.get_ifd(0x8769)[0xA001] = color_space
    block.get_ifd(0x8769)[0xA005] = {1: index}
    return block


def test_a_tiff_says_adobe_rgb_by_exif() -> None:
    plain = encoded(flat("RGB", (200, 100, 50)), "TIFF")
    plain += bytes(len(plain) % 2)
    index = struct.pack("<HHHI4sI", 1, 1, 2, 4, b"R03", 0)
    exif = struct.pack("<HHHIIHHIII", 2, 0xA001, 3, 1, 0xFFFF, 0xA005, 4, 1, len(plain), 0)
    directory = read_directory(plain, first_offset(plain))
    tags = {tag: (entry.kind, entry.value) for tag, entry in directory.entries.items()}
    tags[0x8769] = (4, struct.pack("<I", len(plain) + len(index)))
    found = color_of(with_directory(plain + index + exif, tags))
    assert np.abs(np.subtract(found, (227, 100, 42))).max() <= 2


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_a_camera_says_adobe_rgb_by_exif(kind: str) -> None:
    options: dict[str, Any] = {"lossless": True} if kind == "WEBP" else {}
    image = flat("RGB", (200, 100, 50))
    assert color_of(encoded(image, kind, exif=adobe_exif(1, "R98"), **options)) == AS_IT_IS
    found = color_of(encoded(image, kind, exif=adobe_exif(), **options))
    assert np.abs(np.subtract(found, (227, 100, 42))).max() <= 2
    # a profile goes before it
    assert color_of(encoded(image, kind, exif=adobe_exif(), icc_profile=srgb_profile(), **options)) == AS_IT_IS


def test_each_profile_of_ours_leaves_white_and_gray_as_they_are() -> None:
    for primaries in PRIMARIES:
        space = of_code_points(primaries, 13)
        if space is not None:
            for gray in (0, 77, 255):
                photo = read_photo(encoded(flat("RGB", (gray,) * 3), "PNG", icc_profile=space.icc_profile))
                assert np.abs(photo.pixels.astype(int) - gray).max() <= 1


def test_a_profile_of_srgb_changes_nothing() -> None:
    photo = read_photo(encoded(picture(), "PNG", icc_profile=matrix_profile(PRIMARIES[1][1], None)))
    assert np.abs(photo.pixels.astype(int) - np.asarray(picture())).max() <= 1


def test_a_deep_png_whose_brightest_value_is_a_sensors_is_refused_not_black() -> None:
    from tests.imaging.test_intake import png_16_bit

    samples = np.asarray(picture()).astype(np.uint16) << 4
    message = refusal(png_16_bit(samples, 2))
    assert "uses the lowest of them alone" in message
    assert message.endswith("upload that.")
    gray = read_photo(png_16_bit(samples[..., 0], 0))
    assert "12 are used" in gray.notes[0]
    np.testing.assert_array_equal(gray.pixels[..., 0], np.asarray(picture())[..., 0])
