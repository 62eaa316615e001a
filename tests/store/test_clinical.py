"""The clinical record: kept as it was entered, audited, refused where it cannot be, exported, and gone when erased."""

import json
import zipfile
from dataclasses import replace
from io import BytesIO

import pytest

from skinlens.clinical import NOT_RECORDED, ClinicalRecord, Histology, Plan, Recall
from skinlens.criteria import Abcd, Criteria, PartialAbcd, SevenPoint
from skinlens.errors import CaseNotFound, Conflict, InvalidEntry
from skinlens.store import CaseQuery, CaseStore, ClinicianReading, NewPatient, clinical_rows
from tests.store.edits import edit
from tests.store.samples import TO_COME

ABCD = Abcd(2, 4, 3, 2)
CHECKLIST = SevenPoint(("regression", "atypical_network"), "2011")
CRITERIA = Criteria(ABCD, CHECKLIST, "multicomponent")
RECORD = ClinicalRecord(
    CRITERIA,
    "itching",
    "grew in 2023",
    Plan("recheck", 3, "dermoscopy again"),
    Recall("2024-08-31", "2024-09-02"),
    Histology("mel", "in situ", "2024-06-10", "H-24/1234"),
    12.5,
)


def test_a_record_that_is_saved_with_the_case_comes_back_as_it_was(store, save):
    case = save(clinical=RECORD, status="signed")
    assert case.visit.clinical == RECORD
    assert store.case(case.visit.id) == case
    assert store.visits_of_lesion(case.lesion.id)[0].clinical == RECORD
    (created,) = store.revisions(case.visit.id)
    assert created.changes == {
        "taken_on": (None, "2024-05-31"),
        "clinician_label": (None, "nv"),
        "status": (None, "signed"),
        "abcd": (None, "A 2, B 4, C 3, D 2"),
        "seven_point": (None, "atypical_network, regression (2011)"),
        "pattern": (None, "multicomponent"),
        "symptoms": (None, "itching"),
        "evolution": (None, "grew in 2023"),
        "plan": (None, "recheck"),
        "plan_months": (None, "3"),
        "plan_text": (None, "dermoscopy again"),
        "recall_on": (None, "2024-08-31"),
        "recall_done_on": (None, "2024-09-02"),
        "histology": (None, "mel"),
        "histology_text": (None, "in situ"),
        "histology_on": (None, "2024-06-10"),
        "histology_report": (None, "H-24/1234"),
        "field_width_mm": (None, "12.5 mm"),
    }


def test_a_case_without_a_record_has_none(save):
    assert save().visit.clinical == NOT_RECORDED
    assert save(2, clinical=ClinicalRecord(Criteria(seven_point=SevenPoint()))).visit.clinical.criteria == Criteria(
        seven_point=SevenPoint()
    )


def test_each_door_writes_its_part_and_leaves_the_others(store, save):
    number = save(notes="as saved").visit.id
    edit(store, number, criteria=CRITERIA, expected_version=1)
    edit(store, number, symptoms="itching", evolution="", expected_version=2)
    edit(store, number, plan=Plan("excise"), expected_version=3)
    last = edit(store, number, histology=Histology(None, "Spitz nevus"), expected_version=4)
    assert last.visit.clinical == ClinicalRecord(
        CRITERIA, "itching", "", Plan("excise"), None, Histology(None, "Spitz nevus")
    )
    assert (last.visit.notes, last.visit.status, last.visit.version) == ("as saved", "draft", 5)
    trail = store.revisions(number)[1:]
    assert [one.action for one in trail] == ["edited"] * 4
    assert trail[0].changes == {
        "abcd": (None, "A 2, B 4, C 3, D 2"),
        "seven_point": (None, "atypical_network, regression (2011)"),
        "pattern": ("", "multicomponent"),
    }
    assert trail[3].changes == {"histology_text": ("", "Spitz nevus")}
    cleared = edit(store, number, histology=None, expected_version=5)
    cleared = edit(store, number, plan=None, expected_version=cleared.visit.version)
    cleared = edit(store, number, criteria=Criteria(), expected_version=cleared.visit.version)
    assert cleared.visit.clinical == ClinicalRecord(symptoms="itching")


