"""What is saved comes back: every pixel, every float, every bit of a map."""

import unicodedata
from datetime import date
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from skinlens import __version__
from skinlens.case_record import Analysis, Revision
from skinlens.errors import CaseNotFound, InvalidEntry, StoreError
from skinlens.explain import CONTRAST_WITH
from skinlens.labels import CODES, DISCLAIMER
from skinlens.records import Explanation, Lesion, Patient, Photo, Prediction, QualityCheck, QualityReport, Threshold
from skinlens.roles import LOCAL_USER
from skinlens.store import CaseStore, ClinicianReading, NewLesion, NewPatient, NewVisit, Setting, default_home
from tests.store import samples
from tests.store.edits import of_patient
from tests.store.test_damage import rewrite

KEPT_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=200)
NUMBERS = st.floats(allow_nan=False)
LINES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=26).filter(str.strip)


@pytest.fixture(scope="module")
def shared_store(tmp_path_factory):
    return CaseStore(tmp_path_factory.mktemp("shared"))


def test_a_case_comes_back_as_it_was_saved(store, save):
    photo = samples.photo(1, notes=("Only the first of 3 frames was read.",))
    saved = save(
        photo=photo,
        maps=True,
        lesion=NewLesion("left forearm", "size 4 mm"),
        clinician_label="mel",
        clinician_diagnosis="suspected melanoma",
        notes="growing\nfor months",
        first_impression="other",
        status="signed",
    )
    case = CaseStore(store.home).case(saved.visit.id)
    assert case == saved
    assert case.patient == Patient(1, "P-0001", 1960, "female")
    assert case.lesion == Lesion(1, 1, "left forearm", "size 4 mm")
    assert case.visit.quality == samples.QUALITY
    assert case.visit.prediction == samples.prediction()
    assert (case.visit.taken_on, case.visit.photo_sha256, case.visit.status) == ("2024-05-31", photo.sha256, "signed")
    assert (case.visit.clinician_label, case.visit.clinician_diagnosis) == ("mel", "suspected melanoma")
    assert (case.visit.notes, case.visit.first_impression) == ("growing\nfor months", "other")
    assert case.visit.created_at == case.visit.updated_at
    stored = store.photo(saved.visit.id)
    np.testing.assert_array_equal(stored.pixels, photo.pixels)
    assert (stored.sha256, stored.source_format, stored.notes) == (photo.sha256, "JPEG", photo.notes)
    kept = [samples.fields(explanation) for explanation in store.load(saved.visit.id).explanations]
    assert kept == [samples.fields(explanation) for explanation in samples.three_explanations(photo)]


@pytest.mark.slow
@given(
    texts=st.tuples(LINES, LINES, KEPT_TEXT, KEPT_TEXT, KEPT_TEXT),
    probs=st.tuples(*[st.floats(0, 1)] * len(CODES)),
    logits=st.tuples(*[NUMBERS] * len(CODES)),
    value=st.floats(),
    latency=st.floats(0, allow_nan=False),
    made=st.tuples(
        hnp.arrays(np.float32, hnp.array_shapes(min_dims=2, max_dims=2, max_side=6)),
        st.dictionaries(KEPT_TEXT, KEPT_TEXT | st.integers() | NUMBERS, max_size=4),
        st.none() | st.integers(-(2**63), 2**63 - 1),
        hnp.arrays(np.uint8, st.tuples(st.integers(1, 6), st.integers(1, 6), st.just(3))),
    ),
)
@settings(max_examples=30)
def test_any_text_and_any_numbers_come_back(shared_store, texts, probs, logits, value, latency, made):
    pseudonym, site, remark, diagnosis, notes = texts
    heatmap, params, seed, pixels = made
    photo = Photo(pixels, "ab" * 32, "PNG", (notes,))
    quality = QualityReport((QualityCheck("sharpness", remark, value, -value, "at most", "", True, diagnosis),))
    prediction = Prediction(probs, logits, Threshold(0.2, 0.9, 0.7, remark), samples.MODEL, latency)
    model_ref = samples.MODEL
    explanation = Explanation(
        "lime", "nv", heatmap, params, seed, photo.sha256, model_ref, latency, "", {remark: logits[0]}
    )
    saved = shared_store.save_case(
        Analysis(photo, quality, prediction),
        NewVisit(
            of_patient(shared_store, pseudonym),
            NewLesion(site, remark),
            date(2024, 5, 31),
            ClinicianReading(diagnosis=diagnosis, notes=notes),
        ),
        (explanation,),
    )
    case = shared_store.case(saved.visit.id)
    assert case.patient.pseudonym == unicodedata.normalize("NFC", pseudonym).strip()
    assert case.lesion.body_site == unicodedata.normalize("NFC", site).strip()
    assert case.visit.prediction == prediction
    assert repr(case.visit.quality) == repr(quality)  # by words, because NaN is not equal to itself
    assert (case.visit.clinician_diagnosis, case.visit.notes, case.lesion.remark) == (diagnosis, notes, remark)
    stored = shared_store.photo(case.visit.id)
    np.testing.assert_array_equal(stored.pixels, pixels)
    assert stored.notes == (notes,)
    (kept,) = shared_store.load(case.visit.id).explanations
    assert samples.fields(kept) == samples.fields(explanation)


