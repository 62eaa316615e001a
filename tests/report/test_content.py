"""What a report says, sentence by sentence."""

from dataclasses import replace

import numpy as np
import pytest

from skinlens.clinical import ClinicalRecord
from skinlens.clock import local_day, local_minute
from skinlens.errors import SkinLensError
from skinlens.formatting import Unit
from skinlens.labels import CODES, DISCLAIMER
from skinlens.records import (
    Lesion,
    Outline,
    OutlineMaker,
    Patient,
    Prediction,
    PredictionSet,
    QualityCheck,
    QualityReport,
    Threshold,
)
from skinlens.report.content import NO_DIAGNOSIS, PHOTO_LONGEST_PX
from skinlens.report.signing import Amendment, Signing
from skinlens.wording.quality import UNRELIABLE, UNRELIABLE_MAPS
from skinlens.wording.verdict import set_statement, threshold_statement, verdict_line
from tests.report import samples
from tests.report.samples import annex, content, fields


def prediction(melanoma: float, threshold: float, sensitivity: float = 0.913, chosen_on: str = "val") -> Prediction:
    probs = tuple(melanoma if code == "mel" else (1 - melanoma) / 6 for code in CODES)
    return Prediction(probs, (0.0,) * 7, Threshold(threshold, sensitivity, 0.702, chosen_on), samples.MODEL, 9.0)


def test_a_model_without_sets_says_nothing_of_them() -> None:
    assert content(prediction=prediction(0.2, 0.1)).result.set_statement == ""


STRANGE = QualityCheck("familiarity", "Distance from the training photos", 3.1, 1.6, "at most", "", False, "Fur.")


def test_an_unreliable_photo_gets_no_statement_no_set_and_no_code() -> None:
    """Melanoma at 60 %, far above its threshold, and a set: neither is said of a photo that is no such photo."""
    one = replace(prediction(0.6, 0.08), prediction_set=PredictionSet(("mel",), 0.9, "756 photos of val"))
    report = content(prediction=one, quality=QualityReport((STRANGE,)), clinician_label=None)
    assert not report.result.reliable
    assert (report.result.verdict, report.result.verdict_remark, report.result.suspicious) == (
        UNRELIABLE,
        "Fur.",
        False,
    )
    assert (report.result.set_statement, report.codes, report.codes_of) == ("", (), "")
    assert report.result.quality_summary == "1 of 1 checks of the photo is not met: the result is not reliable."
    photo = samples.photo()
    case = samples.case(photo, prediction=one, quality=QualityReport((STRANGE,)))
    assert annex(case, photo, samples.explanations(photo)).explanations_note == UNRELIABLE_MAPS
    assert annex(case, photo).statements == ()


def test_a_photo_that_is_only_blurred_is_still_read() -> None:
    said = replace(prediction(0.23, 0.08), prediction_set=PredictionSet(("nv", "mel"), 0.9, "756 photos of val"))
    report = content(prediction=said)
    assert report.result.reliable
    assert report.result.suspicious
    assert not content(prediction=prediction(0.03, 0.08)).result.suspicious
    assert report.result.verdict == verdict_line(said)
    assert report.result.verdict_remark.startswith("The cut-off catches 9 of 10 melanomas")
    photo = samples.photo()
    assert annex(samples.case(photo, prediction=said), photo).statements == (
        threshold_statement(said),
        set_statement(said),
    )


def test_the_case_in_its_header() -> None:
    said = fields(content())
    assert said["Case"] == "17"
    assert said["Patient ID"] == "SL-0042"
    assert said["Sex"] == "female"
    assert said["Age at the photo"] == "60 or 61 (born 1964)"
    assert said["Site"] == "Back"
    assert said["Photo taken on"] == "2025-06-03"
    assert said["Skin phototype (Fitzpatrick)"] == "not recorded"
    assert content().provenance.startswith(f"Report made on {samples.DAY} · SkinLens ")


@pytest.mark.parametrize("birth_year_is_upper_bound", [False, True])
def test_a_birth_year_that_tells_an_age_above_85_is_not_printed(birth_year_is_upper_bound: bool) -> None:
    report = content(patient=Patient(3, "SL-1", 1939, "male", birth_year_is_upper_bound))
    assert fields(report)["Age at the photo"] == "85+"
    assert "1939" not in repr(report.case)


