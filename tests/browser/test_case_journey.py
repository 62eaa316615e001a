"""Cases in a real Chromium, with more than one tab: erased everywhere, never saved under the wrong name."""

import contextlib
import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from skinlens import pipeline
from skinlens.imaging.synthetic import draw_synthetic_lesion
from skinlens.inference.classifier import Classifier
from skinlens.store import CaseQuery, CaseStore, NewLesion, NewVisit
from tests.browser.test_journey import (  # noqa: F401  (browser and page are fixtures)
    NARROW,
    begin,
    browser,
    choose_site,
    page,
    part,
    picture,
    served,
    settled,
    show_reading,
    turn,
)
from tests.store.edits import of_patient


@dataclass(frozen=True)
class Clinic:
    """Patients of one test: ``known`` with two lesions (the first two cases), ``other`` with one (the third)."""

    address: str
    store: CaseStore
    known: str
    other: str
    cases: tuple[int, int, int]

    def lesion(self, place: int) -> int:
        return self.store.case(self.cases[place]).lesion.id


@pytest.fixture(scope="module")
def app(release: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, CaseStore]]:
    """The app for all tests, each of which brings its patients."""
    home = tmp_path_factory.mktemp("clinic") / "home"
    with served(home, release) as address:
        store = CaseStore(home)
        store.acknowledge_disclaimer()
        yield address, store


@pytest.fixture(scope="module")
def classifier(release: Path) -> Classifier:
    return pipeline.load_classifier(release)


@pytest.fixture
def clinic(app: tuple[str, CaseStore], classifier: Classifier, tmp_path: Path) -> Clinic:
    address, store = app
    number = len(store.patients())  # of those that the tests before have left
    known, other = f"P-{number}-0147", f"Q-{number}-1"
    cases = []
    for place, (pseudonym, site) in enumerate(((known, "forearm"), (known, "back"), (other, "scalp"))):
        drawn = photo_file(tmp_path / "stored.png", 1000 + 3 * number + place)  # a photo is of one person only
        patient = of_patient(store, pseudonym, 1961, "female")
        visit = NewVisit(patient, NewLesion(site), "2024-05-06")
        cases.append(store.save_case(pipeline.analyze(drawn.read_bytes(), classifier), visit).visit.id)
    first, second, third = cases
    return Clinic(address, store, known, other, (first, second, third))


def photo_file(path: Path, seed: int) -> Path:
    Image.fromarray(draw_synthetic_lesion(seed)).save(path)
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
    turn(tab, "Worklist")
    tab.get_by_role("button", name=f"Open case {number}", exact=True).click()
    expect(tab.get_by_role("heading", level=1, name=re.compile(f"^Case {number} "))).to_be_visible()


def test_an_erased_patient_is_gone_from_every_tab(page: Page, clinic: Clinic) -> None:  # noqa: F811
    address, store = clinic.address, clinic.store
    page.goto(address)
    first, _, third = clinic.cases
    before = store.search(CaseQuery()).total
    open_case(page, first)
    report, listing = page.context.new_page(), page.context.new_page()
    report.goto(f"{address}/visit?case={first}&view=Report")
    expect(report.get_by_alt_text(re.compile("Page 1 of"))).to_be_visible()
    listing.goto(address)
    expect(listing.get_by_text(clinic.known).first).to_be_visible()
    media = shown_media(page) + shown_media(report)
    assert media
    assert {answer(one) for one in media} == {200}

    part(page, "More")
    page.get_by_role("button", name="Delete the patient …").click()
    page.get_by_role("button", name="Delete the patient for good").click()
    expect(page.get_by_text("nothing was typed")).to_be_visible()
    picture(page, "erase-dialog")
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert store.search(CaseQuery()).total == before
    page.get_by_role("button", name="Delete the patient …").click()
    page.get_by_role("textbox", name="Type the patient ID to confirm").fill(clinic.known)
    page.get_by_role("button", name="Delete the patient for good").click()

    expect(page.get_by_text("The patient and all cases of this patient are deleted.")).to_be_visible()
    expect(page.get_by_role("button", name=f"Open case {third}", exact=True)).to_be_visible()
    picture(page, "erase-done")
    expect(report.get_by_text("What was open here was erased for good")).to_be_visible()
    expect(report.get_by_role("heading", level=1, name="New photo")).to_be_visible()
    expect(listing.get_by_role("button", name=f"Open case {third}", exact=True)).to_be_visible()
    for tab in (page, report, listing):
        expect(tab.get_by_text(clinic.known)).to_have_count(0)
        assert "case=" not in tab.url
    assert {answer(one) for one in media} == {404}
    assert store.search(CaseQuery()).total == before - 2
    report.goto(f"{address}/visit?case={first}&view=Report")
    expect(report.get_by_role("heading", level=1, name="New photo")).to_be_visible()
    expect(report.get_by_text(clinic.known)).to_have_count(0)


