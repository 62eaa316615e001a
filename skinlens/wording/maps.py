"""Pictures and heat maps: captions, alternative texts, and what maps do not show."""

LEGEND = "0 = none, 1 = most"
"""Of the color scale of a map."""
PHOTO = "Photo of the lesion"
SYNTHETIC = "Synthetic example, not a patient."
EXAMPLE_NOTE = "A lesion drawn by the program: synthetic, not a patient."
CAVEAT = "The maps show what influenced the model, not where the disease is."
CANCELLED = "Cancelled. Nothing was saved."


def over_photo(method: str, target: str, photo: str = "the photo") -> str:
    """Alternative text of a map of a class drawn over a photo."""
    return f"{method} map for {target} over {photo}. {LEGEND}."


def supports(method: str, target: str) -> str:
    """Caption of a map of a class that goes out on its own."""
    return f"{method}: what supports {target}"


def no_map(method: str, target: str) -> str:
    """Alternative text of a photo over which there is no such map yet."""
    return f"{PHOTO}; there is no {method} map for {target} yet"


def nothing_for(target: str, where: str = "") -> str:
    """Sentence on a map without any heat: "No part of the photo supports melanoma."."""
    return f"No part of the photo supports {target}{where}."


def latest_photo(lesion: int, site: str) -> str:
    """Alternative text of a lesion's thumbnail."""
    return f"Latest photo of lesion {lesion}, {site}"