def test_a_case_without_a_patient_says_so() -> None:
    report = content(patient=None)
    assert fields(report)["Patient ID"] == "no patient"
    assert fields(report)["Sex"] == fields(report)["Age at the photo"] == "not recorded"
    assert report.running_title == "SkinLens report · Case 17"


def test_without_a_day_the_report_is_dated_by_the_cases_last_change() -> None:
    photo = samples.photo()
    report = samples.composed(samples.case(photo), photo, [])
    assert report.provenance.startswith(f"Case last changed {local_minute('2025-06-03T09:20:01Z')}, local time · ")
    assert report.dated == "2025-06-03T09:20:01Z"


def test_classes_stand_by_falling_probability_with_full_names() -> None:
    rows = content().result.classes
    assert [row.code for row in rows] == ["nv", "mel", "bkl", "bcc", "akiec", "vasc", "df"]
    assert rows[0].name == "melanocytic nevus"
    assert [row.risk for row in rows[:3]] == ["benign", "malignant", "benign"]
    assert rows[1].prob == pytest.approx(0.2312)


def test_codes_are_those_of_the_clinicians_diagnosis() -> None:
    report = content(clinician_label="akiec")
    assert report.codes_of == "Codes of actinic keratosis / intraepithelial carcinoma, suggested, to be confirmed"
    assert fields(report)["ICD-10-CM"] == "L57.0"
    assert fields(report)["ICD-O-3"] == "not verified"
    assert "Bowen" in report.codes_remark


@pytest.mark.parametrize("words", ["", "lentigo"])
def test_without_a_diagnosis_of_the_clinicians_no_code_is_printed(words: str) -> None:
    report = content(clinician_label=None, clinician_diagnosis=words, notes=" ")
    assert (report.codes, report.codes_of, report.codes_remark) == ((), "", "")
    assert report.diagnosis == (words.capitalize() or NO_DIAGNOSIS)
    assert report.findings == ()


def test_an_unverified_code_says_so() -> None:
    assert fields(content(clinician_label="bkl"))["SNOMED CT"] == "not verified"


def test_the_first_impression_stands_apart_from_the_diagnosis() -> None:
    said = content(first_impression="other")
    assert (said.result.first_impression, said.diagnosis) == (
        "First impression, recorded before the result was shown: other diagnosis.",
        "Melanoma: suspected, in situ",
    )
    assert content().result.first_impression == ""
    shown_first = content(result_first=True).result.first_impression
    assert shown_first == "The result was shown before an impression was recorded."


def test_diagnosis_in_the_clinicians_words() -> None:
    assert content().diagnosis == "Melanoma: suspected, in situ"
    assert content(clinician_label=None).diagnosis == "Suspected, in situ"
    assert content(clinician_diagnosis="").diagnosis == "Melanoma"


def test_quality_with_value_limit_verdict_and_advice() -> None:
    report = content()
    assert report.result.quality_summary == "1 of 3 checks of the photo is not met: read the result with caution."
    assert report.result.quality_advice == ("Sharpness: Hold still, refocus, take it again.",)
    photo = samples.photo()
    short_side, sharpness, _ = annex(samples.case(photo), photo).quality
    assert (sharpness.measured, sharpness.limit) == ("31.2", "at least 40")
    assert sharpness.verdict == "not met. Hold still, refocus, take it again."
    assert (short_side.measured, short_side.verdict) == ("450 px", "met")
    met = QualityReport(tuple(replace(check, passed=True) for check in samples.QUALITY.checks))
    assert content(quality=met).result.quality_summary == "All 3 checks of the photo are met."
    assert content(quality=QualityReport(())).result.quality_summary == "The quality of this photo was not checked."


