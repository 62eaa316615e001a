"""No room for a file of any size: what was asked for is refused in a sentence, and what is stored stays whole."""

import os
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from skinlens.errors import StoreError
from skinlens.store import CaseStore, NewLesion, NewVisit
from tests.store import samples

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit for the size of files"),
]


def with_files_of_at_most(most: int, step: Callable[[], object]) -> str:
    """What a process says that may write no file beyond that many bytes: the sentence of its StoreError, or "done"."""
    import resource

    read, write = os.pipe()
    if (child := os.fork()) == 0:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
        try:
            step()
            said = "done"
        except StoreError as error:
            said = str(error)
        except BaseException as error:  # noqa: BLE001  the child only tells
            said = f"{type(error).__name__}: {error}"
        os.write(write, said.encode())
        os._exit(0)
    os.close(write)
    os.waitpid(child, 0)
    with os.fdopen(read, "rb") as told:
        return told.read().decode()


@pytest.fixture
def whole(stocked: CaseStore) -> CaseStore:
    """Three cases, one with maps; with the database's log written into it, so that its size is that of the file."""
    with stocked._opened() as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return stocked


def nothing_is_lost(store: CaseStore) -> None:
    assert store.damage() == ()
    assert store.lost_files() == ()
    assert store.verify_audit().problems == ()
    assert len(store.load(1).explanations) == 3
    assert store.tidy(min_age_s=0.0).problems == ()


@pytest.mark.parametrize("most", [100, 1_000, 5_000])
def test_a_map_that_cannot_be_saved(whole: CaseStore, most: int) -> None:
    before = whole.audit_head()
    stored = whole.load(1).explanations[0]
    said = with_files_of_at_most(most, lambda: whole.add_explanation(1, replace(stored, heatmap=1 - stored.heatmap)))
    assert said.startswith(("The case folder ", "The case database in ")), said
    assert "Error" not in said
    assert whole.audit_head() == before
    nothing_is_lost(whole)


@pytest.mark.parametrize("passphrase", [None, "correct horse battery"])
def test_a_backup_that_cannot_be_written(whole: CaseStore, folder: Path, passphrase: str | None) -> None:
    size = whole.database.stat().st_size
    said = with_files_of_at_most(size + 5_000, lambda: whole.back_up(folder, passphrase=passphrase))
    assert said == "done" or said.startswith(("The backup cannot be written to ", "The case folder ")), said
    said = with_files_of_at_most(20_000, lambda: whole.back_up(folder, passphrase=passphrase))
    assert said.startswith(("The case database in ", "The backup cannot be written to ", "The case folder ")), said
    assert not list(whole.home.glob(".backup*"))
    assert not list(folder.glob(".*"))
    nothing_is_lost(whole)


def test_a_case_that_cannot_be_saved(whole: CaseStore) -> None:
    photo = samples.photo(77, 600, 600)
    visit = NewVisit(None, NewLesion("back"), "2024-05-31")
    said = with_files_of_at_most(400_000, lambda: whole.save_case(samples.analysis(photo), visit))
    assert said.startswith("The case folder "), said
    assert whole.search().total == 3
    nothing_is_lost(whole)
