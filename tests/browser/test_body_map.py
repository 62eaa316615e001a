"""The body map in a real Chromium: a pin chooses, a click and the keyboard place, back goes one step."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from skinlens import pipeline
from skinlens.records import BodyPosition
from skinlens.store import CaseStore, NewLesion, NewVisit
from tests.app.conftest import drawn
from tests.browser.test_journey import (  # noqa: F401  (browser and tab are fixtures)
    browser,
    picture,
    served,
    settled,
)
from tests.browser.test_journey import page as tab  # noqa: F401
from tests.store.edits import add_patient

SITES = (("forearm", "left"), ("back", ""), ("lower leg", "right"))


def stock(home: Path, release: Path) -> CaseStore:
    """P-7 with three lesions, of which the back alone is placed."""
    store = CaseStore(home)
    store.acknowledge_disclaimer()
    classifier = pipeline.load_classifier(release)
    patient = add_patient(store, "P-7", 1961, "female").id
    for seed, where in enumerate(SITES, 1):
        analysis = pipeline.analyze(drawn(seed, "PNG"), classifier)
        store.save_case(analysis, NewVisit(patient, NewLesion(*where), "2024-05-06"))
    store.place_lesion(2, BodyPosition("back", 0.5, 0.3), expected_version=1)
    return store


@pytest.fixture(scope="module")
def stocked_map(release: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, CaseStore]]:
    """The app with that store: the first test places and moves, the second one only looks."""
    home = tmp_path_factory.mktemp("map") / "home"
    with served(home, release) as address:
        yield address, stock(home, release)


def pressed(page: Page) -> list[str]:
    """The numbers of the pins that are chosen."""
    return page.locator(".sl-body-pins .sl-pin[aria-pressed=true]").all_inner_texts()


def test_lesions_are_chosen_and_placed_on_the_map(tab: Page, stocked_map: tuple[str, CaseStore]) -> None:  # noqa: F811
    address, store = stocked_map
    tab.goto(f"{address}/patients")
    tab.get_by_role("button", name="Open P-7").click()
    expect(tab.get_by_role("heading", level=1, name="Patient P-7")).to_be_visible()
    settled(tab)

    # A pin chooses its lesion in the list, its region lights up, and back leads to where one was.
    tab.get_by_role("button", name=re.compile("^Lesion 2: back")).click()
    tab.wait_for_url(re.compile("patient=1&lesion=2"))
    expect(tab.get_by_role("button", name="✓ Lesion 2")).to_be_visible()
    lit = tab.locator(".sl-region.sl-lit")
    assert set(lit.evaluate_all("(all) => all.map((one) => one.dataset.site)")) == {"back"}
    settled(tab)
    tab.go_back()
    expect(tab.get_by_role("button", name="Choose lesion 2")).to_be_visible()
    assert pressed(tab) == []

    # By keyboard, from the list: the crosshair begins in the region of the lesion's site.
    tab.get_by_role("button", name="Choose lesion 3").click()
    settled(tab)
    tab.get_by_role("button", name="Place on the map").click()
    cursor = tab.locator(".sl-body-cursor")
    expect(cursor).to_be_focused()
    expect(cursor).to_have_attribute("aria-label", re.compile("Front: right lower leg"))
    tab.keyboard.press("Escape")
    expect(cursor).to_have_count(0)
    assert store.lesions(1)[2].position is None
    tab.get_by_role("button", name="Place on the map").click()
    expect(cursor).to_be_focused()
    before = cursor.evaluate("(one) => parseFloat(one.style.top)")
    for key in ("ArrowDown", "Shift+ArrowDown", "ArrowUp"):
        tab.keyboard.press(key)
    assert cursor.evaluate("(one) => parseFloat(one.style.top)") == pytest.approx(before + 3, abs=0.01)
    tab.keyboard.press("Enter")
    expect(tab.get_by_text("Saved. Lesion 3 placed: right lower leg (front).")).to_be_visible()
    settled(tab)
    placed = store.lesions(1)[2].position
    assert placed is not None
    assert placed.view == "front"
    assert placed.x < 0.5  # the patient's right is the reader's left
    assert placed.y == pytest.approx((before + 3) / 100, abs=1e-3)
    assert pressed(tab) == ["3"]
    picture(tab, "patient-wide")

    # By mouse: moved, outside of the figure refused, and undone.
    plate = tab.locator("figure[data-view=back] .sl-body-plate")
    size = plate.bounding_box()
    assert size is not None
    tab.get_by_role("button", name="Move on the map").click()
    expect(cursor).to_be_focused()
    plate.click(position={"x": 3, "y": size["height"] - 3})
    expect(tab.locator(".sl-body-task")).to_contain_text("outside of the figure")
    plate.click(position={"x": size["width"] * 0.6, "y": size["height"] * 0.8})
    expect(tab.get_by_text("Saved. Lesion 3 moved: right lower leg (back).")).to_be_visible()
    settled(tab)
    tab.get_by_role("button", name="Undo").click()
    expect(tab.get_by_text("Saved. Lesion 3 moved")).to_have_count(0)
    settled(tab)
    assert store.lesions(1)[2].position == placed

    # A click on the skin offers a new lesion there, with its body site.
    plate.click(position={"x": size["width"] * 0.4, "y": size["height"] * 0.62})
    expect(tab.get_by_text("New lesion: left thigh")).to_be_visible()
    settled(tab)
    tab.get_by_role("button", name="Add its first photo").click()
    expect(tab.get_by_text("For patient P-7, new lesion (left thigh).")).to_be_visible()
    settled(tab)
    tab.go_back()
    expect(tab.get_by_role("heading", level=1, name="Patient P-7")).to_be_visible()


def test_on_a_telephone_the_hint_never_covers_the_map_and_the_first_patient_is_in_sight(
    tab: Page,  # noqa: F811
    stocked_map: tuple[str, CaseStore],
) -> None:
    address, _ = stocked_map
    tab.set_viewport_size({"width": 390, "height": 844})
    tab.goto(f"{address}/patients")
    row = tab.get_by_role("button", name="Open P-7")
    expect(row).to_be_visible()
    settled(tab)
    place = row.bounding_box()
    assert place is not None
    assert place["y"] + place["height"] < 800
    row.click()
    hint = tab.get_by_text("Choose a pin for its lesion")
    expect(hint).to_be_visible()
    settled(tab)
    tab.locator(".sl-body figure").last.scroll_into_view_if_needed()
    above = """(one) => one.getBoundingClientRect().bottom
      <= document.querySelector('.sl-body').getBoundingClientRect().top"""
    assert hint.evaluate(above)
