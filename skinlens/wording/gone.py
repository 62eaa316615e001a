"""Sentences on what was open, and is not held any more."""

PHOTO_GONE = (
    "The photo of this page was not saved and is not held any more: unsaved photos are dropped a minute after their "
    "tab is closed, and an hour after its connection is lost. Upload it again."
)
TRAY_GONE = (
    "The photos that waited here are not held any more: what is not filed is dropped when SkinLens is stopped, a "
    "minute after its tab is closed, and an hour after its connection is lost. Add them again."
)
ENTRIES_GONE = (
    "What was entered here and not saved is not held any more: it is dropped when SkinLens is stopped, a minute after "
    "its tab is closed, and an hour after its connection is lost. Saved cases are as they were."
)
ERASED = "What was open here was erased for good, in this or in another window. Nothing of it is held any more."
