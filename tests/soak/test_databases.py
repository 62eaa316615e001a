"""Some changed databases; ``databases.py`` by itself makes two hundred."""

from pathlib import Path

import pytest

from skinlens.store import CaseStore
from tests.soak import databases

pytestmark = pytest.mark.slow
FILES = 30
"""Five of each kind of damage."""


def test_whatever_bytes_change_there_are_sentences_and_never_other_data(tmp_path: Path) -> None:
    figures = databases.soak(FILES, 0, 5.0, tmp_path)
    assert (figures["files"], figures["wrong"]) == (FILES, 0)
    assert figures["sentences"] > FILES  # the damage was felt
    assert figures["found_at_start"] > FILES // 2


def test_other_data_and_an_error_without_a_sentence_would_be_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = CaseStore(tmp_path / "home")
    databases.stock(store)
    expected = {name: call() for name, call in databases.calls(store).items()}
    assert list(databases.wrong_answers(store, expected, databases.Counter())) == []

    def fails(*_: object) -> None:
        raise KeyError("mel")

    monkeypatch.setattr(CaseStore, "outlines", fails)
    monkeypatch.setattr(CaseStore, "body_sites", lambda *_: ("another site",))
    found = list(databases.wrong_answers(store, expected, databases.Counter()))
    assert found == ["sites: shows what was not saved", "outlines: KeyError: 'mel'"]
