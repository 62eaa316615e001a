"""The page of one patient: body map, lesions, timeline; editing, export, erasure."""