def test_the_stored_picture_carries_nothing_but_pixels(store, save):
    save()
    (path,) = store.home.glob("files/*/*.png")
    with Image.open(path) as picture:
        assert (picture.mode, picture.size, picture.info) == ("RGB", (60, 45), {})


@pytest.mark.parametrize(
    ("height_px", "width_px", "expected"), [(600, 450, (180, 240)), (450, 600, (240, 180)), (45, 60, (60, 45))]
)
def test_thumbnails_fit_240_px_and_are_never_enlarged(store, save, height_px, width_px, expected):
    case = save(photo=samples.photo(0, height_px, width_px))
    with Image.open(BytesIO(store.thumbnails([case.visit.id])[case.visit.id])) as thumbnail:
        assert (thumbnail.format, thumbnail.size) == ("JPEG", expected)


def test_the_thumbnails_of_a_page_leave_out_what_is_lost(store, save):
    first, second, third = (save(seed).visit.id for seed in (1, 2, 3))
    expected = store.thumbnails([first, third])
    assert set(expected) == {first, third}
    with store._reading() as db:
        (name,) = db.execute("SELECT thumbnail_file FROM visit WHERE id = ?", [second]).fetchone()
    store.files.remove(name)
    assert store.thumbnails([third, second, first, 99]) == expected
    assert store.thumbnails([]) == {}


def test_a_new_map_replaces_the_one_of_the_same_parameters_alone(store, save):
    photo = samples.photo()
    visit_id = save(photo=photo).visit.id
    store.add_explanation(visit_id, samples.explanation(photo, "lime", seed=1, samples=512))
    store.add_explanation(visit_id, samples.explanation(photo, "lime", seed=2, samples=1000))
    store.add_explanation(visit_id, samples.explanation(photo, "lime", label="nv", seed=3, samples=512))
    store.add_explanation(visit_id, samples.explanation(photo, "lime", seed=4, samples=512))
    kept = {(one.label, one.params["samples"]): one.seed for one in store.load(visit_id).explanations}
    assert kept == {("mel", 1000): 2, ("nv", 512): 3, ("mel", 512): 4}
    assert len(list(store.home.glob("files/*/*.npz"))) == 3


def test_the_map_of_another_photo_is_refused(store, save):
    visit_id = save(seed=1).visit.id
    foreign = samples.explanation(samples.photo(2))
    with pytest.raises(InvalidEntry, match=r"was made on another photo .* Explain this photo again\."):
        store.add_explanation(visit_id, foreign)
    with pytest.raises(InvalidEntry, match="another photo"):
        store.save_case(
            samples.analysis(samples.photo(1)),
            NewVisit(None, NewLesion("back"), "2024-05-31"),
            [foreign],
        )
    assert store.search().total == 1


def test_a_case_needs_no_patient(store, save):
    case = save(patient=None)
    assert (case.patient, case.lesion.patient_id) == (None, None)
    assert store.case(case.visit.id) == case
    assert store.patients() == ()


def test_visits_of_a_lesion_come_by_date(store, save):
    second = save(1, taken_on="2024-05-31")
    first = save(2, taken_on="2023-01-01", patient=None, lesion=second.lesion.id)
    other = save(3, taken_on="2023-06-01")
    assert first.patient == second.patient
    assert [visit.id for visit in store.visits_of_lesion(second.lesion.id)] == [first.visit.id, second.visit.id]
    assert [lesion.id for lesion in store.lesions(second.patient.id)] == [second.lesion.id, other.lesion.id]


