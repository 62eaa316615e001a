"""DICOM photos: the same pixels in every encoding, no word of the patient, and no harm from hostile files."""

import re
import struct
import subprocess
import sys
import time
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEG2000Lossless, JPEGBaseline8Bit, RLELossless

from skinlens.errors import UnreadableImage
from skinlens.imaging.intake import read_photo, read_trusted_photo
from skinlens.imaging.intake.sniffing import MAX_DECODE_S
from tests.dicom_files import NAME, PHOTOGRAPHIC, dicom, jpeg, jpeg_2000, plain, run_lengths
from tests.intake_files import encoded, exif, picture, refusal

WIDE = picture().resize((64, 48))
PIXELS = np.asarray(WIDE)


def planes(samples: np.ndarray) -> list[bytes]:
    return [np.ascontiguousarray(samples[..., channel]).tobytes() for channel in range(samples.shape[2])]


LOSSLESS: dict[str, bytes] = {
    "explicit": plain(WIDE),
    "implicit": plain(WIDE, syntax=ImplicitVRLittleEndian),
    "photographic": plain(WIDE, kind=PHOTOGRAPHIC),
    "by planes": dicom([b"".join(planes(PIXELS))], WIDE.size, PlanarConfiguration=1),
    "run lengths": dicom([run_lengths(planes(PIXELS))], WIDE.size, syntax=RLELossless),
    "JPEG 2000": dicom([jpeg_2000(WIDE)], WIDE.size, "YBR_RCT", JPEG2000Lossless),
}


@pytest.mark.parametrize("name", LOSSLESS)
def test_the_same_pixels_however_they_are_coded(name: str) -> None:
    photo = read_photo(LOSSLESS[name])
    np.testing.assert_array_equal(photo.pixels, PIXELS)
    assert photo.source_format == "DICOM"
    assert photo.notes == ()
    assert photo.sha256 == read_photo(encoded(WIDE, "PNG")).sha256
    np.testing.assert_array_equal(read_trusted_photo(LOSSLESS[name]).pixels, photo.pixels)


def test_nothing_of_the_patient_comes_along() -> None:
    photo = read_photo(plain(WIDE, InstitutionName="Clinic of Nowhere"))
    held = repr({**vars(photo), "pixels": ""})
    assert not re.search(f"{re.escape(NAME)}|Doe|4711|1961|Nowhere", held)


def test_film_colors_become_rgb() -> None:
    film = np.asarray(WIDE.convert("YCbCr"))
    expected = np.asarray(WIDE.convert("YCbCr").convert("RGB"))
    whole = read_photo(dicom([film.tobytes()], WIDE.size, "YBR_FULL"))
    np.testing.assert_array_equal(whole.pixels, expected)
    halved = film.copy()
    halved[:, 1::2, 1:] = halved[:, 0::2, 1:]
    pairs = np.stack([film[:, 0::2, 0], film[:, 1::2, 0], film[:, 0::2, 1], film[:, 0::2, 2]], axis=-1)
    found = read_photo(dicom([pairs.tobytes()], WIDE.size, "YBR_FULL_422"))
    np.testing.assert_array_equal(found.pixels, np.asarray(Image.fromarray(halved, "YCbCr").convert("RGB")))


@pytest.mark.parametrize("bits", [8, 16])
def test_a_palette_is_looked_up(bits: int) -> None:
    reduced = WIDE.quantize(16)
    flat = reduced.getpalette()
    assert flat is not None
    table = np.array(flat[: 3 * 16], np.uint8).reshape(-1, 3)
    tags: dict[str, Any] = {}
    for number, color in enumerate(("Red", "Green", "Blue")):
        values = table[:, number]
        deep = (values.astype("<u2") * 257).tobytes() if bits == 16 else values.tobytes()
        tags[f"{color}PaletteColorLookupTableDescriptor"] = [len(table), 3, bits]
        tags[f"{color}PaletteColorLookupTableData"] = deep
    index = np.asarray(reduced) + 3  # the first color has the number 3
    photo = read_photo(dicom([index.astype(np.uint8).tobytes()], WIDE.size, "PALETTE COLOR", **tags))
    np.testing.assert_array_equal(photo.pixels, np.asarray(reduced.convert("RGB")))


