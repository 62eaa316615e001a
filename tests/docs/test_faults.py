"""The fault matrix says what the program says, and names tests that are there."""

import faults
import pytest


def test_each_fault_has_its_sentence_and_its_tests() -> None:
    rows = faults.matrix().splitlines()[2:]
    assert len(rows) == len(faults.FAULTS)
    (locked,) = (row for row in rows if row.startswith("| database locked for long |"))
    assert (
        "“another program has been writing to it for more than … seconds. Close it, or wait, and try again.”" in locked
    )
    assert "`store/test_trouble.py`, a database that is locked for long |" in locked


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"begins": "it is something else"}, "says nothing that begins with 'it is something else'"),
        ({"tests": ("tests/store/test_trouble.py::test_nothing",)}, "has no test_nothing"),
    ],
)
def test_what_is_not_there_is_an_error(monkeypatch: pytest.MonkeyPatch, change: dict[str, object], words: str) -> None:
    monkeypatch.setattr(faults, "FAULTS", (faults.FAULTS[0]._replace(**change),))
    with pytest.raises(LookupError, match=words):
        faults.matrix()
