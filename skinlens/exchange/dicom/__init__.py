"""DICOM: what a stored case gives to an archive, how it gets there, and how photos come from one.

Only the commands ``skinlens dicom …`` import this package: the app neither sends nor listens.
"""
