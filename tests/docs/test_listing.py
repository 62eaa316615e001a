"""The table of modules follows the contract and the docstrings."""

from pathlib import Path

import listing
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