def test_deleting_a_case_can_be_cancelled_and_ends_in_the_list(page: Page, clinic: Clinic) -> None:  # noqa: F811
    address, store = clinic.address, clinic.store
    page.goto(address)
    first, second, _ = clinic.cases
    before = store.search(CaseQuery()).total
    open_case(page, second)
    page.set_viewport_size({"width": NARROW[0], "height": NARROW[1]})
    part(page, "More")
    page.get_by_role("button", name="Delete this case …").click()
    picture(page, "delete-dialog-narrow")
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert store.search(CaseQuery()).total == before
    page.get_by_role("button", name="Delete this case …").click()
    page.get_by_role("button", name="Delete the case for good").click()
    expect(page.get_by_text(f"Case {second} is deleted.")).to_be_visible()
    expect(page.get_by_role("button", name=f"Open case {first}", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name=f"Open case {second}", exact=True)).to_have_count(0)
    assert store.search(CaseQuery()).total == before - 1


def choose_photo(tab: Page, file: Path) -> None:
    tab.locator("input[type=file]").set_input_files(file)


def another_photo(tab: Page, file: Path) -> None:
    settled(tab)
    tab.get_by_role("button", name="New photo").click()
    choose_photo(tab, file)
    expect(tab.get_by_text("Your impression first")).to_be_visible()


def test_an_impression_counts_at_once_and_only_for_its_photo(
    page: Page,  # noqa: F811
    clinic: Clinic,
    tmp_path: Path,
) -> None:
    address, store = clinic.address, clinic.store
    begin(page, address)
    choose_photo(page, photo_file(tmp_path / "a.png", 21))
    impression = page.get_by_role("combobox", name="Your impression (optional)")
    impression.click()
    page.get_by_role("option", name="Melanoma", exact=True).click()
    settled(page)
    page.get_by_role("button", name="New photo").click()
    choose_photo(page, photo_file(tmp_path / "b.png", 22))
    expect(page.get_by_role("img", name=re.compile("Photo of the lesion"))).to_be_visible()
    expect(impression).to_have_value("")
    picture(page, "impression-second-photo")

    impression.click()
    page.get_by_role("option", name="Vascular lesion", exact=True).click()
    page.get_by_role("button", name="Show result").click()  # at once: the choice is still on its way
    expect(page.get_by_text("Vascular lesion (before the result)")).to_be_visible()
    page.get_by_text("No patient", exact=True).click()
    expect(page.get_by_role("textbox", name="Patient ID")).to_have_count(0)
    settled(page)
    choose_site(page, "scalp, midline")
    page.get_by_role("button", name="Save case").click()  # at once: the choice is still on its way
    saved = clinic.cases[-1] + 1
    expect(page.get_by_text(f"Saved as case {saved}")).to_be_visible()
    assert (store.case(saved).visit.first_impression, store.case(saved).lesion.body_site) == ("vasc", "scalp")


