"""Files of a few megabytes that cost a reader without limits gigabytes or minutes. Made here, never committed."""

import struct
import zlib
from functools import cache

from tests.intake_files import encoded, picture


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def greedy_directory(size_bytes: int, lines: int = 65_535) -> bytes:
    """A TIFF (and EXIF block) whose every line points at the whole file."""
    lines = min(lines, (size_bytes - 14) // 12)
    body = b"".join(struct.pack("<HHII", tag, 7, size_bytes, 0) for tag in range(lines))
    head = b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", lines) + body + bytes(4)
    return head + bytes(size_bytes - len(head))


def _png_with(*chunks: tuple[bytes, bytes], repeat: int = 1) -> bytes:
    plain = encoded(picture(), "PNG")
    return plain[:33] + b"".join(png_chunk(kind, body) for kind, body in chunks) * repeat + plain[33:]


def _webp_with(kind: bytes, body: bytes, repeat: int = 1) -> bytes:
    plain = encoded(picture(), "WEBP")
    canvas = struct.pack("<I", 8) + (63).to_bytes(3, "little") + (47).to_bytes(3, "little")
    chunk = kind + struct.pack("<I", len(body)) + body + bytes(len(body) % 2)
    content = b"WEBPVP8X" + struct.pack("<I", 10) + canvas + plain[12:] + chunk * repeat
    return b"RIFF" + struct.pack("<I", len(content)) + content


def _jpeg_with(extra: bytes) -> bytes:
    plain = encoded(picture(), "JPEG")
    return plain[:2] + extra + plain[2:]


def _endless_scans() -> bytes:
    plain = encoded(picture(), "JPEG", progressive=True)
    last = plain.rindex(b"\xff\xda")
    return plain[:-2] + plain[last:-2] * 2000 + plain[-2:]


def _many_pages(pages: int) -> bytes:
    """Directories that overlap: each begins 12 bytes behind the last one, and has 65,535 lines."""
    plain = bytearray(encoded(picture(), "TIFF"))
    lines = b"".join(struct.pack("<HHII", 65_000, 1, 1, 0) for _ in range(65_535 + pages))
    start = len(plain) + len(plain) % 2
    first = struct.unpack_from("<I", plain, 4)[0]
    count = struct.unpack_from("<H", plain, first)[0]
    struct.pack_into("<I", plain, first + 2 + 12 * count, start)
    body = bytearray(struct.pack("<H", 65_535) + lines + bytes(16))
    for page in range(pages):
        struct.pack_into("<H", body, 12 * page, 65_535)
        struct.pack_into("<I", body, 12 * page + 2 + 12 * 65_535, start + 12 * (page + 1))
    return bytes(plain) + bytes(start - len(plain)) + bytes(body)


@cache
def hostile_files() -> dict[str, bytes]:
    """By name. Each is answered, as a photo or a refusal, within the limits of intake."""
    megabyte = 1 << 20
    exif = greedy_directory(megabyte)
    return {
        "tiff greedy directory": greedy_directory(megabyte),
        "png greedy exif": _png_with((b"eXIf", exif)),
        "webp greedy exif": _webp_with(b"EXIF", exif),
        "png exif repeated": _png_with((b"eXIf", exif), repeat=20),
        "webp exif repeated": _webp_with(b"EXIF", exif, repeat=20),
        "png profile repeated": _png_with((b"iCCP", b"x\0\0" + zlib.compress(bytes(40 * megabyte), 9)), repeat=300),
        "webp profile repeated": _webp_with(b"ICCP", bytes(megabyte), repeat=20),
        "jpeg empty segments": _jpeg_with(b"\xff\xfe\0\x02" * 6_000_000),
        "jpeg padding": _jpeg_with(b"\xff" * 24 * megabyte),
        "png empty chunks": _png_with((b"teXt", b""), repeat=2_000_000),
        "png empty pixel chunks": _png_with((b"IDAT", b""), repeat=2_000_000),
        "webp empty chunks": _webp_with(b"XMP ", b"", repeat=3_000_000),
        "jpeg endless scans": _endless_scans(),
        "tiff overlapping pages": _many_pages(50_000),
    }
