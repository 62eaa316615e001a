"""Patients: found by patient ID, each with a body map, the lesions and one timeline of all visits."""

from skinlens.ui import cache, patients

patients.page(cache.store())
