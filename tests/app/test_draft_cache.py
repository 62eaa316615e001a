"""A photo that is not saved survives the reloading of its page, and no longer than it should."""

import re
import time
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from skinlens.store import CaseStore, ClinicianReading
from skinlens.ui.components.text import plain
from skinlens.ui.state import draft_cache, drafts, erasure
from skinlens.ui.state.draft_cache import TTLStore
from skinlens.wording.gone import ENTRIES_GONE, TRAY_GONE
from tests.app.conftest import press, turn, typed, words


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_latest_are_held_and_each_for_its_time() -> None:
    clock = Clock()
    holder: TTLStore[str] = TTLStore(most=2, ttl_s=10, clock=clock)
    holder.hold("a", "first")
    clock.now = 4
    holder.hold("b", "second")
    clock.now = 6
    holder.hold("a", "first, drawn again")
    holder.hold("c", "third")
    assert [holder.find(token) for token in "abc"] == ["first, drawn again", None, "third"]
    clock.now = 16
    assert [holder.find(token) for token in "abc"] == [None, None, None]


def test_what_is_held_is_bounded_by_bytes() -> None:
    holder: TTLStore[str] = TTLStore(most_bytes=10, size=len)
    for token, item in (("a", "1234"), ("b", "1234"), ("c", "1234")):
        holder.hold(token, item)
    assert [holder.find(token) for token in "abc"] == [None, "1234", "1234"]
    holder.hold("d", "x" * 100)  # the photo that is on the screen, whatever it takes
    assert [holder.find(token) for token in "bcd"] == [None, None, "x" * 100]


def test_what_belongs_to_a_closed_tab_goes_soon_unless_it_is_held_again() -> None:
    clock = Clock()
    holder: TTLStore[str] = TTLStore(ttl_s=3600, clock=clock)
    for token in ("old", "closed", "reloaded"):
        holder.hold(token, token)
    holder.expire_where(lambda item: item != "old", within_s=30)
    clock.now = 10
    assert holder.find("reloaded") == "reloaded"
    holder.hold("reloaded", "again")  # the tab that took over
    clock.now = 31
    assert [holder.find(token) for token in ("old", "closed", "reloaded")] == ["old", None, "again"]
    clock.now = 3601
    assert [holder.find(token) for token in ("old", "reloaded")] == [None, "again"]


def test_a_closed_tabs_photo_goes_also_where_nobody_looks() -> None:
    holder: TTLStore[str] = TTLStore(ttl_s=3600)
    holder.hold("a", "first")
    holder.expire_where(lambda item: True, within_s=0.05)
    end = time.monotonic() + 20
    while holder._held:
        assert time.monotonic() < end, "it is still held"
        time.sleep(0.01)


def test_what_is_dropped_is_gone() -> None:
    holder: TTLStore[str] = TTLStore()
    holder.hold("a", "first")
    holder.drop("a")
    holder.drop("never held")
    assert holder.find("a") is None


def test_nothing_stays_where_nobody_looks_again() -> None:
    holder: TTLStore[str] = TTLStore(ttl_s=0.05)
    holder.hold("a", "first")
    end = time.monotonic() + 20
    while holder._held:
        assert time.monotonic() < end, "it is still held"
        time.sleep(0.01)


def test_tokens_cannot_be_guessed() -> None:
    tokens = {draft_cache.new_token() for _ in range(100)}
    assert len(tokens) == 100
    assert all(re.fullmatch(r"[\w-]{22}", token) for token in tokens)


@pytest.fixture
def example(agreed: AppTest) -> AppTest:
    """The app with the drawn example, its reading shown, not saved."""
    press(agreed, "Try the example")
    agreed.selectbox(key=typed(agreed, "impression")).select("other").run()
    return press(agreed, "Show result")


def reloaded(app: AppTest) -> AppTest:
    """A new session at the address of the page."""
    fresh = AppTest.from_file(app._script_path, default_timeout=60)
    fresh.query_params.update(app.query_params)
    return fresh.run().switch_page("pages/visit.py").run()


def test_a_reloaded_page_still_has_its_photo_and_what_was_said(example: AppTest, skinlens_home: Path) -> None:
    before = {path: path.stat().st_size for path in skinlens_home.rglob("*")}
    fresh = reloaded(example)
    assert "Your impression: **Other diagnosis (before the result)**" in words(fresh)
    opened, first = fresh.session_state["open_case"], example.session_state["open_case"]
    assert opened.analysis is first.analysis
    assert opened is not first  # two tabs at one address save two cases, and not each other's
    assert fresh.query_params == example.query_params
    assert {path: path.stat().st_size for path in skinlens_home.rglob("*")} == before


