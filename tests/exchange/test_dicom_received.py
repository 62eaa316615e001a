"""A received file as it is kept: wherever a name can hide beside the pixels it is gone, and the pixels are the same."""

import io
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms
from pydicom import Dataset, dcmread
from pydicom.sequence import Sequence
from pydicom.uid import (
    HTJ2KLossless,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from skinlens.errors import UnreadableImage
from skinlens.exchange.dicom.received import read_received, received_of
from skinlens.imaging import intake
from skinlens.records import Photo
from tests.dicom_files import dicom, encoded_elsewhere, frame_of, jpeg, jpeg_2000, plain, run_lengths
from tests.store import samples

ROOT = Path(__file__).parents[2]
PICTURE = Image.fromarray(samples.photo(3, 90, 120).pixels)
SIZE = 64, 48
"""Of the pictures that other programs encoded."""
SECRET = b"Jane Doe, 4711"
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def in_jpeg(frame: bytes, **tags: object) -> bytes:
    return dicom([frame + b"\0" * (len(frame) % 2)], PICTURE.size, "YBR_FULL_422", JPEGBaseline8Bit, **tags)


def of_jpeg() -> Iterator[tuple[str, bytes]]:
    frame, exif = jpeg(PICTURE), Image.Exif()
    exif[0x010E] = SECRET.decode()
    yield "EXIF and comment", jpeg(PICTURE, exif=exif, comment=SECRET)
    yield "comment after the scan", frame[:-2] + segment(0xFE, SECRET) + frame[-2:]
    yield "behind the end", frame + SECRET
    for marker in range(0xE0, 0xF0):
        named = (b"JFIF\0", b"JFXX\0", b"ICC_PROFILE\0", b"Adobe") if marker in {0xE0, 0xE2, 0xEE} else ()
        for name in (b"", *named):
            if (marker, name) != (0xEE, b"Adobe"):  # which says how colors are coded
                yield f"APP{marker - 0xE0} {name!r}", frame[:20] + segment(marker, name + SECRET) + frame[20:]
    yield "Adobe, longer", frame[:20] + segment(0xEE, b"Adobe\0\x64\0\0\0\0\1" + SECRET) + frame[20:]
    yield "JFIF with a thumbnail", frame[:2] + segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1\1\4" + SECRET[:12]) + frame[20:]
    yield "stray bytes in the header", frame[:20] + SECRET + frame[20:]
    yield "profile, longer", jpeg(PICTURE, icc_profile=PROFILE + SECRET)
    progressive = jpeg(PICTURE, progressive=True)
    second = progressive.index(b"\xff\xda", progressive.index(b"\xff\xda") + 2)
    yield "between two scans", progressive[:second] + segment(0xFE, SECRET) + progressive[second:]


def tile_parts(stream: bytes) -> Iterator[tuple[str, bytes]]:
    """A comment in the main header, in the header of a tile-part, of known length and not, and behind the end."""
    note = b"\xff\x64" + struct.pack(">HH", len(SECRET) + 4, 1) + SECRET
    at = stream.index(b"\xff\x90")
    (length,) = struct.unpack_from(">I", stream, at + 6)
    yield "main header", stream[:at] + note + stream[at:]
    yield "behind the end", stream + SECRET
    yield (
        "tile-part",
        stream[: at + 6]
        + struct.pack(">I", length + len(note))
        + stream[at + 10 : at + 12]
        + note
        + (stream[at + 12 :]),
    )
    yield "tile-part to the end", stream[:at] + note + stream[at : at + 6] + bytes(4) + stream[at + 10 :]


def of_jpeg_2000() -> Iterator[tuple[str, bytes]]:
    yield from tile_parts(jpeg_2000(PICTURE))
    file = io.BytesIO()
    PICTURE.save(file, "JPEG2000", irreversible=False)
    boxed = file.getvalue()
    extra = struct.pack(">I4s", 8 + len(SECRET), b"xml ") + SECRET
    yield "box behind", boxed[: boxed.index(b"jp2c") - 4] + extra + boxed[boxed.index(b"jp2c") - 4 :]
    at = boxed.index(b"jp2h")
    (length,) = struct.unpack_from(">I", boxed, at - 4)
    header = struct.pack(">I", length + len(extra)) + boxed[at : at + length - 4] + extra
    yield "box within the header", boxed[: at - 4] + header + boxed[at - 4 + length :]
    colors = boxed.index(b"colr")
    longer = (
        struct.pack(">I", 15 + len(SECRET))
        + boxed[colors : colors + 11]
        + SECRET
        + boxed[colors + 11 : at + length - 4]
    )
    header = struct.pack(">I", length + len(SECRET)) + boxed[at : colors - 4] + longer
    yield "color space, longer", boxed[: at - 4] + header + boxed[at - 4 + length :]


def of_run_lengths() -> Iterator[tuple[str, bytes]]:
    pixels = np.asarray(PICTURE)
    planes = [pixels[..., channel].tobytes() for channel in range(3)]
    for name, more in (("behind a plane", 14), ("in the last run", 0)):
        frame = run_lengths([plane + SECRET for plane in planes])
        yield name, frame + SECRET[:more]


def of_lossless(name: str, frame_marker: int) -> Iterator[tuple[str, bytes]]:
    """A frame of lossless JPEG or JPEG-LS."""
    frame = frame_of(name)
    at = frame.index(bytes([0xFF, frame_marker]))
    yield "comment", frame[:at] + segment(0xFE, SECRET) + frame[at:]
    yield "behind the end", frame.rstrip(b"\0") + SECRET
    yield "stray bytes in the header", frame[:at] + SECRET + frame[at:]
    for marker in (0xE0, 0xE8, 0xEE):
        for word in (b"JFIF\0", b"mrfx", b"Adobe\0\x64\0\0\0\0\1"):
            yield f"APP{marker - 0xE0} {word!r}", frame[:2] + segment(marker, word + SECRET) + frame[2:]


def of_jpeg_ls() -> Iterator[tuple[str, bytes]]:
    yield from of_lossless("jpeg_ls", 0xF7)
    frame = frame_of("jpeg_ls")
    at = frame.index(b"\xff\xf7")
    yield "table", frame[:at] + segment(0xF8, b"\2\1\1" + SECRET) + frame[at:]
    yield "colors by their differences", frame[:at] + segment(0xE8, b"mrfx\1") + segment(0xFE, SECRET) + frame[at:]


def whole_files() -> Iterator[tuple[str, bytes]]:
    """With the name in the data set alone, or in the comment of a codestream."""
    for name in ("deflated", "big_endian", "jpeg_ls_12_bits", "jpeg_ls_planes", "jpeg_lossless_ybr", "htj2k_rpcl"):
        yield name, encoded_elsewhere(name)
    for name, frame in tile_parts(frame_of("htj2k")):
        if name != "tile-part to the end":  # its decoder wants to know the length
            yield f"HTJ2K: {name}", dicom([frame + b"\0" * (len(frame) % 2)], SIZE, "YBR_RCT", HTJ2KLossless)
    for coding, syntax, frames in (
        ("lossless JPEG", JPEGLosslessSV1, of_lossless("jpeg_lossless_first_order", 0xC3)),
        ("JPEG-LS", JPEGLSLossless, of_jpeg_ls()),
    ):
        for name, frame in frames:
            yield f"{coding}: {name}", dicom([frame + b"\0" * (len(frame) % 2)], SIZE, "RGB", syntax)


def hidden() -> Iterator[pytest.param]:
    deep = np.asarray(PICTURE.convert("L"), "<u2")
    text = np.frombuffer(SECRET * (deep.size // len(SECRET) + 1), "u1")[: deep.size].reshape(deep.shape)
    palette = {
        f"{color}PaletteColorLookupTable{part}": value
        for color in ("Red", "Green", "Blue")
        for part, value in (("Descriptor", [256, 0, 8]), ("Data", bytes(range(256)) + SECRET))
    }
    gray = PICTURE.convert("L")
    whole = {
        "behind uncompressed pixels": dicom([np.asarray(PICTURE).tobytes(), SECRET], PICTURE.size),
        "in a second frame": dicom([np.asarray(PICTURE).tobytes(), SECRET * 3000], PICTURE.size, NumberOfFrames=2),
        "above the bits that are used": dicom(
            [(deep | (text.astype("<u2") << 8)).tobytes()], PICTURE.size, "MONOCHROME2", BitsAllocated=16, BitsStored=8
        ),
        "behind a profile": plain(PICTURE, ICCProfile=PROFILE + SECRET),
        "behind a palette": dicom([np.asarray(gray).tobytes()], PICTURE.size, "PALETTE COLOR", **palette),
        "in another tag": plain(PICTURE, ImageComments=SECRET.decode(), PixelSpacing=[0.04, 0.04]),
        "in a second JPEG": dicom(
            [jpeg(PICTURE), jpeg(PICTURE, comment=SECRET) + b"\0" * 1], PICTURE.size, "YBR_FULL_422", JPEGBaseline8Bit,
            NumberOfFrames=2,
        ),
    }  # fmt: skip
    yield from (pytest.param(data, id=name) for name, data in whole.items())
    yield from (pytest.param(in_jpeg(frame), id=f"JPEG: {name}") for name, frame in of_jpeg())
    for name, frame in of_jpeg_2000():
        data = dicom([frame + b"\0" * (len(frame) % 2)], PICTURE.size, "YBR_RCT", JPEG2000Lossless)
        yield pytest.param(data, id=f"JPEG 2000: {name}")
    for name, frame in of_run_lengths():
        yield pytest.param(dicom([frame], PICTURE.size, "RGB", RLELossless), id=f"RLE: {name}")
    yield from (pytest.param(data, id=name) for name, data in whole_files())


@pytest.mark.parametrize("data", [*hidden()])
def test_a_name_beside_the_pixels_does_not_stay_and_the_pixels_do(data: bytes) -> None:
    kept = received_of(data).data
    assert not any(word in kept for word in (SECRET, b"Jane Do", SECRET[:4], b"Doe^J"))
    before, after = intake.read_photo(data), intake.read_photo(kept)
    assert np.array_equal(before.pixels, after.pixels)
    assert (before.sha256, before.notes, before.field_width_mm) == (after.sha256, after.notes, after.field_width_mm)
    assert received_of(kept).data == kept


@pytest.mark.parametrize("adobe", [b"", b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0\0"], ids=["none", "Adobe"])
def test_colors_of_a_jpeg_are_told_by_its_segments_and_by_no_text(adobe: bytes) -> None:
    """A JPEG of RGB samples: that a program of Adobe's name wrote its EXIF says nothing of its colors."""
    file = io.BytesIO()
    PICTURE.save(file, "JPEG", quality=95, keep_rgb=True)
    frame = file.getvalue()
    at = frame.index(b"\xff\xdb")
    frame = frame[:2] + segment(0xE1, b"Exif\0\0 Adobe Photoshop") + adobe + frame[at:]
    data = dicom([frame + b"\0" * (len(frame) % 2)], PICTURE.size, "RGB", JPEGBaseline8Bit)
    seen = intake.read_photo(data)
    assert np.abs(seen.pixels.astype(int) - np.asarray(PICTURE).astype(int)).mean() < 3
    assert np.array_equal(intake.read_photo(received_of(data).data).pixels, seen.pixels)


def files_and_damage() -> Iterator[tuple[str, bytes]]:
    whole, frame = plain(PICTURE), jpeg(PICTURE)
    yield "whole", whole
    yield "writing burned in", plain(PICTURE, BurnedInAnnotation="YES")
    yield "two frames", plain(PICTURE, NumberOfFrames=2, PixelData=2 * PICTURE.tobytes())
    yield "a profile", in_jpeg(jpeg(PICTURE, icc_profile=PROFILE))
    yield "no end mark", in_jpeg(frame[:-2])
    yield "half a JPEG", in_jpeg(frame[: len(frame) // 2])
    yield "half a JPEG 2000", dicom([jpeg_2000(PICTURE)[:600]], PICTURE.size, "YBR_RCT", JPEG2000Lossless)
    yield "12 bits", encoded_elsewhere("jpeg_extended_12_bits")
    yield "cut in its header", whole[:200]
    yield "cut in its picture", whole[:-5000]
    yield "fewer rows", plain(PICTURE, Rows=45)
    yield "too many rows", plain(PICTURE, Rows=60_000)
    yield "no rows", plain(PICTURE, Rows=0)
    yield "other colors", plain(PICTURE, PhotometricInterpretation="HSV")
    yield "four samples", plain(PICTURE, SamplesPerPixel=4)
    yield "CT", plain(PICTURE, SOPClassUID="1.2.840.10008.5.1.4.1.1.2")


def said_of(read: Callable[[], Photo]) -> tuple[object, ...]:
    try:
        photo = read()
    except UnreadableImage as refusal:
        return (str(refusal),)
    return photo.sha256, photo.notes, photo.field_width_mm, photo.source_format


@pytest.mark.parametrize("data", [pytest.param(data, id=name) for name, data in files_and_damage()])
def test_a_file_written_anew_says_of_its_photo_what_it_said_as_it_came(data: bytes) -> None:
    assert said_of(lambda: read_received(data)[1]) == said_of(lambda: intake.read_photo(data))


def test_what_is_kept_has_no_element_of_the_sender() -> None:
    kept = dcmread(io.BytesIO(received_of(plain(PICTURE, BurnedInAnnotation="YES", ImageComments="x")).data))
    assert {element.keyword for element in kept} == {
        "SOPClassUID", "Rows", "Columns", "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration",
        "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "BurnedInAnnotation", "PixelData",
    }  # fmt: skip


def test_a_damaged_tag_of_the_patient_is_a_refusal_in_words() -> None:
    data = plain(PICTURE).replace(b"\x10\0\x30\0DA", b"\x10\0\x30\0D\x9c")
    assert intake.read_photo(data).source_format == "DICOM"
    with pytest.raises(UnreadableImage, match="The DICOM object is damaged: its data set cannot be read"):
        received_of(data)


def test_a_frame_whose_structure_makes_no_sense_is_refused() -> None:
    for frame in (b"\xff\x4f\xff\x51\0\x04ab", b"Jane Doe", jpeg_2000(PICTURE)[:60]):
        with pytest.raises(UnreadableImage):
            received_of(dicom([frame + b"\0" * (len(frame) % 2)], PICTURE.size, "YBR_RCT", JPEG2000Lossless))


def coded(meaning: str, *modifiers: str) -> Sequence:
    region = Dataset()
    region.CodeValue, region.CodingSchemeDesignator, region.CodeMeaning = "1", "SCT", meaning
    region.AnatomicRegionModifierSequence = Sequence()
    for code in modifiers:
        modifier = Dataset()
        modifier.CodeValue, modifier.CodingSchemeDesignator, modifier.CodeMeaning = code, "SCT", "Side"
        region.AnatomicRegionModifierSequence.append(modifier)
    return Sequence([region])


@pytest.mark.parametrize(
    ("tags", "site"),
    [
        ({"AnatomicRegionSequence": coded("Forearm", "7771000")}, "forearm, left"),
        ({"AnatomicRegionSequence": coded("Skin of right lower leg")}, "lower leg, right"),
        ({"AnatomicRegionSequence": coded("Back"), "BodyPartExamined": "CHEST"}, "back"),
        ({"AnatomicRegionSequence": coded("Forearm", "7771000", "24028007")}, "forearm"),
        ({"AnatomicRegionSequence": coded("Forearm", "7771000"), "Laterality": "R"}, "forearm"),
        ({"AnatomicRegionSequence": coded("Mole of Jane Doe")}, ""),
        ({"AnatomicRegionSequence": coded("Neck and chest")}, ""),
        ({"BodyPartExamined": "THIGH", "ImageLaterality": "R"}, "thigh, right"),
        ({"BodyPartExamined": "SHOULDER", "Laterality": "L"}, "shoulder, left"),
        ({"BodyPartExamined": "LEG", "Laterality": "L"}, ""),
        ({}, ""),
    ],
)
def test_the_body_site_is_proposed_in_words_of_our_own(tags: dict[str, object], site: str) -> None:
    assert received_of(plain(PICTURE, **tags)).proposal.body_site == site


def test_another_process_reads_what_a_sender_sends(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that its limits hold for a data set that would keep the receiver busy, or fill its memory."""

    def read_here(*_: object, **__: object) -> None:
        raise AssertionError("read in the receiver's process")

    monkeypatch.setattr("pydicom.dcmread", read_here)
    monkeypatch.setattr("zlib.decompressobj", read_here)
    data = encoded_elsewhere("deflated")
    received = received_of(data)
    assert received.identity == "\nPAT-4711"
    assert np.array_equal(intake.read_photo(received.data).pixels, intake.read_photo(data).pixels)
    for empty in (b"", b"nonsense", data[:400]):
        with pytest.raises(UnreadableImage, match="DICOM"):
            received_of(empty)


def test_a_value_that_pydicom_warns_of_is_not_printed(tmp_path: Path) -> None:
    """In a process of its own: a test's own filters come before the module's."""
    known = plain(PICTURE, SpecificCharacterSet="ISO_IR 100")
    assert known.count(b"ISO_IR 100") == 1
    (tmp_path / "photo.dcm").write_bytes(known.replace(b"ISO_IR 100", b"ZWICKELHUB"))
    code = (
        "import sys; from pathlib import Path; from skinlens.exchange.dicom.received import received_of; "
        "print(len(received_of(Path(sys.argv[1]).read_bytes()).data))"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "photo.dcm")]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=120, check=True)
    assert int(ran.stdout) > 1000
    assert ran.stderr == ""