def test_the_scale_of_a_photo_is_kept_in_range(store, save):
    number = save().visit.id
    known = edit(store, number, field_width_mm=20, expected_version=1)
    assert known.visit.clinical.field_width_mm == 20.0
    assert known.visit.clinical.mm_per_px(800) == 0.025
    assert store.revisions(number)[-1].changes == {"field_width_mm": (None, "20 mm")}
    for width in (0.0, -3.0, 1.9, 201.0, float("nan"), float("inf")):
        with pytest.raises(
            InvalidEntry, match=r"is from 2\u00a0mm \(0.08\u00a0in\) to 200\u00a0mm \(7.87\u00a0in\), found"
        ):
            edit(store, number, field_width_mm=width, expected_version=2)
    assert store.case(number) == known
    unknown = edit(store, number, field_width_mm=None, expected_version=2)
    assert unknown.visit.clinical.mm_per_px(800) is None
    assert unknown.visit.version == 3


def test_an_unfinished_abcd_rule_is_kept_with_a_draft_and_signed_once_it_is_complete(store, save):
    part = Criteria(PartialAbcd(2, None, 4), pattern="reticular")
    number = save(clinician_label="nv").visit.id
    stored = edit(store, number, criteria=part, expected_version=1)
    assert stored.visit.clinical.criteria == part
    assert store.case(number) == stored
    assert store.revisions(number)[-1].changes["abcd"] == (None, "A 2, C 4")
    reading = ClinicianReading("nv")
    lacks = "the ABCD rule lacks border and structures. A draft can be saved like this"
    with pytest.raises(InvalidEntry, match=lacks):
        store.annotate(number, reading, status="signed", expected_version=2)
    with pytest.raises(InvalidEntry, match=lacks):
        save(2, clinician_label="nv", status="signed", clinical=ClinicalRecord(part))
    edit(store, number, criteria=Criteria(ABCD), expected_version=2)
    signed = store.annotate(number, reading, status="signed", expected_version=3)
    assert signed.visit.status == "signed"
    with pytest.raises(InvalidEntry, match=lacks):
        edit(store, number, criteria=part, expected_version=4)
    assert store.case(number) == signed


def test_what_changes_after_the_signature_amends_the_case(store, save):
    number = save(status="signed").visit.id
    amended = edit(store, number, histology=Histology("nv"), expected_version=1)
    assert (amended.visit.status, amended.visit.version) == ("amended", 2)
    assert store.revisions(number)[-1].action == "amended"
    assert store.revisions(number)[-1].changes == {"histology": (None, "nv"), "status": ("signed", "amended")}
    again = edit(store, number, histology=Histology("nv"), expected_version=2)
    assert again == amended
    assert len(store.revisions(number)) == 2


def test_the_later_window_gets_both_values_and_overwrites_nothing(store, save):
    number = save().visit.id
    first = edit(store, number, plan=Plan("excise"), expected_version=1)
    with pytest.raises(Conflict, match="This case was changed in another window") as conflict:
        edit(store, number, plan=Plan("discharge"), expected_version=1)
    assert conflict.value.fields == {"plan": ("excise", "discharge")}
    assert conflict.value.version == 2
    assert store.case(number) == first
    assert edit(store, number, plan=Plan("excise"), expected_version=1) == first
    other = edit(store, number, criteria=CRITERIA, expected_version=2)
    with pytest.raises(Conflict):
        edit(store, number, criteria=Criteria(ABCD), expected_version=2)
    assert store.case(number) == other


def test_an_erased_case_takes_no_record(store, save):
    number = save().visit.id
    store.delete_visit(number)
    with pytest.raises(CaseNotFound):
        edit(store, number, criteria=CRITERIA, expected_version=1)


