"""Similar cases beside a case, the clinician and the model against histology, and the impact calculator."""

from itertools import islice
from pathlib import Path

from streamlit.testing.v1 import AppTest

from skinlens import pipeline
from skinlens.case_record import Analysis
from skinlens.clinical import Histology
from skinlens.impact import PARAMETERS
from skinlens.inference.release import weights_directory
from skinlens.store import CaseStore, ClinicianReading, NewLesion, NewPatient, NewVisit
from tests.app.conftest import drawn, press, read, topic, turn
from tests.store.edits import edit


def analyses(count: int) -> list[Analysis]:
    """Of drawn lesions that the small network is familiar with."""
    classifier = pipeline.load_classifier(weights_directory())
    read_ = (pipeline.analyze(drawn(seed, "PNG"), classifier) for seed in range(1, 40))
    found = list(islice((one for one in read_ if one.quality.reliable), count))
    assert len(found) == count
    return found


def saved(store: CaseStore, analysis: Analysis, pseudonym: str) -> int:
    patient, lesion = NewPatient(pseudonym, 1961, "female"), NewLesion("forearm")
    return store.save_case(analysis, NewVisit(patient, lesion, "2024-05-06")).visit.id


def confirm(store: CaseStore, number: int, label: str) -> None:
    version = store.case(number).visit.version
    version = store.annotate(number, ClinicianReading(label), status="signed", expected_version=version).visit.version
    edit(store, number, histology=Histology(label), expected_version=version)


def test_similar_cases_say_what_they_are_and_whose(agreed: AppTest, skinlens_home: Path) -> None:
    store = CaseStore(skinlens_home)
    for analysis, pseudonym in zip(analyses(3), ("P-1", "P-2", "P-3"), strict=True):
        saved(store, analysis, pseudonym)
    confirm(store, 2, "mel")
    turn(agreed, "worklist")
    press(agreed, "Open case 1")
    turn(agreed, "compare")
    said = read(agreed)
    assert "Melanoma (histology)" in said
    assert "Another patient: P-2, forearm, 2024-05-06" in said
    assert "P-3" not in said
    agreed.toggle(key="case_similar_every").set_value(True).run()
    assert "none given (no diagnosis yet)" in read(agreed)
    agreed.button(key="similar-2").click().run()
    assert agreed.session_state["open_case"].case.visit.id == 2


def test_answers_against_histology_come_with_intervals(agreed: AppTest, skinlens_home: Path) -> None:
    answers = {"P-1": "mel", "P-2": "nv", "P-3": "nv"}
    turn(agreed, "performance")
    topic(agreed, "Your practice")
    assert "No lesion with histology is stored yet" in read(agreed)
    store = CaseStore(skinlens_home)
    for analysis, (pseudonym, label) in zip(analyses(3), answers.items(), strict=True):
        confirm(store, saved(store, analysis, pseudonym), label)
    agreed.run()
    said = read(agreed)
    assert "1 of 1" in said  # the one melanoma, found by the clinician
    assert "2 of 2" in said
    assert "20.7" in said.replace("\u00a0", " ")  # Wilson's lower end of 1 of 1
    assert "You and the model agree on " in said
    assert " of 3 lesions: Cohen's kappa " in said
    assert "Not counted" not in said

    number = saved(store, analyses(4)[3], "P-4")  # of which the clinician said nothing
    edit(store, number, histology=Histology("nv"), expected_version=store.case(number).visit.version)
    assert "Not counted for you: 1 lesion with histology but without a clear answer." in read(agreed.run())


def test_every_input_of_the_calculator_can_be_changed(agreed: AppTest) -> None:
    turn(agreed, "performance")
    topic(agreed, "Your practice")
    fields = {one.key.removeprefix("impact_") for one in agreed.text_input if str(one.key).startswith("impact_")}
    assert fields == set(PARAMETERS)
    assert "1,840 lesions" in read(agreed)
    agreed.text_input(key="impact_lesions_per_week").input("100").run()
    agreed.text_input(key="impact_minutes_with").input("3,0").run()
    assert "230 hours a year less for 4,600 lesions, worth 23,000 in your currency" in read(agreed)
    agreed.text_input(key="impact_cost_per_hour").input("200").run()
    assert "worth 46,000 in your currency" in read(agreed)
