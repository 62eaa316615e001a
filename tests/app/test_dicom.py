"""A DICOM photo on the pages: read as any other, its scale offered, its patient nowhere."""

from pathlib import Path

from PIL import Image
from streamlit.testing.v1 import AppTest

from skinlens.imaging.synthetic import draw_synthetic_lesion
from skinlens.store import CaseStore
from tests.app.conftest import press, read, typed
from tests.app.test_dropped_dicom import nowhere_below, photo_file
from tests.app.test_journey import keep
from tests.dicom_files import plain


def test_the_scale_of_a_dicom_photo_is_offered_as_its_field_of_view(agreed: AppTest, skinlens_home: Path) -> None:
    picture = Image.fromarray(draw_synthetic_lesion()).resize((600, 450))
    data = plain(picture, PixelSpacing=[0.02, 0.02])
    agreed.file_uploader[0].upload("Doe-Whisper.dcm", data, "application/dicom").run()
    press(agreed, "Show result")
    assert "By the scale in its file the photo shows 12 mm" in read(agreed)
    keep(agreed)
    assert agreed.text_input(key=typed(agreed, "clinical_field_width")).value == ""
    press(agreed, "Use 12\u00a0mm from the file")
    press(agreed, "Save draft")
    store = CaseStore(skinlens_home)
    assert store.case(1).visit.clinical.field_width_mm == 12.0
    assert store.photo(1).source_format == "DICOM"
    assert b"Whisper" not in store.database.read_bytes()


def test_a_single_photo_proposes_what_its_file_says_and_no_name_is_stored(agreed: AppTest, skinlens_home: Path) -> None:
    agreed.file_uploader[0].upload("Doe-Whisper.dcm", photo_file(0), "application/dicom").run()
    press(agreed, "Show result")
    assert "Patient, date and body site are proposed from its file: check them." in read(agreed)
    press(agreed, "Save case")
    case = CaseStore(skinlens_home).case(1)
    assert case.patient is not None
    assert (case.patient.pseudonym[:2], case.patient.birth_year, case.patient.sex) == ("R-", 1961, "female")
    assert (case.lesion.body_site, case.visit.taken_on) == ("forearm", "2025-01-01")
    assert nowhere_below(skinlens_home, b"Doe", b"Whisper", b"PAT-4711", b"19610203")
