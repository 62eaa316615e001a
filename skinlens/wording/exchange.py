"""Words of the exchange with other systems."""

OWN_TITLE = "SKINLENS"
"""AE title by which SkinLens goes on a network of DICOM, unless told otherwise."""
