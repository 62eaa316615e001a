"""Every layout of a TIFF file is read as tifffile reads it, or refused; the largest page is the photo."""

import io
import itertools
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from skinlens.errors import UnreadableImage
from skinlens.imaging.intake import read_photo
from tests.intake_files import case, encoded, flat, picture, reference, refusal

REDUCED = "Brightness was reduced from 16 to 8 bits."


def written(samples: np.ndarray, **options: Any) -> bytes:
    stream = io.BytesIO()
    tifffile.imwrite(stream, samples, metadata=None, **options)
    return stream.getvalue()


def eight_bits(samples: np.ndarray) -> np.ndarray:
    return samples if samples.dtype == np.uint8 else (samples >> 8).astype(np.uint8)


COMPRESSIONS: tuple[dict[str, Any], ...] = (
    {},
    {"compression": "zlib"},
    {"compression": "zlib", "predictor": True},
)
LAYOUTS = list(
    itertools.product(
        (np.uint8, np.uint16),
        ("contig", "separate", "gray"),
        ({"rowsperstrip": 48}, {"rowsperstrip": 7}, {"tile": (16, 32)}),
        COMPRESSIONS,
        "<>",
    )
)


@pytest.mark.parametrize(("kind", "planes", "parts", "compression", "order"), LAYOUTS)
def test_each_layout_is_read_as_tifffile_reads_it(
    kind: type, planes: str, parts: dict[str, Any], compression: dict[str, Any], order: str
) -> None:
    if "predictor" in compression and kind is np.uint16 and order != "<":
        compression = {"compression": "zlib"}  # tifffile's own writer needs another package for that one
    samples = np.asarray(picture()).astype(kind) * (257 if kind is np.uint16 else 1)
    options: dict[str, Any] = {"photometric": "rgb", "planarconfig": planes}
    if planes == "separate":
        samples = np.ascontiguousarray(np.moveaxis(samples, -1, 0))
    elif planes == "gray":
        samples, options = samples[..., 0], {"photometric": "minisblack"}
    data = written(samples, byteorder=order, **options, **parts, **compression)
    truth = tifffile.imread(io.BytesIO(data))
    truth = np.moveaxis(truth, 0, -1) if planes == "separate" else truth
    photo = read_photo(data)
    expected = eight_bits(truth)
    np.testing.assert_array_equal(photo.pixels, expected if expected.ndim == 3 else expected[..., None].repeat(3, -1))
    assert photo.notes == ((REDUCED,) if kind is np.uint16 else ())


def test_planes_of_16_bits_are_no_garbled_picture() -> None:
    photo = read_photo(case("01_tiff16_planar_uncompressed.tif"))
    np.testing.assert_array_equal(photo.pixels, reference())


# ------------------------------------------------------------------------------------------------------------- LZW


def lzw(data: bytes) -> bytes:
    """LZW without a dictionary: each byte as its code of 9 bits, and a clear code before the codes grow longer."""
    bits = ""
    for start in range(0, len(data), 200):
        bits += f"{256:09b}" + "".join(f"{byte:09b}" for byte in data[start : start + 200])
    bits += f"{257:09b}"
    bits += "0" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big")


def packbits(data: bytes) -> bytes:
    """Runs of up to 128 bytes as they are."""
    return b"".join(bytes([len(run) - 1]) + run for run in (data[at : at + 128] for at in range(0, len(data), 128)))


PACKERS: dict[int, Callable[[bytes], bytes]] = {5: lzw, 32773: packbits}


def packed_file(data: bytes, method: int) -> bytes:
    """An uncompressed TIFF file, its strips or tiles packed."""
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        page, order = file.pages.first, file.byteorder
        parts = [PACKERS[method](data[o : o + n]) for o, n in zip(page.dataoffsets, page.databytecounts, strict=True)]
        tags = {tag.code: tag for tag in page.tags}
    out = bytearray(data)
    offsets = [len(out) + sum(map(len, parts[:number])) for number in range(len(parts))]
    out += b"".join(parts)
    for codes, values in (((273, 324), offsets), ((279, 325), [len(part) for part in parts])):
        tag = next(tags[code] for code in codes if code in tags)
        struct.pack_into(f"{order}HI", out, tag.offset + 2, 4, len(values))
        packed = struct.pack(f"{order}{len(values)}I", *values)
        if len(values) == 1:
            out[tag.offset + 8 : tag.offset + 12] = packed
        else:
            struct.pack_into(order + "I", out, tag.offset + 8, len(out))
            out += packed
    struct.pack_into(order + "H", out, tags[259].offset + 8, method)
    return bytes(out)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("parts", [{"rowsperstrip": 48}, {"rowsperstrip": 7}, {"tile": (16, 32)}], ids=str)
