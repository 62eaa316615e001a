"""The drawing of the body map: every body site is on it, on the right side; typed sites name its regions."""

import re
from typing import get_args

import pytest

from skinlens.body_sites import MAPPED
from skinlens.records import BodyView
from skinlens.ui.components.bodymap import VIEWS, Region, figure
from skinlens.ui.components.bodymap.regions import region_of


def regions(view: BodyView) -> list[tuple[str, str, float]]:
    """Site, side, and the mean of the horizontal coordinates."""
    found = re.findall(r'data-site="([^"]+)" data-side="(left|right|)" d="([^"]+)"', figure(view))
    means = []
    for site, side, path in found:
        numbers = [float(number) for number in re.findall(r"-?[0-9.]+", path)]
        means.append((site, side, sum(numbers[::2]) / len(numbers[::2])))
    return means


def test_every_view_is_drawn_and_named() -> None:
    assert set(VIEWS) == set(get_args(BodyView))
    for view in VIEWS:
        assert figure(view).startswith("<svg viewBox=")


def test_every_body_site_is_a_region_and_every_region_a_body_site() -> None:
    drawn = {site for view in VIEWS for site, _, _ in regions(view)}
    assert drawn == set(MAPPED)


@pytest.mark.parametrize(("view", "left_of_picture"), [("front", "right"), ("head-front", "right"), ("soles", "right"),
                                                       ("back", "left"), ("head-back", "left")])  # fmt: skip
def test_sides_are_those_of_the_patient(view: BodyView, left_of_picture: str) -> None:
    """Who faces the reader has the right arm on the reader's left."""
    width = float(re.findall(r'viewBox="0 0 ([0-9]+)', figure(view))[0])
    sided = [(side, mean) for _, side, mean in regions(view) if side]
    assert sided
    for side, mean in sided:
        assert (mean < width / 2) == (side == left_of_picture)


@pytest.mark.parametrize("view", ["head-left", "head-right"])
def test_the_side_of_a_head_is_its_own(view: BodyView) -> None:
    assert {side for site, side, _ in regions(view) if site in {"scalp", "face", "ear"}} == {view.removeprefix("head-")}


@pytest.mark.parametrize(
    ("site", "remark", "region"),
    [
        ("forearm", "", Region("forearm")),
        ("Left forearm", "", Region("forearm", "left")),
        ("upper arm", "right, outer", Region("upper arm", "right")),
        ("back 3", "", Region("back")),
        ("back of the hand", "left", Region("hand", "left")),
        ("lower leg", "", Region("lower leg")),
        ("leg", "", Region("thigh")),
        ("palm or sole", "", Region("palm or sole")),
        ("cheek", "between left and right", Region("face")),
        ("site 4", "near the navel", Region("abdomen")),
        ("Rücken", "", None),
        ("background", "", None),
        ("", "", None),
    ],
)
def test_a_typed_site_names_a_region(site: str, remark: str, region: Region | None) -> None:
    assert region_of(site, remark) == region
