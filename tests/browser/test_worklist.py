"""The worklist in a real Chromium: twelve moles of one patient, dropped, read, reloaded and filed."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect

from skinlens import pipeline
from skinlens.imaging.synthetic import draw_synthetic_lesion
from skinlens.store import CaseQuery, CaseStore, NewLesion, NewPatient, NewVisit
from tests.browser.test_journey import (  # noqa: F401  (browser is a fixture)
    LIMIT_S,
    NARROW,
    WIDE,
    browser,
    choose_site,
    picture,
    served,
    settled,
)

MOLES = 12
MOST_CLICKS = 30
HIGHEST_ROW_PX = 200
"""Of a photo on a telephone, closed: what few photos need is behind "More"."""


@pytest.fixture
def moles(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"mole-{number:02d}.jpg" for number in range(MOLES)]
    for number, path in enumerate(paths):
        Image.fromarray(draw_synthetic_lesion(40 + number)).save(path, quality=92)
    return paths


@pytest.fixture
def tab(browser: Browser) -> Iterator[Page]:  # noqa: F811
    context = browser.new_context(viewport={"width": WIDE[0], "height": WIDE[1]})
    page = context.new_page()
    page.set_default_timeout(LIMIT_S * 1000)
    yield page
    context.close()


def test_a_file_that_is_too_large_has_its_row_beside_the_others(
    tab: Page, release: Path, moles: list[Path], tmp_path: Path
) -> None:
    home, large = tmp_path / "home", tmp_path / "archive.jpg"
    large.write_bytes(moles[0].read_bytes().ljust(26 * 2**20, b"\0"))
    with served(home, release) as address:
        CaseStore(home).acknowledge_disclaimer()
        tab.goto(address)
        expect(tab.get_by_text("at most 25 MB each")).to_be_visible()
        expect(tab.get_by_text("per file")).to_be_hidden()  # Streamlit's own word, of what may be sent
        tab.locator("input[type=file]").set_input_files([large, moles[0]])
        expect(tab.get_by_text("1 photo to file")).to_be_visible()
        expect(tab.get_by_text("archive.jpg")).to_be_visible()
        expect(tab.get_by_text(re.compile("at most 25"))).to_have_count(2)


def test_back_leads_to_where_the_list_was_left(tab: Page, release: Path, tmp_path: Path) -> None:
    home, place = tmp_path / "home", "document.querySelector('[data-testid=stMain]').scrollTop"
    with served(home, release) as address:
        store = CaseStore(home)
        store.acknowledge_disclaimer()
        analysis = pipeline.example(pipeline.load_classifier(release))
        for number in range(1, 13):
            store.save_case(analysis, NewVisit(NewPatient(f"P-{number}"), NewLesion("back"), f"2024-05-{number:02d}"))
        tab.goto(address)
        first = tab.get_by_role("button", name=re.compile("^Open case 1\\b"))
        first.wait_for()
        settled(tab)
        first.scroll_into_view_if_needed()
        left = tab.evaluate(place)
        assert left > 200
        first.click()
        expect(tab.get_by_role("tab", name="Result", exact=True)).to_be_visible()
        settled(tab)
        assert tab.evaluate(place) < 5
        tab.go_back()
        first.wait_for()
        tab.wait_for_function(f"Math.abs({place} - {left}) < 2")
        settled(tab)
        tab.mouse.move(600, 400)
        tab.mouse.wheel(0, -150)  # who moves the page is left alone
        tab.wait_for_timeout(1500)
        assert tab.evaluate(place) < left - 50


def test_twelve_moles_of_one_patient(tab: Page, release: Path, moles: list[Path], tmp_path: Path) -> None:
    home = tmp_path / "home"
    with served(home, release) as address:
        store = CaseStore(home)
        store.acknowledge_disclaimer()
        tab.goto(address)
        clicks = 1  # the button of the upload field; the files are chosen in the system's window
        tab.locator("input[type=file]").set_input_files(moles)
        expect(tab.get_by_text(f"{MOLES} photos to file")).to_be_visible()
        settled(tab)
        tab.reload()
        expect(tab.get_by_text(f"{MOLES} photos to file")).to_be_visible()
        field = tab.get_by_role("combobox", name="Body site and side", exact=True)
        expect(field).to_have_count(MOLES)
        settled(tab)
        clicks += 1
        tab.get_by_role("textbox", name="Patient ID").click()
        tab.keyboard.type("P-0147")
        clicks += 1
        choose_site(tab, "thigh, left")  # the map will say otherwise of this one
        settled(tab)
        clicks += 1
        tab.get_by_text("Place them on the body map").click()
        back = tab.locator('figure[data-view="back"] .sl-body-plate')
        back.scroll_into_view_if_needed()
        for number in range(1, MOLES + 1):
            clicks += 1
            expect(tab.get_by_text(f"Choose where photo {number} is.")).to_be_visible()
            settled(tab)
            place(back, number)
        expect(tab.get_by_text("All photos are placed.")).to_be_visible()
        settled(tab)
        picture(tab, "worklist-wide")
        tab.set_viewport_size({"width": NARROW[0], "height": NARROW[1]})
        picture(tab, "worklist-narrow")
        rows = tab.locator('[class*="st-key-tray_row_"]')
        assert max(rows.evaluate_all("(all) => all.map((one) => one.getBoundingClientRect().height)")) <= HIGHEST_ROW_PX
        tab.get_by_test_id("stExpandSidebarButton").click()
        tab.get_by_role("link", name="Worklist", exact=True).last.click()
        expect(tab.locator('[data-testid="stSidebarCollapseButton"] [aria-expanded="true"]')).to_have_count(0)
        settled(tab)
        tab.set_viewport_size({"width": WIDE[0], "height": WIDE[1]})
        settled(tab)
        clicks += 1
        tab.reload()  # what was chosen and placed is there again
        tab.get_by_role("button", name=f"File {MOLES} photos").first.click()
        expect(tab.get_by_text(f"{MOLES} photos filed as cases 1 to {MOLES}.")).to_be_visible()
        assert clicks <= MOST_CLICKS
        found = store.search(CaseQuery(limit=MOLES))
        assert found.total == MOLES
        assert {row.pseudonym for row in found.rows} == {"P-0147"}
        lesions = [store.case(number).lesion for number in range(1, MOLES + 1)]
        assert {lesion.body_site for lesion in lesions} == {"back"}
        assert {lesion.remark for lesion in lesions} == {"left", "midline", "right"}
        places = [lesion.position for lesion in lesions if lesion.position is not None]
        assert [place.view for place in places] == ["back"] * MOLES
        assert len({(round(place.x, 2), round(place.y, 2)) for place in places}) == MOLES


def place(plate: Locator, number: int) -> None:
    """Click on the back, at the next of some places that lie apart."""
    box = plate.bounding_box()
    assert box is not None
    across, down = 0.4 + 0.1 * (number % 3), 0.22 + 0.045 * (number // 3)
    plate.page.mouse.click(box["x"] + across * box["width"], box["y"] + down * box["height"])