def test_gray_of_either_sign_and_depth() -> None:
    gray = np.asarray(WIDE.convert("L"))
    for photometric, samples in (("MONOCHROME2", gray), ("MONOCHROME1", 255 - gray)):
        photo = read_photo(dicom([samples.tobytes()], WIDE.size, photometric))
        np.testing.assert_array_equal(photo.pixels, np.repeat(gray[..., None], 3, axis=2))
    deep = (gray.astype("<u2") << 4) | 0xF000 | (gray >> 4)  # twelve bits, and others above that mean nothing
    tags = {"BitsAllocated": 16, "BitsStored": 12, "HighBit": 11}
    photo = read_photo(dicom([deep.tobytes()], WIDE.size, "MONOCHROME2", **tags))
    np.testing.assert_array_equal(photo.pixels[..., 0], gray)
    high, low = (deep >> 8).astype(np.uint8), (deep & 255).astype(np.uint8)
    packed = dicom([run_lengths([high.tobytes(), low.tobytes()])], WIDE.size, "MONOCHROME2", RLELossless, **tags)
    np.testing.assert_array_equal(read_photo(packed).pixels[..., 0], gray)


def test_a_jpeg_frame_is_read_as_the_jpeg_alone_whatever_orientation_it_claims() -> None:
    whole = jpeg(WIDE)
    expected = read_photo(whole).pixels
    turned = jpeg(WIDE, exif=exif(6))
    for frame in (whole, turned):
        photo = read_photo(dicom([frame], WIDE.size, "YBR_FULL_422", JPEGBaseline8Bit))
        np.testing.assert_array_equal(photo.pixels, expected)


def test_the_data_set_says_how_a_jpeg_is_colored_that_does_not_say_it_itself() -> None:
    whole = jpeg(WIDE, keep_rgb=True, subsampling=0)
    marker = whole.find(b"\xff\xee\0\x0eAdobe")
    assert marker > 0
    bare = whole[:marker] + whole[marker + 16 :]
    assert b"JFIF" not in bare
    photo = read_photo(dicom([bare], WIDE.size, "RGB", JPEGBaseline8Bit))
    np.testing.assert_array_equal(photo.pixels, read_photo(whole).pixels)
    assert np.abs(photo.pixels.astype(int) - PIXELS).mean() < 4


def test_the_first_frame_is_read_and_the_rest_is_said() -> None:
    packed = [run_lengths(planes(samples)) for samples in (PIXELS, 255 - PIXELS)]
    for data in (
        dicom([PIXELS.tobytes(), (255 - PIXELS).tobytes()], WIDE.size, NumberOfFrames=2),
        dicom(packed, WIDE.size, syntax=RLELossless, NumberOfFrames=2),
    ):
        photo = read_photo(data)
        np.testing.assert_array_equal(photo.pixels, PIXELS)
        assert photo.notes == ("The file holds 2 pictures; only the first was read.",)


def test_the_scale_is_the_width_of_what_is_shown() -> None:
    assert read_photo(plain(WIDE)).field_width_mm is None
    assert read_photo(plain(WIDE, PixelSpacing=[0.5, 0.25])).field_width_mm == 64 * 0.25  # rows first
    (said,) = read_photo(plain(WIDE, PixelSpacing=[0.5, 0.25])).notes
    assert "shows 16 mm from left to right" in said
    assert read_photo(plain(WIDE, PixelSpacing=[0.0, 0.0])).field_width_mm is None
    burned = read_photo(plain(WIDE, BurnedInAnnotation="YES"))
    assert "check that it names nobody" in burned.notes[0]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (plain(WIDE, kind="1.2.840.10008.5.1.4.1.1.2"), "of the class CT Image Storage"),
        (plain(WIDE, PixelRepresentation=1), "signed samples"),
        (plain(WIDE, BitsStored=12), "contradicts itself"),
        (plain(WIDE, SamplesPerPixel=4), "contradicts itself"),
        (plain(WIDE, PixelAspectRatio=[2, 1]), "pixels that are not square"),
        (plain(WIDE, Rows=4800), "ends before the picture is complete"),
        (plain(WIDE, Rows=65535, Columns=65535), "is too large"),
        (plain(WIDE, Rows=8), "is too small"),
        (dicom([jpeg(WIDE)], (63, 48), "YBR_FULL_422", JPEGBaseline8Bit), "another size"),
        (dicom([jpeg(WIDE)], (128, 96), "YBR_FULL_422", JPEGBaseline8Bit), "another size"),  # though it may be halved
        (dicom([jpeg_2000(WIDE)], (64, 47), "YBR_RCT", JPEG2000Lossless), "another size"),
        (dicom([b"\0" * 64], WIDE.size, syntax=RLELossless), "number of channels"),
        (dicom([np.zeros((48, 64), np.uint8).tobytes()], WIDE.size, "PALETTE COLOR"), "its palette is missing"),
        (plain(WIDE).replace(b"10008.1.2.1\0", b"10008.1.2.4.92\0"[:12]), "a transfer syntax that is not listed"),
        (plain(WIDE)[:400], ""),
    ],
)  # fmt: skip
def test_what_is_not_read_is_refused_in_words(data: bytes, words: str) -> None:
    said = refusal(data)
    assert words in said
    assert "Doe" not in said


