"""The seven HAM10000 classes in logit order, with their names, risk groups and codes: the single source.

The order is the alphabetical one of the data set (``akiec bcc bkl df mel nv vasc``). Every array of length seven in
this project, from logits to confusion matrices, is in this order.

Codes are suggestions that a clinician confirms. A code that is not verified stays ``None``.
"""

from dataclasses import dataclass
from typing import Literal

Risk = Literal["malignant", "pre-malignant", "benign"]


@dataclass(frozen=True)
class Label:
    """One class: its code in the data set, its name in words, and its codes in the standards."""

    code: str
    name: str
    risk: Risk
    icd10cm: str | None
    icdo3: str | None
    snomed_ct: str | None
    remark: str = ""
    synonyms: tuple[str, ...] = ()
    """Other words by which a clinician looks for the class or a kind of it."""


LABELS: tuple[Label, ...] = (
    Label(
        "akiec",
        "actinic keratosis / intraepithelial carcinoma",
        "pre-malignant",
        "L57.0",
        None,
        "201101007",
        "Bowen's disease: ICD-10-CM D04.9, ICD-O-3 8081/2. The SNOMED CT code is that of actinic keratosis alone.",
        ("solar keratosis", "bowen's disease", "squamous cell carcinoma in situ"),
    ),
    Label(
        "bcc",
        "basal cell carcinoma",
        "malignant",
        "C44.91",
        "8090/3",
        "254701007",
        synonyms=("basalioma", "rodent ulcer"),
    ),
    Label(
        "bkl",
        "benign keratosis-like lesion",
        "benign",
        "L82.1",
        "8052/0",
        None,
        synonyms=("seborrheic seborrhoeic keratosis", "solar lentigo", "lichen planus-like keratosis"),
    ),
    Label("df", "dermatofibroma", "benign", "D23.9", "8832/0", None, synonyms=("fibrous histiocytoma",)),
    Label(
        "mel",
        "melanoma",
        "malignant",
        "C43.9",
        "8720/3",
        "93655004",
        synonyms=("malignant melanoma", "lentigo maligna"),
    ),
    Label("nv", "melanocytic nevus", "benign", "D22.9", "8720/0", "400096001", synonyms=("naevus", "mole")),
    Label(
        "vasc",
        "vascular lesion",
        "benign",
        "D18.01",
        "9120/0",
        "400210000",
        "The SNOMED CT code is that of hemangioma alone.",
        ("hemangioma", "haemangioma", "angioma", "angiokeratoma", "pyogenic granuloma", "hemorrhage"),
    ),
)
CODES: tuple[str, ...] = tuple(label.code for label in LABELS)
BY_CODE: dict[str, Label] = {label.code: label for label in LABELS}
INDEX: dict[str, int] = {code: position for position, code in enumerate(CODES)}
MELANOMA = "mel"
NEVUS = "nv"
OTHER = "other"
DIAGNOSES: dict[str, str] = {**{label.code: label.name for label in LABELS}, OTHER: "other diagnosis"}
"""What a clinician can diagnose, with its name."""
IMPRESSIONS: dict[str, str] = {**DIAGNOSES, "unsure": "not sure"}
"""What a clinician can say before the model does, with its name."""
DISCLAIMER = "Research and education software. Not a medical device. Not for diagnosis or treatment decisions."