# -------------------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("record", "words"),
    [
        (ClinicalRecord(plan=Plan("recheck")), "A follow-up is in 1 to 60 months, found None"),
        (ClinicalRecord(plan=Plan("recheck", 0)), "A follow-up is in 1 to 60 months, found 0"),
        (ClinicalRecord(plan=Plan("recheck", 61)), "A follow-up is in 1 to 60 months, found 61"),
        (ClinicalRecord(plan=Plan("excise", 3)), "Months belong to a follow-up, but the plan is excise"),
        (ClinicalRecord(plan=Plan("other", text=" ")), "The plan is something else, but it does not say what"),
        (ClinicalRecord(plan=Plan("excise", text="\0")), "a character in the plan that cannot be kept"),
        (ClinicalRecord(Criteria(pattern="x" * 50_001)), "Too many characters in the pattern note: 50001"),
        (ClinicalRecord(symptoms="\ud800"), "a character in the symptoms that cannot be kept"),
        (ClinicalRecord(recall=Recall("2024-05-31")), "A recall on 2024-05-31 does not follow from a visit on 2024-05"),
        (ClinicalRecord(recall=Recall("2035-01-01")), "by 2034 at the latest"),
        (ClinicalRecord(recall=Recall("soon")), "'soon' is no date. Give it as year-month-day"),
        (ClinicalRecord(histology=Histology("naevus")), "'naevus' is no diagnosis"),
        (ClinicalRecord(histology=Histology(None, " ")), "The histology names no diagnosis"),
        (ClinicalRecord(histology=Histology("nv", "", "2024-05-30")), "Histology cannot be on 2024-05-30: a day from"),
        (ClinicalRecord(histology=Histology("nv", "", TO_COME)), "Histology cannot be on"),
        (ClinicalRecord(histology=Histology("nv", report_number="a\nb")), "control character in the number of the rep"),
    ],
)
def test_what_cannot_be_kept_is_refused_with_a_sentence(store, save, record, words):
    with pytest.raises(InvalidEntry, match=words):
        save(clinical=record)
    assert store.search().total == 0
    case = save()
    with pytest.raises(InvalidEntry, match=words):
        everything(store, case.visit.id, record)
    assert store.case(case.visit.id) == case


def everything(store: CaseStore, number: int, record: ClinicalRecord) -> None:
    edit(store, number, criteria=record.criteria, expected_version=1)
    edit(store, number, symptoms=record.symptoms, evolution=record.evolution, expected_version=1)
    edit(store, number, plan=record.plan, expected_version=1)
    edit(store, number, histology=record.histology, expected_version=1)
    if record.recall is not None:
        edit(store, number, recall=Recall(record.recall.due_on), expected_version=1)


# ------------------------------------------------------------------------------------------------ patient, whole store


def test_the_phototype_belongs_to_the_patient(store, save):
    case = save()
    assert case.patient.phototype is None
    changed = store.set_phototype(case.patient.id, 5, expected_version=1)
    assert (changed.phototype, changed.version) == (5, 2)
    assert store.case(case.visit.id).patient == store.patient(case.patient.id) == changed
    assert store.revisions(case.visit.id)[-1].changes == {"phototype": None}
    with pytest.raises(Conflict) as conflict:
        store.set_phototype(case.patient.id, 2, expected_version=1)
    assert conflict.value.fields == {"phototype": (5, 2)}
    for wrong in (0, 7, True):
        with pytest.raises(InvalidEntry, match=f"{wrong} is no skin phototype. Expected 1 to 6"):
            store.set_phototype(case.patient.id, wrong, expected_version=2)
    edited = store.edit_patient(case.patient.id, "P-0002", 1961, "male", expected_version=2)
    assert (edited.phototype, edited.version) == (5, 3)


