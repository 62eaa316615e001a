"""Body sites with their sides: one list, what of it is stored, and what a place on the body map stands for."""

import pytest

from skinlens.body_sites import REGIONS
from skinlens.inference import patient_context as context
from skinlens.records import BodyPosition, BodyView
from skinlens.store import NewLesion
from skinlens.ui.components.bodymap import Region
from skinlens.ui.components.bodymap.regions import region_of
from skinlens.ui.forms import sites


def test_every_site_has_its_sides_and_a_limb_has_no_middle() -> None:
    for site in sites.SITES:
        assert f"{site}, left" in sites.CHOICES
        assert f"{site}, right" in sites.CHOICES
        assert (f"{site}, midline" in sites.CHOICES) == (site not in sites.PAIRED)
    assert len(set(sites.CHOICES)) == len(sites.CHOICES) == 2 * 23 + (23 - len(sites.PAIRED)) + 1


@pytest.mark.parametrize(
    ("choice", "exact", "lesion"),
    [
        ("forearm, left", " below the elbow ", NewLesion("forearm", "left, below the elbow")),
        ("back, midline", "", NewLesion("back", "midline")),
        (sites.OTHER, "nail of the left thumb", NewLesion(sites.OTHER, "nail of the left thumb")),
        ("L forearm", "outer", NewLesion("L forearm", "outer")),
        (None, "outer", NewLesion("", "outer")),
    ],
)
def test_what_is_stored_of_a_choice_reads_back_as_it(choice: str | None, exact: str, lesion: NewLesion) -> None:
    assert sites.chosen(choice, exact) == lesion
    assert sites.stored(*lesion) == (choice or "", exact.strip())


@pytest.mark.parametrize(
    ("body_site", "remark"),
    [("forearm", ""), ("forearm", "leftish"), ("forearm", "Left"), ("back 3", "x"), ("ear", "midline")],
)
def test_what_was_typed_freely_stays_as_it_was_typed(body_site: str, remark: str) -> None:
    choice, exact = sites.stored(body_site, remark)
    assert sites.chosen(choice, exact) == NewLesion(body_site, remark)
    assert choice not in sites.CHOICES


def test_another_site_needs_an_exact_location() -> None:
    assert sites.missing(NewLesion("")) == ("a body site",)
    assert sites.missing(NewLesion(sites.OTHER)) == ("the exact location, for another site",)
    assert sites.missing(NewLesion(sites.OTHER, "nail")) == sites.missing(NewLesion("back", "left")) == ()


@pytest.mark.parametrize(
    ("view", "x", "region", "choice"),
    [
        ("front", 0.4, Region("chest"), "chest, right"),
        ("front", 0.6, Region("chest"), "chest, left"),
        ("front", 0.51, Region("abdomen"), "abdomen, midline"),
        ("back", 0.4, Region("back"), "back, left"),
        ("back", 0.6, Region("back"), "back, right"),
        ("head-back", 0.2, Region("scalp"), "scalp, left"),
        ("head-right", 0.2, Region("neck"), "neck, right"),
        ("head-left", 0.8, Region("face", "left"), "face, left"),
        ("front", 0.9, Region("forearm", "left"), "forearm, left"),
        ("front", 0.9, None, None),
    ],
)
def test_a_place_on_the_map_gives_site_and_side(
    view: BodyView, x: float, region: Region | None, choice: str | None
) -> None:
    """The patient's own sides: who is seen from the front has the left side on the right of the picture."""
    found = sites.on_map(BodyPosition(view, x, 0.5), region)
    assert found == choice
    assert found is None or found in sites.CHOICES


def test_places_without_a_region_of_their_own_lie_on_the_map_and_tell_the_model_where_they_are() -> None:
    expected = {"shoulder": ("upper arm", "arm"), "knee": ("lower leg", "leg"), "flank": ("abdomen", "trunk")}
    for site, (region, of) in expected.items():
        lesion = sites.chosen(f"{site}, left")
        assert (lesion.body_site, lesion.remark) == (site, "left")
        assert sites.stored(site, "left") == (f"{site}, left", "")
        assert region_of(site, "left") == Region(region, "left")
        assert context.region_of(site) == of
    assert {context.region_of(site) for site in sites.SITES} == set(REGIONS)
    assert all(region_of(site) is not None for site in sites.SITES)
