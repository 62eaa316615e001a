"""Body sites on the map: what a person typed as a site names regions of the drawing, and a view is named in words."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from skinlens.records import BodyView
from skinlens.wording.naming import BODY_SITES

VIEWS: Mapping[BodyView, str] = {
    "front": "Front",
    "back": "Back",
    "head-front": "Face",
    "head-back": "Back of the head",
    "head-right": "Head, right side",
    "head-left": "Head, left side",
    "soles": "Soles",
}
_OTHER_NAMES: Mapping[str, str] = {
    **dict.fromkeys(("scapula", "shoulder blade", "lumbar", "sacrum", "loin", "spine"), "back"),
    **dict.fromkeys(("shoulder", "deltoid", "axilla", "armpit"), "upper arm"),
    **dict.fromkeys(("elbow", "wrist"), "forearm"),
    **dict.fromkeys(("finger", "fingers", "thumb", "nail"), "hand"),
    **dict.fromkeys(("sole", "soles", "palm", "palms", "plantar", "palmar"), "palm or sole"),
    **dict.fromkeys(("toe", "toes", "heel", "ankle", "feet"), "foot"),
    **dict.fromkeys(("calf", "shin", "knee"), "lower leg"),
    **dict.fromkeys(("leg", "groin", "hip"), "thigh"),
    **dict.fromkeys(("arm",), "upper arm"),
    **dict.fromkeys(("breast", "sternum", "collarbone", "clavicle"), "chest"),
    **dict.fromkeys(("belly", "navel", "flank", "stomach"), "abdomen"),
    **dict.fromkeys(("buttocks", "gluteal"), "buttock"),
    **dict.fromkeys(("nose", "cheek", "forehead", "temple", "lip", "chin", "eyelid", "eyebrow", "jaw"), "face"),
    **dict.fromkeys(("nape", "throat"), "neck"),
    **dict.fromkeys(("earlobe", "ears"), "ear"),
    **dict.fromkeys(("vertex", "occiput"), "scalp"),
    **dict.fromkeys(("genital", "genitals", "pubic"), "genital area"),
}
_NAMES: Mapping[str, str] = {**{site: site for site in BODY_SITES}, **_OTHER_NAMES}


@dataclass(frozen=True)
class Region:
    """A region of the drawing, on one side of the body or on both."""

    site: str
    """One of ``BODY_SITES``."""
    side: str = ""
    """``left`` or ``right``, of the patient; empty: not said."""

    @property
    def words(self) -> str:
        """As "left forearm"."""
        return f"{self.side} {self.site}".strip()


def region_of(body_site: str, remark: str = "") -> Region | None:
    """The region that a site and its exact location name; None where neither names one.

    The site counts before the location, a longer name before a shorter: "upper arm" is no "arm".
    """
    for text in (body_site, remark):
        words = f" {' '.join(_words(text))} "
        words = words.replace(" back of ", " ")  # of the hand, of the neck: not the back
        named = [name for name in _NAMES if f" {name} " in words]
        if named:
            return Region(_NAMES[max(named, key=len)], _side(f"{body_site} {remark}"))
    return None


def _side(text: str) -> str:
    found = {word for word in _words(text) if word in {"left", "right"}}
    return found.pop() if len(found) == 1 else ""


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W\d_]+", text.casefold())
