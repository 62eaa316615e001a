"""The Explain page by hand and by key: two pictures compared, the hottest region, reloading and closing the page."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from skinlens import pipeline
from skinlens.explain import explain
from skinlens.explain.hot_region import peak_region
from skinlens.store import CaseStore
from tests.browser.test_journey import (  # noqa: F401  (browser and page are fixtures)
    LIMIT_S,
    MAPS,
    QUICK,
    begin,
    browser,
    made,
    page,
    part,
    picture,
    ranges,
    served,
    settled,
    show_reading,
    turn,
)

NOTING = Path(__file__).with_name("noting_server.py")


@pytest.fixture
def explained(page: Page, stocked: str) -> Page:  # noqa: F811
    """The stored case with its three maps."""
    page.goto(stocked)
    page.get_by_role("button", name="Open case 1").click()
    expect(page.get_by_role("heading", level=1, name="Case 1 · P-0147 · forearm, left")).to_be_visible()
    part(page, "Why?")
    for title in MAPS:
        made(page, title)
    assert len(ranges(page)) == 4
    expect(page.get_by_role("button", name="Keyboard")).to_be_visible()
    return page


def layers(page: Page) -> list[list[int]]:  # noqa: F811
    """What each of the two compared pictures shows of the photo: left, right, top, bottom."""
    return ranges(page, "section")


def cut(page: Page) -> int:  # noqa: F811
    """How much of the left picture is shown, %."""
    return round(float(str(page.locator("section [data-left]").get_attribute("data-left"))))


def test_photo_and_maps_are_seen_whole_in_the_first_screen(explained: Page) -> None:
    page = explained  # noqa: F811
    frames = page.locator(".sl-grid .sl-frame")
    for width, height in ((1440, 900), (1024, 768)):
        page.set_viewport_size({"width": width, "height": height})
        expect(frames).to_have_count(4)
        boxes = [frame.bounding_box() for frame in frames.all()]
        tops = {round(box["y"]) for box in boxes if box}
        assert len(tops) == 1  # side by side
        room = 100 if height == 900 else 0  # for the banner of an unreliable photo
        assert max(box["y"] + box["height"] for box in boxes if box) <= height - room


def test_two_pictures_are_compared_by_hand_and_by_key(explained: Page) -> None:
    page = explained  # noqa: F811
    page.get_by_role("button", name="Zoom in").click()
    near = ranges(page)[0]

    page.keyboard.press("2")
    compared = page.get_by_role("region", name="Two pictures over each other")
    expect(compared).to_be_visible()
    expect(compared.get_by_label("Right: Score-CAM map")).to_have_count(1)
    assert layers(page) == [near, near]  # what is opened later has the zoom of the others
    compared.get_by_role("combobox", name="Right picture").select_option("LIME")
    expect(compared.get_by_label("Right: LIME map")).to_have_count(1)

    assert cut(page) == 50
    compared.get_by_role("slider").press("ArrowRight")
    assert cut(page) == 52
    page.locator(".sl-divider").hover()
    handle = page.locator(".sl-divider").bounding_box()
    assert handle is not None
    page.mouse.down()
    page.mouse.move(handle["x"] - 100, handle["y"] + handle["height"] / 2, steps=4)
    page.mouse.up()
    assert 20 < cut(page) < 50
    before = cut(page)
    picture(page, "3-explain-compared")

    page.locator("h1").click()
    page.keyboard.press("b")
    for shown in ("100", "0", "100"):  # looked for at each frame that is drawn: no turn is missed
        page.wait_for_function(f"document.querySelector('section [data-left]').dataset.left === '{shown}'")
    page.keyboard.press("b")
    expect(compared.get_by_role("button", name="Blink", exact=True)).to_be_visible()
    assert cut(page) == before

    page.keyboard.press("m")
    expect(page.get_by_role("slider", name="Opacity of the maps, %")).to_have_value("50")
    page.keyboard.press("i")
    page.keyboard.press("h")
    expect(page.get_by_role("radio", name="Contour lines")).to_be_checked()
    settled(page)
    assert ranges(page) == [near] * 4
    assert layers(page) == [near, near]
    page.get_by_role("button", name="Close", exact=True).click()
    expect(compared).to_be_hidden()


def test_keys_turn_the_pages_and_rest_while_one_types(explained: Page) -> None:
    page = explained  # noqa: F811
    heading: Callable[[str], None] = lambda title: expect(
        page.get_by_role("heading", level=1, name=title)
    ).to_be_visible()
    page.keyboard.press("p")
    expect(page.get_by_text("This is the first visit of the list.")).to_be_visible()
    turn(page, "Patients")
    page.keyboard.press("p")
    heading("Worklist")
    field = page.get_by_role("textbox", name="Search")
    field.press_sequentially("nps?")
    expect(field).to_have_value("nps?")
    page.keyboard.press("Enter")
    expect(page.get_by_text("No visit matches")).to_be_visible()
    heading("Worklist")
    page.locator("h1").click()
    page.keyboard.press("Control+p")  # the browser's own keys are left to it
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    page.keyboard.press("p")
    page.get_by_label("Use these keys in this browser").uncheck()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog", name="Keys")).to_be_hidden()
    page.keyboard.press("p")
    settled(page)
    heading("Worklist")
    page.get_by_role("button", name="Keyboard").click()
    page.get_by_label("Use these keys in this browser").check()
    page.keyboard.press("Escape")
    page.keyboard.press("n")
    heading("Patients")


def test_the_hottest_region_is_shown_in_the_photos_own_pixels(explained: Page, release: Path) -> None:
    page = explained  # noqa: F811
    classifier = pipeline.load_classifier(release)
    photo = pipeline.example(classifier).photo
    heatmap = explain("score_cam", classifier, photo, "mel", params=QUICK["score_cam"]).heatmap
    found = peak_region(heatmap, photo.height_px, photo.width_px, classifier.engine.spec)
    assert found is not None
    opener = page.get_by_role("button", name="Hottest region of Score-CAM, large")
    opener.press("Enter")
    dialog = page.get_by_role("dialog", name="Score-CAM: the hottest region")
    expect(dialog.get_by_text(f"{found.width_px} × {found.height_px} px of the original photo")).to_be_visible()
    shown = dialog.get_by_alt_text("Part of the photo where the Score-CAM map is hottest")
    page.wait_for_function("document.querySelector('.sl-region-part').complete")
    assert shown.evaluate("(image) => [image.naturalWidth, image.naturalHeight]") == [found.width_px, found.height_px]
    mark = page.locator(".sl-region-whole i").evaluate("(mark) => [mark.style.left, mark.style.top]")
    shares = (found.left_px / photo.width_px, found.top_px / photo.height_px)
    assert [float(side.removesuffix("%")) / 100 for side in mark] == pytest.approx(shares, abs=0.001)
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(opener).to_be_focused()
    part(page, "Result")
    part(page, "Why?")  # it does not come up again by itself
    made(page, "LIME")
    expect(dialog).to_be_hidden()


# ------------------------------------------------------------------------------- a page that goes away or comes back


@pytest.fixture
def noted(release: Path, tmp_path: Path) -> Iterator[tuple[str, Callable[[], list[tuple[str, str, str, float]]]]]:
    """The address of the app, and what its background work is about."""
    home, file = tmp_path / "home", tmp_path / "jobs.json"
    with served(home, release, start=(str(NOTING), str(file))) as address:
        CaseStore(home).acknowledge_disclaimer()
        yield address, lambda: [tuple(job) for job in json.loads(file.read_text(encoding="utf-8"))]


def until(holds: Callable[[], bool]) -> float:
    """Wait for it; how long it took, seconds."""
    begun = time.monotonic()
    while not holds():
        assert time.monotonic() < begun + LIMIT_S, "it never happened"
        time.sleep(0.02)
    return time.monotonic() - begun


def test_a_reloaded_page_keeps_its_photo_and_a_closed_one_frees_its_work(
    page: Page,  # noqa: F811
    browser: Browser,  # noqa: F811
    noted: tuple[str, Callable[[], list[tuple[str, str, str, float]]]],
) -> None:
    address, jobs = noted
    begin(page, address)
    page.get_by_role("button", name="Try the example").click()
    show_reading(page)
    expect(page.get_by_text("cut-off").first).to_be_visible()
    until(lambda: any(job[0] == "lime" and job[2] == "done" for job in jobs()))  # a reload would cancel it
    page.reload()
    expect(page.get_by_text("Not saved yet")).to_be_visible()
    expect(page.get_by_text("cut-off").first).to_be_visible()

    part(page, "Why?")
    for title in MAPS:
        made(page, title)
    page.get_by_text("Technical details").click()
    page.get_by_text("Settings of the maps").click()
    page.get_by_label("Max. samples", exact=True).fill("10000")
    page.get_by_label("Stability target (%)", exact=True).fill("100")
    page.get_by_role("button", name="Make the maps with these settings").click()
    until(lambda: any(job[0] == "lime" and job[2] == "running" and job[3] > 0 for job in jobs()))
    page.close()
    assert until(lambda: not any(job[2] in {"running", "waiting"} for job in jobs())) < 3
    lime = [job[2] for job in jobs() if job[0] == "lime"]
    assert lime[-2:] == ["done", "cancelled"]
    assert lime[:-2] in ([], ["cancelled"])  # of the page before the reload, where it was not done by then

    again = browser.new_context().new_page()
    again.goto(f"{address}/visit")
    expect(again.get_by_role("heading", level=1, name="New photo")).to_be_visible()
    again.close()
