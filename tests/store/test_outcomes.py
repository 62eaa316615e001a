"""Outcomes: what the clinician, the model and the histology say of the visits of which somebody said something."""

from skinlens.clinical import ClinicalRecord, Histology
from skinlens.outcomes import Outcome
from skinlens.records import QualityCheck, QualityReport
from skinlens.store import NewLesion
from tests.store import samples
from tests.store.test_damage import rewrite

STRANGE = QualityReport((QualityCheck("familiarity", "Familiarity", 60.0, 48.5, "at most", "", False, "Fur."),))


def test_outcomes_are_those_of_which_somebody_said_something(store, save):
    lesion = save(1).lesion.id  # nothing was said of it
    save(2, lesion=lesion, patient=None, clinician_label="nv", prediction=samples.prediction("mel", 0.6))
    save(3, first_impression="unsure", lesion=NewLesion("face"), quality=STRANGE, taken_on="2024-06-01")
    save(4, clinical=ClinicalRecord(histology=Histology("mel")), lesion=NewLesion("face"), taken_on="2024-06-02")
    save(5, clinical=ClinicalRecord(histology=Histology(None, "unclear")), lesion=NewLesion("face"))
    assert store.outcomes() == (
        Outcome(2, lesion, "2024-05-31", None, "nv", "mel", flagged=True, reliable=True, histology=None),
        Outcome(3, 2, "2024-06-01", "unsure", None, "nv", flagged=False, reliable=False, histology=None),
        Outcome(4, 3, "2024-06-02", None, None, "nv", flagged=False, reliable=True, histology="mel"),
    )
    rewrite(store, "UPDATE visit SET histology = 'nv' WHERE id = 4")
    assert [one.visit_id for one in store.outcomes()] == [2, 3]
