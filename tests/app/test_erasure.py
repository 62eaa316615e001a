"""What was erased is nowhere any more: not in another tab, not in a cache, not among the photos held for a reload."""

import gc
import weakref
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from skinlens.errors import CaseNotFound
from skinlens.settings import Settings
from skinlens.store import CaseStore
from skinlens.ui.state import cache, drafts, erasure
from tests.app.conftest import heading, press, turn, typed, words

ERASED = "What was open here was erased for good"


@pytest.fixture
def example(agreed: AppTest) -> AppTest:
    """The app with an unsaved photo, its reading shown, and what is needed to keep it typed."""
    press(agreed, "Try the example")
    press(agreed, "Show result")
    agreed.text_input(key=typed(agreed, "pseudonym")).set_value("P-7")
    agreed.selectbox(key=typed(agreed, "site")).select("back, midline").run()
    return agreed


def at_the_same_address(app: AppTest) -> AppTest:
    """Another tab."""
    fresh = AppTest.from_file(app._script_path, default_timeout=60)
    fresh.query_params.update(app.query_params)
    return fresh.run().switch_page("pages/visit.py").run()


def erase_the_patient(app: AppTest) -> None:
    turn(app, "worklist")
    app.text_input(key="q").input("P-7").run()
    press(app, "Open case 1")
    turn(app, "more")
    press(app, "Delete the patient …")
    app.text_input(key="case_erase_typed").set_value("P-7")
    press(app, "Delete the patient for good")


def test_another_tab_shows_nothing_of_an_erased_patient(example: AppTest, skinlens_home: Path) -> None:
    press(example, "Save case")
    other = at_the_same_address(example)
    turn(other, "report")
    assert "P-7" in heading(other)
    held = weakref.ref(other.session_state["open_case"])

    erase_the_patient(example)
    assert "q" not in example.query_params
    assert "No visit is stored yet" in words(turn(example, "worklist"))
    assert "P-7" not in repr(example.session_state)

    other.run()
    assert ERASED in words(other)
    assert "P-7" not in words(other)
    assert "open_case" not in other.session_state
    assert not other.query_params
    # A page that AppTest was switched to ends with st.stop() (see frame.title), and Streamlit then keeps its parts.
    other._fragment_storage.clear()
    gc.collect()
    assert held() is None


def test_a_case_that_another_program_erased_is_not_shown(example: AppTest, skinlens_home: Path) -> None:
    press(example, "Save case")
    turn(example, "worklist")
    press(example, "Open case 1")
    CaseStore(skinlens_home).delete_patient(1)
    example.run()
    assert ERASED in words(example)
    assert "P-7" not in words(example)
    assert "No visit is stored yet" in words(turn(example, "worklist"))


def test_an_unsaved_copy_of_an_erased_photo_goes_too(example: AppTest) -> None:
    other = at_the_same_address(example)
    token = other.query_params["photo"]
    press(example, "Save case")
    other.run()
    assert drafts.UNSAVED.find(token[0] if isinstance(token, list) else token) is not None
    erase_the_patient(example)
    assert drafts.UNSAVED.find(token[0] if isinstance(token, list) else token) is None
    other.run()
    assert ERASED in words(other)
    assert "P-7" not in words(other)


def test_a_report_that_was_made_is_not_kept(example: AppTest, skinlens_home: Path) -> None:
    press(example, "Save case")
    cache.report(skinlens_home, 1, "today", False, Settings())
    assert cache.report(skinlens_home, 1, "today", False, Settings())[0].startswith(b"%PDF")
    erase_the_patient(example)
    with pytest.raises(CaseNotFound):
        cache.report(skinlens_home, 1, "today", False, Settings())


def test_what_is_still_stored_stays_open(example: AppTest, skinlens_home: Path) -> None:
    """Where erasing failed, nothing may be closed."""
    press(example, "Save case")
    store = CaseStore(skinlens_home)
    erasure.forget(store, (store.case(1).visit,))
    example.run()
    assert example.session_state["open_case"].case.visit.id == 1
    assert ERASED not in words(example)


def test_a_patient_is_erased_only_by_the_pseudonym(example: AppTest, skinlens_home: Path) -> None:
    press(example, "Save case")
    turn(example, "worklist")
    press(example, "Open case 1")
    turn(example, "more")
    press(example, "Delete the patient …")
    example.text_input(key="case_erase_typed").set_value("P-8")
    press(example, "Delete the patient for good")
    assert "The patient and all cases" not in words(example)
    assert CaseStore(skinlens_home).search().total == 1


def test_what_was_typed_to_confirm_is_compared_as_it_is_read() -> None:
    assert erasure.not_confirmed(" Zoe\u0308-1 ", "Zo\u00eb-1") == ""
    assert "“zoë-1” was typed" in erasure.not_confirmed("zoë-1", "Zoë-1")
    assert "nothing was typed" in erasure.not_confirmed("  ", "Zoë-1")