def test_a_photo_that_is_saved_or_gone_is_not_found_by_its_token(example: AppTest) -> None:
    token = example.query_params["photo"]
    example.segmented_control(key=typed(example, "kind")).select("No patient").run()
    example.selectbox(key=typed(example, "site")).select("back, midline").run()
    press(example, "Save case")
    assert dict(example.query_params) == {"case": "1"}
    assert drafts.UNSAVED.find(token) is None
    fresh = AppTest.from_file(example._script_path, default_timeout=60)
    fresh.query_params["photo"] = token
    fresh.run()
    assert "Upload it again" in words(fresh)
    assert "open_case" not in fresh.session_state
    assert not fresh.query_params


def test_another_photo_takes_the_place_of_the_one_before(example: AppTest) -> None:
    token = example.query_params["photo"]
    press(example, "Try the example")
    assert drafts.UNSAVED.find(token) is None
    assert example.query_params["photo"] != token


def test_a_reloaded_page_still_has_what_was_typed(example: AppTest) -> None:
    example.text_input(key=typed(example, "pseudonym")).set_value("P-7")
    example.text_input(key=typed(example, "year")).set_value("1961")
    example.selectbox(key=typed(example, "site")).select("back, midline")
    example.text_area(key=typed(example, "notes")).set_value("Grew since spring.").run()
    fresh = reloaded(example)
    assert fresh.text_input(key=typed(fresh, "pseudonym")).value == "P-7"
    assert fresh.text_input(key=typed(fresh, "year")).value == "1961"
    assert fresh.selectbox(key=typed(fresh, "site")).value == "back, midline"
    assert fresh.text_area(key=typed(fresh, "notes")).value == "Grew since spring."
    assert [one.value for one in fresh.warning] == [one.value for one in example.warning]  # none of Streamlit's own
    press(fresh, "Save case")
    assert fresh.session_state["open_case"].case.patient.pseudonym == "P-7"


def test_another_photo_does_not_inherit_what_was_typed(example: AppTest) -> None:
    example.text_input(key=typed(example, "pseudonym")).set_value("P-7").run()
    press(example, "Try the example")
    press(example, "Show result")
    assert example.text_input(key=typed(example, "pseudonym")).value == ""


@pytest.mark.parametrize("anew", [False, True])
def test_the_form_keeps_what_was_typed_on_every_page(example: AppTest, anew: bool) -> None:
    example.text_input(key=typed(example, "pseudonym")).set_value("P-7")
    example.text_area(key=typed(example, "notes")).set_value("Grew since spring.").run()
    app = reloaded(example) if anew else example
    for between, site in (("why", "back, left"), ("worklist", "scalp, right"), ("performance", "scalp, right")):
        turn(app, between)
        assert not app.exception
        turn(app, "result")
        assert not app.exception
        assert app.session_state[typed(app, "kind")] == "New patient"
        assert app.text_input(key=typed(app, "pseudonym")).value == "P-7"
        assert app.text_area(key=typed(app, "notes")).value == "Grew since spring."
        app.selectbox(key=typed(app, "site")).select(site).run()
        assert app.text_input(key=typed(app, "pseudonym")).value == "P-7"
    assert app.selectbox(key=typed(app, "site")).value == "scalp, right"


def test_what_was_entered_for_a_stored_case_survives_a_reload(example: AppTest, skinlens_home: Path) -> None:
    example.text_input(key=typed(example, "pseudonym")).set_value("P-7")
    example.selectbox(key=typed(example, "site")).select("back, midline").run()
    press(example, "Save case")
    assert "draft" not in example.query_params
    example.text_area(key=typed(example, "clinical_notes")).set_value("Grew since spring.").run()
    example.selectbox(key=typed(example, "clinical_label")).select("nv").run()
    example.text_area(key=typed(example, "clinical_pattern")).set_value("Regular network.").run()
    fresh = reloaded(example)
    assert fresh.text_area(key=typed(fresh, "clinical_notes")).value == "Grew since spring."
    assert fresh.selectbox(key=typed(fresh, "clinical_label")).value == "nv"
    assert fresh.text_area(key=typed(fresh, "clinical_pattern")).value == "Regular network."
    press(fresh, "Save draft")
    assert "draft" not in fresh.query_params
    visit = CaseStore(skinlens_home).case(1).visit
    assert (visit.notes, visit.clinician_label) == ("Grew since spring.", "nv")
    assert visit.clinical.criteria.pattern == "Regular network."
    again = reloaded(fresh)
    assert again.text_area(key=typed(again, "clinical_notes")).value == "Grew since spring."