def test_a_lesion_of_somebody_else_is_refused_and_nothing_is_kept(store, save):
    lesion_id = save(1).lesion.id
    with pytest.raises(InvalidEntry, match="does not belong to the patient that was given"):
        save(2, patient=NewPatient("P-0002"), lesion=lesion_id)
    assert [patient.pseudonym for patient in store.patients()] == ["P-0001"]
    assert store.search().total == 1


@pytest.mark.parametrize("number", [7, 0, -1, 10**30])
def test_an_unknown_number_is_not_found(store, number):
    for door in (
        store.case,
        store.photo,
        store.load,
        store.visits_of_lesion,
        store.revisions,
        store.patient,
        store.lesions,
        store.delete_visit,
        store.delete_patient,
        store.export_patient,
    ):
        with pytest.raises(CaseNotFound, match=rf"There is no (case|lesion|patient) number {number}; .* are stored\."):
            door(number)


# ------------------------------------------------------------------------------------------------------ annotation


def read(store: CaseStore, visit_id: int, **given: str | None):
    case = store.case(visit_id).visit
    said = samples.reading_of(case, given)
    return store.annotate(visit_id, said, status=given.get("status", case.status), expected_version=case.version).visit


def test_a_case_goes_from_draft_to_signed_to_amended(store, save):
    visit_id = save().visit.id
    assert read(store, visit_id, notes="first").status == "draft"
    assert read(store, visit_id, clinician_label="nv", status="signed").status == "signed"
    unchanged = store.case(visit_id)
    assert read(store, visit_id, status="signed") == unchanged.visit
    assert read(store, visit_id, notes="second").status == "amended"
    assert read(store, visit_id, status="signed").status == "amended"
    assert read(store, visit_id, clinician_diagnosis="dermal nevus").status == "amended"
    for status in ("signed", "amended"):
        with pytest.raises(InvalidEntry, match=r"cannot become a draft again"):
            read(store, save(1, status="signed").visit.id if status == "signed" else visit_id, status="draft")


def test_only_a_signed_case_can_be_amended(store, save):
    with pytest.raises(InvalidEntry, match="only be amended after it was signed"):
        save(status="amended")
    with pytest.raises(InvalidEntry, match="only be amended after it was signed"):
        read(store, save().visit.id, status="amended")


def test_the_trail_says_what_changed_when_and_under_which_model(store, save):
    photo = samples.photo()
    case = save(photo=photo, notes="one", first_impression="nv")
    visit_id = case.visit.id
    assert read(store, visit_id, notes="two", clinician_label="nv", status="signed").first_impression == "nv"
    store.edit_lesion(case.lesion.id, "left hand", "", expected_version=1)
    store.edit_patient(case.patient.id, "P-0009", 1960, "female", expected_version=1)
    store.add_explanation(visit_id, samples.explanation(photo))
    store.add_explanation(visit_id, samples.explanation(photo, **{CONTRAST_WITH: "nv"}))
    read(store, visit_id)
    trail = store.revisions(visit_id)
    given = {
        "taken_on": (None, "2024-05-31"),
        "notes": (None, "one"),
        "first_impression": (None, "nv"),
        "status": (None, "draft"),
    }
    assert [(one.subject, one.action, dict(one.changes), one.model_version) for one in trail] == [
        ("visit", "created", given, "1.0.0"),
        (
            "visit",
            "signed",
            {"clinician_label": (None, "nv"), "notes": ("one", "two"), "status": ("draft", "signed")},
            "1.0.0",
        ),
        ("lesion", "edited", {"body_site": ("back", "left hand")}, ""),
        ("patient", "edited", {"pseudonym": None}, ""),
        ("visit", "explained", {"explanation": (None, "grad_cam mel")}, "1.0.0"),
        ("visit", "explained", {"explanation": (None, "grad_cam mel nv")}, "1.0.0"),
    ]
    assert trail[0] == Revision(trail[0].at, "visit", "created", given, "1.0.0", __version__, LOCAL_USER)
    assert [one.at for one in trail] == sorted(one.at for one in trail)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (
            {"first_impression": "melanoma"},
            "'melanoma' is no first impression. Choose one of: akiec, .*, other, unsure",
        ),
        ({"clinician_label": "melanoma"}, "'melanoma' is no diagnosis. Choose one of: akiec, bcc, .*, other; or none."),
        ({"notes": "a\0b"}, "There is a character in the notes that cannot be kept"),
        ({"clinician_diagnosis": "\ud800"}, "There is a character in the diagnosis that cannot be kept"),
        ({"notes": "n" * 50_001}, "Too many characters in the notes: 50001, at most 50000 can be kept. Shorten it."),
        ({"taken_on": "31.05.2024"}, "'31.05.2024' is no date. Give it as year-month-day, for example 2024-05-31."),
        ({"taken_on": "2999-01-01"}, "cannot have been taken on 2999-01-01"),
        ({"taken_on": "0202-01-01"}, "cannot have been taken on 0202-01-01"),
        ({"lesion": NewLesion(" ")}, "The body site is empty. Type at least one character."),
        ({"lesion": NewLesion("back", "\ud800")}, "There is a character in the remark that cannot be kept"),
    ],
)
def test_what_cannot_be_kept_is_refused_in_a_sentence(store, save, given, sentence):
    with pytest.raises(InvalidEntry, match=sentence):
        save(**given)
    assert store.search().total == 0
    assert not kept_files(store)


