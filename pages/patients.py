"""Patients: found by pseudonym, each with the lesions and one timeline of all visits."""

from skinlens.ui import cache, frame, patients

frame.title("Patients")
patients.page(cache.store())
