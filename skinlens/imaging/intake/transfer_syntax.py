"""Transfer syntaxes of DICOM: how a file's data set and picture are coded, and which codings are read.

A deflated data set is inflated here, within the limit of an upload, so that whoever parses it afterwards meets no more
than a file that was never deflated could have held.

References: DICOM PS3.5 8 and annex A (encodings), PS3.10 7.1 (file meta information).
"""

import struct
import zlib
from typing import Literal

from skinlens.errors import UnreadableImage
from skinlens.imaging.intake.container import MAX_ENTRIES, ParsedImage
from skinlens.imaging.intake.sniffing import ENDS_EARLY, MAX_BYTES, UNDECODABLE, damaged, not_read

Coding = Literal["plain", "RLE", "JPEG", "lossless JPEG", "JPEG-LS", "JPEG 2000"]

PLAIN = "1.2.840.10008.1.2.1"
BIG_ENDIAN = "1.2.840.10008.1.2.2"
_DEFLATED = "1.2.840.10008.1.2.1.99"
CODINGS: dict[str, Coding] = {
    "1.2.840.10008.1.2": "plain",
    PLAIN: "plain",
    BIG_ENDIAN: "plain",
    _DEFLATED: "plain",
    "1.2.840.10008.1.2.5": "RLE",
    "1.2.840.10008.1.2.4.50": "JPEG",
    "1.2.840.10008.1.2.4.51": "JPEG",
    "1.2.840.10008.1.2.4.57": "lossless JPEG",
    "1.2.840.10008.1.2.4.70": "lossless JPEG",
    "1.2.840.10008.1.2.4.80": "JPEG-LS",
    "1.2.840.10008.1.2.4.81": "JPEG-LS",
    "1.2.840.10008.1.2.4.90": "JPEG 2000",
    "1.2.840.10008.1.2.4.91": "JPEG 2000",
    "1.2.840.10008.1.2.4.201": "JPEG 2000",
    "1.2.840.10008.1.2.4.202": "JPEG 2000",
    "1.2.840.10008.1.2.4.203": "JPEG 2000",
}
"""Codings that are read. The last three are of high throughput (HTJ2K), which the decoder of JPEG 2000 reads as well.
"""


def walk_dicom(data: bytes) -> ParsedImage:
    """The file with a data set that is not deflated; of what is in it the transfer syntax alone is read.

    Raises UnreadableImage for one that is not read, and for a deflated data set larger than an upload may be.
    """
    syntax, position, at, end = "", 132, 0, 0
    for _ in range(MAX_ENTRIES):
        group, element, kind = struct.unpack_from("<HH2s", data, position)
        if group != 2 or position == end:
            break
        if kind in (b"OB", b"OW", b"UN", b"SQ", b"UT"):
            (length,) = struct.unpack_from("<I", data, position + 8)
            start = position + 12
        else:
            (length,) = struct.unpack_from("<H", data, position + 6)
            start = position + 8
        if element == 0 and length == 4:
            end = start + 4 + int.from_bytes(data[start : start + 4], "little")
        if element == 0x10:
            syntax, at = data[start : start + length].decode("ascii", "replace").strip("\0 "), start
        position = start + length
    if not syntax:
        raise damaged("DICOM", "it does not say how its picture is coded")
    if syntax not in CODINGS:
        name = listed_name(syntax)
        raise not_read("DICOM", f"the transfer syntax {name}" if name else "a transfer syntax that is not listed")
    if syntax == _DEFLATED:
        renamed = PLAIN.encode().ljust(len(_DEFLATED), b"\0")
        head = data[:at] + renamed + data[at + len(renamed) : position]
        return ParsedImage("DICOM", head + _inflated(memoryview(data)[position:]))
    return ParsedImage("DICOM", data)


def _inflated(packed: memoryview) -> bytes:
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        whole = inflater.decompress(packed, MAX_BYTES + 1)
    except zlib.error as error:
        raise damaged("DICOM", UNDECODABLE) from error
    if len(whole) > MAX_BYTES:
        raise UnreadableImage(
            f"The DICOM file unpacks to too much: at most {MAX_BYTES // 1024**2} MB were expected, and it has more. "
            "Save the photo as JPEG, or smaller, and upload that."
        )
    if not inflater.eof:
        raise damaged("DICOM", ENDS_EARLY)
    return whole


def listed_name(uid: str) -> str:
    """Name of a unique identifier in the standard's own list; empty for any other, which could hold anything."""
    from pydicom.config import IGNORE
    from pydicom.uid import UID

    name = str(UID(uid, validation_mode=IGNORE).name)
    return name if name != uid else ""
