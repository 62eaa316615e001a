"""The viewer in a real Chromium: wheel, fingers, keys, loupe, scale bar, and two photos over each other."""

import re
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, expect

from skinlens.store import CaseStore
from tests.browser.test_journey import (  # noqa: F401  (browser is a fixture)
    LIMIT_S,
    Watch,
    browser,
    picture,
    ranges,
    served,
)
from tests.browser.viewer_page import MM_PER_PX, SIDES, drawn

PAGE = "tests/browser/viewer_page.py"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("viewer") / "home"


@pytest.fixture(scope="module")
def address(release: Path, home: Path) -> Iterator[str]:
    with served(home, release, script=PAGE) as address:
        yield address


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:  # noqa: F811
    context = browser.new_context(viewport={"width": 1000, "height": 700})
    page = context.new_page()
    page.set_default_timeout(LIMIT_S * 1000)
    watch = Watch(page)
    page.goto(address)
    assert ranges(page) == [[0, SIDES[0], 0, SIDES[1]]]
    yield page
    assert watch.found == []
    context.close()


def photo(page: Page) -> Locator:
    return page.get_by_role("img", name="Photo", exact=True).first


def box(one: Locator) -> dict[str, float]:
    found = one.bounding_box()
    assert found is not None
    return dict(found)


def width(page: Page) -> int:
    ((left, right, _, _),) = ranges(page)
    return right - left


def test_the_wheel_zooms_about_the_pointer_and_scrolls_the_page_where_the_photo_is_whole(page: Page) -> None:
    place = box(photo(page))
    page.mouse.move(place["x"], place["y"] + 5)  # the corner stays where it is
    page.mouse.wheel(0, -300)
    ((left, right, top, _),) = ranges(page)
    assert (left, top) == pytest.approx((0, 0), abs=12)
    assert right < SIDES[0] * 0.9
    page.mouse.wheel(0, 3000)
    assert width(page) == pytest.approx(SIDES[0], abs=2)
    page.mouse.wheel(0, 200)
    page.wait_for_function("document.querySelector('[data-testid=stMain]').scrollTop > 100")
    assert width(page) == pytest.approx(SIDES[0], abs=2)


def test_keys_zoom_and_move_the_photo_that_has_the_focus_and_digits_are_left_to_the_page(page: Page) -> None:
    photo(page).focus()
    for _ in range(2):
        page.keyboard.press("+")
        assert width(page) < SIDES[0]
    assert width(page) == pytest.approx(SIDES[0] / 1.5**2, abs=2)
    ((left, _, top, _),) = ranges(page)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    ((moved, _, lowered, _),) = ranges(page)
    assert moved > left
    assert lowered > top
    page.evaluate(
        "document.addEventListener('keydown', (event) => (window.passed = !event.defaultPrevented && event.key))"
    )
    page.keyboard.press("0")
    assert page.evaluate("window.passed") == "0"
    assert ranges(page)[0][0] == moved
    page.keyboard.press("-")
    assert width(page) == pytest.approx(SIDES[0] / 1.5, abs=2)
    page.keyboard.press("Home")
    assert width(page) == pytest.approx(SIDES[0], abs=2)


def test_a_finger_scrolls_the_page_two_zoom_and_one_moves_what_is_magnified(browser: Browser, address: str) -> None:  # noqa: F811
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page = context.new_page()
    page.goto(address)
    assert width(page) == pytest.approx(SIDES[0], abs=2)
    place = box(photo(page))
    x, y = place["x"] + place["width"] / 2, place["y"] + place["height"] / 2
    touch = context.new_cdp_session(page)

    def fingers(kind: str, *points: tuple[float, float]) -> None:
        given = [{"x": across, "y": down, "id": number} for number, (across, down) in enumerate(points)]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": given})
        page.wait_for_timeout(30)

    def drag(dx: float, dy: float) -> None:
        fingers("touchStart", (x, y))
        for step in range(1, 9):
            fingers("touchMove", (x + dx * step / 8, y + dy * step / 8))
        fingers("touchEnd")

    drag(0, -80)
    assert width(page) == pytest.approx(SIDES[0], abs=2)
    assert ranges(page)[0][2] == 0
    scrolled = page.evaluate("document.querySelector('[data-testid=stMain]').scrollTop")
    assert scrolled > 30
    y -= scrolled
    fingers("touchStart", (x - 20, y), (x + 20, y))
    for step in range(1, 7):
        fingers("touchMove", (x - 20 - 8 * step, y), (x + 20 + 8 * step, y))
    fingers("touchEnd")
    near = width(page)
    assert near < SIDES[0] / 2
    ((left, _, _, _),) = ranges(page)
    drag(-60, 0)
    assert ranges(page)[0][0] > left
    assert width(page) == pytest.approx(near, abs=2)  # rounded to whole pixels of the photo
    context.close()


