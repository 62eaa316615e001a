"""A signature stands for a diagnosis, is given once, and every later change of what was signed bears a name."""

import re

import pytest

from skinlens.clinical import ClinicalRecord, Histology, Plan, Recall
from skinlens.criteria import Abcd, Criteria
from skinlens.errors import Conflict, InvalidEntry
from skinlens.records import Case
from skinlens.settings import Settings
from skinlens.store import CaseStore
from skinlens.store.signatures import NO_DIAGNOSIS
from tests.store import samples
from tests.store.edits import edit


def write(store: CaseStore, case: Case, *, status: str = "signed", signer: str = "", **given: object) -> Case:
    """As a window does that showed ``case``."""
    said = samples.reading_of(case.visit, given)
    return store.annotate(
        case.visit.id, said, **given, status=status, signer=signer, expected_version=case.visit.version
    )


def listed(store: CaseStore) -> None:
    store.keep_settings(Settings(signers=("Dr. Lange", "Dr. Okafor")), read=Settings())


def test_nobody_signs_without_a_diagnosis(store, save):
    case = save()
    with pytest.raises(InvalidEntry, match=re.escape(NO_DIAGNOSIS)):
        write(store, case, clinician_diagnosis="looks harmless")
    with pytest.raises(InvalidEntry, match=re.escape(NO_DIAGNOSIS)):
        save(1, status="signed", clinician_label=None)
    assert store.case(case.visit.id) == case
    assert store.search().total == 1
    assert write(store, case, clinician_label="other").visit.status == "signed"


def test_the_second_to_sign_is_told_who_was_first(store, save):
    case = save(clinician_label="nv")
    first = write(store, case, signer="Dr. Lange")
    day = first.visit.signed_at[:10]
    with pytest.raises(Conflict, match=rf"This case was signed by Dr\. Lange on {day[:4]}.* not signed a second time"):
        write(store, case, signer="Dr. Okafor")
    assert store.case(case.visit.id) == first
    assert [one.action for one in store.revisions(case.visit.id)] == ["created", "signed"]


def test_where_signers_are_listed_nothing_is_signed_or_amended_without_a_name(store, save):
    listed(store)
    case = save(clinician_label="nv")
    with pytest.raises(InvalidEntry, match="Not signed yet: choose who signs"):
        write(store, case)
    assert write(store, case, status="draft", notes="a draft needs none").visit.status == "draft"
    signed = write(store, store.case(case.visit.id), signer="Dr. Lange")
    for change in (
        lambda: write(store, signed, notes="later"),
        lambda: edit(store, 1, criteria=Criteria(pattern="reticular"), expected_version=signed.visit.version),
        lambda: edit(store, 1, symptoms="itches", evolution="", expected_version=signed.visit.version),
        lambda: edit(store, 1, plan=Plan("excise"), expected_version=signed.visit.version),
        lambda: edit(store, 1, recall=Recall("2024-09-01"), expected_version=signed.visit.version),
        lambda: edit(store, 1, histology=Histology("mel"), expected_version=signed.visit.version),
        lambda: edit(store, 1, field_width_mm=12.5, expected_version=signed.visit.version),
    ):
        with pytest.raises(InvalidEntry, match="this case is signed"):
            change()
    assert store.case(1) == signed
    amended = edit(store, 1, field_width_mm=12.5, expected_version=signed.visit.version, signer="Dr. Okafor")
    assert (amended.visit.status, amended.visit.signed_by) == ("amended", "Dr. Lange")
    assert store.revisions(1)[-1].changes == {
        "field_width_mm": (None, "12.5 mm"),
        "status": ("signed", "amended"),
        "amended_by": (None, "Dr. Okafor"),
    }


def test_the_whole_page_is_one_change_with_one_name(store, save):
    case = save(clinician_label="nv")
    record = ClinicalRecord(
        Criteria(Abcd(1, 2, 3, 4)), "itches", "grew", Plan("recheck", 3), Recall("2024-09-02"), None, 12.5
    )
    signed = write(store, case, signer="Dr. Lange", notes="as a whole", clinical=record)
    assert signed.visit.clinical == record
    assert (signed.visit.version, signed.visit.status) == (2, "signed")
    assert [one.action for one in store.revisions(1)] == ["created", "signed"]
    assert write(store, signed, status="amended", clinical=record) == signed  # nothing differs
    other = ClinicalRecord(record.criteria, "bleeds", "grew", Plan("excise"), None, None, 12.5)
    amended = write(store, signed, status="amended", signer="Dr. Okafor", clinical=other)
    assert amended.visit.clinical == other
    last = store.revisions(1)[-1]
    assert last.action == "amended"
    assert last.changes == {
        "plan": ("recheck", "excise"),
        "plan_months": ("3", None),
        "recall_on": ("2024-09-02", None),
        "symptoms": ("itches", "bleeds"),
        "status": ("signed", "amended"),
        "amended_by": (None, "Dr. Okafor"),
    }


def test_a_recall_that_was_dealt_with_stays_so_and_needs_no_name(store, save):
    listed(store)
    record = ClinicalRecord(plan=Plan("recheck", 3))
    case = write(store, save(clinician_label="nv"), signer="Dr. Lange", clinical=record)
    done = store.close_recall(1, "2024-09-01", expected_version=case.visit.version)
    assert done.visit.status == "signed"
    kept = ClinicalRecord(plan=Plan("recheck", 3), recall=Recall("2024-08-31"), symptoms="none")
    changed = write(store, done, status="amended", signer="Dr. Lange", clinical=kept)
    assert changed.visit.clinical.recall == Recall("2024-08-31", "2024-09-01")


def test_a_page_that_is_older_than_the_record_overwrites_nothing(store, save):
    case = save(clinician_label="nv")
    edit(store, 1, plan=Plan("excise"), expected_version=1)
    with pytest.raises(Conflict) as conflict:
        write(store, case, status="draft", clinical=ClinicalRecord(plan=Plan("discharge")))
    assert conflict.value.fields == {"plan": ("excise", "discharge")}
