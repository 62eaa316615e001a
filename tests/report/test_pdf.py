"""The finished file: what can be read out of it page by page, and that the same content gives the same bytes."""

import hashlib
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pypdf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skinlens.labels import DISCLAIMER
from skinlens.records import Patient
from skinlens.report.content import ReportContent, compose
from skinlens.report.pdf import render
from tests.report import samples

ROOT = Path(__file__).resolve().parents[2]
SAME_BYTES = """
import hashlib
from skinlens.report.content import compose
from skinlens.report.pdf import render
from tests.report import samples
photo = samples.photo()
notes = "Müller, שלום, محمد, क्षि, 漢字 😀"
case = samples.case(photo, notes=notes)
report = compose(case, photo, samples.explanations(photo), generated_on=samples.DAY)
print(hashlib.sha256(render(report)).hexdigest())
"""


def content(**changes: object) -> ReportContent:
    """Without explanations, so that most tests are quick."""
    photo = samples.photo()
    return compose(samples.case(photo, **changes), photo, [], generated_on=samples.DAY)


def full() -> ReportContent:
    photo = samples.photo()
    return compose(samples.case(photo), photo, samples.explanations(photo), generated_on=samples.DAY)


def read(data: bytes) -> pypdf.PdfReader:
    return pypdf.PdfReader(BytesIO(data))


def pages(data: bytes) -> list[str]:
    """The text of each page on one line."""
    return [" ".join(page.extract_text().split()) for page in read(data).pages]


@pytest.fixture(scope="module")
def usual() -> bytes:
    return render(full())


def test_the_usual_case_takes_two_pages_of_a4(usual: bytes) -> None:
    reader = read(usual)
    assert len(reader.pages) == 2
    assert [tuple(map(float, page.mediabox[2:])) for page in reader.pages] == [(595.276, 841.89)] * 2


def test_every_page_has_the_disclaimer_its_number_and_the_status(usual: bytes) -> None:
    for number, text in enumerate(pages(usual), start=1):
        assert DISCLAIMER in text
        assert f"Page {number} of 2" in text
        assert "Draft: not signed" in text
    assert "SkinLens report · Case 17 · SL-0042" in pages(usual)[1]


def test_all_that_was_composed_can_be_read(usual: bytes) -> None:
    text, report = " ".join(pages(usual)), full()
    said = [
        report.title,
        report.verdict,
        report.explanations_note,
        report.quality_summary,
        report.diagnosis,
        report.notes,
        report.codes_of,
        "0 = none",
        "1 = most",
        *report.limits,
        *(field.text for field in (*report.case, *report.codes, *report.model)),
        *(row.name for row in report.classes),
        *(row.risk for row in report.classes),
        *(line for panel in report.panels for line in (panel.title, *panel.lines)),
        *(word for row in report.quality for word in (row.title, row.measured, row.limit)),
    ]
    assert [words for words in said if " ".join(words.split()) not in text] == []
    assert "not met. Hold still, refocus, take it again." in text
    assert "23.1 %" in text


@pytest.mark.parametrize(("status", "mark"), [("signed", "Signed"), ("amended", "Amended after signing")])
def test_a_signed_report_is_no_draft(status: str, mark: str) -> None:
    text = pages(render(content(status=status)))
    assert all(mark in page and "Draft" not in page for page in text)


def test_markup_in_notes_is_printed_as_it_stands() -> None:
    notes = "<b>bold</b> & <para> &amp; </font> 5 < 6 \\n (a) [b] %"
    assert notes in " ".join(pages(render(content(notes=notes))))


@pytest.mark.slow
def test_long_notes_go_on_over_pages_and_lose_no_word() -> None:
    words = [f"word{number}" for number in range(1500)]
    text = pages(render(content(notes=" ".join(words))))
    assert 3 <= len(text) <= 6
    found = set(re.findall(r"word\d+", " ".join(text)))
    assert found == set(words)
    assert all(DISCLAIMER in page and f"of {len(text)}" in page for page in text)


def test_a_case_without_patient_explanations_or_checks_comes_out_well() -> None:
    text = " ".join(pages(render(replace(content(patient=None), quality=()))))
    assert "no patient" in text
    assert "No explanation was made for this photo." in text


@pytest.mark.slow
def test_characters_that_cannot_be_printed_are_counted() -> None:
    assert "2 characters of this case could not be printed" in " ".join(pages(render(content(notes="\u0dc3\u0dd2"))))
    assert "1 character of this case could not be printed" in " ".join(pages(render(content(notes="\u0dc3"))))
    assert "could not be printed" not in " ".join(pages(render(content())))


def test_shaped_text_carries_its_characters_for_search_and_copying() -> None:
    patient = Patient(3, "محمد", 1964, "male")
    streams = b"".join(page.get_contents().get_data() for page in read(render(content(patient=patient))).pages)
    assert "محمد".encode("utf-16-be").hex().upper().encode() in streams


def test_pictures_have_alternative_texts(usual: bytes) -> None:
    report = full()
    streams = b"".join(page.get_contents().get_data() for page in read(usual).pages)
    alts = re.findall(rb"/Alt <FEFF([0-9A-F]+)>", streams)
    texts = [bytes.fromhex(alt.decode()).decode("utf-16-be") for alt in alts]
    assert texts == [report.photo_alt, "Colour scale: 0 = none, 1 = most.", *(panel.alt for panel in report.panels)]


def test_the_file_says_what_it_is_and_names_nobody(usual: bytes) -> None:
    reader = read(usual)
    about = reader.metadata
    assert about.title == "SkinLens report"
    assert about.subject == DISCLAIMER
    assert not about.author
    assert about["/CreationDate"] == about["/ModDate"] == "D:20250604"
    assert reader.trailer["/Root"]["/Lang"] == "en"
    for name in {os.environ.get("USER"), os.environ.get("LOGNAME"), str(Path.home())} - {None, "", "/"}:
        assert name.encode() not in usual.replace(b"/Root", b"")


def test_a_time_is_written_as_such() -> None:
    dated = replace(content(), dated="2025-06-03T09:20:01Z")
    assert read(render(dated)).metadata["/CreationDate"] == "D:20250603092001Z"


def test_every_font_is_embedded(usual: bytes) -> None:
    for page in read(usual).pages:
        for font in page["/Resources"]["/Font"].values():
            assert "/FontFile2" in font.get_object()["/FontDescriptor"]


@pytest.mark.slow
def test_a_large_photo_makes_no_large_file() -> None:
    photo = samples.photo(2000, 3000)
    data = render(compose(samples.case(photo), photo, []))
    largest = max(image.image.size for page in read(data).pages for image in page.images)
    assert largest == (1600, 1067)
    assert len(data) < 1_500_000


@pytest.mark.parametrize(("height", "width"), [(8, 800), (800, 8), (150, 150)])
def test_photos_of_any_shape_fit(height: int, width: int) -> None:
    photo = samples.photo(height, width)
    data = render(compose(samples.case(photo), photo, samples.explanations(photo)))
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
    assert render(compose(*slower)) == render(compose(case, photo, maps, checks))


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
