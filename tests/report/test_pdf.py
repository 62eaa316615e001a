"""The finished file: what can be read out of it page by page, and that the same content gives the same bytes."""

import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pypdf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops

from skinlens.clinical import ClinicalRecord, Histology, Plan, Recall
from skinlens.criteria import Abcd, Criteria, SevenPoint
from skinlens.errors import SkinLensError
from skinlens.labels import DISCLAIMER
from skinlens.records import Outline, Patient
from skinlens.report import pdf
from skinlens.report.change import SinceLastVisit
from skinlens.report.content import ReportContent
from skinlens.report.pdf import preview, render
from skinlens.report.signing import Amendment, Signing
from tests.report import samples

ROOT = Path(__file__).resolve().parents[2]
SAME_BYTES = """
import hashlib
from skinlens.report.pdf import render
from tests.report import samples
photo = samples.photo()
notes = "Müller, שלום, محمد, क्षि, 漢字 😀"
case = samples.case(photo, notes=notes)
report = samples.composed(case, photo, samples.explanations(photo), annex=True, generated_on=samples.DAY)
print(hashlib.sha256(render(report)).hexdigest())
"""


def content(**changes: object) -> ReportContent:
    """Without explanations, so that most tests are quick."""
    photo = samples.photo()
    return samples.composed(samples.case(photo, **changes), photo, [], generated_on=samples.DAY)


def full() -> ReportContent:
    photo = samples.photo()
    maps, checks = samples.explanations(photo), samples.checks(photo)
    return samples.composed(samples.case(photo), photo, maps, checks, annex=True, generated_on=samples.DAY)


def read(data: bytes) -> pypdf.PdfReader:
    return pypdf.PdfReader(BytesIO(data))


def pages(data: bytes) -> list[str]:
    """The text of each page on one line."""
    return [" ".join(page.extract_text().split()) for page in read(data).pages]


@pytest.fixture(scope="module")
def usual() -> bytes:
    return render(full())


def tags(data: bytes, kind: str) -> list[dict[str, Any]]:
    """The structure elements of one kind, in reading order."""

    def walk(node: Any) -> Iterator[dict[str, Any]]:
        node = node.get_object()
        if isinstance(node, list):
            for one in node:
                yield from walk(one)
        elif isinstance(node, dict):
            if node.get("/S") == kind:
                yield node
            if "/K" in node:
                yield from walk(node["/K"])

    return list(walk(read(data).trailer["/Root"]["/StructTreeRoot"]))


CLINIC = "Dermatology Practice Dr. Example & Partners\nLong Example Street 123\n80331 Munich\nGermany\n+49 89 1234567"


def everything() -> ReportContent:
    """All that an ordinary case can hold."""
    photo = samples.photo(450, 600)
    record = ClinicalRecord(
        Criteria(Abcd(2, 4, 3, 2), SevenPoint(("regression", "atypical_network", "blue_whitish_veil")), "reticular"),
        "itching since May",
        "grew in 2024, darker at the edge",
        Plan("excise", text="with a margin of 2 mm"),
        Recall("2025-07-03"),
        Histology("mel", "superficial spreading, Breslow 0.4 mm", "2025-06-20", "H-25/1234"),
    )
    notes = "Father had melanoma. Many nevi on the back, seen twice a year, photos of 2023 are in the old archive."
    case = samples.case(photo, status="amended", version=6, clinical=record, notes=notes, first_impression="nv")
    drawn = ((0.2, 0.2), (0.8, 0.3), (0.5, 0.8))
    edge = Outline(drawn, "clinician", photo.sha256, samples.MODEL, "2025-06-03T09:14:00Z")
    change = SinceLastVisit(
        "Change since 2025-01-14 (case 9)", ("A sentence on one quantity.",) * 5, "A caution. " * 30
    )
    amended = Amendment("2025-06-21T08:00:00+00:00", "Dr. B. Example", ("diagnosis", "plan"))
    signing = Signing("2025-06-03T10:12:00+00:00", (amended,), "Dr. A. Example")
    return samples.composed(case, photo, outlines=[edge], change=change, signing=signing, clinic=CLINIC)


