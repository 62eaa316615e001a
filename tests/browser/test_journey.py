"""The journey in a real Chromium: upload, own reading, prediction, maps with one zoom, case, history, report, model.

With ``SKINLENS_PICTURES=1`` screenshots of every page, wide and narrow, light and dark, are kept in ``artefacts/``.
"""

import io
import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

import pypdf
import pytest
from PIL import Image
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from skinlens.imaging.synthetic import draw_synthetic_lesion
from skinlens.labels import DISCLAIMER
from skinlens.serve import free_port
from tests.browser.serving import LIMIT_S, ROOT, launched, program, serving

ARTIFACTS = ROOT / "artefacts"
WIDE, NARROW = (1440, 900), (390, 844)
VIEWS = ("Why?", "Compare", "Report", "More")
MAPS = ("Grad-CAM", "Score-CAM", "LIME")
QUICK = {"grad_cam": {}, "score_cam": {"channels": 4}, "lime": {"samples": 50, "segments": 10}}
"""Settings with which the maps of a stored case are made quickly."""


@contextmanager
def served(
    home: Path,
    release: Path,
    start: Sequence[str] = ("-m", "streamlit"),
    script: str = "app.py",
    told: Mapping[str, str] | None = None,
) -> Iterator[str]:
    """The app as it is served, in a process of its own; ``start`` is what Python is given to do it, ``told`` more of
    its environment.
    """
    port = free_port("127.0.0.1", int(os.environ.get("SKINLENS_TEST_PORT", "8601")))
    arguments = [*start, "run", str(ROOT / script), "--server.port", str(port)]
    with serving(arguments, port, home, release, told) as address:
        yield address


@contextmanager
def chromium(*switches: str) -> Iterator[Browser]:
    """Chromium without a window; without one the test is skipped."""
    path = program()
    if path is None:
        pytest.skip("Chromium is not installed: this test needs a real browser (Debian's chromium-headless-shell)")
    expect.set_options(timeout=LIMIT_S * 1000)
    with launched(path, *switches) as browser:
        yield browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


class Watch:
    """What a page must never do: complain on its console, or ask for anything beyond this machine."""

    def __init__(self, page: Page) -> None:
        self.found: list[str] = []
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.found.append(f"error: {error}"))
        page.on("request", self._asked)

    def _said(self, message: ConsoleMessage) -> None:
        # Asked for a page by its address, Streamlit looks for its server below that address first.
        looked_for = re.search(r"/\w+/_stcore/(health|host-config)$", message.location.get("url", ""))
        if message.type == "error" and not looked_for:
            self.found.append(f"console: {message.text}")

    def _asked(self, request: Request) -> None:
        if not re.match(r"(http://127\.0\.0\.1:|ws://127\.0\.0\.1:|data:|blob:)", request.url):
            self.found.append(f"request: {request.url}")


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": WIDE[0], "height": WIDE[1]}, accept_downloads=True)
    page = context.new_page()
    page.set_default_timeout(LIMIT_S * 1000)
    watch = Watch(page)
    yield page
    assert watch.found == []
    context.close()


def picture(page: Page, name: str) -> None:
    """A screenshot of the whole page, where they are asked for: the window is made as high as what is in it."""
    settled(page)
    if os.environ.get("SKINLENS_PICTURES") != "1":
        return
    ARTIFACTS.mkdir(exist_ok=True)
    size = page.viewport_size
    assert size is not None
    height = page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight")
    page.set_viewport_size({"width": size["width"], "height": max(size["height"], min(height, 6000))})
    page.wait_for_timeout(400)
    page.screenshot(path=ARTIFACTS / f"{name}.png", animations="disabled")
    page.set_viewport_size(size)


def settled(page: Page) -> None:
    """Wait until the app has answered what was just done: the sign that it runs is shown only to who waits longer."""
    page.wait_for_timeout(300)
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")
    page.evaluate("document.fonts.ready.then(() => null)")  # a font that comes late moves what is pressed meanwhile


GROUNDS: dict[Literal["light", "dark"], str] = {"light": "rgb(251, 252, 252)", "dark": "rgb(18, 25, 28)"}
"""What lies behind everything, by the look."""


def turn_light(page: Page, look: Literal["light", "dark"], ground: str) -> None:
    """Have the computer ask for that look, and wait until the page has it."""
    page.emulate_media(color_scheme=look)
    expect(page.get_by_test_id("stApp")).to_have_css("background-color", ground)
    settled(page)


