"""Damage of a ZIP by its structure: headers, directory and list of contents changed where they say something."""

import json
import random
import struct
import zipfile
from io import BytesIO
from typing import Any

_MARKS = (b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07")
_EXTREME = (0, 1, 8, 12, 14, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF)
_ODD: tuple[Any, ...] = (
    None, True, -1, 10**400, 1e308, "", "\ud800", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", [], [1], {},
)  # fmt: skip


def damaged_zip(content: bytes, seed: int) -> bytes:
    """One that differs by a field of a header, some bits, a cut, a piece twice, or its list of contents."""
    chance = random.Random(seed)
    changed = bytearray(content)
    match seed % 5:
        case 0 | 1:
            mark = chance.choice([one for one in _MARKS if one in content])
            places = [at for at in range(len(content)) if content.startswith(mark, at)]
            at = chance.choice(places) + 4 + chance.randrange(42)
            width = chance.choice(("<B", "<H", "<I"))
            most = 2 ** (8 * struct.calcsize(width)) - 1
            if at + 4 <= len(changed):
                struct.pack_into(width, changed, at, min(most, chance.choice(_EXTREME)))
        case 2:
            for _ in range(1 + chance.randrange(8)):
                changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
        case 3:
            at, size = chance.randrange(len(changed)), chance.randrange(4096)
            changed[at:at] = changed[at : at + size] if chance.random() < 0.5 else b""
            del changed[chance.randrange(at, len(changed)) :]
        case _:
            return _other_list(content, chance)
    return bytes(changed)


def _other_list(content: bytes, chance: random.Random) -> bytes:
    made = BytesIO()
    with zipfile.ZipFile(BytesIO(content)) as found, zipfile.ZipFile(made, "w") as target:
        for name in found.namelist():
            inside = found.read(name)
            if name == "backup.json":
                inside = _other_json(json.loads(inside), chance)
            target.writestr(name, inside)
    return made.getvalue()


def _other_json(content: dict[str, Any], chance: random.Random) -> bytes:
    if chance.random() < 0.1:
        return b'{"format":' * 100_000
    field = chance.choice(sorted(content))
    if chance.random() < 0.2:
        del content[field]
    else:
        content[field] = chance.choice(_ODD)
    return json.dumps(content).encode()