@pytest.mark.parametrize("planes", ["contig", "separate"])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_lzw_and_packbits_in_each_layout_are_the_same_picture(
    kind: type, planes: str, parts: dict[str, Any], order: str
) -> None:
    samples = np.asarray(picture()).astype(kind) * (257 if kind is np.uint16 else 1)
    if planes == "separate":
        samples = np.ascontiguousarray(np.moveaxis(samples, -1, 0))
    plain = written(samples, byteorder=order, photometric="rgb", planarconfig=planes, **parts)
    for method in PACKERS:
        np.testing.assert_array_equal(read_photo(packed_file(plain, method)).pixels, np.asarray(picture()))


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "CMYK", "1", "P", "I;16"])
@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_deflate", "packbits"])
def test_what_pillow_writes_is_read_as_it_was(mode: str, compression: str) -> None:
    image = picture().convert("L") if mode == "I;16" else picture().convert(mode)
    if mode == "I;16":
        image = Image.fromarray(np.asarray(image).astype(np.uint16) * 257)
    expected = picture().convert("L") if mode == "I;16" else image
    photo = read_photo(encoded(image, "TIFF", compression=compression))
    np.testing.assert_array_equal(photo.pixels, np.asarray(expected.convert("RGB")))


# ------------------------------------------------------------------------------------------------- other samples


def test_floating_point_colors_are_read() -> None:
    photo = read_photo(case("11_tiff_float32_rgb.tif"))
    np.testing.assert_array_equal(photo.pixels, reference())
    assert photo.notes == ("Brightness values were read as 0 to 1.",)


@pytest.mark.parametrize("depth", [8, 10, 12, 14])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_sensors_depth_in_16_bits_is_read_by_what_it_uses(depth: int, channels: int) -> None:
    samples = (np.asarray(picture()).astype(np.uint16) << (depth - 8))[..., :channels]
    samples[0, 0] = (1 << depth) - 1
    photo = read_photo(written(samples.squeeze(), photometric="rgb" if channels == 3 else "minisblack"))
    np.testing.assert_array_equal(
        photo.pixels[1:], np.broadcast_to(np.asarray(picture())[1:, :, :channels], (47, 64, 3))
    )
    (note,) = photo.notes
    assert note == f"Of the 16 bits of a sample {depth} are used: brightness was read as 0 to {(1 << depth) - 1}."


def test_a_negative_is_turned_whatever_its_depth() -> None:
    for kind, top in ((np.uint8, 255), (np.uint16, 65535)):
        gray = np.asarray(picture())[..., 0].astype(kind) * kind(top // 255)
        photo = read_photo(written(kind(top) - gray, photometric="miniswhite"))
        np.testing.assert_array_equal(photo.pixels[..., 0], np.asarray(picture())[..., 0])


@pytest.mark.parametrize(("extra", "expected"), [("unassalpha", 180), ("assocalpha", 227), ("unspecified", 100)])
def test_the_three_kinds_of_a_fourth_channel(extra: str, expected: int) -> None:
    """A value of 100 at 128 of 255: over white 100·128/255 + 127, or 100 + 127 if it was multiplied, or none."""
    samples = np.full((40, 40, 4), 100, np.uint8)
    samples[..., 3] = 128
    photo = read_photo(written(samples, photometric="rgb", extrasamples=[extra]))
    assert np.abs(photo.pixels.astype(int) - expected).max() <= 3


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (written(np.zeros((40, 40, 3), np.uint8), photometric="cielab"), "colors of kind 8"),
        (written(np.zeros((40, 40), np.uint8), photometric="cfa"), "camera raw"),
        (written(np.zeros((40, 40, 3), np.int8), photometric="rgb"), "signed samples of 8 bits"),
    ],
)
def test_a_layout_that_is_not_read_is_named(data: bytes, words: str) -> None:
    assert words in refusal(data)