def test_a_refused_save_takes_no_file_of_another_case_away(store, save):
    """The same photo, kept once already."""
    save(1)
    before = kept_files(store)
    with pytest.raises(InvalidEntry, match="body site is empty"):
        save(1, lesion=NewLesion(" "))
    assert kept_files(store) == before
    with pytest.raises(CaseNotFound):
        store.add_explanation(99, samples.explanation(samples.photo(2)))
    assert kept_files(store) == before


def kept_files(store):
    return {path.name for path in store.files.root.glob("*/*")}


# ---------------------------------------------------------------------------------------------------- installation


def test_the_disclaimer_is_acknowledged_once_in_its_present_wording(store):
    assert store.disclaimer_acknowledged_at() is None
    store.acknowledge_disclaimer()
    acknowledged = store.disclaimer_acknowledged_at()
    assert acknowledged is not None
    assert store.setting("disclaimer_acknowledged") == Setting(DISCLAIMER, acknowledged)
    rewrite(store, "UPDATE setting SET value = 'an earlier wording'")
    assert store.disclaimer_acknowledged_at() is None
    assert store.setting("unknown") is None


def test_home_is_the_named_folder_or_the_platforms(monkeypatch, tmp_path):
    monkeypatch.setenv("SKINLENS_HOME", str(tmp_path / "here"))
    assert CaseStore().home == tmp_path / "here"
    monkeypatch.setenv("SKINLENS_HOME", "~/cases")
    assert default_home() == Path.home() / "cases"
    monkeypatch.delenv("SKINLENS_HOME")
    assert default_home().name == "SkinLens"
    assert not (tmp_path / "here").exists()


# ----------------------------------------------------------------------------------------- lost and damaged files


def test_a_damaged_picture_is_named_and_the_rest_opens(store, save):
    case = save(maps=True)
    (path,) = store.home.glob("files/*/*.png")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(StoreError, match=rf"The file with the picture of case 1 was altered or is damaged: {path}\."):
        store.photo(case.visit.id)
    assert store.case(case.visit.id) == case
    assert len(store.load(case.visit.id).explanations) == 3
    assert store.thumbnails([case.visit.id])


def test_a_lost_map_is_named_and_the_others_open(store, save):
    case = save(maps=True)
    for path in store.home.glob("files/*/*.npz"):
        if path.stat().st_size == min(other.stat().st_size for other in store.home.glob("files/*/*.npz")):
            path.unlink()
            break
    record = store.load(case.visit.id)
    assert len(record.explanations) == 2
    (problem,) = record.problems
    assert problem.startswith("The file with the ")
    assert problem.endswith(
        f"map for mel of case 1 is missing: {path}. Put it back from a copy of the SkinLens folder; "
        "the rest of the case can still be opened."
    )


def test_saving_again_restores_a_truncated_file(store, save):
    first = save()
    (path,) = store.home.glob("files/*/*.png")
    path.write_bytes(path.read_bytes()[:10])
    save()
    np.testing.assert_array_equal(store.photo(first.visit.id).pixels, samples.photo().pixels)


@pytest.mark.parametrize(("impression", "result_first"), [("nv", False), (None, True), (None, False), (None, None)])
def test_which_came_first_is_stored_as_it_was(store, save, impression, result_first):
    case = save(first_impression=impression, result_first=result_first)
    assert store.case(case.visit.id).visit.result_first is result_first


def test_an_impression_after_the_result_is_refused(save):
    with pytest.raises(InvalidEntry, match="A first impression is what was said before the result was shown"):
        save(first_impression="nv", result_first=True)
