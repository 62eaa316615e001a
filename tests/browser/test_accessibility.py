"""No page breaks a rule that axe-core can check, and none is wider than its window: light and dark, at three widths."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from skinlens.imaging.synthetic import draw_synthetic_lesion
from skinlens.ui.performance.page import TOPICS
from tests.browser.axe import COLORS, violations
from tests.browser.test_journey import (  # noqa: F401  (browser is a fixture)
    GROUNDS,
    LIMIT_S,
    NARROW,
    VIEWS,
    WIDE,
    browser,
    picture,
    turn_light,
)

PAGES = (
    *("?case=1", "patients?case=1", "patients?patient=1&lesion=1", "help", "settings?case=1", "visit", "visit?case=1"),
    *(f"visit?case=1&view={view}" for view in VIEWS),
    *(f"performance?topic={topic}&case=1" for topic in TOPICS),
)
"""Most with an open case, whose name and menu stand in the head of each page."""
OVERFLOW = (
    "(() => { const main = document.querySelector('[data-testid=stMain]');"
    " return main.scrollWidth - main.clientWidth })()"
)
RULES = {
    ("light", "middle"): (*COLORS, "scrollable-region-focusable"),
    **{("dark", size): COLORS for size in ("wide", "narrow")},
}
"""Rules by look and size; all where none are named."""
PALE_TABS = """(() => {
  const color = (one) => getComputedStyle(one).color;
  const text = color(document.querySelector("[data-testid=stApp]"));
  return [...document.querySelectorAll("[data-testid=stTab] p")].filter((one) => color(one) !== text)
    .map((one) => `${one.textContent}: ${color(one)}`);
})()"""
"""Names of tabs in another color than the text. axe-core cannot say what lies behind them, and so leaves them out."""
SIZES = {"wide": WIDE, "middle": (1024, 768), "narrow": NARROW}


@pytest.fixture
def tab(browser: Browser) -> Iterator[Page]:  # noqa: F811
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(LIMIT_S * 1000)
    yield page
    context.close()


def laid_out(tab: Page) -> None:
    """Wait for the page in a window of another size: nothing is asked of the server, so two frames and a moment do."""
    tab.evaluate(
        "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 50))))"
    )


def broken(tab: Page, name: str = "") -> dict[tuple[str, str, str], list[tuple[object, str]]]:
    """What axe-core finds on the page that is shown, and by how much it is wider than the window: look, size and rule,
    and where. A page with a name has its picture taken, where pictures are asked for.

    In dark only by the rules that read colors, as nothing else of the page differs, and not at the width between; there
    in light by those that depend on where things lie, as the page is that of the wide window.
    """
    found = {}
    for look, ground in GROUNDS.items():
        turn_light(tab, look, ground)
        for size, (width, height) in SIZES.items():
            if look == "dark" and size == "middle":
                continue
            tab.set_viewport_size({"width": width, "height": height})
            laid_out(tab)
            for one in violations(tab, RULES.get((look, size))):
                found[look, size, one["id"]] = [(node["target"], node["html"][:150]) for node in one["nodes"]]
            if tab.evaluate(PALE_TABS):
                tab.wait_for_timeout(500)  # it may be on its way from the other look
            if pale := tab.evaluate(PALE_TABS):
                found[look, size, "the color of a tab's name"] = [(name, one) for one in pale]
            if (overflow := tab.evaluate(OVERFLOW)) > 0:
                found[look, size, "wider than the window"] = [(f"by {overflow} px", name)]
            if name and size != "middle":
                picture(tab, f"look-{re.sub(chr(92) + 'W+', '-', name)}-{size}-{look}")
    return found


def test_axe_finds_nothing(tab: Page, stocked: str) -> None:
    found = {}
    for name in PAGES:
        tab.goto(f"{stocked}/{name}")
        expect(tab.get_by_role("heading", level=1)).to_be_visible()
        if "case=1" in name:
            expect(tab.get_by_role("button", name="New photo")).to_be_visible()
        found[name] = broken(tab, name)
    assert not {name: one for name, one in found.items() if one}


def test_axe_finds_nothing_on_a_worklist_with_photos_and_its_body_map(tab: Page, stocked: str, tmp_path: Path) -> None:
    photos = [tmp_path / f"mole-{number}.jpg" for number in range(2)]
    for number, path in enumerate(photos):
        Image.fromarray(draw_synthetic_lesion(40 + number)).save(path, quality=92)
    tab.goto(stocked)
    tab.locator("input[type=file]").set_input_files(photos)
    expect(tab.get_by_role("combobox", name="Body site and side", exact=True)).to_have_count(len(photos))
    assert not broken(tab)
    tab.get_by_text("Place them on the body map").click()
    back = tab.locator('figure[data-view="back"] .sl-body-plate')
    expect(back).to_be_visible()
    expect(tab.get_by_text("Choose where photo 1 is.")).to_be_visible()
    assert not broken(tab)
    back.click()
    expect(tab.get_by_text("Choose where photo 2 is.")).to_be_visible()
    assert not broken(tab)
