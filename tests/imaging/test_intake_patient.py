"""Patient fields of a DICOM file, read in the process that decodes: what is proposed, and nothing that is no field."""

import json
import os
from contextlib import suppress

import numpy as np
import pytest

from skinlens.case_record import Proposal
from skinlens.errors import UnreadableImage
from skinlens.imaging.intake import deidentify, isolation, read_patient, read_photo
from skinlens.imaging.intake.patient import PatientFields, of_json, to_json
from tests.dicom_files import encoded_elsewhere, plain
from tests.imaging.test_intake_dicom import _nested
from tests.intake_files import encoded, picture

EXPECTED = PatientFields(Proposal("", 1961, "unknown", "2025-01-01"), "\nPAT-4711")


@pytest.mark.parametrize("name", ["deflated", "big_endian", "jpeg_ls", "htj2k"])
def test_the_fields_are_read_however_the_file_is_coded(name: str) -> None:
    assert read_patient(encoded_elsewhere(name)) == EXPECTED


def test_a_file_of_another_kind_has_none() -> None:
    assert read_patient(encoded(picture(), "PNG")) is None


def test_a_damaged_field_is_a_refusal_and_the_process_serves_on() -> None:
    whole = plain(picture())
    with pytest.raises(UnreadableImage, match="its data set cannot be read"):
        read_patient(whole.replace(b"\x10\0\x30\0DA", b"\x10\0\x30\0D\x9c"))
    assert read_patient(whole) == EXPECTED


def test_a_hostile_file_is_read_or_refused_and_the_next_one_is_read() -> None:
    with suppress(UnreadableImage):
        assert read_patient(_nested()) == EXPECTED
    np.testing.assert_array_equal(read_photo(plain(picture())).pixels, np.asarray(picture()))


def test_what_is_no_field_of_a_patient_is_not_taken_from_the_process() -> None:
    good = [1961, "female", "2025-01-01", "back", "\n1"]
    assert of_json(to_json(of_json(json.dumps(good)))) == PatientFields(
        Proposal("", 1961, "female", "2025-01-01", "back"), "\n1"
    )
    for place, bad in ((0, "1961"), (0, True), (0, 1500), (1, "F"), (2, "Jane"), (2, "2999-01-01"), (3, 1), (4, None)):
        with pytest.raises(ValueError, match="no patient fields"):
            of_json(json.dumps([*good[:place], bad, *good[place + 1 :]]))
    for text in ("[]", "{}", "nonsense"):
        with pytest.raises(ValueError):  # noqa: PT011  whatever is wrong with it
            of_json(text)


@pytest.mark.skipif(os.name != "posix", reason="the stand-in is a POSIX program")
def test_answers_that_are_no_fields_end_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolation, "_pool", isolation._Pool())
    for answer in (b"N\\0\\0\\0\\2[]", b"F\\xff\\xff\\xff\\xff", b"F\\0\\0\\0\\2[]"):
        code = f"import sys; sys.stdin.buffer.read(9); sys.stdout.buffer.write(b{answer.decode()!r})"
        monkeypatch.setattr(isolation, "_COMMAND", code)
        with pytest.raises(UnreadableImage, match="decoder ended at this file"):
            read_patient(plain(picture()))
    for answer in (b"D\\xff\\xff\\xff\\xff", b"D\\0\\0\\0\\1xF\\0\\0\\0\\2[]", b"F\\0\\0\\0\\2[]"):
        code = f"import sys; sys.stdin.buffer.read(9); sys.stdout.buffer.write(b{answer.decode()!r})"
        monkeypatch.setattr(isolation, "_COMMAND", code)
        with pytest.raises(UnreadableImage, match="decoder ended at this file"):
            deidentify(plain(picture()))
    assert isolation._pool._all == set()
