"""Accounts in a folder of the test's own, by a clock that the test sets."""

from pathlib import Path

import pytest

from skinlens.accounts import Accounts
from tests.accounts.signing import PASSWORD, Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def noted() -> list[tuple[str, int | None, str]]:
    """What would be in the audit log."""
    return []


@pytest.fixture
def accounts(tmp_path: Path, clock: Clock, noted: list[tuple[str, int | None, str]]) -> Accounts:
    found = Accounts(tmp_path / "home", clock, lambda *entry: noted.append(entry))
    found.add("Dr. Lange", "reviewer", PASSWORD)
    return found
