"""Scripts of the viewer and the outline when the page shows the same elements again after it took them away."""

import base64
from pathlib import Path

from playwright.sync_api import Browser, Page

from skinlens.ui.components import outliner, viewer
from tests.browser.test_journey import browser  # noqa: F401  (a fixture)

FOLDER = Path(viewer.__file__).parent
SCRIPTS = ("picture.js", "loupe.js", "compare.js", "region.js", "viewer.js")
DATA = """({
  photos: {}, frame: [600, 450], columns: 1, overlaid: false, opener: "Compare", region: null, keys: true,
  panels: [{ key: "photo", title: "", shows: "", lines: ["Photo"], note: "", heat: null, fraction: null, action: "",
             button: "", empty: false }],
})"""
SHOWN = """() => {
  const root = document.querySelector(".sl-viewer");
  return [...root.children].map((one) => one.className).join(" ") + " / " + root.querySelectorAll("figure").length;
}"""


def loaded(page: Page, markup: Path, scripts: list[Path]) -> str:
    """Put a component's elements into a page; returns the address of its script, as a module."""
    page.set_content(f"<div id=place>{markup.read_text(encoding='utf-8')}</div>")
    script = "".join(path.read_text(encoding="utf-8") for path in scripts)
    return "data:text/javascript;base64," + base64.b64encode(script.encode()).decode()


def shown_after(page: Page, steps: str) -> str:
    """Order of the viewer's parts, and its number of pictures, after these steps; ``show`` returns its end."""
    address = loaded(page, FOLDER / "viewer.html", [FOLDER / name for name in SCRIPTS])
    page.evaluate(
        f"""async (address) => {{
          const parentElement = document.getElementById("place");
          const {{ default: main }} = await import(address);
          const show = () => main({{ parentElement, data: {DATA}, setTriggerValue: () => {{}} }});
          {steps}
        }}""",
        address,
    )
    return str(page.evaluate(SHOWN))


def test_the_same_elements_are_shown_again_as_they_were(browser: Browser) -> None:  # noqa: F811
    page = browser.new_page()
    once = shown_after(page, "show();")
    assert once == "sl-compare sl-grid sl-bar sl-loupe sl-region / 1"
    assert shown_after(page, "show()(); show(); show();") == once
    assert shown_after(page, "show()();").endswith("/ 0")
    page.close()


def test_the_outline_is_shown_again_as_it_was_left(browser: Browser) -> None:  # noqa: F811
    page = browser.new_page()
    folder = Path(outliner.__file__).parent
    scripts = [FOLDER / "picture.js", FOLDER / "loupe.js", folder / "outliner.js"]
    address = loaded(page, folder / "outliner.html", scripts)
    points = page.evaluate(
        """async (address) => {
          const parentElement = document.getElementById("place");
          const { default: main } = await import(address);
          const photo = { id: "a", width: 600, height: 450 };
          const points = [[0.4, 0.4], [0.6, 0.4], [0.6, 0.6], [0.4, 0.6]];
          const data = { photo, points, proposal: null, editable: true, alt: "Photo" };
          const show = () => main({ parentElement, data, setTriggerValue: () => {} });
          const close = show();
          parentElement.querySelector("[data-do=begin]").click();
          close();
          show();
          return parentElement.querySelectorAll(".sl-handles > *").length;
        }""",
        address,
    )
    assert points == 4
    page.close()
