"""Report: the open case as it will be printed, and its PDF."""

from skinlens.ui import frame, session, sheets, widgets

frame.title("Report")
opened = session.current()

if opened is None:
    widgets.nothing_open("A report is made of a stored case.")
elif opened.case is None:
    widgets.not_saved()
else:
    widgets.model_line(opened)
    sheets.report(opened)