def choose_site(page: Page, choice: str, number: int = 0) -> None:
    """Choose a body site with its side by typing, in the field of that number; again where an answer of the server came
    while it was typed, and closed the list.
    """
    field = page.get_by_role("combobox", name="Body site and side", exact=True).nth(number)
    option = page.get_by_role("option", name=choice, exact=True)
    for _ in range(3):
        field.click()
        page.keyboard.type(choice)
        with suppress(PlaywrightTimeout):
            option.wait_for(timeout=20_000)
            break
        page.keyboard.press("Escape")
    page.keyboard.press("Enter")
    expect(option).to_have_count(0)
    expect(field).to_have_value(choice)


def show_reading(page: Page) -> None:
    """Skip the impression, once the page stands still."""
    button = page.get_by_role("button", name="Show result")
    expect(button).to_be_visible()
    settled(page)
    button.click()


def begin(page: Page, address: str) -> None:
    """The page for a new photo."""
    page.goto(f"{address}/visit")
    expect(page.get_by_role("heading", level=1, name="New photo")).to_be_visible()


def part(page: Page, name: str) -> None:
    """Turn to a part of the visit's page."""
    page.get_by_role("tab", name=name, exact=True).click()
    expect(page.get_by_role("tab", name=name, exact=True)).to_have_attribute("aria-selected", "true")
    settled(page)


def made(page: Page, title: str) -> None:
    """Wait until the map is there."""
    figure = page.locator("figure", has=page.get_by_role("heading", name=title, exact=True))
    expect(figure).to_be_visible()
    expect(figure.locator(".sl-note:not(.sl-quiet)")).to_be_hidden()


def turn(page: Page, title: str) -> None:
    page.get_by_role("link", name=title, exact=True).first.click()
    expect(page.get_by_role("heading", level=1, name=title, exact=True)).to_be_visible()
    expect(page.get_by_text(DISCLAIMER).first).to_be_visible()


def ranges(page: Page, among: str = "figure") -> list[list[int]]:
    """What each picture of the row shows of the photo once it stands still, in pixels: left, right, top, bottom."""
    pictures = page.locator(f"{among} [role=img][data-range]")
    before: list[str] = []
    end = time.monotonic() + LIMIT_S
    while time.monotonic() < end:
        now = pictures.evaluate_all("(all) => all.map((one) => one.dataset.range)")
        if now and now == before:
            return [[int(side) for side in one.split()] for one in now]
        before = now
        page.wait_for_timeout(200)
    raise AssertionError("the pictures do not stand still")


def test_the_journey(page: Page, release: Path, tmp_path: Path) -> None:
    with served(tmp_path / "home", release) as address:
        journey(page, address, tmp_path)


def journey(page: Page, address: str, tmp_path: Path) -> None:
    photo = tmp_path / "Mrs Smith.jpg"
    Image.fromarray(draw_synthetic_lesion(1)).save(photo, quality=92)

    page.goto(address)
    page.get_by_role("button", name="I have read this and agree").click()
    expect(page.get_by_text("No visit is stored yet.")).to_be_visible()
    picture(page, "1-worklist-empty")

    page.get_by_role("link", name="New photo").first.click()
    expect(page.get_by_text("How it goes")).to_be_visible()
    page.locator("input[type=file]").set_input_files(photo)
    expect(page.get_by_text("Your impression first")).to_be_visible()
    expect(page.get_by_text("cut-off")).to_have_count(0)
    show_reading(page)
    expect(page.get_by_text("cut-off").first).to_be_visible()
    page.get_by_text("All seven classes").click()
    expect(page.get_by_text("Actinic keratosis / intraepithelial carcinoma").first).to_be_visible()
    picture(page, "2-result")

    part(page, "Why?")
    for title in MAPS:
        made(page, title)
    expect(page.get_by_text("0 = none")).to_be_visible()
    expect(page.get_by_text("1 = most")).to_be_visible()
    picture(page, "3-why")

    pan_and_zoom(page)
    save_and_sign(page)
    print_report(page)
    come_back(page, address)


