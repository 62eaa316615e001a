"""Patients: found by patient ID, each with a body map, the lesions and one timeline of all visits."""

from skinlens.ui.patients import page
from skinlens.ui.state import cache

page.page(cache.store())
