"""No page breaks a rule that axe-core can check: light and dark, at three widths."""

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
    settled,
    turn_light,
)

PAGES = (
    *("", "patients", "patients?patient=1&lesion=1", "help", "settings", "visit", "visit?case=1"),
    *(f"visit?case=1&view={view}" for view in VIEWS),
    *(f"performance?topic={topic}" for topic in TOPICS),
)
SIZES = {"wide": WIDE, "middle": (1024, 768), "narrow": NARROW}


@pytest.fixture
def tab(browser: Browser) -> Iterator[Page]:  # noqa: F811
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(LIMIT_S * 1000)
    yield page
    context.close()


def broken(tab: Page) -> dict[tuple[str, str, str], list[tuple[object, str]]]:
    """What axe-core finds on the page that is shown: look, size and rule, and where.

    In dark only by the rules that read colors, as nothing else of the page differs.
    """
    found = {}
    for look, ground in GROUNDS.items():
        turn_light(tab, look, ground)
        for size, (width, height) in SIZES.items():
            tab.set_viewport_size({"width": width, "height": height})
            settled(tab)
            for one in violations(tab, None if look == "light" else COLORS):
                found[look, size, one["id"]] = [(node["target"], node["html"][:150]) for node in one["nodes"]]
    return found


def test_axe_finds_nothing(tab: Page, stocked: str) -> None:
    found = {}
    for name in PAGES:
        tab.goto(f"{stocked}/{name}")
        expect(tab.get_by_role("heading", level=1)).to_be_visible()
        found[name] = broken(tab)
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
    expect(tab.get_by_text("Click where photo 1 is.")).to_be_visible()
    assert not broken(tab)
    back.click()
    expect(tab.get_by_text("Click where photo 2 is.")).to_be_visible()
    assert not broken(tab)