def test_the_fullest_ordinary_case_takes_one_page_of_a4() -> None:
    for report in (everything(), content(clinician_label=None, clinician_diagnosis="", notes="")):
        (page,) = read(render(report)).pages
        assert tuple(map(float, page.mediabox[2:])) == pytest.approx((595.276, 841.89), abs=0.01)


def test_the_first_page_says_what_was_found_in_the_order_of_importance() -> None:
    (text,) = pages(render(everything()))
    said = ["Dermatology Practice Dr. Example & Partners", "80331 Munich", "Patient ID",
            "Diagnosis and plan", "Melanoma: suspected, in situ", "Excise: with",
            "2025-07-03, open", "Breslow", "C43.9", "Dr. A. Example", "by Dr. B. Example: diagnosis, plan.",
            "Model result",
            "Suspicious for melanoma (23.1 %",
            "First impression, recorded before the result was shown: melanocytic nevus", "Sharpness: Hold still",
            "Change since 2025-01-14 (case 9)", "Criteria, history and notes", "Total dermoscopy score (TDS) 5.5",
            "Father had melanoma.", "Not a screening tool", "model hsb 1.0.0"]  # fmt: skip
    places = [text.find(words) for words in said]
    assert -1 not in places, said[places.index(-1)]
    assert places == sorted(places)


def test_a_line_of_the_clinics_address_is_not_broken_and_the_status_is_said_once() -> None:
    page = read(render(everything())).pages[0].extract_text()
    for line in CLINIC.split("\n"):
        assert line in page
    assert page.count("AMENDED") == 1


def test_the_annex_is_on_pages_of_its_own(usual: bytes) -> None:
    first, *annex = pages(usual)
    assert "Annex" not in first
    assert annex[0].partition("SL-0042 ")[2].startswith("Annex: all seven classes")
    assert "Annex" not in " ".join(pages(render(content())))


def test_every_page_has_the_disclaimer_its_number_and_the_status(usual: bytes) -> None:
    report = replace(full(), status="amended", status_note="AMENDED on 2026-11-26 11:00 · version 5")
    for data, mark in ((usual, "DRAFT, not signed"), (render(report), report.status_note)):
        found = pages(data)
        assert len(found) == 2
        for number, text in enumerate(found, start=1):
            assert DISCLAIMER in text
            assert f"Page {number} of 2" in text
            assert mark in text
            assert "SkinLens report · Case 17 · SL-0042" in text


def test_all_that_was_composed_can_be_read(usual: bytes) -> None:
    text, report = " ".join(pages(usual)), full()
    assert report.annex is not None
    said = [
        report.title,
        report.result.verdict,
        report.result.verdict_remark,
        report.result.quality_summary,
        report.diagnosis,
        report.codes_of,
        report.limits,
        report.provenance,
        report.annex.explanations_note,
        *report.annex.statements,
        "0 = none",
        "1 = most",
        *(entry.text for entry in (*report.case, *report.codes, *report.annex.technical, *report.findings)),
        *(row.name for row in report.result.classes),
        *(row.risk for row in report.result.classes),
        *(line for panel in report.annex.panels for line in (panel.title, *panel.lines)),
        *(word for row in report.annex.quality for word in (row.title, row.measured, row.limit)),
    ]
    assert [words for words in said if " ".join(words.split()) not in text] == []
    assert "not met. Hold still, refocus, take it again." in text
    assert "23.1 %" in text


def test_the_file_is_tagged_and_says_its_language_title_and_what_it_is_not(usual: bytes) -> None:
    """Typst refuses to write a file that breaks PDF/UA-1; here is what it promises."""
    reader = read(usual)
    root = reader.trailer["/Root"]
    assert root["/MarkInfo"]["/Marked"]
    assert root["/Lang"].startswith("en")
    assert root["/ViewerPreferences"]["/DisplayDocTitle"]
    assert b"pdfuaid:part" in root["/Metadata"].get_object().get_data()
    assert (reader.metadata.title, reader.metadata.subject) == ("Dermoscopy report", DISCLAIMER)
    assert not reader.metadata.author
    headings = [" ".join(str(one.get("/T", "")).split()) for one in tags(usual, "/H1")]
    assert headings[:2] == ["Diagnosis and plan", "Model result"]
    assert [len(tags(one, "/TH")) for one in (usual, render(everything()))] == [4 + 4 + 4, 0]


