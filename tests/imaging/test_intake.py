"""Whatever the bytes are: a Photo or UnreadableImage, the same pixels by every route, no metadata, no warning."""

import hashlib
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from PIL import Image

from skinlens.imaging.intake import photo_from_pixels, read_photo
from skinlens.imaging.intake.containers import parse_container
from tests.intake_files import (
    KINDS,
    SECRET,
    case,
    encoded,
    exif,
    files,
    flat,
    picture,
    reference,
    refusal,
    srgb_profile,
)

# --------------------------------------------------------------------------------------------- one picture, many files


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(files()[kind], id=kind)
        for kind in ("tiff lzw", "tiff deflate", "tiff of three", "bmp", "png animated", "webp lossless")
    ],
)
def test_the_same_pixels_have_the_same_hash_whatever_the_file(data: bytes) -> None:
    plain = read_photo(encoded(picture(), "PNG"))
    photo = read_photo(data)
    np.testing.assert_array_equal(photo.pixels, np.asarray(picture()))
    assert photo.sha256 == plain.sha256


@pytest.mark.parametrize("kind", KINDS)
def test_a_photo_kept_as_png_keeps_its_hash(kind: str) -> None:
    photo = read_photo(files()[kind])
    again = read_photo(encoded(Image.fromarray(photo.pixels), "PNG"))
    assert (again.sha256, again.source_format, again.notes) == (photo.sha256, "PNG", ())


@pytest.mark.parametrize(
    ("kind", "name"), [("jpeg progressive", "JPEG"), ("tiff jpeg", "TIFF"), ("webp animated", "WebP"), ("heic", "HEIC")]
)
def test_a_lossy_file_comes_out_close(kind: str, name: str) -> None:
    photo = read_photo(files()[kind])
    assert photo.source_format == name
    difference = np.abs(photo.pixels.astype(int) - np.asarray(picture()).astype(int))
    assert difference.mean() < 8


def test_the_hash_is_over_size_and_pixels() -> None:
    pixels = np.asarray(picture())
    assert photo_from_pixels(pixels, "drawn").sha256 == hashlib.sha256(b"64x48:" + pixels.tobytes()).hexdigest()
    turned = np.ascontiguousarray(pixels.reshape(64, 48, 3))
    assert photo_from_pixels(turned, "drawn").sha256 != photo_from_pixels(pixels, "drawn").sha256


def test_a_photo_owns_its_pixels_and_nobody_can_write_them() -> None:
    source = np.array(picture())
    photo = photo_from_pixels(source, "drawn", ["A note."])
    source[:] = 0
    np.testing.assert_array_equal(photo.pixels, np.asarray(picture()))
    assert not photo.pixels.flags.writeable
    assert photo.notes == ("A note.",)


def test_many_threads_read_the_same() -> None:
    expected = {kind: read_photo(data).sha256 for kind, data in files().items()}
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda kind: (kind, read_photo(files()[kind]).sha256), KINDS * 5))
    assert all(expected[kind] == sha256 for kind, sha256 in found)


# ------------------------------------------------------------------------------------------------------- orientation

