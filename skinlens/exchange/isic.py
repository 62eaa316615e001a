"""ISIC metadata: the stored cases as rows in the words of the ISIC archive.

Only what the archive's vocabulary can say exactly is said in it: a site that is no region of it, or a class that is
several of its diagnoses, leaves the cell empty. ``diagnosis_class`` has the class as SkinLens knows it. Patients and
lesions are numbered, so that no pseudonym of a clinic leaves.

Reference: the package isic-metadata, against which the tests hold every value.
"""

from collections.abc import Mapping

from skinlens.body_sites import named, words_of
from skinlens.clinical import PHOTOTYPES
from skinlens.labels import OTHER
from skinlens.records import MAX_AGE_YEARS, Case

FIELDS = (
    *("filename", "patient_id", "lesion_id", "age_approx", "sex", "anatom_site_general", "fitzpatrick_skin_type"),
    *("diagnosis", "diagnosis_confirm_type", "diagnosis_class", "image_type", "photo_sha256"),
)
"""Columns of ``metadata.csv``; ``filename``, ``diagnosis_class`` and ``photo_sha256`` are none of the archive's."""
_STEP_YEARS = 5
"""To which an age is rounded, as in the archive."""
_DIAGNOSES: Mapping[str, str] = {
    "bcc": "Malignant:Malignant adnexal epithelial proliferations - Follicular:Basal cell carcinoma",
    "bkl": "Benign:Benign epidermal proliferations",
    "df": "Benign:Benign soft tissue proliferations - Fibro-histiocytic:Dermatofibroma",
    "mel": "Malignant:Malignant melanocytic proliferations (Melanoma):Melanoma, NOS",
    "nv": "Benign:Benign melanocytic proliferations:Nevus",
    "vasc": "Benign:Benign soft tissue proliferations - Vascular",
}
"""Not actinic keratosis / intraepithelial carcinoma: an indeterminate and a malignant diagnosis of the archive."""


HISTOPATHOLOGY = "histopathology"
"""Of ``diagnosis_confirm_type``."""
_EPIDERMAL = "Benign:Benign epidermal proliferations"
_CLASS_BELOW: Mapping[str, str] = {
    **{
        f"{_EPIDERMAL}:{name}": "bkl"
        for name in (
            *("Lichen planus like keratosis", "Pigmented benign keratosis"),
            *("Seborrheic keratosis", "Solar lentigo"),
        )
    },
    "Benign:Benign melanocytic proliferations:Nevus": "nv",
    "Benign:Benign soft tissue proliferations - Fibro-histiocytic:Dermatofibroma": "df",
    "Benign:Benign soft tissue proliferations - Vascular": "vasc",
    "Indeterminate:Indeterminate epidermal proliferations:Solar or actinic keratosis": "akiec",
    "Malignant:Malignant adnexal epithelial proliferations - Follicular:Basal cell carcinoma": "bcc",
    "Malignant:Malignant epidermal proliferations:Squamous cell carcinoma in situ": "akiec",
    "Malignant:Malignant melanocytic proliferations (Melanoma)": "mel",
}
"""Diagnosis of the archive → class, for it and all that are below it."""
_CLASS_OF = {diagnosis: code for code, diagnosis in _DIAGNOSES.items()}


def class_of(diagnosis: str) -> str:
    """Code of the class that a diagnosis of the archive belongs to, in all its levels; one of none is ``other``."""
    if (code := _CLASS_OF.get(diagnosis)) is not None:
        return code
    return next((code for above, code in _CLASS_BELOW.items() if f"{diagnosis}:".startswith(f"{above}:")), OTHER)


def row_of(case: Case, filename: str) -> dict[str, str]:
    """One case; a cell is empty where nothing is known, or nothing that the archive has a word for."""
    visit, patient = case.visit, case.patient
    histology = visit.clinical.histology
    label, confirmed = None, ""
    if histology is not None and (histology.label or histology.text):
        label, confirmed = histology.label, HISTOPATHOLOGY
    elif visit.status != "draft" and visit.clinician_label:
        label, confirmed = visit.clinician_label, "single contributor clinical assessment"
    diagnosis = _DIAGNOSES.get(label or "", "")
    return {
        "filename": filename,
        "patient_id": "" if patient is None else f"patient-{patient.id:06d}",
        "lesion_id": f"lesion-{visit.lesion_id:06d}",
        "age_approx": _age(case),
        "sex": patient.sex if patient is not None and patient.sex in {"female", "male"} else "",
        "anatom_site_general": site_of(case.lesion.body_site),
        "fitzpatrick_skin_type": "" if patient is None or patient.phototype is None else PHOTOTYPES[patient.phototype],
        "diagnosis": diagnosis,
        "diagnosis_confirm_type": confirmed if diagnosis else "",
        "diagnosis_class": label or "",
        "image_type": "dermoscopic",
        "photo_sha256": visit.photo_sha256,
    }


def site_of(body_site: str) -> str:
    """The archive's region of a body site in words; empty where they name none, or more than one."""
    regions = {site.isic for site in named(body_site).values()}
    if "head" in words_of(body_site):
        regions.add("head/neck")
    return regions.pop() if len(regions) == 1 else ""


def _age(case: Case) -> str:
    """In steps of five years; above 85 it is 85, as the archive has it."""
    patient = case.patient
    if patient is None or patient.birth_year is None:
        return ""
    years = min(int(case.visit.taken_on[:4]) - patient.birth_year, MAX_AGE_YEARS)
    return str(MAX_AGE_YEARS if patient.birth_year_is_upper_bound else _STEP_YEARS * round(max(0, years) / _STEP_YEARS))
