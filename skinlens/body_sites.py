"""Body sites: their names, where each lies on the body map, and its region for the patient context and for the ISIC
archive.
"""

import re
from dataclasses import dataclass

REGIONS: tuple[str, ...] = ("head", "trunk", "arm", "leg", "hand or foot", "genital area")
"""Regions of the body that the patient context tells apart."""


@dataclass(frozen=True)
class BodySite:
    """A body site that can be chosen."""

    name: str
    region: str
    """One of ``REGIONS``."""
    isic: str
    """``anatom_site_general`` of the ISIC archive."""
    other_names: tuple[str, ...] = ()
    on_map: str = ""
    """The site whose region of the drawing it lies on; empty: it has a region of its own."""
    paired: bool = True
    """Whether everybody has it twice, left and right, without a middle."""


BODY_SITES: tuple[BodySite, ...] = (
    BodySite("scalp", "head", "head/neck", ("vertex", "occiput"), paired=False),
    BodySite(
        *("face", "head", "head/neck"),
        ("nose", "cheek", "forehead", "temple", "lip", "chin", "eyelid", "eyebrow", "jaw"),
        paired=False,
    ),
    BodySite("ear", "head", "head/neck", ("earlobe", "ears")),
    BodySite("neck", "head", "head/neck", ("nape", "throat"), paired=False),
    BodySite("chest", "trunk", "anterior torso", ("breast", "sternum", "collarbone", "clavicle"), paired=False),
    BodySite("flank", "trunk", "lateral torso", on_map="abdomen"),
    BodySite("abdomen", "trunk", "anterior torso", ("belly", "navel", "stomach"), paired=False),
    BodySite(
        *("back", "trunk", "posterior torso"),
        ("scapula", "shoulder blade", "lumbar", "sacrum", "loin", "spine"),
        paired=False,
    ),
    BodySite("shoulder", "arm", "upper extremity", ("deltoid",), on_map="upper arm"),
    BodySite("armpit", "arm", "upper extremity", ("axilla",), on_map="upper arm"),
    BodySite("upper arm", "arm", "upper extremity", ("arm",)),
    BodySite("elbow", "arm", "upper extremity", on_map="forearm"),
    BodySite("forearm", "arm", "upper extremity", ("wrist",)),
    BodySite("hand", "hand or foot", "upper extremity", ("finger", "fingers", "thumb", "nail")),
    BodySite("buttock", "trunk", "posterior torso", ("buttocks", "gluteal")),
    BodySite("groin", "trunk", "anterior torso", on_map="thigh"),
    BodySite("thigh", "leg", "lower extremity", ("leg", "hip")),
    BodySite("knee", "leg", "lower extremity", on_map="lower leg"),
    BodySite("lower leg", "leg", "lower extremity", ("calf", "shin")),
    BodySite("ankle", "leg", "lower extremity", on_map="foot"),
    BodySite("foot", "hand or foot", "lower extremity", ("toe", "toes", "heel", "feet")),
    BodySite("palm or sole", "hand or foot", "palms/soles", ("sole", "soles", "palm", "palms", "plantar", "palmar")),
    BodySite("genital area", "genital area", "oral/genital", ("genital", "genitals", "pubic"), paired=False),
)
"""From head to foot. ICD-O-3 counts flank and groin as trunk (C44.5)."""
WORDS_OF_ISIC_REGION: dict[str, str] = {
    "head/neck": "head or neck",
    "upper extremity": "arm or hand",
    "lower extremity": "leg or foot",
    "anterior torso": "chest or abdomen",
    "posterior torso": "back or buttock",
    "lateral torso": "flank",
    "palms/soles": "palm or sole",
    "oral/genital": "genital area",
}
"""``anatom_site_general`` of the ISIC archive → a body site in words that says no more."""
SITE_OF: dict[str, BodySite] = {name: site for site in BODY_SITES for name in (site.name, *site.other_names)}
"""By each of its names."""
MAPPED: tuple[str, ...] = tuple(site.name for site in BODY_SITES if not site.on_map)
"""Sites with a region of the drawing of their own."""


def named(text: str) -> dict[str, BodySite]:
    """Names of sites in a text with the sites that they mean; the back of a hand is no back. "shoulder blade" holds the
    name "shoulder" too, and is no shoulder.
    """
    words = f" {' '.join(words_of(text))} ".replace(" back of ", " ")
    site_names = [name for name in SITE_OF if f" {name} " in words]
    held = {name for name in site_names for other in site_names if name != other and f" {name} " in f" {other} "}
    return {name: SITE_OF[name] for name in site_names if name not in held}


def words_of(text: str) -> list[str]:
    """Words of a text in small letters, without numbers and punctuation."""
    return re.findall(r"[^\W\d_]+", text.casefold())