def test_a_strip_that_ends_early_is_no_picture() -> None:
    data = written(np.asarray(picture()), photometric="rgb", rowsperstrip=8, compression="zlib")
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        counts = file.pages.first.tags[279]
        start = counts.valueoffset
        width = 2 if counts.dtype == 3 else 4
    for strip in range(6):
        cut = bytearray(data)
        at = start + width * strip
        count = int.from_bytes(cut[at : at + width], "little")
        cut[at : at + width] = (count // 2).to_bytes(width, "little")
        assert "damaged" in refusal(bytes(cut))


# --------------------------------------------------------------------------------------------------------- pages


def test_the_largest_page_is_the_photo() -> None:
    photo = read_photo(case("13_tiff_preview_first_subfile0.tif"))
    np.testing.assert_array_equal(photo.pixels, reference())
    assert photo.notes == ("The file holds 2 pictures; only the largest was read (320 × 240 px).",)


def test_a_mask_and_a_preview_are_no_photo() -> None:
    stream = io.BytesIO()
    with tifffile.TiffWriter(stream) as writer:
        writer.write(np.zeros((480, 640, 3), np.uint8), photometric="rgb", subfiletype=1, metadata=None)
        writer.write(np.zeros((480, 640), bool), photometric="mask", subfiletype=4, metadata=None)
        writer.write(np.asarray(picture()), photometric="rgb", metadata=None)
    np.testing.assert_array_equal(read_photo(stream.getvalue()).pixels, np.asarray(picture()))


def test_a_photo_below_a_preview_is_found() -> None:
    stream = io.BytesIO()
    with tifffile.TiffWriter(stream) as writer:
        writer.write(np.zeros((36, 36, 3), np.uint8), photometric="rgb", subifds=1, metadata=None)
        writer.write(np.asarray(picture()), photometric="rgb", metadata=None)
    np.testing.assert_array_equal(read_photo(stream.getvalue()).pixels, np.asarray(picture()))


# --------------------------------------------------------------------------------------------- missing byte counts


def without_counts(data: bytes) -> bytes:
    """The tag of the byte counts under a number that nobody knows."""
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        page = file.pages.first
        tag = page.tags[325 if page.is_tiled else 279]
        out = bytearray(data)
        struct.pack_into(file.byteorder + "H", out, tag.offset, 65_001)
    return bytes(out)


def test_byte_counts_that_are_missing_are_worked_out() -> None:
    photo = read_photo(case("17_tiff_stripbytecounts_missing.tif"))
    np.testing.assert_array_equal(photo.pixels, reference())
    assert photo.notes == ("The file does not say how long its parts are; that was worked out.",)


@pytest.mark.parametrize(
    "options", [{"rowsperstrip": 7}, {"tile": (16, 16)}, {"rowsperstrip": 7, "compression": "zlib"}]
)
def test_byte_counts_are_worked_out_in_each_layout(options: dict[str, Any]) -> None:
    data = without_counts(written(np.asarray(picture()), photometric="rgb", **options))
    np.testing.assert_array_equal(read_photo(data).pixels, np.asarray(picture()))


def test_a_file_cut_off_without_byte_counts_is_damaged() -> None:
    data = case("17_tiff_stripbytecounts_missing.tif")
    with pytest.raises(UnreadableImage, match="ends before the picture is complete"):
        read_photo(data[:-100])


def test_jpeg_in_a_tiff_comes_out_close() -> None:
    for image in (picture(), picture().convert("L")):
        photo = read_photo(encoded(image, "TIFF", compression="jpeg", quality=95))
        assert np.abs(photo.pixels.astype(int) - np.asarray(image.convert("RGB")).astype(int)).mean() < 3


def test_a_flat_picture_of_each_float_width() -> None:
    for kind in (np.float16, np.float32, np.float64):
        photo = read_photo(written(np.full((40, 40, 3), 0.5, kind), photometric="rgb"))
        assert set(photo.pixels.reshape(-1).tolist()) == {128}
    assert flat("L", 128).getpixel((0, 0)) == 128
