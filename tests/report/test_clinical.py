"""What the report says of criteria, plan, recall and histology: all that was recorded, and nothing else."""

from dataclasses import replace
from io import BytesIO

import pypdf

from skinlens.clinical import ClinicalRecord, Histology, Plan, Recall
from skinlens.criteria import Abcd, Criteria, PartialAbcd, SevenPoint
from skinlens.formatting import Unit
from skinlens.records import Case
from skinlens.report.clinical import Entry, finding_entries, phototype, plan_entries
from skinlens.report.pdf import render
from tests.report import samples

RECORD = ClinicalRecord(
    Criteria(Abcd(2, 4, 3, 2), SevenPoint(("regression", "atypical_network")), " multicomponent "),
    "itching",
    "grew in 2024",
    Plan("recheck", 1, "dermoscopy again"),
    Recall("2025-07-03"),
    Histology("mel", "in situ", "2025-06-20", "H-25/1234"),
)


def case(record: ClinicalRecord, phototype: int | None = None) -> Case:
    return samples.case(samples.photo(), clinical=record, patient=replace(samples.PATIENT, phototype=phototype))


def entries(of: Case, unit: Unit = "mm") -> tuple[Entry, ...]:
    return (*finding_entries(of, unit), *plan_entries(of))


def said(record: ClinicalRecord) -> dict[str, str]:
    return dict(entries(case(record)))


def test_all_that_was_recorded_is_said_in_the_order_of_a_visit() -> None:
    assert phototype(case(RECORD, 5)) == "V"
    assert list(said(RECORD).items()) == [
        ("Symptoms", "itching"),
        ("Evolution", "grew in 2024"),
        ("ABCD rule", "Total dermoscopy score (TDS) 5.5, highly suspicious: A 2, B 4, C 3, D 2."),
        (
            "7-point checklist",
            "3 points, suspicious (1998, limit 3): atypical pigment network, regression structures.",
        ),
        ("Pattern", "multicomponent"),
        (
            "Criteria and cut-off",
            "The clinician's criteria and the model's melanoma cut-off agree: suspicious for melanoma (model: "
            "23.1\u00a0%; cut-off 8.1\u00a0%).",
        ),
        ("Plan", "Follow-up in 1 month: dermoscopy again"),
        ("Recall", "2025-07-03, open"),
        ("Histology", "melanoma: in situ (reported on 2025-06-20, report H-25/1234)"),
    ]


def test_an_unfinished_abcd_rule_has_no_score() -> None:
    assert said(ClinicalRecord(Criteria(PartialAbcd(2, None, 3)))) == {
        "ABCD rule": "Not complete, no score: A 2, C 3; not counted yet: border, structures.",
    }


def test_what_came_from_the_outline_is_said() -> None:
    part = PartialAbcd(2, None, 3, from_outline=("asymmetry", "colors"))
    assert said(ClinicalRecord(Criteria(part)))["ABCD rule"].endswith(
        "A and C suggested from the outline but not accepted by the clinician yet."
    )
    whole = Abcd(2, 4, 3, 2, from_outline=("asymmetry",), accepted=True)
    assert said(ClinicalRecord(Criteria(whole)))["ABCD rule"].endswith(
        ": A 2, B 4, C 3, D 2. A suggested from the outline and accepted by the clinician."
    )


def test_a_width_is_said_in_the_unit_of_the_settings() -> None:
    wide = case(ClinicalRecord(field_width_mm=12.5))
    assert dict(entries(wide)) == {"Field of view": "12.5\u00a0mm"}
    assert dict(entries(wide, "inch")) == {"Field of view": "0.49\u00a0in"}


def test_of_what_was_not_recorded_nothing_is_said() -> None:
    assert said(ClinicalRecord()) == {}
    assert said(ClinicalRecord(symptoms=" \n")) == {}
    assert phototype(samples.case(samples.photo(), patient=None)) == ""


def test_parts_are_said_as_far_as_they_go() -> None:
    assert said(ClinicalRecord(Criteria(seven_point=SevenPoint((), "2011"))))["7-point checklist"] == (
        "0 points, not suspicious (2011, limit 1): none of the seven items."
    )
    assert said(ClinicalRecord(plan=Plan("recheck", 6)))["Plan"] == "Follow-up in 6 months"
    assert said(ClinicalRecord(plan=Plan("excise")))["Plan"] == "Excise"
    assert said(ClinicalRecord(plan=Plan("other", text="second opinion")))["Plan"] == "Other: second opinion"
    assert said(ClinicalRecord(recall=Recall("2025-07-03", "2025-07-10")))["Recall"] == (
        "2025-07-03, done on 2025-07-10"
    )
    assert said(ClinicalRecord(histology=Histology("nv")))["Histology"] == "melanocytic nevus"
    assert said(ClinicalRecord(histology=Histology(None, "Spitz nevus", None, "7")))["Histology"] == (
        "Spitz nevus (report 7)"
    )
    assert "Criteria and cut-off" not in said(ClinicalRecord(Criteria(pattern="reticular")))


def text_of(record: ClinicalRecord) -> str:
    data = render(samples.composed(case(record, 5), samples.photo(), [], generated_on=samples.DAY))
    words = " ".join(page.extract_text() for page in pypdf.PdfReader(BytesIO(data)).pages)
    return " ".join(words.split())


def test_the_printed_report_carries_it_and_says_what_could_not_be_printed() -> None:
    words = text_of(RECORD)
    assert "Skin phototype (Fitzpatrick) V" in words
    for caption, said_below in said(RECORD).items():
        assert f"{caption} {said_below}".replace("\u00a0", " ") in words, caption
    assert "could not be printed" not in words
    assert "1 character of this case could not be printed" in text_of(replace(RECORD, symptoms="\u0d85"))
    assert "Symptoms" not in text_of(ClinicalRecord())