TOLD = r"(?i)\bdoe\b|jane|4711|1961"


def test_no_refusal_quotes_what_stands_in_a_tag() -> None:
    """A careless program puts a name or a number anywhere."""
    born = "1.2.19610203.4711"
    refused = (
        plain(WIDE, kind=born),
        plain(WIDE).replace(b"10008.1.2.1\0", b"10008.4711\0\0"),
        dicom([PIXELS.tobytes()], WIDE.size, "DOE JANE"),
        plain(WIDE, PixelRepresentation=1, PixelSpacing=[0.5, 0.25]).replace(b"0.5\\0.25", b"Doe^Jane"),
        plain(WIDE, PixelAspectRatio=[4711, 1]),
    )
    for data in refused:
        assert not re.search(TOLD, refusal(data))
    assert not re.search(TOLD, sentence_of(refused[3]))


def sentence_of(data: bytes) -> str:
    """Refusal in the process that reads, as in a batch."""
    code = (
        "import sys; from skinlens.batch.reader import read; "
        "from skinlens.imaging.intake.limits import LimitedDecoder; "
        "from skinlens.imaging.preprocess import InputSpec; "
        "print(read(sys.stdin.buffer.read(), InputSpec(), LimitedDecoder(beside=True)))"
    )
    return subprocess.run([sys.executable, "-c", code], input=data, capture_output=True, check=True).stdout.decode()


def _many_elements() -> bytes:
    """24 MB of empty elements of private groups."""
    head = plain(WIDE, syntax=ExplicitVRLittleEndian)
    pixel = head.rindex(b"\xe0\x7f\x10\x00")
    count = 3_000_000 - 1
    numbers = np.zeros(count, dtype=[("group", "<u2"), ("element", "<u2"), ("vr", "S2"), ("length", "<u2")])
    numbers["group"] = 0x0029 + 2 * (np.arange(count) // 60_000)
    numbers["element"], numbers["vr"] = 0x1000 + np.arange(count) % 60_000, b"LO"
    return head[:pixel] + numbers.tobytes() + head[pixel:]


def _nested() -> bytes:
    """Sequences within sequences, without an end."""
    head = plain(WIDE, syntax=ExplicitVRLittleEndian)
    pixel = head.rindex(b"\xe0\x7f\x10\x00")
    level = struct.pack("<HH2sHI", 0x0040, 0xA730, b"SQ", 0, 0xFFFFFFFF)
    level += struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
    return head[:pixel] + level * 100_000 + head[pixel:]


@pytest.mark.slow
@pytest.mark.parametrize("make", [_many_elements, _nested])
def test_hostile_files_take_no_more_than_a_photo_may(make: Any) -> None:
    data = make()
    started = time.monotonic()
    with suppress(UnreadableImage):
        read_photo(data)
    assert time.monotonic() - started < 10 * MAX_DECODE_S  # of the clock, on a busy machine
    np.testing.assert_array_equal(read_photo(plain(WIDE)).pixels, PIXELS)  # and the next photo is read


@pytest.mark.slow
def test_whatever_is_changed_in_a_file_it_is_a_photo_or_a_sentence() -> None:
    random = np.random.default_rng(7)
    for name, whole in (*LOSSLESS.items(), ("JPEG", dicom([jpeg(WIDE)], WIDE.size, "YBR_FULL_422", JPEGBaseline8Bit))):
        for _ in range(25):
            data = bytearray(whole)
            for place in random.integers(128, min(len(data), 1500), 4):
                data[place] = random.integers(0, 256)
            changed = bytes(data[: random.integers(132, len(data))]) if random.random() < 0.3 else bytes(data)
            try:
                photo = read_photo(changed)
            except UnreadableImage:
                continue
            assert photo.pixels.ndim == 3, name
