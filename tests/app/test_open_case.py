"""What a stored case shows is in the store: a map or check that is made later goes there first."""

import threading

import pytest

from skinlens.errors import StoreError
from skinlens.store import CaseStore, NewLesion, NewVisit
from skinlens.ui.state.open_case import OpenCase
from tests.store import samples


class Slow(CaseStore):
    """Stands still before each map and check that it stores, until it is let go on; ``full`` has no room for them."""

    full = False

    def __init__(self, home) -> None:
        super().__init__(home)
        self.reached, self.go_on = threading.Event(), threading.Event()

    def _hold(self) -> None:
        self.reached.set()
        assert self.go_on.wait(20)
        if self.full:
            raise StoreError("The disk is full.")

    def add_checks(self, visit_id, checks) -> None:
        self._hold()
        super().add_checks(visit_id, checks)

    def add_explanation(self, visit_id, explanation) -> None:
        self._hold()
        super().add_explanation(visit_id, explanation)


@pytest.fixture
def stored(tmp_path):
    """An open case in a slow store, a map of its photo and a check of that map."""
    store, photo = Slow(tmp_path / "home"), samples.photo()
    opened = OpenCase(samples.analysis(photo))
    opened.save(store, NewVisit(None, NewLesion("back"), "2024-05-31"))
    return opened, store, samples.explanation(photo), samples.check(photo, "grad_cam")


@pytest.mark.parametrize("kind", ["map", "check"])
def test_nothing_is_shown_before_it_is_stored(stored, kind: str) -> None:
    opened, store, explanation, check = stored
    worker = threading.Thread(target=lambda: opened.keep(explanation) if kind == "map" else opened.keep_checks([check]))
    worker.start()
    assert store.reached.wait(20)
    assert (opened.maps, opened.checks) == ([], [])
    store.go_on.set()
    worker.join(20)
    record = store.load(opened.case.visit.id)
    assert len(opened.maps) + len(opened.checks) == 1
    assert (len(record.explanations), list(record.checks)) == (len(opened.maps), opened.checks)


@pytest.mark.parametrize("kind", ["map", "check"])
def test_what_has_no_room_in_the_store_is_shown_and_told(stored, kind: str) -> None:
    opened, store, explanation, check = stored
    store.full = True
    store.go_on.set()
    with pytest.raises(StoreError, match="disk is full"):
        opened.keep(explanation) if kind == "map" else opened.keep_checks([check])
    assert len(opened.maps) + len(opened.checks) == 1
    assert store.load(opened.case.visit.id).checks == ()