def test_the_loupe_shows_the_full_detail_below_the_pointer(page: Page) -> None:
    page.wait_for_function("[...window.skinlensPhotos.values()].every((photo) => photo.full)")
    switch = page.get_by_role("button", name="Loupe").first
    expect(switch).to_have_attribute("aria-pressed", "false")
    switch.click()
    expect(switch).to_have_attribute("aria-pressed", "true")
    glass = page.locator(".sl-loupe").first
    expect(glass).to_be_visible()
    middle = str(glass.get_attribute("data-shows"))
    place = box(photo(page))
    page.mouse.move(place["x"] + place["width"] / 4, place["y"] + place["height"] / 2)
    expect(glass).not_to_have_attribute("data-shows", middle)
    across, down, scale = (float(part) for part in str(glass.get_attribute("data-shows")).split())
    assert (across, down) == pytest.approx((SIDES[0] / 4, SIDES[1] / 2), abs=3)
    assert scale == pytest.approx(max(3 * place["width"] / SIDES[0], 1), rel=0.01)  # no smaller than it is
    center = box(glass)
    assert center["x"] + center["width"] / 2 == pytest.approx(place["x"] + place["width"] / 4, abs=2)
    # The middle of the glass has the color of that place in the photo itself.
    page.wait_for_timeout(300)
    picture(page, "viewer-loupe")
    pixel = "(canvas) => [...canvas.getContext('2d').getImageData(canvas.width / 2, canvas.height / 2, 1, 1).data]"
    seen = glass.locator("canvas").first.evaluate(pixel)
    assert seen[:3] == pytest.approx(drawn(1).pixels[round(down), round(across)].tolist(), abs=12)
    page.mouse.move(place["x"] + 5, place["y"] - 60)
    expect(glass).to_be_hidden()
    switch.click()
    page.mouse.move(place["x"] + place["width"] / 2, place["y"] + place["height"] / 2)
    expect(glass).to_be_hidden()


def test_pictures_that_stand_still_are_not_drawn(page: Page) -> None:
    """Once the last picture has come. Drawn at every frame, they take half a processor as long as the page is open."""
    drawn_in_20_frames = """async () => {
      const { prototype } = CanvasRenderingContext2D;
      const real = prototype.drawImage;
      let times = 0;
      prototype.drawImage = function (...given) { times += 1; return real.apply(this, given); };
      for (let frame = 0; frame < 20; frame += 1) await new Promise(requestAnimationFrame);
      prototype.drawImage = real;
      return times;
    }"""
    deadline = time.monotonic() + 30
    while (times := page.evaluate(drawn_in_20_frames)) and time.monotonic() < deadline:
        pass
    assert times == 0


def test_the_scale_bar_is_as_long_as_it_says_at_every_zoom(page: Page) -> None:
    seen = set()
    for _ in range(4):
        shown_px = width(page)
        bar = page.get_by_role("img", name=re.compile("^Scale bar: "))
        name = str(bar.get_attribute("aria-label"))
        millimeters = float(name.removeprefix("Scale bar: ").removesuffix(" mm"))
        screen_px = millimeters / MM_PER_PX * box(photo(page))["width"] / shown_px
        assert box(bar)["width"] == pytest.approx(screen_px, rel=0.02)
        assert 0.08 < box(bar)["width"] / box(photo(page))["width"] < 0.26
        seen.add(name)
        page.get_by_role("button", name="Zoom in").first.click()
    assert "Scale bar: 5 mm" in seen  # 24 mm are shown at first
    assert len(seen) > 1
    expect(page.get_by_role("img", name=re.compile("^Scale bar: "))).to_have_count(1)  # the others' is unknown


