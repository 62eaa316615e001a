"""The documents say what is there: commands, links, modules, requirements, version, disclaimer."""

import hashlib
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import click
import pytest

import skinlens
from skinlens.cli import commands as command_line
from skinlens.labels import DISCLAIMER

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def identifier(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


# --------------------------------------------------------------------------------------------------------- commands


def commands(text: str) -> Iterator[list[str]]:
    """Yield the words of each ``make`` and ``skinlens`` command in the fenced blocks of a document."""
    for block in re.findall(r"^```\w*\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            if command := re.match(r"(?:\$ )?(?:(?:[\w./]*python3? -m )?(skinlens)|(make))\b(.*)", line):
                yield [command[1] or command[2], *command[3].split("#")[0].split()]


def targets(makefile: str) -> set[str]:
    return set(re.findall(r"^([a-z][a-z-]*):", makefile, flags=re.MULTILINE))


def test_commands_are_found_in_fenced_blocks_alone() -> None:
    text = (
        "`make no`\n```sh\nmake app\n$ .venv/bin/python -m skinlens explain x.jpg --out d  # maps\nls\n```\nmake no\n"
    )
    assert list(commands(text)) == [["make", "app"], ["skinlens", "explain", "x.jpg", "--out", "d"]]


def test_targets_are_told_from_what_looks_like_them() -> None:
    assert targets("app: x\n\techo y:\n$(V)/z: \nno = 1\nnot-it:=2\ncheck:\n") == {"app", "not-it", "check"}


@pytest.mark.parametrize("document", DOCUMENTS, ids=identifier)
def test_the_make_commands_exist(document: Path) -> None:
    shown = {
        word
        for program, *words in commands(document.read_text(encoding="utf-8"))
        if program == "make"
        for word in words
    }
    assert shown <= targets(read("Makefile"))


def test_the_command_line_understands_every_command_that_is_shown() -> None:
    shown = [words for document in DOCUMENTS for words in commands(document.read_text(encoding="utf-8"))]
    shown = [words[1:] for words in shown if words[0] == "skinlens"]
    assert shown
    context = click.Context(command_line, info_name="skinlens")
    for words in shown:
        try:
            _, command, rest = command_line.resolve_command(context, list(words))
            assert command is not None
            command.make_context(words[0], rest, parent=context)
        except click.ClickException as problem:
            pytest.fail(f"skinlens {' '.join(words)}: {problem.format_message()}")


# ------------------------------------------------------------------------------------------------------------ links


def broken_links(text: str, folder: Path) -> list[str]:
    """Return the relative links that lead to no file, and the fragments that lead to no heading."""
    broken = []
    without_code = re.sub(r"^```.*?^```|`[^`\n]*`", "", text, flags=re.MULTILINE | re.DOTALL)
    for link in re.findall(r"\]\(<?([^)>\s]+)>?[^)]*\)", without_code):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, fragment = unquote(link).partition("#")
        target = folder / name if name else None
        if target and not target.exists():
            broken.append(link)
        elif fragment:
            headed = target.read_text(encoding="utf-8") if target else text
            if fragment not in anchors(headed):
                broken.append(link)
    return broken


def anchors(text: str) -> set[str]:
    """The fragments of a document's headings, as they are made from their words."""
    headings = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_broken_links_finds_files_and_headings(tmp_path: Path) -> None:
    (tmp_path / "there.md").write_text("# Two words, here\n")
    text = (
        "[a](there.md) [b](there.md#two-words-here) [c](gone.md) [d](there.md#gone) [e](https://example.org) `[f](x)`\n"
    )
    assert broken_links(text + "# G\n[g](#g) [h](#h) ![i](i.png)\n", tmp_path) == [
        "gone.md",
        "there.md#gone",
        "#h",
        "i.png",
    ]


@pytest.mark.parametrize("document", DOCUMENTS, ids=identifier)
def test_links_lead_somewhere(document: Path) -> None:
    assert broken_links(document.read_text(encoding="utf-8"), document.parent) == []


# ---------------------------------------------------------------------------------------------- modules, requirements


def first_cells(text: str) -> list[str]:
    """The first cell of each row of the Markdown tables of a text, without headers and ticks."""
    rows = re.findall(r"^\| *`?([^|`]+?)`? *\|", text, flags=re.MULTILINE)
    return [row for row in rows if not set(row) <= set("-: ")]


def test_every_module_has_its_line_in_the_data_path() -> None:
    listed = {cell for cell in first_cells(read("docs/architecture.md")) if cell.startswith("skinlens/")}
    there = {identifier(path) for path in (ROOT / "skinlens").rglob("*.py")}
    assert there - listed == set(), "without a line in docs/architecture.md"
    assert listed - there == set(), "listed, but not there"


def test_every_requirement_is_accounted_for() -> None:
    text = read("docs/dependencies.md")
    rows = {
        name: (version, terms)
        for name, version, terms in re.findall(r"^\| (\S+) \| ([\d.]+) \| ([^|]+) \|", text, re.M)
    }
    files = ("requirements.txt", "requirements-dev.txt", "requirements-teacher.txt", "requirements-ray.txt")
    pins = dict(re.findall(r"^([\w.-]+)==(\S+)$", "".join(map(read, files)), re.M))
    assert {name: version for name, (version, _) in rows.items()} == pins
    assert all(terms.strip() for _, terms in rows.values())


def test_what_is_shipped_is_what_npm_has() -> None:
    vendor = ROOT / "skinlens" / "ui" / "components" / "viewer" / "vendor"
    script = (vendor / "openseadragon.min.js").read_bytes()
    assert script.startswith(b"//! openseadragon 6.1.1\n")
    assert hashlib.sha256(script).hexdigest() == "14d587cd3ee7c4861f1a41077ce642029364a21029956ba635bd8fb1202cf9ad"
    assert "OpenSeadragon contributors" in (vendor / "LICENSE-OpenSeadragon.txt").read_text(encoding="utf-8")
    assert "**OpenSeadragon** 6.1.1, BSD-3-Clause" in read("docs/dependencies.md")


# -------------------------------------------------------------------------------------------------- what must be said


def test_the_version_is_the_same_everywhere() -> None:
    assert tomllib.loads(read("pyproject.toml"))["project"]["version"] == skinlens.__version__
    newest = re.search(r"^## (\d\S*)", read("CHANGELOG.md"), flags=re.MULTILINE)
    assert newest is not None
    assert newest[1] == skinlens.__version__


@pytest.mark.parametrize("name", ["README.md", "docs/safety.md", "docs/model-card.md"])
def test_the_disclaimer_is_printed(name: str) -> None:
    assert DISCLAIMER in read(name)


def test_decisions_are_numbered_and_say_why() -> None:
    decisions = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))
    assert [int(path.name[:4]) for path in decisions] == list(range(1, len(decisions) + 1))
    for path in decisions:
        headings = re.findall(r"^(?:## |\*\*)(\w+)\b", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
        assert headings == ["Context", "Decision", "Consequence"], path.name


def test_figures_are_pasted_never_typed() -> None:
    """Each measurement that is there is shown in the model card by cog, so that ``cog --check`` watches over it."""
    card = read("docs/model-card.md")
    for split in ("val", "test"):
        if (ROOT / "weights" / f"evaluation-{split}.json").exists():
            assert f'figures.evaluation("{split}")' in card