def test_the_export_has_what_was_entered_and_the_scores(store, save):
    case = save(clinical=RECORD)
    store.set_phototype(case.patient.id, 5, expected_version=1)
    with zipfile.ZipFile(BytesIO(store.export_patient(case.patient.id))) as archive:
        document = json.loads(archive.read("patient.json"))
    assert document["patient"]["phototype"] == 5
    assert document["lesions"][0]["visits"][0]["clinical"] == {
        "criteria": {
            "abcd": {
                "asymmetry": 2,
                "border": 4,
                "colors": 3,
                "structures": 2,
                "from_outline": [],
                "accepted": False,
                "rule": "ABCD rule (Nachbar 1994)",
                "total_score": "5.5",
                "reading": "highly suspicious",
            },
            "seven_point": {
                "present": ["atypical_network", "regression"],
                "version": "2011",
                "score": 2,
                "limit": 1,
                "suspicious": True,
            },
            "pattern": "multicomponent",
        },
        "symptoms": "itching",
        "evolution": "grew in 2023",
        "plan": {"action": "recheck", "months": 3, "text": "dermoscopy again"},
        "recall": {"due_on": "2024-08-31", "done_on": "2024-09-02"},
        "histology": {
            "label": "mel",
            "text": "in situ",
            "reported_on": "2024-06-10",
            "report_number": "H-24/1234",
        },
        "field_width_mm": 12.5,
    }


def test_the_search_finds_what_was_typed_and_not_what_was_replaced(store, save):
    number = save(clinical=RECORD, notes="alpha").visit.id
    for words in ("multicomp", "itching", "grew 2023", "dermoscopy again", "in situ", "H-24/1234", "alpha itching"):
        assert store.search(CaseQuery(text=words)).total == 1, words
    edit(store, number, symptoms="bleeding", evolution="", expected_version=1)
    assert store.search(CaseQuery(text="bleeding alpha")).total == 1
    assert store.search(CaseQuery(text="itching")).total == 0


def test_an_erased_patient_leaves_nothing_of_the_record(store, save):
    words = {
        "pattern": "quokka",
        "symptoms": "wombat",
        "evolution": "numbat",
        "plan": "dingo",
        "histology": "potoroo",
        "report": "bandicoot",
    }
    record = ClinicalRecord(
        Criteria(ABCD, CHECKLIST, words["pattern"]),
        words["symptoms"],
        words["evolution"],
        Plan("other", text=words["plan"]),
        None,
        Histology("other", words["histology"], None, words["report"]),
    )
    case = save(clinical=record, patient=NewPatient("P-gone"))
    kept = save(2, patient=NewPatient("P-kept"), clinical=RECORD)
    edit(store, case.visit.id, symptoms="echidna", evolution="", expected_version=1)
    store.delete_patient(case.patient.id)
    contents = b"".join(path.read_bytes().lower() for path in store.home.rglob("*") if path.is_file())
    for word in (*words.values(), "echidna"):
        assert word.encode() not in contents, word
    assert store.case(kept.visit.id) == kept


def test_a_suggested_count_is_kept_with_a_draft_and_signed_once_it_is_accepted(store, save):
    suggested = replace(ABCD, from_outline=("asymmetry", "colors"))
    number = save(clinician_label="nv").visit.id
    draft = edit(store, number, criteria=Criteria(suggested), expected_version=1)
    assert draft.visit.clinical.criteria.abcd == suggested
    only = "A and C of the ABCD rule are as the outline suggests, and nobody has accepted them"
    with pytest.raises(InvalidEntry, match=only):
        store.annotate(number, ClinicianReading("nv"), status="signed", expected_version=2)
    accepted = replace(suggested, accepted=True)
    edit(store, number, criteria=Criteria(accepted), expected_version=2)
    signed = store.annotate(number, ClinicianReading("nv"), status="signed", expected_version=3)
    assert (signed.visit.status, signed.visit.clinical.criteria.abcd) == ("signed", accepted)
    words = "A 2, B 4, C 3, D 2 (A and C suggested from the outline and accepted by the clinician)"
    assert [one.changes["abcd"][1] for one in store.revisions(number) if "abcd" in one.changes][-1] == words
    exported = clinical_rows.exported(signed.visit.clinical)["criteria"]["abcd"]
    assert (exported["from_outline"], exported["accepted"]) == (("asymmetry", "colors"), True)