def test_every_picture_has_words_in_its_place(usual: bytes) -> None:
    photo, legend, *maps = [str(one.get("/Alt", "")) for one in tags(usual, "/Figure")]
    assert photo == "Photo of the lesion, 120 by 90 pixels."
    assert legend == "Color scale: 0 = none, 1 = most."
    assert [words.split(" map for melanoma")[0] for words in maps] == ["Grad-CAM", "Score-CAM", "LIME"]


HOSTILE = [
    "<b>bold</b> & <para> &amp; </font> 5 < 6 \\n (a) [b] %",
    '#panic(1) #import "@preview/x:0.1.0": * #read("/etc/passwd") $x^2$',
    "= Heading\u2029- item *strong* _emph_ `raw` <label> @ref // comment /* */",
    '"); #eval("1") // ]}{[ \\u{41} ~ --- \'\' ""',
]


@pytest.mark.parametrize("notes", HOSTILE)
def test_what_was_typed_is_never_markup(notes: str) -> None:
    report = content(
        notes=notes, clinician_diagnosis=notes, patient=Patient(3, notes, 1964, "male"),
        clinical=ClinicalRecord(symptoms=notes, plan=Plan("other", text=notes)),
    )  # fmt: skip
    text = " ".join(pages(render(replace(report, clinic=notes, signer=notes))))
    assert text.count(" ".join(notes.split())) >= 4


@pytest.mark.slow
def test_long_notes_go_on_over_pages_and_lose_no_word() -> None:
    words = [f"word{number}" for number in range(1500)]
    text = pages(render(content(notes=" ".join(words))))
    assert 3 <= len(text) <= 6
    found = set(re.findall(r"word\d+", " ".join(text)))
    assert found == set(words)
    assert all(DISCLAIMER in page and f"of {len(text)}" in page for page in text)


def test_a_case_without_patient_explanations_or_checks_comes_out_well() -> None:
    photo = samples.photo()
    text = " ".join(pages(render(samples.composed(samples.case(photo, patient=None), photo, annex=True))))
    assert "no patient" in text
    assert "No map was saved with this case." in text


def test_characters_that_cannot_be_printed_are_counted() -> None:
    assert "2 characters of this case could not be printed" in " ".join(pages(render(content(notes="\u0dc3\u0dd2"))))
    assert "could not be printed" not in " ".join(pages(render(content())))


def test_text_of_every_script_can_be_searched_and_copied() -> None:
    names = ("محمد", "שלום", "漢字", "ไทย", "Müller")  # pypdf does not read the ActualText of a conjunct
    text = " ".join(pages(render(content(notes=" | ".join(names)))))
    assert [name for name in names if name not in text and name[::-1] not in text] == []


def test_a_paragraph_from_right_to_left_stands_at_the_right_margin() -> None:
    def left_edge(notes: str) -> int:
        page = Image.open(BytesIO(preview(content(notes=notes))[0])).convert("L")
        empty = Image.open(BytesIO(preview(content(notes="-"))[0])).convert("L")
        box = ImageChops.difference(page, empty).getbbox()
        assert box is not None
        return box[2] * 100 // page.width

    assert left_edge("שלום (12)") > 85
    assert left_edge("Hello (12)") < 40


@pytest.mark.parametrize("letter", ["x", "م", "क", "漢", "😀", "W"])
def test_a_word_of_2000_letters_stays_on_the_page(letter: str) -> None:
    case = content(
        notes=letter * 2_000, clinician_diagnosis=letter * 300, patient=Patient(3, letter * 60, 1964, "male")
    )
    for page in preview(case):
        pixels = np.asarray(Image.open(BytesIO(page)).convert("L"))
        assert pixels[:, int(pixels.shape[1] * 195.5 / 210) :].min() == 255
    found = "".join(pages(render(case)))
    assert found.count(letter) >= 2_300


def test_without_a_day_it_carries_the_time_of_the_last_change() -> None:
    dated = replace(content(), dated="2025-06-03T09:20:01Z")
    assert read(render(dated)).metadata["/CreationDate"].startswith("D:20250603092001")