STORED = {  # how a camera that writes this orientation stores the scene: the inverse of what the viewer does
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def stored(orientation: int) -> Image.Image:
    how = STORED[orientation]
    return picture() if how is None else picture().transpose(how)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", STORED)
def test_the_eight_orientations_give_one_picture(kind: str, orientation: int) -> None:
    options: dict[str, Any] = {"lossless": True} if kind == "WEBP" else {}
    photo = read_photo(encoded(stored(orientation), kind, exif=exif(orientation), **options))
    np.testing.assert_array_equal(photo.pixels, np.asarray(picture()))


@pytest.mark.parametrize("kind", ["JPEG", "HEIC"])
@pytest.mark.parametrize("orientation", STORED)
def test_lossy_files_are_turned_upright_too(kind: str, orientation: int) -> None:
    block = exif(orientation)
    photo = read_photo(
        encoded(stored(orientation), kind, quality=95, exif=block.tobytes() if kind == "HEIC" else block)
    )
    assert photo.pixels.shape == (48, 64, 3)
    assert np.abs(photo.pixels.astype(int) - np.asarray(picture()).astype(int)).mean() < 4


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_that_does_not_exist_changes_nothing(orientation: int) -> None:
    photo = read_photo(encoded(picture(), "PNG", exif=exif(orientation)))
    np.testing.assert_array_equal(photo.pixels, np.asarray(picture()))


# ---------------------------------------------------------------------------------------------------------- metadata


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP", "HEIC"])
def test_no_metadata_reaches_the_photo(kind: str) -> None:
    block = exif()
    data = encoded(picture(), kind, exif=block.tobytes() if kind == "HEIC" else block)
    assert SECRET in data
    photo = read_photo(data)
    assert SECRET not in photo.pixels.tobytes()
    assert not any(SECRET.decode() in text for text in (photo.source_format, photo.sha256, *photo.notes))


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_metadata_is_gone_before_the_decoder_sees_the_file(kind: str) -> None:
    data = encoded(picture(), kind, exif=exif(), comment=SECRET) + SECRET  # the tail: what cropping tools leave
    clean = parse_container(kind, data).picture  # type: ignore[arg-type]  # one of the literals
    assert data.count(SECRET) >= 2
    assert SECRET not in clean.removesuffix(SECRET)


# ------------------------------------------------------------------------------------------- depth, palette, alpha

DEEP = (0, 255, 256, 257, 511, 32768, 65279, 65280, 65535)
SHALLOW = (0, 0, 1, 1, 1, 128, 254, 255, 255)  # the high byte


def png_16_bit(samples: np.ndarray, color_type: int) -> bytes:
    """A PNG of 16 bits a sample, which Pillow cannot write in color."""
    height, width = samples.shape[:2]

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in samples)
    header = struct.pack(">IIBBBBB", width, height, 16, color_type, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def deep_gray() -> np.ndarray:
    row = np.resize(np.array(DEEP, np.uint16), 40)
    return np.tile(row, (32, 1))


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(encoded(Image.fromarray(deep_gray()), "PNG"), id="png gray"),
        pytest.param(encoded(Image.fromarray(deep_gray()), "TIFF"), id="tiff gray"),
        pytest.param(png_16_bit(np.repeat(deep_gray()[..., None], 3, axis=2), 2), id="png color"),
    ],
)
def test_sixteen_bits_become_eight_by_their_high_byte(data: bytes) -> None:
    photo = read_photo(data)
    expected = np.resize(np.array(SHALLOW), 40)
    np.testing.assert_array_equal(photo.pixels, np.tile(expected[:, None], (32, 1, 3)))
    assert photo.notes == ("Brightness was reduced from 16 to 8 bits.",)


@pytest.mark.parametrize(
    ("image", "rgb", "transparent"),
    [
        (flat("RGBA", (0, 100, 200, 128)), (127, 177, 227), True),  # c·128/255 + 255·127/255
        (flat("RGBA", (200, 100, 0, 255)), (200, 100, 0), False),
        (flat("LA", (0, 51)), (204, 204, 204), True),
        (flat("L", 77), (77, 77, 77), False),
        (flat("1", 1), (255, 255, 255), False),
        (flat("RGB", (9, 8, 7)).quantize(4), (9, 8, 7), False),
    ],
)
def test_every_kind_of_pixel_becomes_rgb(image: Image.Image, rgb: tuple[int, ...], transparent: bool) -> None:
    photo = read_photo(encoded(image, "PNG"))
    assert set(map(tuple, photo.pixels.reshape(-1, 3).tolist())) == {rgb}
    assert photo.notes == (("Transparent parts were filled with white.",) if transparent else ())


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(case("02_bmp32_v5_alpha_all_0.bmp"), id="bmp"),
        pytest.param(case("21_png_rgba_alpha_all_0.png"), id="png"),
    ],
)
def test_transparency_that_hides_the_whole_picture_is_none(data: bytes) -> None:
    photo = read_photo(data)
    np.testing.assert_array_equal(photo.pixels, reference())
    assert photo.notes == ("The file marks the whole picture as transparent; that mark was ignored.",)


