"""Inference: the int8 engine of a verified release, its calibration, and the classifier that answers."""