def test_every_font_is_embedded(usual: bytes) -> None:
    for page in read(usual).pages:
        for font in page["/Resources"]["/Font"].values():
            (inner,) = font["/DescendantFonts"]
            assert {"/FontFile2", "/FontFile3"} & set(inner.get_object()["/FontDescriptor"].get_object())


def test_the_preview_shows_every_page(usual: bytes) -> None:
    shown = [Image.open(BytesIO(page)) for page in preview(full())]
    assert len(shown) == len(read(usual).pages)
    assert {one.size for one in shown} == {(1075, 1520)}


def test_what_the_typesetter_refuses_is_said_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf, "_template", lambda _: b"#panic()")
    with pytest.raises(SkinLensError, match=r"The report could not be typeset: .*Nothing is lost"):
        render(content())


@pytest.mark.slow
def test_a_large_photo_makes_no_large_file() -> None:
    photo = samples.photo(2000, 3000)
    data = render(samples.composed(samples.case(photo), photo, []))
    largest = max(image.image.size for page in read(data).pages for image in page.images)
    assert largest == (1600, 1067)
    assert len(data) < 1_500_000


@pytest.mark.parametrize(("height", "width"), [(8, 800), (800, 8), (150, 150)])
def test_photos_of_any_shape_fit(height: int, width: int) -> None:
    photo = samples.photo(height, width)
    data = render(samples.composed(samples.case(photo), photo, samples.explanations(photo), annex=True))
    assert len(read(data).pages) == 2


@pytest.mark.slow
def test_the_same_content_gives_the_same_bytes_in_any_process(tmp_path: Path) -> None:
    digests = set()
    for seed, zone in (("1", "UTC"), ("2", "Asia/Kolkata")):
        surroundings = {**os.environ, "PYTHONHASHSEED": seed, "TZ": zone, "PYTHONPATH": str(ROOT), "USER": f"u{seed}"}
        folder = tmp_path / seed
        folder.mkdir()
        run = subprocess.run(
            [sys.executable, "-c", SAME_BYTES], check=True, capture_output=True, text=True, env=surroundings, cwd=folder
        )
        digests.add(run.stdout.strip())
    assert len(digests) == 1


@pytest.mark.slow
def test_how_long_anything_took_is_not_in_the_bytes() -> None:
    photo = samples.photo()
    case, maps, checks = samples.case(photo), samples.explanations(photo), samples.checks(photo)
    visit = replace(case.visit, prediction=replace(case.visit.prediction, latency_ms=11_300.0))
    slower = (
        replace(case, visit=visit),
        photo,
        [replace(one, duration_ms=1000 * one.duration_ms) for one in maps],
        [replace(one, duration_ms=1000 * one.duration_ms) for one in checks],
    )
    assert render(samples.composed(*slower, annex=True)) == render(
        samples.composed(case, photo, maps, checks, annex=True)
    )


@pytest.mark.slow
def test_what_was_printed_before_leaves_no_trace(usual: bytes) -> None:
    render(content(notes="محمد क्षत्रिय 漢字 x̂ 😀"))
    assert hashlib.sha256(render(full())).digest() == hashlib.sha256(usual).digest()


@pytest.mark.slow
def test_reports_made_at_the_same_time_do_not_mix() -> None:
    reports = [content(notes=notes) for notes in ("alpha", "Ωμέγα", "漢字", "محمد")]
    alone = [render(report) for report in reports]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(render, reports * 2))
    assert together == alone * 2


@pytest.mark.slow
@settings(max_examples=20)
@given(
    notes=st.text(st.characters(), max_size=400),
    pseudonym=st.text(st.characters(), max_size=80),
    diagnosis=st.text(st.characters(), max_size=80),
)
def test_whatever_was_typed_can_be_printed(notes: str, pseudonym: str, diagnosis: str) -> None:
    patient = Patient(3, pseudonym, 1964, "other")
    data = render(content(notes=notes, clinician_diagnosis=diagnosis, patient=patient))
    lines = len(notes.splitlines()) + len(diagnosis.splitlines())
    assert len(read(data).pages) <= 3 + lines // 40
