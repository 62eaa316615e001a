"""Catalog of wording: every sentence and label that more than one of screen, report, command line and documents says.

One module a subject. What only one page says stays in that page's folder; names of a closed list stay with the list
(``labels``, ``clinical``, ``criteria``), and what a check, a comparison or a measurement found is said beside it
(``checks``, ``followup.wording``, ``lesion_features``, ``impact``). ``tests/test_catalog.py`` fails where a sentence of
the catalog is written a second time.
"""
