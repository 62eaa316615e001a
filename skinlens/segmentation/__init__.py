"""Segmentation of the lesion: the head that finds it, and the contour that the clinician can move."""
