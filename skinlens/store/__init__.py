"""Case store: ``CaseStore``, and what it takes and gives beside the records of ``skinlens.records``."""

from skinlens.store import without_pandas  # noqa: F401  first of all
from skinlens.store.backup import Backup
from skinlens.store.cases import CaseStore
from skinlens.store.connection import default_home
from skinlens.store.features import SimilarCase, SimilarQuery
from skinlens.store.filings import UnfinishedFiling
from skinlens.store.mapping import Setting
from skinlens.store.patient_list import PatientPage, PatientQuery, PatientRow
from skinlens.store.received import InboxFull
from skinlens.store.search import CasePage, CaseQuery, CaseRow
from skinlens.store.settings import KeptSettings, Signer
from skinlens.store.timing import WorkTimes
from skinlens.store.upkeep import Tidied
from skinlens.store.validation import ClinicianReading, NewLesion, NewPatient, NewVisit

__all__ = [
    "Backup",
    "CasePage",
    "CaseQuery",
    "CaseRow",
    "CaseStore",
    "ClinicianReading",
    "InboxFull",
    "KeptSettings",
    "NewLesion",
    "NewPatient",
    "NewVisit",
    "PatientPage",
    "PatientQuery",
    "PatientRow",
    "Setting",
    "Signer",
    "SimilarCase",
    "SimilarQuery",
    "Tidied",
    "UnfinishedFiling",
    "WorkTimes",
    "default_home",
]
