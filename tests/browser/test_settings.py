"""The page of the settings in a real Chromium: saves are said beside their button, light or dark is chosen."""

import re

from playwright.sync_api import Page, expect

from tests.browser.test_journey import NARROW, browser, page, settled  # noqa: F401  (fixtures)


def opened(page: Page, address: str) -> None:  # noqa: F811
    page.goto(f"{address}/settings")
    expect(page.get_by_role("heading", level=1, name="Settings")).to_be_visible()
    settled(page)


def test_a_save_is_confirmed_beside_its_button_without_scrolling(page: Page, stocked: str) -> None:  # noqa: F811
    for button in ("Save clinic", "Save display"):
        opened(
            page, stocked
        )  # anew: on a slow computer what the first save said is still there when the second is made
        pressed = page.get_by_role("button", name=button)
        pressed.scroll_into_view_if_needed()
        pressed.click()
        said = page.get_by_test_id("stAlert").filter(has_text="Saved.")
        expect(said).to_be_in_viewport()
        settled(page)
        here, there = said.bounding_box(), pressed.bounding_box()
        assert here is not None
        assert there is not None
        assert here["y"] < there["y"] + there["height"]
        assert there["y"] < here["y"] + here["height"]


def test_dark_and_light_are_chosen_in_the_menu_and_the_page_says_which(page: Page, stocked: str) -> None:  # noqa: F811
    """Streamlit's menu is shown for the sake of this choice: if it goes, so does the only way to make it."""
    opened(page, stocked)
    for size in (page.viewport_size, {"width": NARROW[0], "height": NARROW[1]}):
        assert size is not None
        page.set_viewport_size(size)
        for choice, ground in (("Dark", "rgb(18, 25, 28)"), ("Light", "rgb(251, 252, 252)")):
            page.get_by_role("button", name="Main menu").click()
            page.get_by_role("menuitemradio", name=choice).click()
            expect(page.get_by_test_id("stApp")).to_have_css("background-color", ground)
            page.keyboard.press("Escape")
            expect(page.get_by_text(re.compile(f"Shown now: {choice.lower()}"))).to_be_visible()
    page.get_by_role("button", name="Main menu").click()
    expect(page.get_by_role("menuitemradio", name="System")).to_be_visible()
    expect(page.get_by_role("menuitem")).to_have_text(["About"])  # and nothing of what is for developers
