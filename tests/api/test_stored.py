"""Reports of stored cases, and photos for the worklist, by the API."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pypdf
import pytest
from PIL import Image
from starlette.testclient import TestClient

from skinlens.accounts import Tokens
from skinlens.api.server import application
from skinlens.api.service import Service
from skinlens.errors import StoreError
from skinlens.exchange.dicom.received import received_of
from skinlens.imaging.intake import read_photo
from skinlens.labels import DISCLAIMER
from skinlens.store import CaseStore, NewLesion, NewPatient, NewVisit
from tests.api.conftest import ADDRESS, bearer
from tests.api.test_attacks import message
from tests.api.test_predict import held
from tests.dicom_files import plain
from tests.store import samples


@pytest.fixture
def store(skinlens_home: Path) -> CaseStore:
    store = CaseStore(skinlens_home)
    visit = NewVisit(NewPatient("P-7", 1961, "female"), NewLesion("back"), "2025-03-04")
    store.save_case(samples.analysis(samples.photo(1)), visit)
    return store


def text_of(pdf: bytes) -> str:
    return "\n".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(pdf)).pages)


def test_the_report_of_a_case_is_noted_in_the_name_of_the_token(
    store: CaseStore, service: Service, tokens: Tokens
) -> None:
    with TestClient(application(service), ADDRESS, headers=bearer(tokens, "viewer")) as client:
        answered = client.get("/report/1")
        assert (answered.status_code, answered.headers["content-type"]) == (200, "application/pdf")
        assert "P-7" in text_of(answered.content)
        assert DISCLAIMER in " ".join(text_of(answered.content).split())
        assert "skinlens-case-0001-report.pdf" in answered.headers["content-disposition"]
        assert "skinlens-problems" not in answered.headers
        with_annex = client.get("/report/1?annex=true")
        assert len(with_annex.content) > len(answered.content)
        assert message(client.get("/report/2"), 404).startswith("There is no case number 2")
        assert "Give true or false" in message(client.get("/report/1?annex=1"), 422)
    done = [(one.actor, one.action, one.object_number) for one in store.audit_entries() if one.kind == "visit"]
    assert done[1:] == [("a viewer (API)", "printed", 1)] * 2


def test_a_report_that_could_not_be_noted_says_so(
    store: CaseStore, api: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CaseStore, "note_export", lambda *_: "It could not be noted in the case folder.")
    answered = api.get("/report/1")
    assert answered.status_code == 200
    assert answered.headers["skinlens-problems"].startswith("1 part could not be printed or noted")


def test_a_photo_waits_in_the_worklist_without_its_metadata(api: TestClient, service: Service) -> None:
    file = io.BytesIO()
    exif = Image.Exif()
    exif[0x010E] = "Erika Mustermann"
    Image.fromarray(samples.photo(3).pixels).save(file, "PNG", exif=exif)
    first = api.post("/worklist", content=file.getvalue())
    assert first.status_code == 201
    said = held("Arrival", first.json())
    assert (said["photo_sha256"], said["stored_as"]) == (read_photo(file.getvalue()).sha256, [])
    assert "probs" not in said  # an impression comes before the result
    again = api.post("/worklist", content=file.getvalue())
    assert (again.status_code, again.json()) == (200, said)
    store = CaseStore(service.home)
    (waiting,) = store.received()
    kept = store.received_photo(waiting.token)
    assert kept is not None
    assert np.array_equal(read_photo(kept).pixels, samples.photo(3).pixels)
    assert not any(b"Mustermann" in path.read_bytes() for path in (service.home / "received").iterdir())
    assert {one.actor for one in store.audit_entries() if one.action == "received"} == {"a reader (API)"}
    assert store.search().total == 0


def test_a_photo_that_is_a_case_already_names_it(api: TestClient, store: CaseStore) -> None:
    file = io.BytesIO()
    Image.fromarray(samples.photo(1).pixels).save(file, "PNG")
    assert api.post("/worklist", content=file.getvalue()).json()["stored_as"] == [1]


def test_a_viewer_fills_no_worklist(service: Service, tokens: Tokens, lesion: bytes) -> None:
    with TestClient(application(service), ADDRESS, headers=bearer(tokens, "viewer")) as client:
        assert message(client.post("/worklist", content=lesion), 403).startswith("Your role, viewer,")
    assert CaseStore(service.home).received() == ()


def test_a_case_folder_that_cannot_be_used_is_said(
    api: TestClient, lesion: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise StoreError("The disk is full.")

    monkeypatch.setattr(CaseStore, "keep_received", full)
    answered = api.post("/worklist", content=lesion)
    assert message(answered, 503) == "The disk is full."
    assert answered.json()["error"]["kind"] == "StoreError"


def test_a_case_folder_that_goes_meanwhile_is_said_and_not_made_anew(
    api: TestClient, service: Service, lesion: bytes
) -> None:
    CaseStore(service.home).expect_photos()  # as the server does when it starts
    service.home.rename(service.home.with_name("unplugged"))
    for given in ({}, {"authorization": "Bearer wrong"}):
        for answered in (api.post("/worklist", content=lesion, headers=given), api.get("/report/1", headers=given)):
            assert "was there and is gone: its disk was removed" in message(answered, 503)
    assert not service.home.exists()


def test_a_file_that_cannot_be_read_once_it_is_written_anew_does_not_wait(
    api: TestClient, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = plain(Image.fromarray(samples.photo(4).pixels))
    anew = received_of(sent)
    monkeypatch.setattr("skinlens.exchange.dicom.received.received_of", lambda _: replace(anew, data=anew.data[:-5000]))
    assert "complete DICOM photo" in message(api.post("/worklist", content=sent), 422)
    assert not CaseStore(service.home).received()


def test_of_a_dicom_file_a_pseudonym_and_the_day_are_proposed(api: TestClient, service: Service) -> None:
    picture = Image.fromarray(samples.photo(4).pixels)
    sent = plain(picture, PatientSex="F", PatientID="MRN-4711", PatientName="Mustermann^Erika")
    answered = api.post("/worklist", content=sent)
    assert answered.status_code == 201
    (waiting,) = CaseStore(service.home).received()
    assert (waiting.proposal.sex, waiting.proposal.pseudonym[:2]) == ("female", "R-")
    for path in (service.home / "received").iterdir():
        assert not any(name in path.read_bytes() for name in (b"Mustermann", b"MRN-4711"))
