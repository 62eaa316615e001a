"""What a page shows stands in its address, and an address that is typed or gone back to is what the page shows."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from skinlens.store import CaseStore
from skinlens.ui.state import address
from tests.app.conftest import press, read, turn, typed
from tests.store import samples


@pytest.fixture
def worklist(agreed: AppTest, skinlens_home: Path) -> AppTest:
    samples.save_cases(CaseStore(skinlens_home), 14)
    return turn(agreed, "worklist")


def test_search_chips_order_and_page_stand_in_the_address(worklist: AppTest) -> None:
    assert not worklist.query_params
    worklist.get("pagination")[0].set_value(2).run()
    worklist.selectbox(key="order").select("Oldest first")
    worklist.button_group(key="show").set_value(["Unsigned"]).run()
    assert {name: value for name, value in worklist.query_params.items() if name != "page"} == {
        "order": "Oldest first",
        "show": "Unsigned",
    }


def test_an_address_that_was_sent_gives_the_same_list(worklist: AppTest) -> None:
    fresh = AppTest.from_file(worklist._script_path, default_timeout=240)
    fresh.query_params["q"] = "no such words"
    fresh.query_params["order"] = "Oldest first"
    fresh.run()
    assert fresh.text_input(key="q").value == "no such words"
    assert fresh.selectbox(key="order").value == "Oldest first"
    assert "No visit matches" in read(fresh)


@pytest.mark.parametrize(
    ("name", "typed"),
    [("order", "Backwards"), ("show", "All,Of,Them"), ("page", "-3"), ("page", "9"), ("page", "9" * 5000)],
)
def test_nonsense_in_the_address_is_the_usual_list(worklist: AppTest, name: str, typed: str) -> None:
    fresh = AppTest.from_file(worklist._script_path, default_timeout=240)
    fresh.query_params[name] = typed
    fresh.run()
    assert not fresh.exception
    assert "**14 visits**" in read(fresh)
    assert name not in fresh.query_params


def test_going_back_gives_the_list_as_it_was(worklist: AppTest) -> None:
    worklist.text_input(key="q").input("no such words").run()
    del worklist.query_params["q"]  # the browser's own button
    worklist.run()
    assert worklist.text_input(key="q").value == ""
    assert "**14 visits**" in read(worklist)


def test_a_list_is_as_it_was_after_another_page(worklist: AppTest) -> None:
    worklist.selectbox(key="order").select("Oldest first").run()
    worklist.query_params.clear()  # as Streamlit does where pages are switched
    turn(worklist, "patients")
    turn(worklist, "worklist")
    assert worklist.selectbox(key="order").value == "Oldest first"
    assert worklist.query_params["order"] == "Oldest first"


def test_a_case_that_is_opened_shows_its_result_first(worklist: AppTest) -> None:
    press(worklist, "Open case 14")
    turn(worklist, "more")
    press(turn(worklist, "worklist"), "Open case 14")
    assert worklist.session_state["view"] == "Result"


def test_numbers_are_read_and_nothing_else() -> None:
    assert [address._read(text, 1, None) for text in ("3", "0", "-1", "x", "٣", "")] == [3, 1, 1, 1, 1, 1]


def test_the_keys_go_from_visit_to_visit_of_the_list_and_keep_the_part(worklist: AppTest) -> None:
    listed = worklist.session_state["listed"].visit_ids
    press(worklist, f"Open case {listed[-1]}")
    turn(worklist, "more")
    worklist.session_state["turn_page"] = 1
    worklist.run()
    opened = worklist.session_state["open_case"].case.visit.id
    assert opened not in listed  # the first of the second page
    assert worklist.session_state["view"] == "More"
    worklist.session_state["turn_page"] = -1
    worklist.run()
    assert worklist.session_state["open_case"].case.visit.id == listed[-1]
    for _ in listed:
        worklist.session_state["turn_page"] = -1
        worklist.run()
    assert worklist.session_state["open_case"].case.visit.id == listed[0]
    assert "This is the first visit of the list." in read(worklist)


def test_back_leads_from_case_to_case_and_entries_that_are_not_saved_wait(worklist: AppTest) -> None:
    def back(case: int) -> int:
        worklist.query_params["case"] = str(case)  # the browser's own button
        worklist.run()
        assert worklist.query_params["case"] == str(worklist.session_state["open_case"].case.visit.id)
        return int(worklist.query_params["case"])

    press(worklist, "Open case 14")
    worklist.session_state["turn_page"] = 1
    worklist.run()
    assert worklist.query_params["case"] == "13"
    assert [back(14), back(13), back(99)] == [14, 13, 13]
    worklist.text_area(key=typed(worklist, "clinical_notes")).set_value("Grew since spring.").run()
    assert back(14) == 14
    assert "Entries of case 13" in [button.label for button in worklist.button]
    assert back(13) == 13
    assert worklist.text_area(key=typed(worklist, "clinical_notes")).value == "Grew since spring."
