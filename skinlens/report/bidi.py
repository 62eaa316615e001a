"""The order in which a line of mixed Hebrew, Arabic and Latin text is written: Unicode's bidirectional algorithm.

Follows UAX #9 (Unicode 15) for one paragraph without explicit embeddings: the caller removes the formatting
characters, so rules X1–X8 have nothing to do, and a paragraph is one level run. Rule names are in the comments.
reportlab would need a native library for this that has no wheels.
"""

import unicodedata

OPENING: dict[str, str] = dict(
    zip("([{⟨⟪⦅〈《「『【〔〖（［｛｟｢", ")]}⟩⟫⦆〉》」』】〕〗）］｝｠｣", strict=True)  # noqa: RUF001 (brackets of East Asia)
)
CLOSING: dict[str, str] = {closing: opening for opening, closing in OPENING.items()}
RIGHT_TO_LEFT = frozenset({"R", "AL", "AN"})
NEUTRAL = frozenset({"B", "S", "WS", "ON"})


def is_mixed(text: str) -> bool:
    """Whether anything in the text asks to be written from right to left."""
    return any(unicodedata.bidirectional(character) in RIGHT_TO_LEFT for character in text)


def base_level(text: str) -> int:
    """1 if the first letter is written from right to left, else 0 (rules P2 and P3)."""
    for character in text:
        direction = unicodedata.bidirectional(character)
        if direction in {"R", "AL"}:
            return 1
        if direction == "L":
            return 0
    return 0


def levels(text: str, base: int) -> list[int]:
    """The embedding level of each character: odd is written from right to left. ``base`` is the paragraph's level."""
    edge = "R" if base else "L"
    types = [unicodedata.bidirectional(character) or "L" for character in text]
    _resolve_weak(types, edge)
    _resolve_brackets(text, types, edge)
    _resolve_neutral(types, edge)
    # I1, I2: the level that lies next above the base for this direction.
    above = {
        "L": base + (base % 2),
        "R": base + 1 - (base % 2),
        "AN": base + 2 - (base % 2),
        "EN": base + 2 - (base % 2),
    }
    return [above[kind] for kind in types]


def visual_runs(resolved: list[int], text: str, base: int) -> list[tuple[int, int, int]]:
    """(start, end, level) of the runs of one level in a line, in the order in which they stand from left to right.

    ``text`` and ``resolved`` are the line's own; the characters within a run stay in logical order.
    """
    line = list(resolved)
    for position in range(len(text) - 1, -1, -1):  # L1: white space at the end of a line stays at the end
        if unicodedata.bidirectional(text[position]) not in {"WS", "S", "B"}:
            break
        line[position] = base
    runs: list[tuple[int, int, int]] = []
    for position, level in enumerate(line):
        if runs and runs[-1][2] == level:
            runs[-1] = (runs[-1][0], position + 1, level)
        else:
            runs.append((position, position + 1, level))
    for level in range(max(line, default=0), 0, -1):  # L2: reverse from the highest level down to the lowest odd one
        start = 0
        while start < len(runs):
            end = start
            while end < len(runs) and runs[end][2] >= level:
                end += 1
            runs[start:end] = runs[start:end][::-1]
            start = max(end, start + 1)
    return runs


def _resolve_weak(types: list[str], edge: str) -> None:
    """W1–W7: marks, numbers and their separators, in place."""
    previous, strong = edge, edge
    for position, kind in enumerate(types):
        if kind in {"NSM", "BN"}:  # W1; an invisible BN is treated like the mark that it surrounds
            kind = previous
        if kind == "EN" and strong == "AL":  # W2
            kind = "AN"
        if kind in {"L", "R", "AL"}:
            strong = kind
        types[position] = previous = kind
    types[:] = ["R" if kind == "AL" else kind for kind in types]  # W3
    for position in range(1, len(types) - 1):  # W4
        before, kind, after = types[position - 1 : position + 2]
        if before == after and ((kind in {"ES", "CS"} and before == "EN") or (kind == "CS" and before == "AN")):
            types[position] = before
    for start, end in _stretches(types, {"ET"}):  # W5
        if "EN" in {types[start - 1] if start else edge, types[end] if end < len(types) else edge}:
            types[start:end] = ["EN"] * (end - start)
    strong = edge
    for position, kind in enumerate(types):
        if kind in {"ES", "ET", "CS"}:  # W6
            types[position] = "ON"
        elif kind in {"L", "R"}:
            strong = kind
        elif kind == "EN" and strong == "L":  # W7
            types[position] = "L"


def _resolve_brackets(text: str, types: list[str], edge: str) -> None:
    """N0: both brackets of a pair take the direction of what they hold, or of what stands before them, in place."""
    for opened, closed in _pairs(text, types):
        inside = {_direction(kind) for kind in types[opened + 1 : closed]} & {"L", "R"}
        if edge in inside:
            towards = edge
        elif inside:
            before = (_direction(kind) for kind in reversed(types[:opened]))
            towards = next((kind for kind in before if kind in {"L", "R"}), edge)
            towards = towards if towards in inside else edge
        else:
            continue
        for bracket in (opened, closed):
            types[bracket] = towards
            for follower in range(bracket + 1, len(types)):
                if unicodedata.bidirectional(text[follower]) not in {"NSM", "BN"}:
                    break
                types[follower] = towards


def _pairs(text: str, types: list[str]) -> list[tuple[int, int]]:
    """BD16: matching brackets in the order of their opening ones; a pairing more than 63 deep ends the search."""
    waiting: list[tuple[str, int]] = []
    pairs: list[tuple[int, int]] = []
    for position, character in enumerate(text):
        if types[position] != "ON":
            continue
        if character in OPENING:
            if len(waiting) == 63:
                break
            waiting.append((OPENING[character], position))
        elif character in CLOSING:
            for depth in range(len(waiting) - 1, -1, -1):
                if waiting[depth][0] == character:
                    pairs.append((waiting[depth][1], position))
                    del waiting[depth:]
                    break
    return sorted(pairs)


def _resolve_neutral(types: list[str], edge: str) -> None:
    """N1, N2: neutrals between two of one direction take it, others that of the paragraph, in place."""
    for start, end in _stretches(types, NEUTRAL):
        before = _direction(types[start - 1]) if start else edge
        after = _direction(types[end]) if end < len(types) else edge
        types[start:end] = [before if before == after else edge] * (end - start)


def _direction(kind: str) -> str:
    """N0 and N1 count numbers as written from right to left."""
    return "R" if kind in {"EN", "AN"} else kind


def _stretches(types: list[str], kinds: set[str] | frozenset[str]) -> list[tuple[int, int]]:
    """(start, end) of each longest stretch of these kinds."""
    found: list[tuple[int, int]] = []
    for position, kind in enumerate(types):
        if kind in kinds:
            if found and found[-1][1] == position:
                found[-1] = (found[-1][0], position + 1)
            else:
                found.append((position, position + 1))
    return found
