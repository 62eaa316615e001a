"""axe-core on the page that is shown, put into each document once."""

from collections.abc import Sequence
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

COLORS = ("color-contrast", "link-in-text-block")
"""Rules that read colors: what differs between light and dark. Half of the time of all rules."""
_RUN = """async ([rules]) => (
    await axe.run(document, { resultTypes: ["violations"], ...(rules ? { runOnly: rules } : {}) })
).violations"""


def violations(page: Page, rules: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """Each rule that is broken, with the places; ``rules``: only these."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(Axe().axe_script)
    found: list[dict[str, Any]] = page.evaluate(_RUN, [rules and list(rules)])
    return found