def pan_and_zoom(page: Page) -> None:
    """The four pictures show one and the same part of the photo."""
    whole = ranges(page)
    assert whole == [[0, 600, 0, 450]] * 4
    page.get_by_role("button", name="Zoom in").click()
    near = ranges(page)
    assert near == [near[0]] * 4
    assert near[0] == [100, 500, 75, 375]

    box = page.get_by_role("img", name="Grad-CAM map").bounding_box()
    assert box is not None
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(*middle)
    page.mouse.down()
    page.mouse.move(middle[0] - 60, middle[1] - 30, steps=6)
    page.mouse.up()
    panned = ranges(page)
    assert panned == [panned[0]] * 4
    assert panned[0][0] > near[0][0]
    assert panned[0][2] > near[0][2]
    assert panned[0][1] - panned[0][0] == pytest.approx(400, abs=2)

    page.get_by_text("Contour lines", exact=True).click()  # neither another style nor another class moves the view
    page.get_by_role("radio", name=re.compile("^Melanoma")).first.click()
    settled(page)
    for title in MAPS:
        made(page, title)
    assert ranges(page) == panned
    picture(page, "3-why-melanoma-contours")
    page.get_by_role("button", name="Whole photo").click()
    assert ranges(page) == whole


def save_and_sign(page: Page) -> None:
    part(page, "Result")
    expect(page.get_by_text("cut-off").first).to_be_visible()
    page.get_by_role("textbox", name="Patient ID").fill("P-0147")
    page.keyboard.press("Tab")
    settled(page)
    choose_site(page, "forearm, left")
    settled(page)
    page.get_by_role("button", name="Save case").click()
    expect(page.get_by_text(re.compile("Saved as case 1"))).to_be_visible()
    picture(page, "4-saved")

    turn(page, "Worklist")
    picture(page, "5-worklist")
    page.get_by_role("button", name="Open case 1").click()
    expect(page.get_by_role("heading", level=1, name="Case 1 · P-0147 · forearm, left")).to_be_visible()
    picture(page, "5-visit")
    page.get_by_role("textbox", name="Notes").fill("Regular network, no veil.")
    page.get_by_role("combobox", name="Your diagnosis").click()
    page.get_by_role("option", name="Melanocytic nevus").click()
    page.get_by_role("button", name="Save and sign").click()
    expect(page.get_by_text("Case 1 signed and saved.")).to_be_visible()


def print_report(page: Page) -> None:
    part(page, "Report")
    expect(page.get_by_alt_text(re.compile("Page 1 of"))).to_be_visible()
    picture(page, "6-report")
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Download the PDF").click()
    assert waiting.value.suggested_filename == "skinlens-case-0001-report.pdf"
    text = "".join(
        sheet.extract_text() for sheet in pypdf.PdfReader(io.BytesIO(waiting.value.path().read_bytes())).pages
    )
    assert "P-0147" in text
    assert "Regular network, no veil." in text
    assert "Smith" not in text


def come_back(page: Page, address: str) -> None:
    turn(page, "Performance")
    picture(page, "7-performance")

    page.goto(f"{address}/visit?case=1&view=More")  # as a browser does that is opened again
    expect(page.get_by_role("heading", level=1, name="Case 1 · P-0147 · forearm, left")).to_be_visible()
    expect(page.get_by_role("heading", name="Audit log")).to_be_visible()
    turn(page, "Worklist")
    page.get_by_role("textbox", name="Search").fill("P-0147")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("q=P-0147"))
    page.get_by_role("button", name="Open case 1").click()
    expect(page.get_by_role("tab", name="Result", exact=True)).to_have_attribute("aria-selected", "true")
    assert "P-0147" not in page.url
    page.go_back()
    expect(page.get_by_role("textbox", name="Search")).to_have_value("P-0147")
    assert "case=" not in page.url  # one press: the list's own address, not one that names the case already


def test_the_stored_maps_stand_in_one_row_where_there_is_room_else_in_a_column(page: Page, stocked: str) -> None:
    """And they are there at once. That no page is wider than its window stands in ``test_accessibility``."""
    page.goto(f"{stocked}/visit?case=1&view=Why?")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    settled(page)
    for look, ground in GROUNDS.items():
        turn_light(page, look, ground)
        for size, (width, height) in {"wide": WIDE, "narrow": NARROW}.items():
            page.set_viewport_size({"width": width, "height": height})
            for title in MAPS:
                made(page, title)
            settled(page)
            tops = page.evaluate(
                "[...document.querySelectorAll('figure [data-range]')].filter((one) => one.offsetWidth)"
                ".map((one) => one.getBoundingClientRect().top)"
            )
            assert len(set(tops)) == (1 if size == "wide" else 4)
