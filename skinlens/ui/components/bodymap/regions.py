"""Body sites on the map: what a person typed as a site names regions of the drawing, and a view is named in words."""

from collections.abc import Mapping
from dataclasses import dataclass

from skinlens.body_sites import named, words_of
from skinlens.records import BodyView

VIEWS: Mapping[BodyView, str] = {
    "front": "Front",
    "back": "Back",
    "head-front": "Face",
    "head-back": "Back of the head",
    "head-right": "Head, right side",
    "head-left": "Head, left side",
    "soles": "Soles",
}


@dataclass(frozen=True)
class Region:
    """A region of the drawing, on one side of the body or on both."""

    site: str
    """One of ``body_sites.MAPPED``."""
    side: str = ""
    """``left`` or ``right``, of the patient; empty: not said."""

    @property
    def words(self) -> str:
        """Side and site, as "left forearm"."""
        return f"{self.side} {self.site}".strip()


def region_of(body_site: str, remark: str = "") -> Region | None:
    """The region that a site and its exact location name; None where neither names one.

    The site counts before the location, a longer name before a shorter: "upper arm" is no "arm".
    """
    for text in (body_site, remark):
        if sites := named(text):
            site = sites[max(sites, key=len)]
            return Region(site.on_map or site.name, _side(f"{body_site} {remark}"))
    return None


def _side(text: str) -> str:
    sides = {word for word in words_of(text) if word in {"left", "right"}}
    return sides.pop() if len(sides) == 1 else ""
