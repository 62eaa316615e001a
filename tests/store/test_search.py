"""The history: every filter, every order, pages, and free text of any kind."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from skinlens.case_record import Analysis
from skinlens.labels import CODES
from skinlens.store import CaseQuery, CaseRow, CaseStore, ClinicianReading, NewLesion, NewVisit
from tests.store import samples
from tests.store.edits import of_patient


@pytest.fixture(scope="module")
def history(tmp_path_factory):
    """Six cases of three patients and one without."""
    store = CaseStore(tmp_path_factory.mktemp("history"))
    cases = [
        # pseudonym, site, remark, day, top, its probability, melanoma, reading, diagnosis, notes, status
        ("anna-01", "back", "", "2023-01-10", "nv", 0.8, 0.05, "nv", "Nävus", "harmlos, stabil", "signed"),
        ("anna-01", "back", "", "2024-01-10", "mel", 0.6, 0.6, "mel", "melanoma?", "excised 2024", "draft"),
        ("Bert 2", "left hand", "near thumb", "2024-02-01", "bkl", 0.5, 0.2, None, "", "日本語のメモ", "draft"),
        ("c*", "face", "", "2022-06-30", "bcc", 0.9, 0.01, "bcc", "basalioma", '5 "mm" NEAR(eye)', "signed"),
        (None, "face", "phantom", "2024-03-03", "vasc", 0.4, 0.3, None, "", "", "draft"),
        ("anna-01", "face", "", "2024-03-03", "nv", 0.5, 0.1, None, "", "anna-like", "draft"),
    ]
    for seed, (name, site, remark, day, top, prob, mel, reading, diagnosis, notes, status) in enumerate(cases):
        store.save_case(
            Analysis(samples.photo(seed, 4, 5), samples.QUALITY, samples.prediction(top, prob, mel=mel)),
            NewVisit(
                None if name is None else of_patient(store, name),
                NewLesion(site, remark),
                day,
                ClinicianReading(reading, diagnosis, notes),
                status=status,
            ),
        )
    return store


def found(history: CaseStore, **query) -> list[int]:
    page = history.search(CaseQuery(**query))
    assert page.total == len(page.rows)
    return [row.visit_id for row in page.rows]


def test_a_row_says_what_the_table_shows(history):
    row = next(row for row in history.search().rows if row.visit_id == 2)
    updated = history.case(2).visit.updated_at
    assert row == CaseRow(
        2, 2, 1, "anna-01", "back", "", "2024-01-10", "mel", 0.6, 0.6, "mel", "draft", updated, True, True
    )


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, [6, 5, 3, 2, 1, 4]),
        ({"descending": False}, [4, 1, 2, 3, 5, 6]),
        ({"sort": "melanoma"}, [2, 5, 3, 6, 1, 4]),
        ({"sort": "melanoma", "descending": False}, [4, 1, 6, 3, 5, 2]),
        ({"sort": "patient", "descending": False}, [6, 2, 1, 3, 4, 5]),
        ({"sort": "patient"}, [4, 3, 6, 2, 1, 5]),
        ({"sort": "top", "descending": False}, [4, 3, 2, 6, 1, 5]),
        ({"sort": "top"}, [5, 6, 1, 2, 3, 4]),
        ({"patient": "anna"}, [6, 2, 1]),
        ({"patient": "ANNA-01"}, [6, 2, 1]),
        ({"patient": "c*"}, [4]),
        ({"patient": "2 bert"}, [3]),
        ({"patient": "face"}, []),
        ({"body_site": "face"}, [6, 5, 4]),
        ({"body_site": "Face"}, []),
        ({"taken_from": "2024-02-01"}, [6, 5, 3]),
        ({"taken_until": "2023-01-10"}, [1, 4]),
        ({"taken_from": "2023-01-10", "taken_until": "2024-01-10"}, [2, 1]),
        ({"top_label": "nv"}, [6, 1]),
        ({"prob_of": "mel", "min_prob": 0.2}, [5, 3, 2]),
        ({"prob_of": "bcc", "min_prob": 0.9}, [4]),
        ({"clinician_label": "mel"}, [2]),
        ({"status": "signed"}, [1, 4]),
        ({"text": "nav"}, [1]),
        ({"text": "NÄVUS"}, [1]),
        ({"text": "face anna"}, [6]),
        ({"text": "thumb"}, [3]),
        ({"text": "日本"}, [3]),
        ({"text": "harm stab"}, [1]),
        ({"text": "stab -harm"}, [1]),
        ({"text": "armlos"}, []),
        ({"text": "mm NEAR(eye)"}, [4]),
        ({"text": "excised 2024", "status": "draft", "body_site": "back", "patient": "anna"}, [2]),
        ({"text": "excised", "status": "signed"}, []),
        ({"text": "  "}, [6, 5, 3, 2, 1, 4]),
    ],
)
def test_filters_and_orders(history, query, expected):
    assert found(history, **query) == expected


@pytest.mark.parametrize("sort", ["date", "melanoma", "patient", "top"])
def test_pages_follow_each_other_without_gap_or_overlap(history, sort):
    whole = [row.visit_id for row in history.search(CaseQuery(sort=sort)).rows]
    pages = [history.search(CaseQuery(sort=sort, limit=4, offset=offset)) for offset in (0, 4, 8)]
    assert [row.visit_id for page in pages for row in page.rows] == whole
    assert [(page.total, page.offset, len(page.rows)) for page in pages] == [(6, 0, 4), (6, 4, 2), (6, 8, 0)]


@pytest.mark.slow
@given(
    text=st.text() | st.text('"*()-^:+{}ANDORNOTnear \0\ud800', max_size=60),
    patient=st.text(),
    body_site=st.none() | st.text(),
    prob=st.floats(),
    span=st.tuples(st.integers(), st.integers()),
    code=st.sampled_from(CODES),
)
@example(text='"', patient='"', body_site='"', prob=0.5, span=(1, 0), code="mel")
@example(text="NEAR(a b, 2) AND", patient="pseudonym:", body_site="%", prob=0.0, span=(0, 10**40), code="mel")
@example(text="a " * 5000, patient="a-" * 5000, body_site=None, prob=0.0, span=(-1, -1), code="nv")
def test_nothing_that_is_typed_raises(history, text, patient, body_site, prob, span, code):
    limit, offset = span
    query = CaseQuery(text, patient, body_site, top_label=code, prob_of=code, min_prob=prob, limit=limit, offset=offset)
    page = history.search(query)
    assert len(page.rows) <= page.total <= 6


@pytest.mark.slow
@settings(max_examples=25)
@given(text=st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=20))
def test_the_beginning_of_any_word_finds_its_case(tmp_path_factory, text):
    store = CaseStore(tmp_path_factory.getbasetemp() / "words")
    case = store.save_case(
        samples.analysis(samples.photo(0, 2, 2)),
        NewVisit(None, NewLesion("back"), "2024-01-01", ClinicianReading(notes=f"before ({text}) after")),
    )
    for beginning in (text, text[:1]):
        page = store.search(CaseQuery(text=f"back {beginning}", limit=10_000))
        assert case.visit.id in {row.visit_id for row in page.rows}


@pytest.mark.parametrize(
    ("notes", "typed"),
    [
        ("左前臂发现黑色素瘤、建议切除", "黑色素瘤"),
        ("左前臂发现黑色素瘤、建议切除", "切除"),
        ("背部の色素性母斑を経過観察", "母斑"),
        ("背部の色素性母斑を経過観察", "経過"),
        ("メラノーマの疑い", "ﾒﾗﾉｰﾏ"),  # typed in half width
        ("พบมะเร็งผิวหนังที่หลัง", "มะเร็ง"),
        ("พบมะเร็งผิวหนังที่หลัง", "ผิวหนัง"),
        ("ຜິວໜັງມີຈຸດດຳ", "ຈຸດ"),
        ("ជំងឺមហារីកស្បែក", "ស្បែក"),
        ("Pacjent z Łodzi", "lodz"),
        ("Pacjent z Łodzi", "ŁODZI"),
        ("Sørensen, Ærø", "sorensen aero"),
        ("Straße", "strasse"),
        ("STRASSE", "straße"),
        ("Đặng Thị", "dang thi"),
        ("I\u015f\u0131k", "isik"),
        ("모반이 있음", "모반"),
        ("ﬁbrous", "fibrous"),
        ("CT写真B", "写真b"),
    ],
)
def test_words_are_found_in_any_script(store, save, notes, typed):
    case = save(1, notes=notes, patient=None)
    save(2, notes="nothing of the kind, 日本 and ไทย", patient=None)
    assert found(store, text=typed) == [case.visit.id]


def test_signs_of_a_word_in_another_order_are_another_word(store, save):
    save(notes="黑色素瘤")
    assert found(store, text="瘤素") == []
    assert found(store, text="色黑") == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("nevus", "nv"),
        ("NAEVUS", "nv"),
        ("melanocytic nevus", "nv"),
        ("melanoma", "mel"),
        ("basal cell", "bcc"),
        ("basalioma", "bcc"),
        ("bowen", "akiec"),
        ("seborrhoeic", "bkl"),
        ("hemangioma", "vasc"),
        ("histiocytoma", "df"),
    ],
)
def test_a_diagnosis_is_found_by_the_words_of_its_class(store, save, typed, code):
    cases = {one: save(seed, clinician_label=one).visit.id for seed, one in enumerate(CODES)}
    assert found(store, text=typed) == [cases[code]]
    assert found(store, text=f"{typed} back") == [cases[code]]
    assert found(store, text=f"{typed} face") == []


def test_the_models_reading_is_no_diagnosis(store, save):
    save(prediction=samples.prediction("nv"))
    assert found(store, text="nevus") == []


def test_text_follows_what_is_edited(store, save):
    case = save(notes="alpha")
    store.annotate(case.visit.id, ClinicianReading(diagnosis="beta", notes="gamma"), status="draft", expected_version=1)
    store.edit_lesion(case.lesion.id, "delta", "epsilon", expected_version=1)
    store.edit_patient(case.patient.id, "zeta", None, "unknown", expected_version=1)
    for word in ("beta", "gamma", "delta", "epsilon", "zeta"):
        assert found(store, text=word) == [case.visit.id], word
    for word in ("alpha", "back", "P-0001"):
        assert found(store, text=word) == [], word
    assert store.body_sites() == ("delta",)