def test_a_color_marked_as_transparent_becomes_white() -> None:
    image = flat("RGB", (10, 20, 30))
    image.paste((1, 2, 3), (0, 0, 20, 32))
    photo = read_photo(encoded(image, "PNG", transparency=(1, 2, 3)))
    assert photo.pixels[0, 0].tolist() == [255, 255, 255]
    assert photo.pixels[0, 39].tolist() == [10, 20, 30]


def test_printing_colors_are_converted() -> None:
    photo = read_photo(encoded(flat("CMYK", (0, 255, 255, 0)), "JPEG", quality=95))
    assert np.abs(photo.pixels.astype(int) - (255, 0, 0)).max() <= 3
    assert "CMYK" in photo.notes[0]


@pytest.mark.parametrize(("scale", "top"), [(1, 1), (255, 255), (65535, 65535)])
def test_float_brightness_is_read_in_the_range_that_holds_it(scale: int, top: int) -> None:
    ramp = np.tile(np.linspace(0, 1, 40, dtype=np.float32), (32, 1))
    photo = read_photo(encoded(Image.fromarray(ramp * np.float32(scale)), "TIFF"))
    assert np.abs(photo.pixels[0, :, 0] - np.linspace(0, 255, 40)).max() <= 0.51
    assert photo.notes == (f"Brightness values were read as 0 to {top}.",)


@pytest.mark.parametrize("value", [-1.0, 1e6, float("nan"), float("inf")])
def test_float_brightness_without_a_range_is_refused(value: float) -> None:
    ramp = np.zeros((32, 40), np.float32)
    ramp[3, 4] = value
    assert "no known range" in refusal(encoded(Image.fromarray(ramp), "TIFF"))


# ---------------------------------------------------------------------------------------------------- color profile


def profile_with_red_and_green_swapped() -> bytes:
    return srgb_profile().replace(b"rXYZ", b"????").replace(b"gXYZ", b"rXYZ").replace(b"????", b"gXYZ")


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_a_color_profile_is_converted_to_srgb(kind: str) -> None:
    options: dict[str, Any] = {"lossless": True} if kind == "WEBP" else {}
    red = flat("RGB", (255, 0, 0))
    photo = read_photo(encoded(red, kind, icc_profile=profile_with_red_and_green_swapped(), **options))
    assert np.abs(photo.pixels.astype(int) - (0, 255, 0)).max() <= 2
    assert photo.notes == ("Colors were converted from the file's color profile to sRGB.",)


def test_an_srgb_profile_changes_nothing() -> None:
    photo = read_photo(encoded(picture(), "PNG", icc_profile=srgb_profile()))
    np.testing.assert_array_equal(photo.pixels, np.asarray(picture()))
    assert photo.notes == ()


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "JPEG"])
@pytest.mark.parametrize(
    "profile",
    [b"no profile at all", srgb_profile()[:200], srgb_profile()[:16] + b"CMYK" + srgb_profile()[20:], bytes(5000)],
    ids=["text", "cut", "wrong space", "zeros"],
)
def test_a_corrupt_color_profile_is_ignored_with_a_note(kind: str, profile: bytes) -> None:
    photo = read_photo(encoded(picture(), kind, icc_profile=profile))
    np.testing.assert_array_equal(photo.pixels, read_photo(encoded(picture(), kind)).pixels)
    assert len(photo.notes) == 1
    assert "profile" in photo.notes[0]


# ------------------------------------------------------------------------------------------------------------ frames


@pytest.mark.parametrize("kind", ["png animated", "webp animated", "tiff of three"])
def test_only_the_first_of_several_pictures_is_read(kind: str) -> None:
    photo = read_photo(files()[kind])
    assert photo.notes == ("The file holds 3 pictures; only the first was read.",)
    assert np.abs(photo.pixels.astype(int) - np.asarray(picture()).astype(int)).mean() < 8
