"""Format sniffing: the type of a file by its content alone, and the sentences that refuse it.

Every sentence says what was wrong, what was expected, what was found, and what to do now.
"""

import math
from collections.abc import Callable

from skinlens.errors import UnreadableImage
from skinlens.formatting import grouped

MAX_BYTES = 25 * 1024 * 1024
MAX_PIXELS = 50_000_000
MIN_SIDE_PX = 32
"""Below this there is nothing to analyse. From here to 150 px a photo is read, and its quality report says that it is
too small."""
MAX_PROFILE_BYTES = 4 * 1024 * 1024
"""The largest color profiles in use, of printing presses, have 3 MB."""

MAX_DECODE_MB = 600
MAX_DECODE_S = 5
"""Memory and processor time that one file may take, together with the photo that comes out."""

UNDECODABLE = "its picture data cannot be decoded"
ENDS_EARLY = "it ends before the picture is complete"
"""For ``damaged``, as is the next."""
END_MARK_MISSING = "The end mark of the file is missing; the whole picture is there."
CONTRADICTORY = "its directory contradicts itself"

ACCEPTED = "JPEG, PNG, WebP, TIFF, BMP, HEIC or DICOM"

TOO_MUCH_MEMORY = (
    f"The picture needs more memory to be decoded than one photo may take: at most {MAX_DECODE_MB} MB were expected, "
    "and it asks for more. Save the photo as an ordinary JPEG (not a progressive one), or smaller, and upload that."
)
TOO_MUCH_TIME = (
    f"The picture takes too long to be decoded: at most {MAX_DECODE_S} seconds of processor time were expected, and it "
    "was not done by then. Open it in an image program, save it as a new JPEG or PNG, and upload that."
)

_Test = Callable[[bytes], bool]


def _starts(*signatures: bytes) -> _Test:
    return lambda head: head.startswith(signatures)


def _contains(*words: bytes) -> _Test:
    return lambda head: any(word in head[:1024].lower() for word in words)


def _brands(head: bytes) -> set[bytes]:
    """The brands of an ISO base media file: what its writer says that it is."""
    if head[4:8] != b"ftyp":
        return set()
    size = min(int.from_bytes(head[:4], "big"), len(head))
    return {head[8:12], *(head[start : start + 4] for start in range(16, size - 3, 4))}


def _is_text(head: bytes) -> bool:
    try:
        text = head[:1000].decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(head[:1000]) - 3:  # else a character was cut in two
            return False
        text = head[: error.start].decode("utf-8")
    return bool(text) and all(character.isprintable() or character in "\t\r\n\f\ufeff" for character in text)


def _is_bmp(head: bytes) -> bool:
    return head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in (12, 40, 52, 56, 64, 108, 124)


_HEIC_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"})
_AVIF_BRANDS = frozenset({b"avif", b"avis"})