def test_the_next_photo_goes_to_the_patient_worked_on_last(
    page: Page,  # noqa: F811
    clinic: Clinic,
    tmp_path: Path,
) -> None:
    address, store = clinic.address, clinic.store
    begin(page, address)
    choose_photo(page, photo_file(tmp_path / "first.png", 30))
    show_reading(page)
    page.get_by_role("textbox", name="Patient ID").fill("Z-9")
    choose_site(page, "back, left")
    page.get_by_text("Show it on the body map").click()
    lit = page.locator(".sl-region.sl-lit")
    expect(lit).not_to_have_count(0)
    assert {
        tuple(one) for one in lit.evaluate_all("(all) => all.map((one) => [one.dataset.site, one.dataset.side])")
    } <= {
        ("back", "left"),
        ("back", ""),
    }
    page.get_by_role("button", name="Save case").click()
    saved = clinic.cases[-1] + 1
    expect(page.get_by_text(f"Saved as case {saved}")).to_be_visible()
    first = store.case(saved).lesion.id
    (patient,) = [one for one in store.patients() if one.pseudonym == "Z-9"]

    another_photo(page, photo_file(tmp_path / "next.png", 31))
    show_reading(page)
    expect(page.get_by_role("combobox", name="Patient ID")).to_have_value("Z-9")
    expect(page.get_by_alt_text("Latest photo of lesion 1, back, left")).to_be_visible()
    page.get_by_role("button", name="Save case").click()
    expect(page.get_by_text("Still needed: the lesion.")).to_be_visible()
    picture(page, "known-patient")
    page.set_viewport_size({"width": NARROW[0], "height": NARROW[1]})
    picture(page, "known-patient-narrow")
    page.set_viewport_size({"width": 1440, "height": 900})
    page.get_by_role("button", name="Choose a new lesion").click()
    choose_site(page, "thigh, left")
    page.get_by_role("button", name="Save case").click()
    expect(page.get_by_text(f"Saved as case {saved + 1}")).to_be_visible()
    assert (store.case(saved + 1).patient, store.case(saved + 1).lesion.body_site) == (patient, "thigh")
    assert store.case(saved + 1).lesion.id not in {first, *(clinic.lesion(place) for place in range(3))}

    another_photo(page, photo_file(tmp_path / "again.png", 31))
    show_reading(page)
    expect(page.get_by_text("This very photo is stored already")).to_be_visible()
    page.get_by_text("New patient", exact=True).click()
    page.get_by_role("textbox", name="Patient ID").fill(clinic.known)
    page.keyboard.press("Tab")
    expect(page.get_by_text(f"There is a patient {clinic.known} already")).to_be_visible()
    picture(page, "same-photo-and-namesake")


def write_notes(tab: Page, words: str) -> None:
    tab.get_by_role("textbox", name="Notes").fill(words)
    tab.get_by_role("button", name="Save draft").click()


def test_two_tabs_on_one_case_keep_both_notes(page: Page, clinic: Clinic) -> None:  # noqa: F811
    address, store = clinic.address, clinic.store
    first, other = clinic.cases[0], page.context.new_page()
    for tab in (page, other):
        tab.goto(address)
        open_case(tab, first)
    write_notes(page, "Grew since May.")
    expect(page.get_by_text(f"Case {first} saved as a draft.")).to_be_visible()
    write_notes(other, "Itches.")
    expect(other.get_by_text("Nothing was overwritten and nothing is lost")).to_be_visible()
    assert store.case(first).visit.notes == "Grew since May."
    picture(other, "conflict")
    other.set_viewport_size({"width": NARROW[0], "height": NARROW[1]})
    picture(other, "conflict-narrow")
    other.get_by_text("Both, one below the other").click()
    settled(other)
    other.get_by_role("button", name="Save what is chosen").click()
    expect(other.get_by_text(f"Case {first} saved as a draft.")).to_be_visible()
    assert store.case(first).visit.notes == "Grew since May.\n\nItches."


def test_a_case_is_moved_by_its_picture(page: Page, clinic: Clinic) -> None:  # noqa: F811
    address, store = clinic.address, clinic.store
    page.goto(address)
    third, onto = clinic.cases[2], clinic.lesion(1)
    open_case(page, third)
    part(page, "More")
    page.get_by_text("Move this case to another lesion or patient").click()
    page.get_by_text("Existing patient", exact=True).click()
    chosen = page.get_by_role("combobox", name="Patient ID")
    expect(chosen).to_have_value(clinic.other)
    settled(page)  # or the list that opens is closed again by the answer to the press before
    listed = page.get_by_role("option", name=clinic.known)
    for _ in range(3):  # an answer of the server may close the list
        chosen.click()
        with contextlib.suppress(PlaywrightTimeout):
            listed.click(timeout=10_000)
            break
    patient = store.case(clinic.cases[0]).patient
    assert patient is not None
    number = [lesion.id for lesion in store.lesions(patient.id)].index(onto) + 1
    page.get_by_role("button", name=f"Choose lesion {number}").click()
    expect(page.get_by_role("button", name=f"✓ Lesion {number}")).to_be_visible()
    picture(page, "move")
    page.get_by_role("button", name="Move the case").click()
    expect(page.get_by_text(f"Moved. It is now Case {third} · {clinic.known} · back.")).to_be_visible()
    assert store.case(third).lesion.id == onto
    part(page, "Compare")
    expect(page.get_by_role("combobox", name="Earlier visit")).to_be_visible()
