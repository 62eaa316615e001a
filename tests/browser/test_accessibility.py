"""No page breaks a rule that axe-core can check: light and dark, at three widths."""

from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from skinlens.ui.performance.page import TOPICS
from tests.browser.test_journey import (  # noqa: F401  (browser and stocked are fixtures)
    LIMIT_S,
    NARROW,
    VIEWS,
    WIDE,
    browser,
    settled,
    stocked,
)

PAGES = (
    *("", "patients", "patients?patient=1&lesion=1", "help", "settings", "visit", "visit?case=1"),
    *(f"visit?case=1&view={view}" for view in VIEWS),
    *(f"performance?topic={topic}" for topic in TOPICS),
)
SIZES = {"wide": WIDE, "middle": (1024, 768), "narrow": NARROW}


@pytest.fixture(params=["light", "dark"])
def tab(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:  # noqa: F811
    context = browser.new_context(color_scheme=request.param)
    page = context.new_page()
    page.set_default_timeout(LIMIT_S * 1000)
    yield page
    context.close()


def test_axe_finds_nothing(tab: Page, stocked: str) -> None:  # noqa: F811
    found = {}
    for name in PAGES:
        tab.goto(f"{stocked}/{name}")
        expect(tab.get_by_role("heading", level=1)).to_be_visible()
        for size, (width, height) in SIZES.items():
            tab.set_viewport_size({"width": width, "height": height})
            settled(tab)
            for one in Axe().run(tab).response["violations"]:
                found[name, size, one["id"]] = [(node["target"], node["html"][:150]) for node in one["nodes"]]
    assert not found
