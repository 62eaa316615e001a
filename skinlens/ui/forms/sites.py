"""Body site of a lesion, in words: the body sites with their sides as one list, and what of it is stored and read back.

A lesion keeps the site as it stands in the list ("forearm"), and in its remark the side and the exact location ("left,
below the elbow"). What was typed freely by an earlier version is shown as it was typed, until somebody chooses anew.
"""

from skinlens.body_sites import BODY_SITES
from skinlens.records import BodyPosition
from skinlens.store import NewLesion
from skinlens.ui.components.bodymap import Region

OTHER = "other site"
"""Its exact location is needed."""
SITES = tuple(site.name for site in BODY_SITES)
"""All that can be chosen, from head to foot."""
PAIRED = frozenset(site.name for site in BODY_SITES if site.paired)
"""Sites that everybody has twice: left or right, no middle."""
MIDDLE = 0.035
"""Share of a drawing's width on each side of its middle that counts as the midline."""


def _sides(site: str) -> tuple[str, ...]:
    return ("left", "right") if site in PAIRED else ("left", "midline", "right")


CHOICES = (*(f"{site}, {side}" for site in SITES for side in _sides(site)), OTHER)
"""Every site with each of its sides, as "forearm, left"."""


def chosen(choice: str | None, exact: str = "") -> NewLesion:
    """The lesion of a choice and an exact location; without a site where nothing is chosen."""
    choice, exact = choice or "", exact.strip()
    if choice == OTHER or choice not in CHOICES:
        return NewLesion(choice, exact)
    site, side = choice.split(", ")
    return NewLesion(site, f"{side}, {exact}" if exact else side)


def missing(lesion: NewLesion) -> tuple[str, ...]:
    """Parts that are needed and not given, in words."""
    if not lesion.body_site:
        return ("a body site",)
    return ("the exact location, for another site",) if lesion == NewLesion(OTHER, "") else ()


def stored(body_site: str, remark: str) -> tuple[str, str]:
    """The choice and the exact location of a stored lesion; a text that is in no list is a choice of its own."""
    if body_site in SITES:
        for side in _sides(body_site):
            if remark == side or remark.startswith(f"{side}, "):
                return f"{body_site}, {side}", remark.removeprefix(side).removeprefix(", ")
    return body_site, remark


def on_map(position: BodyPosition, region: Region | None) -> str | None:
    """Choice of site and side at a place on the map; None outside of all regions, or in the middle of a paired site."""
    if region is None:
        return None
    side = region.side or _side_of(position)
    if region.site in PAIRED and side == "midline":
        return None
    return f"{region.site}, {side}"


def _side_of(position: BodyPosition) -> str:
    """The patient's: who is seen from the front has the right side on the left of the picture."""
    if position.view in {"head-left", "head-right"}:
        return position.view.removeprefix("head-")
    if abs(position.x - 0.5) <= MIDDLE:
        return "midline"
    seen_left = position.x < 0.5
    return "left" if seen_left == (position.view in {"back", "head-back"}) else "right"
