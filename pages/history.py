"""History: stored cases found again, opened, annotated, compared, signed, exported, deleted."""

from skinlens.ui import archive, cache, forms, frame, session

frame.title("History")
store = cache.store()
shown = session.shown_in_history()

if shown is None:
    archive.results(store, forms.filters(store))
else:
    archive.case(store, shown)
