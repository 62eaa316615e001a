"""A case file that is not as it was: each page says so, and nothing of it is lost."""

import os
import time
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from skinlens import pipeline
from skinlens.accounts import Accounts
from skinlens.report import pdf
from skinlens.store import CaseStore
from skinlens.ui.state import access
from tests.app.conftest import VIEWS, read, turn
from tests.store import samples
from tests.store.test_damage import rewrite


def kept(home: Path, count: int) -> CaseStore:
    store = CaseStore(home)
    store.acknowledge_disclaimer()
    samples.save_cases(store, count)
    return store


def test_a_start_on_an_emptied_database_keeps_all_photos_and_says_so(app: AppTest, skinlens_home: Path) -> None:
    store = kept(skinlens_home, 10)
    files = {path: path.read_bytes() for path in skinlens_home.glob("files/*/*")}
    assert len(files) == 50
    for path in files:
        os.utime(path, (time.time() - 7200, time.time() - 7200))
    store.database.write_bytes(b"")
    shown = read(app.run())
    assert "The case file cannot be used" in shown
    assert "is missing or empty, but there are 50 photos and maps in" in shown
    assert {path: path.read_bytes() for path in skinlens_home.glob("files/*/*")} == files


@pytest.mark.parametrize("with_accounts", [False, True])
def test_a_case_folder_that_goes_meanwhile_is_said_and_not_made_anew(
    app: AppTest, skinlens_home: Path, *, with_accounts: bool
) -> None:
    kept(skinlens_home, 1)
    assert "Add all photos of a visit here" in read(app.run())
    if with_accounts:
        Accounts(skinlens_home).add("Ada", "admin", "correct horse battery")
    access.forget()
    skinlens_home.rename(skinlens_home.with_name("unplugged"))
    for page in ("worklist", "patients", "settings"):
        shown = read(turn(app, page))
        assert not app.exception
        assert "The case file cannot be used" in shown
        assert "was there and is gone: its disk was removed, or its folder moved or deleted." in shown
    assert not skinlens_home.exists()


def test_a_lost_photo_is_said_on_each_page(app: AppTest, skinlens_home: Path) -> None:
    store = kept(skinlens_home, 1)
    for path in store.home.glob("files/*/*.png"):
        path.unlink()
    for page in ("result", "worklist"):
        assert "Photos or maps are missing, of 1 case (1)." in read(turn(app, page))


def lose(store: CaseStore, ending: str) -> None:
    for path in store.home.glob(f"files/*/*.{ending}"):
        path.unlink()


def test_a_case_without_its_photo_opens_exports_and_is_erased(app: AppTest, skinlens_home: Path) -> None:
    store = kept(skinlens_home, 2)
    lose(store, "png")
    app.query_params["case"] = "1"
    shown = read(app.run())
    assert not app.exception
    assert "a new photo" not in shown
    for page in VIEWS:
        turn(app, page)
        assert not app.exception
        assert "The file with the picture of case 1 is missing" in read(app)
    opened = app.session_state["open_case"]
    assert opened.analysis.photo.placeholder
    assert opened.analysis.photo.pixels.shape == samples.photo(0).pixels.shape
    assert not opened.by_todays_model  # no map is made of a drawing that stands for the photo
    report, problems = pipeline.report_content(store, 1)
    assert pdf.render(report).startswith(b"%PDF")
    assert len(problems) == 1
    assert store.export_patient(1).startswith(b"PK")
    store.delete_patient(1)
    assert "was erased for good" in read(app.run())


def test_a_damaged_case_in_the_address_does_not_hold_the_other_pages(app: AppTest, skinlens_home: Path) -> None:
    store = kept(skinlens_home, 2)
    rewrite(store, "UPDATE visit SET notes = 'other' WHERE id = 1")
    app.query_params["case"] = "1"
    shown = read(app.run())
    assert "What the database holds of case 1 is damaged" in shown
    assert "The case file cannot be used" not in shown
    assert "case" not in app.query_params
    shown = read(turn(app, "worklist"))
    assert "2 visits" in shown
    assert "Open case 2" in [button.label for button in app.button]
    assert "Open case 1" not in [button.label for button in app.button]


def test_a_filter_keeps_its_tenths(agreed: AppTest, skinlens_home: Path) -> None:
    store = kept(skinlens_home, 1)
    turn(agreed, "worklist")
    agreed.selectbox(key="find_of").set_value("mel").run()
    share = 100 * store.case(1).visit.prediction.melanoma_prob
    for least, words in ((share - 0.1, "1 visit"), (share + 0.1, "No visit matches")):
        shown = read(agreed.text_input(key="find_least").input(f"{least:.1f}").run())
        assert agreed.text_input(key="find_least").value == f"{least:.1f}"
        assert words in shown
