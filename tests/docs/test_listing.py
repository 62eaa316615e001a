"""The table of modules follows the contract and the docstrings."""

import re
from pathlib import Path

import listing
import picture
import pytest

CONTRACT = """
[[tool.importlinter.contracts]]
layers = ["__main__", "ui | evaluate", "records"]
"""


def test_modules_stand_in_the_order_of_the_contract(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(CONTRACT)
    package = tmp_path / "skinlens"
    (package / "ui").mkdir(parents=True)
    for name in ("__init__", "records", "__main__", "ui/__init__", "ui/cache"):
        (package / f"{name}.py").write_text(f'"""About {name}.\n\nMore."""\n')
    assert listing.modules(tmp_path).splitlines()[2:] == [
        "| `skinlens/__init__.py` | About __init__. |",
        "| `skinlens/__main__.py` | About __main__. |",
        "| `skinlens/ui/__init__.py` | About ui/__init__. |",
        "| `skinlens/ui/cache.py` | About ui/cache. |",
        "| `skinlens/records.py` | About records. |",
    ]


@pytest.mark.parametrize(
    ("docstring", "words"),
    [
        ("One line.", "One line."),
        ("Two\nlines of ``code``. Another sentence.", "Two lines of `code`."),
        ("A tree.\n\n::\n\n    x", "A tree."),
        ("From e.g. here to v0.1: ``x`` there.\n\nMore.", "From e.g. here to v0.1: `x` there."),
        ("No stop | at all", "No stop \\| at all"),
    ],
)
def test_first_words_are_one_sentence(docstring: str, words: str) -> None:
    assert listing.first_words(f'"""{docstring}"""\n') == words


def test_a_contract_without_layers_is_refused() -> None:
    with pytest.raises(ValueError, match="the first contract"):
        list(listing.layers({"tool": {}}))


def test_the_picture_is_of_the_contract_as_it_stands() -> None:
    """``make docs`` draws it anew."""
    assert (picture.ROOT / "docs" / "architecture.svg").read_text(encoding="utf-8") == picture.picture()


def test_the_picture_has_a_row_a_layer_and_a_box_a_module(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(CONTRACT)
    drawn = picture.picture(tmp_path)
    assert re.findall(r">(ui|evaluate|records|__main__)<", drawn) == ["ui", "evaluate", "records"]
    assert drawn.count("<rect ") == 3
    assert len(set(re.findall(r'<rect x="\d+" y="(\d+)"', drawn))) == 2


def test_decisions_are_listed_in_their_order(tmp_path: Path) -> None:
    folder = tmp_path / "docs" / "decisions"
    folder.mkdir(parents=True)
    (folder / "0002-b.md").write_text("# 2. The second\n\nmore")
    (folder / "0001-a.md").write_text("# 1. The first\n")
    (folder / "README.md").write_text("# Decisions\n")
    assert listing.decisions(tmp_path).splitlines()[2:] == [
        "| 1 | [The first](0001-a.md) |",
        "| 2 | [The second](0002-b.md) |",
    ]
