"""The tests; a package, so that one of the same name that a library leaves in site-packages does not take its place."""
