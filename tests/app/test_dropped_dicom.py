"""Dropped DICOM files on the worklist: the same is proposed as for a received one, and no name or number is stored."""

from pathlib import Path

from PIL import Image
from streamlit.testing.v1 import AppTest

from skinlens.errors import UnreadableImage
from skinlens.exchange.dicom.received import received_of
from skinlens.imaging.synthetic import draw_synthetic_lesion
from skinlens.store import CaseStore
from skinlens.ui.worklist.tray import Tray
from skinlens.wording.naming import PATIENT_UNREADABLE
from tests.app.conftest import press, read, turn
from tests.app.test_worklist import drop, tray_of
from tests.dicom_files import plain
from tests.exchange.test_dicom_received import coded
from tests.store import samples


def photo_file(seed: int, **tags: object) -> bytes:
    picture = Image.fromarray(draw_synthetic_lesion(seed)).resize((300, 225))
    return plain(picture, **{"PatientSex": "F", "AnatomicRegionSequence": coded("Forearm", "7771000"), **tags})


def test_a_dropped_file_proposes_what_a_received_one_does(agreed: AppTest, skinlens_home: Path) -> None:
    store = CaseStore(skinlens_home)
    data = photo_file(0)
    came = received_of(data)
    waiting = store.keep_received(came.data, came.proposal, came.identity, sender="archive")
    store.discard_received(waiting.token)
    page = turn(agreed, "worklist")
    drop(page, "Doe-Whisper.dcm", data)
    (item,) = tray_of(page).items
    assert "Patient, date and body site are proposed from its file: check them." in read(page)
    proposed = {
        "pseudonym": page.text_input(key=item.key("pseudonym")).value,
        "birth_year": page.text_input(key=item.key("year")).value,
        "sex": page.selectbox(key=item.key("sex")).value,
        "taken_on": page.date_input(key=item.key("date")).value.isoformat(),
        "body_site": page.selectbox(key=item.key("site")).value,
    }
    given = waiting.proposal
    assert proposed == {**vars(given), "birth_year": str(given.birth_year)}
    assert (given.birth_year, given.sex, given.taken_on) == (1961, "female", "2025-01-01")
    assert item.said is None
    press(page, "File 1 photo")
    case = store.case(1)
    assert case.patient is not None
    assert (case.patient.pseudonym, case.patient.birth_year, case.patient.sex) == (given.pseudonym, 1961, "female")
    assert (case.lesion.body_site, case.visit.taken_on) == ("forearm", "2025-01-01")
    assert store.photo(1).source_format == "DICOM"
    assert nowhere_below(skinlens_home, b"Doe", b"Whisper", b"PAT-4711", b"19610203")


def nowhere_below(folder: Path, *words: bytes) -> bool:
    files = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
    assert len(files) > 1
    return not any(word in data for word in words for data in files)


def test_what_was_changed_in_a_row_stays_and_a_stored_patient_is_chosen(agreed: AppTest, skinlens_home: Path) -> None:
    page = turn(agreed, "worklist")
    drop(page, "first.dcm", photo_file(0))
    (first,) = tray_of(page).items
    page.text_input(key=first.key("year")).input("1962").run()
    page.run()
    assert page.text_input(key=first.key("year")).value == "1962"
    press(page, "File 1 photo")
    patient = CaseStore(skinlens_home).case(1).patient
    assert patient is not None
    assert patient.birth_year == 1962
    drop(page, "second.dcm", photo_file(1))
    second = tray_of(page).items[-1]
    assert page.selectbox(key=second.key("patient")).value == patient.id


def test_a_file_that_names_nobody_proposes_no_patient(agreed: AppTest) -> None:
    page = turn(agreed, "worklist")
    drop(page, "bare.dcm", photo_file(0, PatientID="", StudyDate="", AnatomicRegionSequence=None))
    (item,) = tray_of(page).items
    assert (item.state, item.remark) == ("read", "")
    assert "proposed from its file" not in read(page)
    assert item.key("own") not in {box.key for box in page.checkbox if box.value}


def test_a_damaged_tag_of_the_patient_is_said_and_the_photo_is_read() -> None:
    def refuse(_: bytes) -> None:
        raise UnreadableImage("damaged")

    made = Tray(lambda _: samples.analysis(samples.photo()), lambda _: b"", said=refuse)
    made.add([("a.dcm", b"a"), ("b.dcm", b"b")])
    made.wait()
    assert [(item.state, item.remark, item.said) for item in made.items] == [("read", PATIENT_UNREADABLE, None)] * 2


def test_a_received_photo_is_not_asked_again() -> None:
    asked: list[bytes] = []
    made = Tray(lambda _: samples.analysis(samples.photo()), lambda _: b"", said=asked.append)
    made.add_received("Received", b"a", "token")
    made.add([("b.dcm", b"b")])
    made.wait()
    assert asked == [b"b"]