def test_a_draft_is_never_put_over_another_case_nor_held_of_an_erased_one(
    example: AppTest, skinlens_home: Path
) -> None:
    example.selectbox(key=typed(example, "site")).select("back, midline")
    example.segmented_control(key=typed(example, "kind")).select("No patient").run()
    press(example, "Save case")
    example.text_area(key=typed(example, "clinical_notes")).set_value("Grew since spring.").run()
    token = example.query_params["draft"]
    held = drafts.HELD.find(token)
    assert held is not None
    drafts.HELD.hold("of another", drafts.Drafts({2: held.cases[1]}))
    example.query_params["draft"] = "of another"
    assert reloaded(example).text_area[0].value != "Grew since spring."
    erasure.erase_case(CaseStore(skinlens_home), 1)
    assert held.cases == {}


@pytest.mark.parametrize(("name", "sentence"), [("draft", ENTRIES_GONE), ("tray", TRAY_GONE)])
def test_what_the_address_names_and_is_not_held_any_more_is_said_to_be_gone(
    example: AppTest, name: str, sentence: str
) -> None:
    """As after the program was stopped: the field alone would be empty, without a word."""
    example.query_params.clear()
    fresh = AppTest.from_file(example._script_path, default_timeout=60)
    fresh.query_params[name] = "of-a-program-that-was-stopped"
    fresh.run()
    assert [error.value for error in fresh.error] == [plain(sentence)]
    assert name not in fresh.query_params
    assert not fresh.run().error


def test_what_another_window_saved_is_not_overwritten_after_a_reload(example: AppTest, skinlens_home: Path) -> None:
    example.selectbox(key=typed(example, "site")).select("back, midline")
    example.segmented_control(key=typed(example, "kind")).select("No patient").run()
    press(example, "Save case")
    example.text_area(key=typed(example, "clinical_notes")).set_value("Grew since spring.").run()
    store = CaseStore(skinlens_home)
    store.annotate(1, ClinicianReading(notes="Itches."), status="draft", expected_version=store.case(1).visit.version)
    fresh = reloaded(example)
    press(fresh, "Save draft")
    assert store.case(1).visit.notes == "Itches."
    assert [one.value for one in fresh.text] == ["Itches.", "Grew since spring."]


def two_cases(app: AppTest) -> AppTest:
    """Two stored cases of no patient; the later one is open, and the list was seen."""
    for site in ("back, left", "back, midline"):
        turn(app, "visit")
        press(app, "Try the example")
        press(app, "Show result")
        app.segmented_control(key=typed(app, "kind")).select("No patient").run()
        app.selectbox(key=typed(app, "site")).select(site).run()
        press(app, "Save case")
    turn(app, "worklist")
    return press(app, "Open case 2")


def test_entries_stay_when_the_keys_lead_to_another_case(agreed: AppTest, skinlens_home: Path) -> None:
    app = two_cases(agreed)
    app.text_area(key=typed(app, "clinical_notes")).set_value("Grew since spring.")
    top = app.session_state["times_to_top"]
    app.session_state["turn_page"] = 1  # key n: it comes together with the text
    app.run()
    assert app.session_state["open_case"].case.visit.id == 1
    assert "**Not saved yet**, kept while this tab is open:" in words(app)
    assert app.session_state["times_to_top"] == top + 1  # where that stands
    app = reloaded(app)
    assert app.text_area(key=typed(app, "clinical_notes")).value.startswith("Synthetic example")
    press(app, "Entries of case 2")
    turn(app, "visit")
    assert app.text_area(key=typed(app, "clinical_notes")).value == "Grew since spring."
    assert "Not saved yet" not in words(app)
    press(app, "Save draft")
    assert CaseStore(skinlens_home).case(2).visit.notes == "Grew since spring."
    assert "draft" not in app.query_params


def test_a_new_photo_waits_when_a_stored_case_is_opened(agreed: AppTest) -> None:
    app = two_cases(agreed)
    turn(app, "visit")
    press(app, "Try the example")
    press(app, "Show result")
    app.text_input(key=typed(app, "pseudonym")).set_value("P-7").run()
    turn(app, "worklist")
    press(app, "Open case 1")
    assert app.session_state["open_case"].case.visit.id == 1
    press(app, "New photo of before")
    turn(app, "visit")
    assert app.session_state["open_case"].case is None
    assert app.text_input(key=typed(app, "pseudonym")).value == "P-7"
    assert "Not saved yet</" not in words(app)
    assert "photo" in app.query_params
    assert "draft" not in app.query_params
