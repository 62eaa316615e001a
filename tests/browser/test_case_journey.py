"""Cases in a real Chromium, with more than one tab: erased everywhere, never saved under the wrong name."""

import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from skinlens import pipeline
from skinlens.phantom import draw_phantom
from skinlens.store import CaseQuery, CaseStore, NewLesion, NewPatient
from tests.browser.test_journey import (  # noqa: F401  (browser and page are fixtures)
    NARROW,
    browser,
    page,
    picture,
    served,
    settled,
    turn,
)


@pytest.fixture
def clinic(release: Path, tmp_path: Path) -> Iterator[tuple[str, CaseStore]]:
    """An app with two patients: P-0147 with two lesions (cases 1 and 2), Q-1 with one (case 3)."""
    home = tmp_path / "home"
    with served(home, release) as address:
        store = CaseStore(home)
        store.acknowledge_disclaimer()
        classifier = pipeline.load_classifier(release)
        for seed, pseudonym, site in ((11, "P-0147", "forearm"), (12, "P-0147", "back"), (13, "Q-1", "scalp")):
            analysis = pipeline.analyse(photo_file(tmp_path / "stored.png", seed).read_bytes(), classifier)
            patient, lesion = NewPatient(pseudonym, 1961, "female"), NewLesion(site)
            pipeline.save(store, analysis, (), patient=patient, lesion=lesion, taken_on="2024-05-06")
        yield address, store


def photo_file(path: Path, seed: int) -> Path:
    Image.fromarray(draw_phantom(seed)).save(path)
    return path


def answer(address: str) -> int:
    try:
        with urllib.request.urlopen(address, timeout=10) as found:
            return int(found.status)
    except urllib.error.HTTPError as error:
        return error.code


def shown_media(tab: Page) -> list[str]:
    """The addresses of all pictures of the page that the server holds in its memory."""
    found: list[str] = tab.evaluate(
        "[...document.images].map((one) => one.src).filter((one) => one.includes('/media/'))"
    )
    return found


def open_case(tab: Page, number: int) -> None:
    turn(tab, "History")
    tab.get_by_role("button", name=f"Open case {number}", exact=True).click()
    expect(tab.get_by_role("heading", name=re.compile(f"^Case {number}:"))).to_be_visible()


def test_an_erased_patient_is_gone_from_every_tab(page: Page, clinic: tuple[str, CaseStore]) -> None:  # noqa: F811
    address, store = clinic
    page.goto(address)
    open_case(page, 1)
    report, listing = page.context.new_page(), page.context.new_page()
    report.goto(f"{address}/report?case=1")
    expect(report.get_by_alt_text(re.compile("Page 1 of"))).to_be_visible()
    listing.goto(f"{address}/history")
    expect(listing.get_by_text("P-0147").first).to_be_visible()
    media = shown_media(page) + shown_media(report)
    assert len(media) >= 2
    assert {answer(one) for one in media} == {200}

    page.get_by_role("tab", name="Export, delete").click()
    page.get_by_role("button", name="Delete the patient …").click()
    page.get_by_role("button", name="Delete the patient for good").click()
    expect(page.get_by_text("nothing was typed")).to_be_visible()
    picture(page, "erase-dialog")
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert store.search(CaseQuery()).total == 3
    page.get_by_role("button", name="Delete the patient …").click()
    page.get_by_role("textbox", name="Type the pseudonym to confirm").fill("P-0147")
    page.get_by_role("button", name="Delete the patient for good").click()

    expect(page.get_by_text("The patient and all cases of this patient are deleted.")).to_be_visible()
    expect(page.get_by_role("button", name="Open case 3")).to_be_visible()
    picture(page, "erase-done")
    expect(report.get_by_text("What was open here was erased for good")).to_be_visible()
    expect(report.get_by_text("No case is open").first).to_be_visible()
    expect(listing.get_by_role("button", name="Open case 3")).to_be_visible()
    for tab in (page, report, listing):
        expect(tab.get_by_text("P-0147")).to_have_count(0)
        assert "case=" not in tab.url
    assert {answer(one) for one in media} == {404}
    assert store.search(CaseQuery()).total == 1
    report.goto(f"{address}/report?case=1")
    expect(report.get_by_text("No case is open").first).to_be_visible()
    expect(report.get_by_text("P-0147")).to_have_count(0)


def test_deleting_a_case_can_be_cancelled_and_ends_in_the_list(page: Page, clinic: tuple[str, CaseStore]) -> None:  # noqa: F811
    address, store = clinic
    page.goto(address)
    open_case(page, 2)
    page.set_viewport_size({"width": NARROW[0], "height": NARROW[1]})
    page.get_by_role("tab", name="Export, delete").click()
    page.get_by_role("button", name="Delete this case …").click()
    picture(page, "delete-dialog-narrow")
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert store.search(CaseQuery()).total == 3
    page.get_by_role("button", name="Delete this case …").click()
    page.get_by_role("button", name="Delete the case for good").click()
    expect(page.get_by_text("Case 2 is deleted.")).to_be_visible()
    expect(page.get_by_role("button", name="Open case 1", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="Open case 2", exact=True)).to_have_count(0)
    assert store.search(CaseQuery()).total == 2