_PHOTO = "Choose the photo itself."
_FROM_CLOUD = "Open the photo in the cloud's own program, wait until it is downloaded, and upload it then."
_SAVE_AGAIN = "Save the photo as JPEG or PNG, and upload that."
_EXPORT = "Export the photo as JPEG or PNG from the camera's software, and upload that."
_KNOWN: tuple[tuple[_Test, str, str], ...] = (
    (_starts(b"GIF87a", b"GIF89a"), "a GIF picture, which keeps only 256 colors", "Upload the original photo."),
    (_contains(b"%pdf-"), "a PDF document", "Save the photo in it as JPEG or PNG, and upload that."),
    (_contains(b"<svg"), "an SVG drawing", _PHOTO),
    (_contains(b"<html", b"<!doctype html"), "a web page", "Save the photo on it as JPEG or PNG, and upload that."),
    (_starts(b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51"), "a JPEG 2000 picture", _SAVE_AGAIN),
    (_starts(b"\0\0\0\x0cJXL ", b"\xff\x0a"), "a JPEG XL picture", _SAVE_AGAIN),
    (lambda head: bool(_brands(head) & _AVIF_BRANDS), "an AVIF picture", _SAVE_AGAIN),
    (lambda head: b"crx " in _brands(head), "a camera raw file (Canon CR3)", _EXPORT),
    (lambda head: head[4:8] == b"ftyp", "a film", "Take a still photo, and upload that."),
    (_starts(b"RIFF"), "a sound or a film", "Take a still photo, and upload that."),
    (_starts(b"II+\0", b"MM\0+"), "a BigTIFF file", _SAVE_AGAIN),
    (
        _starts(b"FUJIFILMCCD-RAW", b"IIRO", b"IIRS", b"MMOR", b"IIU\0", b"FOVb", b"\0MRM", b"II\x1a\0\0\0HEAPCCDR"),
        "a camera raw file",
        _EXPORT,
    ),
    (_starts(b"II\xbc"), "a JPEG XR picture", _SAVE_AGAIN),
    (_starts(b"%!PS", b"\xc5\xd0\xd3\xc6"), "an EPS or PostScript drawing", _SAVE_AGAIN),
    (
        _starts(b"\0\x05\x16\x07", b"\0\x05\x16\0"),
        "the companion that macOS keeps beside a photo (its name begins with ._)",
        "Choose the photo itself: the file of the same name without ._ in front.",
    ),
    (
        lambda head: head.startswith(b"bplist00") or (b"<plist" in head and b"NSURL" in head),
        "the placeholder of a photo that is still in iCloud",
        _FROM_CLOUD,
    ),
    (_contains(b"[internetshortcut]"), "a link to a web page", _FROM_CLOUD),
    (lambda head: head[:1] == b"{" and b'"url"' in head, "the placeholder of a document in a cloud drive", _FROM_CLOUD),
    (_starts(b"version https://git-lfs"), "the placeholder of a file that was not downloaded", _FROM_CLOUD),
    (_starts(b"v/1\x01"), "an OpenEXR picture", _SAVE_AGAIN),
    (_starts(b"#?RADIANCE", b"#?RGBE"), "a Radiance HDR picture", _SAVE_AGAIN),
    (lambda head: head[:1] == b"P" and head[1:2] in b"123456" and head[2:3].isspace(), "a PNM picture", _SAVE_AGAIN),
    (_starts(b"\0\0\1\0", b"icns"), "an icon", _PHOTO),
    (_starts(b"gimp xcf"), "a GIMP document", _SAVE_AGAIN),
    (_starts(b"SIMPLE  ="), "a FITS picture", _SAVE_AGAIN),
    (_starts(b"8BPS"), "a Photoshop document", _SAVE_AGAIN),
    (_starts(b"PK\x03\x04", b"Rar!", b"7z\xbc\xaf", b"\x1f\x8b"), "an archive or office document", _PHOTO),
    (_is_text, "text", _PHOTO),
)


def recognize(data: bytes) -> str:
    """The format of ``data``, one of ``containers.Format``; UnreadableImage that says what it is instead."""
    head = data[:4096]
    if head.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "WebP"
    if head.startswith((b"II*\0", b"MM\0*")) and head[8:10] != b"CR":
        return "TIFF"
    if _is_bmp(head):
        return "BMP"
    brands = _brands(head)
    if brands & _HEIC_BRANDS or (brands & {b"mif1", b"msf1"} and not brands & _AVIF_BRANDS):
        return "HEIC"
    if head[128:132] == b"DICM":
        return "DICOM"
    if head.startswith((b"II*\0", b"MM\0*")):
        raise _not_a_photo("a camera raw file", _SAVE_AGAIN)
    for test, what, advice in _KNOWN:
        if test(head):
            raise _not_a_photo(what, advice)
    if data.count(0) == len(data):
        raise _not_a_photo(
            "a file of zeros: a photo that a cloud drive (OneDrive, iCloud, Dropbox) has not downloaded, "
            f"or a copy that broke off (its first bytes are {head[:4].hex(' ')})",
            _FROM_CLOUD,
        )
    raise _not_a_photo(f"of no kind known to SkinLens (its first bytes are {head[:4].hex(' ')})", _SAVE_AGAIN)


def _not_a_photo(what: str, advice: str) -> UnreadableImage:
    return UnreadableImage(f"The file cannot be read as a photo: {ACCEPTED} was expected, but it is {what}. {advice}")


def not_read(kind: str, coding: str) -> UnreadableImage:
    """The refusal of a sound file in a coding that is not read."""
    return UnreadableImage(
        f"The {kind} file is of a kind that SkinLens does not read: an ordinary {kind} photo was expected, and "
        f"{coding} was found. {_SAVE_AGAIN}"
    )


def damaged(kind: str, how: str) -> UnreadableImage:
    """The refusal of a file that has the right kind and is broken: ``how`` completes "The … file is damaged: "."""
    return UnreadableImage(
        f"The {kind} file is damaged: {how}; a complete {kind} photo was expected. "
        "Copy the photo from the camera again, or export it once more, and upload that."
    )


def too_many(kind: str, what: str, most: int) -> UnreadableImage:
    """The refusal of a file whose structure would keep the computer busy for long."""
    return UnreadableImage(
        f"The {kind} file is not put together like a photo: at most {grouped(most)} {what} were expected, and it has "
        "more. "
        "Open it in an image program, save it as a new JPEG or PNG, and upload that."
    )


def check_weight(size_bytes: int) -> None:
    """Refuse an empty file and one over the limit."""
    if size_bytes == 0:
        raise UnreadableImage(
            f"The file is empty (0 bytes); a photo as {ACCEPTED} was expected. "
            "Copy the photo from the camera again, and upload that."
        )
    if size_bytes > MAX_BYTES:
        raise UnreadableImage(
            f"The file is too large: at most {MAX_BYTES // 1024**2} MB were expected, and it has "
            f"{math.ceil(10 * size_bytes / 1024**2) / 10:.1f} MB. Save the photo as JPEG, or smaller, and upload that."
        )


def check_size(width_px: int, height_px: int) -> None:
    """Refuse dimensions too small to analyse or too large to decode; called before anything is decoded."""
    if min(width_px, height_px) < MIN_SIDE_PX:
        raise UnreadableImage(
            f"The picture is too small: at least {MIN_SIDE_PX} px on the short side were expected, "
            f"and it has {width_px} × {height_px} px. Upload the original photo, not a thumbnail."
        )
    if width_px * height_px > MAX_PIXELS:
        raise UnreadableImage(
            f"The picture is too large: at most {MAX_PIXELS // 10**6} megapixels were expected, and it has "
            f"{width_px} × {height_px} px ({math.ceil(width_px * height_px / 1e5) / 10:.1f} megapixels). "
            "Save a smaller copy of the photo, and upload that."
        )
