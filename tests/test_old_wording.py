"""Words that were replaced by plainer ones stay replaced: on the screen, in print, on the command line, in messages."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "skinlens"
OLD = (
    r"the model's reading\b", r"what spoke for it", r"reading without mine", r"worth more than one made after",
    r"something else than these seven", r"at the 90 % level", r"the diagnosis is in such a set",
    r"at or above the threshold", r"what is the threshold worth", r"it is no screening tool",
    r"its answer means little", r"^distance from the training photos", r"keep this case", r"kept as case",
    r"changes kept",
    r"unless there is no patient", r"which one \(optional\)", r"known patient\b", r"pseudonym of the patient",
    r"^photo of \d", r"maps kept", r"no map is kept", r"explain it\b", r"print the report", r"open it in the history",
    r"bright patches", r"^rather than", r"no other class", r"of the two alone", r"after what you asked for before",
    r"^being made", r"^at work", r"does the model follow", r"do they stay in place", r"something other than skin",
    r"make up its mind", r"keep to the reference", r"area for area", r"hotter on the lesion", r"lost by the rest",
    r"hottest sharp", r"likeness to another seed", r"correct the patient", r"^corrected\.$", r"back to the model's",
    r"put first rightly", r"what is taken for what", r"the paper's way", r"kept aside to the end", r"used for choosing",
    r"for whom it does better", r"tick a row", r"the chosen case", r"holds no pseudonym", r"score-cam likewise",
    r"look closer", r"what was measured", r"width of the skin in the photo", r"(?-i:Recheck)|\brecheck\b(?!['$])(?!$)",
    r"whatever else you see", r"alike to the model", r", or more,", r"^[A-D]: [a-z]", r"save changes", r"save criteria",
    r"patterns tried", r"trials at most", r"^patches$", r"steady enough", r"explained score", r"sampling of trials",
    r"(?:quick|exact) form", r"how many of each kind", r"answered only where it is surest",
    r"^pictures of other things",
    r"^sets of classes", r"are its probabilities right",
    r"^how well it does$", r"trail of changes",
    r"visits of this lesion", r"reduced to 8 bits", r"^AUC, ", r"heat map for",
    r"back to the history", r"\bsp(?:oke|eaks?) for\b", r"show no course", r"what moved the model",
    r"comparable are photos", r"dealt with on \b(?!…)", r"mostly about moles", r"no name yet",
    r"another pseudonym", r"known patients",
)  # fmt: skip
"""Each as a regular expression, looked for without regard to capitals."""
BRITISH = r"\b\w*(?:colour|centre|grey|behaviour|millimetre|favour|licence)\w*|\bartefacts?\b"
STORED = {
    "Distance from the training photos",
    "Unlike the photos that the model learned from, of skin lesions under a dermatoscope.",
}
"""Words of cases that earlier versions stored: they are told from others by them."""
OF_DATA = ("training", "evaluation")
"""Folders whose names of networks' parts and of measured groups stand in files that were made with them."""


def literals(path: Path) -> Iterator[tuple[int, str]]:
    """Texts of a module that are no docstrings; what is put into one stands as "…"."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    inside: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            inside.add(id(node.value))
        elif isinstance(node, ast.JoinedStr):
            inside.update(map(id, node.values))
            parts = (part.value if isinstance(part, ast.Constant) else "…" for part in node.values)
            yield node.lineno, "".join(map(str, parts))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inside:
            yield node.lineno, node.value


@cache
def texts() -> tuple[tuple[str, str], ...]:
    """Every text of the package, and every line of its scripts, pages and templates, with its place."""
    return tuple(_texts())


def _texts() -> Iterator[tuple[str, str]]:
    for path in sorted(PACKAGE.rglob("*")):
        name = path.relative_to(PACKAGE).as_posix()
        if "vendor" in name or name.startswith(OF_DATA):
            continue
        if path.suffix == ".py":
            yield from ((f"{name}:{line}", text) for line, text in literals(path))
        elif path.suffix in {".js", ".html", ".typ", ".css"}:
            lines = path.read_text(encoding="utf-8").splitlines()
            yield from ((f"{name}:{number}", line) for number, line in enumerate(lines, 1))


def test_the_texts_are_found() -> None:
    found = [text for _, text in texts()]
    assert "Save and sign" in found
    assert "Suspicious for melanoma" in found
    assert any("Compare two pictures" in text for text in found)
    assert not [text for text in found if text.startswith("Texts of a module that are no docstrings")]


@pytest.mark.parametrize("old", OLD)
def test_no_text_has_an_old_word(old: str) -> None:
    pattern = re.compile(old, re.IGNORECASE)
    found = [f"{place}: {text}" for place, text in texts() if pattern.search(text) and text not in STORED]
    assert found == []


def test_texts_are_spelled_as_in_america() -> None:
    pattern = re.compile(BRITISH, re.IGNORECASE)
    found = [f"{place}: {text}" for place, text in texts() if " " in text and pattern.search(text)]
    assert found == []
