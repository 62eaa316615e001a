"""Worklist: many photos at once, each in its row with its result, until it is filed or discarded."""

from skinlens.ui import cache, frame, worklist

frame.title("Worklist")
worklist.page(cache.store())
