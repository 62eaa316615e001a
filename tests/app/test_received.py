"""Received photos on the worklist: in a row with what is proposed, filed once, and gone from every window then."""

import io
from pathlib import Path

import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from skinlens.case_record import Proposal
from skinlens.exchange.dicom.received import received_of
from skinlens.imaging.synthetic import draw_synthetic_lesion
from skinlens.store import CaseStore
from skinlens.ui.forms import proposals
from skinlens.ui.worklist import filing, tray
from skinlens.ui.worklist.tray import Tray
from tests.app.conftest import drawn, press, read, turn
from tests.app.test_worklist import at, tray_of
from tests.dicom_files import plain


def arrive(store: CaseStore, seed: int) -> str:
    """As the receiver keeps it: its token."""
    picture = Image.fromarray(draw_synthetic_lesion(seed)).resize((300, 225))
    one = received_of(plain(picture, PixelSpacing=[0.04, 0.04], PatientSex="F"))
    return store.keep_received(one.data, one.proposal, one.identity, sender="archive").token


@pytest.fixture
def store(skinlens_home: Path) -> CaseStore:
    return CaseStore(skinlens_home)


def test_a_received_photo_is_filed_for_the_proposed_patient(agreed: AppTest, store: CaseStore) -> None:
    tokens = arrive(store, 0), arrive(store, 1)
    pseudonym = store.received()[0].proposal.pseudonym
    page = turn(agreed, "worklist")
    tray_of(page).wait()
    page.run()
    first, second = tray_of(page).items
    assert "**2 photos to file**" in read(page)
    assert read(page).count("Patient and date are proposed from its file: check them.") == 2
    assert read(page).count("Received by DICOM") == 2
    assert (first.received, second.received) == tokens
    assert page.text_input(key=first.key("pseudonym")).value == pseudonym
    assert page.text_input(key=first.key("year")).value == "1961"
    at(page, 0, "back")
    press(page, "File 1 photo")
    case = store.case(1)
    assert case.patient is not None
    assert (case.patient.pseudonym, case.patient.sex, case.visit.taken_on) == (pseudonym, "female", "2025-01-01")
    assert store.photo(1).source_format == "DICOM"
    assert [one.token for one in store.received()] == [tokens[1]]
    later = arrive(store, 2)  # of a patient who is stored now
    page.run()
    tray_of(page).wait()
    page.run()
    newest = tray_of(page).items[-1]
    assert newest.received == later
    assert page.selectbox(key=newest.key("patient")).value == case.patient.id
    store.received_filed(later)  # by another window
    page.run()
    assert later not in {one.received for one in tray_of(page).items}
    page.button(key=f"tray_discard-{second.token}").click().run()
    assert store.received() == ()
    press(page, "Undo")
    assert [item.received for item in tray_of(page).items if item.state == "read"] == [""]


def test_a_photo_that_a_program_sent_says_so_and_what_is_proposed_for_it(agreed: AppTest, store: CaseStore) -> None:
    picture = Image.fromarray(draw_synthetic_lesion(0)).resize((300, 225))
    file = io.BytesIO()
    picture.save(file, "PNG")
    store.keep_received(file.getvalue(), Proposal())
    page = turn(agreed, "worklist")
    assert "Sent by a program" in read(page)
    assert "Received by DICOM" not in read(page)
    assert "proposed from its file" not in read(page)
    assert proposals.sentence(Proposal(sex="female", birth_year=1961)) == ""
    assert proposals.sentence(Proposal("R-1")) == "The patient is proposed from its file: check that."
    assert proposals.sentence(Proposal(taken_on="2025-01-01")) == "The date is proposed from its file: check that."
    assert proposals.sentence(Proposal(body_site="back")) == ""  # without a side it is no choice of the list
    assert proposals.sentence(Proposal("R-1", None, "female", "2025-01-01", "back, left")) == (
        "Patient, date and body site are proposed from its file: check them."
    )


def test_a_photo_that_another_window_filed_is_not_filed_again(store: CaseStore) -> None:
    from datetime import date

    from skinlens.store import NewLesion
    from tests.store import samples

    token = arrive(store, 0)
    data = store.received_photo(token)
    assert data is not None
    made = Tray(lambda _: samples.analysis(samples.photo()), lambda _: b"")
    item = made.add_received("Received", data, token)
    made.wait()
    store.received_filed(token)
    run = filing.Run(
        store, made, [filing.Filing(item, None, NewLesion("back"), date(2025, 1, 1))], "",
        lambda _: samples.analysis(samples.photo()),
    )  # fmt: skip
    assert run.wait(60)
    assert (run.problems, item.not_filed) == ([filing.TAKEN], filing.TAKEN)
    assert [*store.visit_numbers()] == []


def test_more_than_a_tray_holds_waits(agreed: AppTest, store: CaseStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tray, "MOST_FILES", 1)
    arrive(store, 0), arrive(store, 1)
    page = turn(agreed, "worklist")
    assert len(tray_of(page).items) == 1
    assert "1 more received photo will follow" in read(page)


def test_a_proposed_body_site_is_chosen_in_its_row(agreed: AppTest, store: CaseStore) -> None:
    store.keep_received(drawn(7, "JPEG"), Proposal(body_site="forearm, left"))
    page = turn(agreed, "worklist")
    tray_of(page).wait()
    page.run()
    (item,) = tray_of(page).items
    assert "The body site is proposed from its file: check that." in read(page)
    assert page.selectbox(key=item.key("site")).value == "forearm, left"
    (waiting,) = store.received()
    assert waiting.proposal == Proposal(body_site="forearm, left")
