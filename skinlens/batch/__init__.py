"""Batch reading: each photo of a folder, list, ZIP or case file becomes one row of a table.

``sources`` walks what is to be read, ``readers`` decodes and measures it in worker processes, ``scorer`` asks the
engine, ``run`` ties them, ``journal`` holds the rows until all are there, ``result_row`` says what stands in a row, and
``table`` writes them.
"""
