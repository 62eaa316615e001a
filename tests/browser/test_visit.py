"""The page of a visit in a real browser: the photo stays beside the criteria, key o draws the outline over it."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

from skinlens import pipeline
from skinlens.segmentation.contour import drawn_by_clinician
from skinlens.store import CaseStore, NewLesion, NewPatient, NewVisit
from tests.browser.test_journey import LIMIT_S, NARROW, WIDE, browser, served, settled

__all__ = ["browser"]  # a fixture


@pytest.fixture(scope="module")
def visit(release: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, CaseStore]]:
    """The address of a stored visit with an outline, and the store that holds it."""
    home = tmp_path_factory.mktemp("visit") / "home"
    with served(home, release) as address:
        store = CaseStore(home)
        store.acknowledge_disclaimer()
        analysis = pipeline.example(pipeline.load_classifier(release))
        points = [(0.5 + 0.3 * np.cos(turn), 0.5 + 0.3 * np.sin(turn)) for turn in np.linspace(0, 6.2, 24)]
        outline = drawn_by_clinician(points, analysis.photo, analysis.prediction.model)
        patient, lesion = NewPatient("P-0147", 1961, "female"), NewLesion("forearm")
        store.save_case(analysis, NewVisit(patient, lesion, "2024-05-06"), outlines=[outline])
        yield f"{address}/visit?case=1", store


def opened(browser: Browser, address: str, size: tuple[int, int]) -> Page:
    page = browser.new_page(viewport={"width": size[0], "height": size[1]})
    page.set_default_timeout(LIMIT_S * 1000)
    page.goto(address)
    expect(page.get_by_role("button", name="Save and sign")).to_be_visible()
    settled(page)
    return page


def top_of_the_photo(page: Page) -> float:
    """Of the photo in the window, in pixels, once the page is scrolled to its end."""
    page.get_by_role("button", name="Save and sign").scroll_into_view_if_needed()
    page.evaluate("document.querySelector('[data-testid=stMain]').scrollTo(0, 1e6)")
    page.wait_for_timeout(300)
    box = page.locator(".st-key-visit_photo figure .sl-frame").bounding_box()
    assert box is not None
    return box["y"]


def test_the_photo_stays_in_sight_beside_the_last_field(browser: Browser, visit: tuple[str, CaseStore]) -> None:
    page = opened(browser, visit[0], WIDE)
    assert 0 <= top_of_the_photo(page) < WIDE[1] / 3
    page.close()
    phone = opened(browser, visit[0], NARROW)
    assert top_of_the_photo(phone) < -NARROW[1]
    phone.close()


def test_key_o_draws_the_outline_and_takes_it_off(browser: Browser, visit: tuple[str, CaseStore]) -> None:
    page = opened(browser, visit[0], WIDE)
    line = page.locator(".sl-outline path").last
    expect(page.locator(".sl-outline")).to_have_count(0)
    for width, height in ((1024, 768), WIDE):
        page.set_viewport_size({"width": width, "height": height})
        settled(page)
        whole = page.locator(".st-key-visit_photo figure .sl-frame").bounding_box()
        assert whole is not None
        assert whole["height"] / whole["width"] == pytest.approx(0.75, abs=0.01)
        buttons = page.locator(".st-key-visit_photo .sl-zoom").bounding_box()
        assert buttons is not None
        assert whole["y"] + whole["height"] < buttons["y"]
        assert whole["y"] + whole["height"] <= height  # below the verdict, in the first screen
    assert buttons["y"] + buttons["height"] <= WIDE[1]
    page.keyboard.press("o")
    expect(line).to_be_visible()
    expect(page.get_by_role("img", name="with the outline of the lesion").first).to_be_visible()
    photo, drawn = page.locator(".st-key-visit_photo figure .sl-frame").bounding_box(), line.bounding_box()
    assert photo is not None
    assert drawn is not None
    assert drawn["width"] / photo["width"] == pytest.approx(0.6, abs=0.02)
    assert (drawn["x"] - photo["x"]) / photo["width"] == pytest.approx(0.2, abs=0.02)
    settled(page)
    page.keyboard.press("o")
    expect(page.locator(".sl-outline")).to_have_count(0)
    page.close()


def test_what_was_typed_is_saved_by_the_press_that_follows_at_once(
    browser: Browser,
    visit: tuple[str, CaseStore],
) -> None:
    """The press takes the focus from the field: its words and the press arrive together."""
    page = opened(browser, visit[0], WIDE)
    page.get_by_role("textbox", name="Notes").fill("Regular network.")
    page.get_by_role("button", name="Save and sign").click()
    expect(page.get_by_text("Not signed yet: choose your diagnosis above.")).to_be_visible()
    expect(page.get_by_role("textbox", name="Notes")).to_have_value("Regular network.")
    page.get_by_role("textbox", name="In your own words").fill("banal")
    page.get_by_role("button", name="Save draft").click()
    expect(page.get_by_text("Case 1 saved as a draft.")).to_be_visible()
    said = visit[1].case(1).visit
    assert (said.notes, said.clinician_diagnosis, said.status) == ("Regular network.", "banal", "draft")
    expect(page.get_by_role("textbox", name="Notes")).to_have_value("Regular network.")
    page.close()


def test_the_menu_for_a_new_photo_closes_once_the_photo_is_taken(
    browser: Browser, visit: tuple[str, CaseStore]
) -> None:
    """It lay over the question about the clinician's own impression."""
    page = opened(browser, visit[0], WIDE)
    page.get_by_role("button", name="New photo").click()
    example = page.get_by_role("button", name="Try the example")
    example.click()
    expect(page.get_by_role("button", name="Show result")).to_be_visible()
    expect(example).to_be_hidden()
    page.get_by_role("button", name="New photo").click()
    expect(example).to_be_visible()
    page.close()


def test_the_result_and_its_reasons_begin_at_the_top_of_the_page(
    browser: Browser, visit: tuple[str, CaseStore]
) -> None:
    page = browser.new_page(viewport={"width": NARROW[0], "height": NARROW[1]})
    page.set_default_timeout(LIMIT_S * 1000)
    page.goto(visit[0].partition("?")[0])
    page.get_by_role("button", name="Try the example").click()
    for name in ("Show result", "Why this result?"):
        asked = page.get_by_role("button", name=name)
        expect(asked).to_be_visible()
        settled(page)
        page.evaluate("document.querySelector('[data-testid=stMain]').scrollTo(0, 1e6)")
        page.wait_for_function("document.querySelector('[data-testid=stMain]').scrollTop > 200")
        asked.click()
        expect(asked).to_be_hidden()
        page.wait_for_function("document.querySelector('[data-testid=stMain]').scrollTop === 0")
    page.close()


def test_a_long_text_survives_a_reload_while_its_field_still_has_the_focus(
    browser: Browser, visit: tuple[str, CaseStore]
) -> None:
    page = opened(browser, visit[0], WIDE)
    notes = page.get_by_role("textbox", name="Notes")
    notes.click()
    page.keyboard.press("Control+End")
    notes.press_sequentially(" Spitz?")
    page.wait_for_timeout(3000)
    settled(page)
    expect(notes).to_be_focused()
    notes.press_sequentially(" Perhaps.")
    page.wait_for_timeout(3000)
    settled(page)
    typed = notes.input_value()
    assert typed.endswith(" Spitz? Perhaps.")
    page.reload()
    expect(page.get_by_role("textbox", name="Notes")).to_have_value(typed, timeout=30_000)
    page.close()
