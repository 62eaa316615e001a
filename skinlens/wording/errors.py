"""Messages of refusals that several places give: what it is, what was expected, what to do."""

from collections.abc import Iterable

RESTORE_WEIGHTS = "Restore the weights folder from the release."
NO_MEMORY = "this computer has no memory left for it. Close other programs and try again"
RESTORE_MANIFEST = "Restore it from the release."


def not_loadable(name: str, problem: Exception) -> str:
    """Message on a file of weights that ONNX Runtime does not take."""
    return f"{name} is not a network that can be loaded ({type(problem).__name__}). {RESTORE_WEIGHTS}"


def another_photo(what: str, made_for: str, held: str, again: str) -> str:
    """Message on a map, check or outline of another photo than the case's; ``made_for`` and ``held`` are SHA-256."""
    return (
        f"This {what} was made on another photo ({made_for[:12]}…); the case holds {held[:12]}…. {again} this photo "
        "again."
    )


def not_one_of(value: object, what: str, known: Iterable[str]) -> str:
    """Message on a code that is not in its list; nothing is a choice too."""
    return f"{value!r} is no {what}. Choose one of: {', '.join(known)}; or none."