def test_which_model_and_software_and_what_they_are_not_for() -> None:
    photo = samples.photo()
    report = samples.composed(samples.case(photo), photo, annex=True)
    said = fields(report)
    assert said["Model"] == "hsb, version 1.0.0"
    assert said["SHA-256 of the photo (size and pixels)"] == photo.sha256
    assert report.provenance.endswith(" · model hsb 1.0.0 (SHA-256 5e5e5e5e5e5e…)")
    assert said["SHA-256 of the model file"] == "5e" * 32
    assert report.disclaimer == DISCLAIMER
    assert report.limits.startswith("Not a screening tool and never the sole criterion")
    assert "Skin tone: not evaluated. Nearly all photos" in report.limits


def test_a_photo_that_is_not_kept_has_no_number_and_no_day() -> None:
    photo = samples.photo()
    case = samples.case(photo, patient=None, id=0, lesion_id=0, taken_on="")
    report = samples.composed(replace(case, lesion=Lesion(0, None, "")), photo, [], generated_on=samples.DAY)
    said = fields(report)
    assert said["Case"] == "not saved"
    assert said["Photo taken on"] == said["Site"] == "not recorded"
    assert report.running_title == "SkinLens report"


@pytest.mark.slow
def test_a_large_photo_is_reduced_to_print_resolution() -> None:
    photo = samples.photo(1200, 2400)
    report = samples.composed(samples.case(photo), photo, [])
    assert report.photo.shape == (800, PHOTO_LONGEST_PX, 3)
    assert report.photo_caption == "2400 × 1200 px, JPEG. The model sees only the central 1600 × 1200 px."


def test_the_photo_of_another_visit_is_refused() -> None:
    photo, other = samples.photo(), samples.photo(90, 121)
    with pytest.raises(SkinLensError, match="The photo belongs to another visit: expected the photo"):
        samples.composed(samples.case(photo), other, [])
    with pytest.raises(SkinLensError, match=r"The explanation belongs to another visit.*Open the case again\."):
        samples.composed(samples.case(photo), photo, samples.explanations(other))


def outline(maker: OutlineMaker, sha256: str) -> Outline:
    points = ((0.4, 0.3), (0.7, 0.4), (0.5, 0.8)) if maker == "clinician" else ((0.1, 0.1), (0.9, 0.1), (0.5, 0.9))
    return Outline(points, maker, sha256, samples.MODEL, "2025-06-03T09:14:00Z")


def test_the_lesion_is_outlined_as_the_clinician_drew_it_rather_than_the_model() -> None:
    photo = samples.photo()
    both = [outline("clinician", photo.sha256), outline("model", photo.sha256)]
    drawn = samples.composed(samples.case(photo), photo, [], outlines=both)
    assert (0.4, 0.3) in drawn.outline
    assert "The line is the lesion's edge as the clinician drew it." in drawn.photo_caption
    proposed = samples.composed(samples.case(photo), photo, [], outlines=both[1:])
    assert (0.1, 0.1) in proposed.outline
    assert "The line is the lesion's edge as the model proposed it." in proposed.photo_caption
    assert not content().outline


def test_the_outline_of_another_photo_is_refused() -> None:
    photo = samples.photo()
    with pytest.raises(SkinLensError, match="The outline belongs to another visit"):
        samples.composed(samples.case(photo), photo, [], outlines=[outline("model", "f" * 64)])


def test_a_diagnosis_beside_the_seven_is_named_and_not_coded() -> None:
    report = content(clinician_label="other", clinician_diagnosis="Keloid")
    assert report.diagnosis == "Other diagnosis: Keloid"
    assert (report.codes, report.codes_of) == ((), "")


SIGNED, AMENDED = "2026-11-25T09:12:44+00:00", "2026-11-26T10:00:00+00:00"


