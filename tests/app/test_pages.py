"""Every page opens: at the first start, without a case, with one, without a model, with a damaged store."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from skinlens.labels import DISCLAIMER
from skinlens.store import CaseStore
from skinlens.ui.components.text import plain
from tests.app.conftest import VIEWS, press, read, turn, typed, words

PAGES = ("worklist", "patients", "visit", "performance", "help", "settings")


def test_the_conditions_are_agreed_to_once_and_the_time_is_kept(app: AppTest, skinlens_home: Path) -> None:
    app.run()
    assert app.title[0].value == "Before you begin"
    assert DISCLAIMER in words(app)
    assert CaseStore(skinlens_home).disclaimer_acknowledged_at() is None
    press(app, "I have read this and agree")
    assert app.title[0].value == "Worklist"
    assert CaseStore(skinlens_home).disclaimer_acknowledged_at()
    again = AppTest.from_file(app._script_path, default_timeout=60).run()
    assert again.title[0].value == "Worklist"


@pytest.mark.parametrize("page", PAGES)
def test_a_page_opens_without_a_case_and_says_what_to_do(agreed: AppTest, page: str) -> None:
    turn(agreed, page)
    assert not agreed.exception
    assert not agreed.error
    assert agreed.title[0].value == ("New photo" if page == "visit" else page.capitalize())
    assert DISCLAIMER in words(agreed)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_opens_with_an_unsaved_example(agreed: AppTest, page: str) -> None:
    press(agreed, "Try the example")
    press(agreed, "Show result")
    turn(agreed, page)
    assert not agreed.exception
    assert not agreed.error
    if page == "visit":
        assert "synthetic example, not a patient" in words(agreed)
    else:
        assert next(one.proto.label for one in agreed.get("page_link")).startswith("Back to the new photo")


def test_the_models_reading_waits_for_the_clinicians(agreed: AppTest) -> None:
    press(agreed, "Try the example")
    for page in VIEWS:
        turn(agreed, page)
        assert "cut-off" not in words(agreed)
        assert "Your impression first" in words(agreed)
    agreed.selectbox(key=typed(agreed, "impression")).select("mel").run()
    press(agreed, "Show result")
    assert "Your impression: **Melanoma (before the result)**" in words(agreed)
    assert "cut-off" in words(agreed)
    assert (
        agreed.selectbox(key=typed(agreed, "label")).value is None
    )  # the diagnosis is a second thought, not the first again


@pytest.mark.parametrize("page", ["result", "why", "performance"])
def test_without_a_model_a_page_says_what_to_restore(
    agreed: AppTest, page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    press(agreed, "Try the example")
    press(agreed, "Show result")
    monkeypatch.setenv("SKINLENS_WEIGHTS", str(tmp_path / "nothing"))
    turn(agreed, page)
    assert not agreed.exception
    if page == "performance":
        assert agreed.header[0].value == "The model is not ready"
        assert "No model is installed" in agreed.error[0].value
    else:
        assert "Nothing was recomputed" in read(agreed)
    turn(agreed, "worklist")
    assert not agreed.error


def test_altered_weights_are_refused_in_words(
    agreed: AppTest, release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    altered = tmp_path / "altered"
    altered.mkdir()
    for file in release.iterdir():
        content = file.read_bytes()
        (altered / file.name).write_bytes(content + b" " if file.suffix == ".npz" else content)
    monkeypatch.setenv("SKINLENS_WEIGHTS", str(altered))
    press(agreed, "Try the example")
    assert agreed.header[0].value == "The model is not ready"
    assert "expected SHA-256" in read(agreed)


def test_a_damaged_case_file_is_said_in_words(app: AppTest, skinlens_home: Path) -> None:
    skinlens_home.mkdir()
    (skinlens_home / "cases.db").write_bytes(b"this is no database at all, whatever its name says" * 20)
    app.run()
    assert not app.exception
    assert app.header[0].value == "The case file cannot be used"
    assert app.error


def test_a_bad_file_is_a_sentence_and_the_open_case_stays(agreed: AppTest, photo: bytes) -> None:
    agreed.file_uploader[0].upload("mole.jpg", photo, "image/jpeg").run()
    assert "Not saved yet" in words(agreed)
    agreed.file_uploader[0].upload("letter.jpg", b"Dear colleague, thank you for", "image/jpeg").run()
    assert len(agreed.error) == 1
    assert not agreed.exception
    assert "Not saved yet" in words(agreed)


@pytest.mark.parametrize("number", ["77", "9" * 5000])
def test_a_case_that_was_deleted_elsewhere_is_said_in_words(agreed: AppTest, number: str) -> None:
    agreed.query_params["case"] = number
    agreed.run()
    assert not agreed.exception


def test_an_address_that_a_person_typed_is_no_link() -> None:
    joined = plain("see http://e.com, www.e.com or a@e.com")
    assert "://" not in joined
    assert "www\\." not in joined
    assert "@e" not in joined
    assert joined.replace("\u2060", "").replace("\\", "") == "see http://e.com, www.e.com or a@e.com"