def test_the_scale_bar_is_in_the_unit_of_the_settings(browser: Browser, home: Path, address: str) -> None:  # noqa: F811
    store = CaseStore(home)
    usual = store.settings()
    inches = store.keep_settings(replace(usual, unit="inch"), read=usual).settings
    page = browser.new_page(viewport={"width": 1000, "height": 700})
    page.goto(address)
    bar = page.get_by_role("img", name="Scale bar: 0.2 in")  # 24 mm are 0.94 in, a quarter of them 0.24 in
    shown = box(bar)["width"] / box(photo(page))["width"]
    store.keep_settings(usual, read=inches)
    page.close()
    assert shown == pytest.approx(0.2 * 25.4 / (SIDES[0] * MM_PER_PX), rel=0.02)


def test_the_keys_of_the_comparison_are_those_of_the_aligned_pair(browser: Browser, address: str) -> None:  # noqa: F811
    page = browser.new_page(viewport={"width": 1000, "height": 700})
    page.goto(f"{address}?keys=1")
    row, pair = (page.locator(".sl-viewer").nth(place) for place in range(2))
    expect(pair.get_by_role("img", name="Left: Photo of 2024")).to_be_visible()
    press = "(key) => document.dispatchEvent(new CustomEvent('skinlens-key', { detail: key }))"
    page.evaluate(press, "compare")
    expect(pair.get_by_role("slider")).to_be_focused()
    expect(pair.get_by_role("slider")).to_be_in_viewport()
    page.evaluate(press, "blink")
    expect(pair.get_by_role("button", name="Stop blinking")).to_be_visible()
    expect(row.get_by_role("region", name="Two pictures over each other")).to_be_hidden()
    page.close()


def left(page: Page) -> float:
    return float(str(page.locator("section [data-left]").last.get_attribute("data-left")))


def test_two_photos_over_each_other_share_their_zoom_and_are_swiped_blended_and_shown_in_turn(page: Page) -> None:
    pair = page.get_by_role("region", name="Two pictures over each other").last
    expect(pair.get_by_role("img", name="Left: Photo of 2024")).to_be_visible()
    expect(pair.get_by_role("combobox", name="Left picture")).to_be_hidden()
    page.get_by_role("button", name="Zoom in").last.click()
    both = ranges(page, "section")
    assert both == [both[0]] * 2
    assert both[0][1] - both[0][0] == pytest.approx(SIDES[0] / 1.5, abs=2)
    assert width(page) == SIDES[0]  # that of the other viewer

    pair.get_by_role("slider").fill("20")
    assert left(page) == 20
    layer = pair.get_by_role("img", name="Left: Photo of 2024").locator("xpath=ancestor::*[@data-side]")
    assert layer.evaluate("(one) => one.style.clipPath") == "inset(0px 80% 0px 0px)"
    pair.get_by_label("How the two lie over each other").select_option("Blend")
    assert layer.evaluate("(one) => [one.style.clipPath, one.style.opacity]") == ["", "0.2"]
    pair.get_by_label("How the two lie over each other").select_option("Swipe")

    pair.get_by_label("Blink every").select_option("0.5 s")
    # How fast a busy machine keeps to the clock is no matter of the viewer's: what it asks the clock for is.
    page.evaluate(
        """() => {
             window.every = [];
             const asked = window.setInterval;
             window.setInterval = (what, wait) => window.every.push(wait) && asked(what, wait);
             const frame = [...document.querySelectorAll("section [data-left]")].at(-1);
             window.turns = [];
             new MutationObserver(() => window.turns.push(frame.dataset.left))
               .observe(frame, { attributeFilter: ["data-left"] });
           }"""
    )
    pair.get_by_role("button", name="Blink").click()
    page.wait_for_function("window.turns.length >= 4")
    assert page.evaluate("window.turns.slice(0, 4)") == ["100", "0", "100", "0"]
    assert 500 in page.evaluate("window.every")
    pair.get_by_role("button", name="Stop blinking").click()
    assert left(page) == 20


def test_axe_finds_nothing_in_the_viewer_with_its_loupe_and_scale_bar(page: Page) -> None:
    page.get_by_role("button", name="Loupe").first.click()
    found = Axe().run(page, context=".sl-viewer").response
    assert found["violations"] == []
    assert found["passes"]


def test_who_asked_for_less_motion_gets_one_change_at_each_press(browser: Browser, address: str) -> None:  # noqa: F811
    context = browser.new_context(reduced_motion="reduce")
    page = context.new_page()
    page.goto(address)
    ranges(page, "section")
    blink = page.get_by_role("button", name="Blink").last
    blink.click()
    assert left(page) == 100
    page.wait_for_timeout(1500)
    assert left(page) == 100
    blink.click()
    assert left(page) == 0
    context.close()