@pytest.mark.parametrize(
    ("status", "signing", "note", "beside"),
    [
        ("draft", Signing(), "DRAFT, not signed", "Not signed."),
        (
            "signed",
            Signing(SIGNED),
            f"Signed on {local_minute(SIGNED)} · version 1",
            f"Signed in SkinLens on {local_minute(SIGNED)}.",
        ),
        (
            "signed",
            Signing(SIGNED, signer=" Dr. A. Example "),
            f"Signed on {local_minute(SIGNED)} by Dr. A. Example · version 1",
            f"Signed in SkinLens on {local_minute(SIGNED)}.",
        ),
        (
            "amended",
            Signing(SIGNED, (Amendment(AMENDED),)),
            f"AMENDED on {local_minute(AMENDED)} · version 2",
            f"Signed in SkinLens on {local_minute(SIGNED)}.\nAmended on {local_day(AMENDED)}.",
        ),
        (
            "amended",
            Signing(),
            "AMENDED after signing",
            "Signed in SkinLens.\nAmended after signing.",
        ),
    ],
)
def test_status_date_and_version_stand_at_the_head(status: str, signing: Signing, note: str, beside: str) -> None:
    photo = samples.photo()
    report = samples.composed(samples.case(photo, status=status, version=4), photo, signing=signing)
    assert (report.status_note, report.signed, report.signer) == (note, beside, signing.signer.strip())


def test_amendments_of_one_clinician_on_one_day_are_one_line_and_of_many_the_latest_are_printed() -> None:
    photo = samples.photo()
    amended = tuple(Amendment(f"2026-11-{day}", by, topics) for day, by, topics in (
        (21, "Dr. A", ("notes",)), (22, "", ()), (23, "Dr. B", ("plan", "recall")), (23, "Dr. B", ("diagnosis",)),
        (24, "Dr. A", ("notes",)),
    ))  # fmt: skip
    report = samples.composed(samples.case(photo, status="amended"), photo, signing=Signing("2026-11-20", amended))
    assert report.signed.split("\n") == [
        "Signed in SkinLens on 2026-11-20.",
        "1 earlier amendment is in the audit log.",
        "Amended on 2026-11-22.",
        "Amended on 2026-11-23 by Dr. B: diagnosis, plan, recall.",
        "Amended on 2026-11-24 by Dr. A: notes.",
    ]
    assert report.status_note == "AMENDED on 2026-11-24 by Dr. A · version 6"


@pytest.mark.parametrize(("unit", "said"), [("mm", "7.2\u00a0mm"), ("inch", "0.28\u00a0in")])
def test_the_size_of_the_lesion_is_printed_where_it_is_known(unit: Unit, said: str) -> None:
    photo = samples.photo()  # 120 px wide, so that 12 mm are 0.1 mm for each
    round_it = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    circle = tuple((0.5 + 36 / 120 * float(np.cos(one)), 0.5 + 36 / 90 * float(np.sin(one))) for one in round_it)
    drawn = Outline(circle, "clinician", photo.sha256, samples.MODEL, "2025-06-03T09:14:00Z")
    known = samples.case(photo, clinical=ClinicalRecord(field_width_mm=12.0))
    assert fields(samples.composed(known, photo, outlines=[drawn], unit=unit))["Largest diameter"] == said
    by_model = fields(samples.composed(known, photo, outlines=[replace(drawn, made_by="model")], unit=unit))
    assert by_model["Largest diameter"] == f"{said} (by the model's outline)"
    assert "Largest diameter" not in fields(samples.composed(samples.case(photo), photo, outlines=[drawn]))
    assert "Largest diameter" not in fields(samples.composed(known, photo))


def test_the_exact_location_stands_with_the_body_site() -> None:
    photo = samples.photo()
    case = samples.case(photo)
    case = replace(case, lesion=replace(case.lesion, remark="left, below the scapula"))
    assert fields(samples.composed(case, photo))["Site"] == "Back, left, below the scapula"


def test_a_long_pseudonym_is_shortened_at_the_head_alone() -> None:
    report = content(patient=Patient(3, "W" * 60, 1964, "male"))
    assert report.running_title == f"SkinLens report · Case 17 · {'W' * 23}…"
    assert fields(report)["Patient ID"] == "W" * 60


def test_what_cannot_be_printed_is_counted_in_all_that_was_typed() -> None:
    photo = samples.photo()
    case = samples.case(photo, notes="\u0dc3\u0dd2", clinician_diagnosis="\u0dc3")
    assert (
        samples.composed(case, photo).not_printed
        == "3 characters of this case could not be printed and stand as \ufffd."
    )
    assert samples.composed(case, photo, clinic="\u0dc3").not_printed.startswith("4 characters of this case")
    assert content(notes="\u0dc3").not_printed.startswith("1 character of this case")
    assert content().not_printed == ""
