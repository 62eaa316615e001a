"""The outline in a real Chromium: moved by keyboard and by hand, undone, kept, and put back to the model's."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from skinlens import pipeline
from skinlens.explain import explain
from skinlens.records import Case
from skinlens.segmentation.head import load_segmentation_head, propose
from skinlens.store import CaseStore, NewLesion, NewVisit
from tests.browser.test_journey import (  # noqa: F401  (browser is a fixture)
    LIMIT_S,
    QUICK,
    WIDE,
    Watch,
    browser,
    picture,
    served,
    settled,
    turn,
)

Kept = tuple[CaseStore, Case, str]


@pytest.fixture(scope="module")
def kept(outlined_release: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kept]:
    """A store with one case, its Grad-CAM map and the model's outline, and the address of the app on it."""
    home = tmp_path_factory.mktemp("outlined") / "home"
    with served(home, outlined_release) as address:
        store = CaseStore(home)
        store.acknowledge_disclaimer()
        classifier, head = pipeline.load_classifier(outlined_release), load_segmentation_head(outlined_release)
        analysis = pipeline.example(classifier)
        outline = propose(classifier.engine, head, analysis.photo).outline
        assert outline is not None
        maps = [explain("grad_cam", classifier, analysis.photo, "mel", params=QUICK["grad_cam"])]
        visit = NewVisit(None, NewLesion("back"), "2024-05-31")
        yield store, store.save_case(analysis, visit, maps, outlines=[outline]), address


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:  # noqa: F811
    context = browser.new_context(viewport={"width": WIDE[0], "height": WIDE[1]})
    page = context.new_page()
    page.set_default_timeout(LIMIT_S * 1000)
    expect.set_options(timeout=LIMIT_S * 1000)
    watch = Watch(page)
    yield page
    assert watch.found == []
    context.close()


def shown(page: Page) -> list[list[float]]:
    outliner = page.locator(".sl-outliner[data-points]")
    found: list[list[float]] = json.loads(str(outliner.get_attribute("data-points")))
    return found


def explained(page: Page, address: str, case: Case) -> None:
    """Open the stored case and turn to its maps."""
    page.goto(f"{address}/visit?case={case.visit.id}&view=Why?")
    expect(page.get_by_role("heading", level=1, name=f"Case {case.visit.id} ")).to_be_visible()
    page.get_by_text("Technical details").click()


def test_the_outline_is_corrected(page: Page, kept: Kept) -> None:
    store, case, address = kept
    (model,) = store.outlines(case.visit.id)
    explained(page, address, case)
    expect(page.get_by_text("Outline by the model")).to_be_visible()
    assert shown(page) == [list(point) for point in model.points]
    assert page.locator(".sl-handles button").count() == 0

    page.get_by_role("button", name="Correct the outline").click()
    first = page.get_by_role("button", name="Point 1 of 16")
    expect(first).to_be_focused()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowDown")
    (across, down), photo = model.points[0], store.photo(case.visit.id)
    aspect = photo.width_px / photo.height_px
    assert shown(page)[0] == pytest.approx([across + 0.005, down + 0.02 * aspect], abs=2e-4)
    assert shown(page)[1:] == [list(point) for point in model.points[1:]]
    page.keyboard.press("Control+z")
    page.keyboard.press("Control+z")
    assert shown(page)[0] == list(model.points[0])

    page.keyboard.press("PageDown")
    second = page.get_by_role("button", name="Point 2 of 16")
    expect(second).to_be_focused()
    box, frame = second.bounding_box(), page.locator(".sl-outline-frame").bounding_box()
    assert box is not None
    assert frame is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2 + 30, box["y"] + box["height"] / 2 - 20, steps=4)
    page.mouse.up()
    wanted = [model.points[1][0] + 30 / frame["width"], model.points[1][1] - 20 / frame["height"]]
    assert shown(page)[1] == pytest.approx(wanted, abs=2e-3)
    picture(page, "outline-editing")

    page.get_by_role("button", name="Keep this outline").click()
    expect(page.get_by_text("Outline by the clinician")).to_be_visible()
    stored = store.outlines(case.visit.id)
    assert [one.made_by for one in stored] == ["model", "clinician"]
    assert [list(point) for point in stored[1].points] == shown(page)
    for _ in range(100):  # the check is stored a moment after the outline
        if store.load(case.visit.id).checks:
            break
        page.wait_for_timeout(200)
    (check,) = store.load(case.visit.id).checks
    assert (check.kind, check.settings["outline"]["made_by"]) == ("focus", "clinician")
    expect(page.get_by_text(check.figures["verdict"])).to_be_visible()

    page.get_by_role("button", name="Correct the outline").click()
    page.get_by_role("button", name="Reset to model outline").click()
    page.get_by_role("button", name="Keep this outline").click()
    expect(page.get_by_text("Outline by the model")).to_be_visible()
    assert store.outlines(case.visit.id) == (model,)


def test_a_magnified_photo_is_corrected_as_finely_and_keeps_its_point_in_sight(page: Page, kept: Kept) -> None:
    store, case, address = kept
    (model,) = store.outlines(case.visit.id)
    explained(page, address, case)
    zoom = page.get_by_role("group", name="Zoom of the photo with the outline")
    expect(page.get_by_role("img", name=re.compile("^Photo of the lesion, outline by the model"))).to_be_visible()
    page.get_by_role("button", name="Correct the outline").click()
    for _ in range(4):
        zoom.get_by_role("button", name="Zoom in").click()
    photo = page.get_by_role("group", name=re.compile("^Photo of the lesion, outline by the model"))
    page.get_by_role("button", name="Point 1 of 16").press("PageDown")
    page.wait_for_timeout(600)
    point, frame = page.get_by_role("button", name="Point 2 of 16").bounding_box(), photo.bounding_box()
    assert point is not None
    assert frame is not None
    x, y = point["x"] + point["width"] / 2, point["y"] + point["height"] / 2
    assert frame["x"] <= x <= frame["x"] + frame["width"]
    assert frame["y"] <= y <= frame["y"] + frame["height"]
    assert Axe().run(page, context=".sl-outliner").response["violations"] == []
    place = photo.get_attribute("data-range")
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - 40, y - 40, steps=4)
    page.mouse.up()
    larger = frame["width"] * 1.5**4
    assert model.points[1][0] - shown(page)[1][0] == pytest.approx(40 / larger, abs=1e-3)
    assert photo.get_attribute("data-range") == place  # a point is dragged, not the photo
    page.keyboard.press("Escape")
    assert store.outlines(case.visit.id) == (model,)


def test_a_change_that_is_cancelled_leaves_no_trace(page: Page, kept: Kept) -> None:
    store, case, address = kept
    (model,) = store.outlines(case.visit.id)
    explained(page, address, case)
    page.get_by_role("button", name="Correct the outline").click()
    page.keyboard.press("Alt+ArrowLeft")  # all points
    assert [round(across + 0.005, 4) for across, _ in shown(page)] == [across for across, _ in model.points]
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Correct the outline")).to_be_focused()
    settled(page)
    assert shown(page) == [list(point) for point in model.points]
    assert store.outlines(case.visit.id) == (model,)
