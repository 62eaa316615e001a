"""Sentences on a change: what was, what is, by how much, and whether that is more than two photos differ by chance."""

from dataclasses import replace

import pytest

from skinlens.followup import wording
from skinlens.followup.change import Change, Difference, ScaleConflict
from skinlens.followup.measures import LesionColor, LesionMeasures
from skinlens.followup.registration import Registration

ALIGNED = Registration("a", "b", ((0.0, -1.25, 5.0), (1.25, 0.0, -1.0)), 52, 0.83, 0.8, 0.5)
MEASURES = LesionMeasures(100.0, 12.0, 11.3, 0.1, LesionColor((50.0, 10.0, 20.0), 8.0, (0.5, 0.4, 0.3)))
CHANGE = Change(
    registration=ALIGNED,
    basis="scale",
    before=MEASURES,
    after=MEASURES,
    differences=(Difference("area", 12.04, 16.16, "mm²", 34.2, 27.0),),
    color_matched=True,
    outline_overlap=0.9,
    scale_conflict=None,
    outlined_by_model=False,
)


@pytest.mark.parametrize(
    ("difference", "said"),
    [
        (
            Difference("area", 12.04, 16.16, "mm²", 34.2, 27.0),
            "Area: 12.0 mm² before, 16.2 mm² now (+34 %), beyond measurement error (up to 27 %).",
        ),
        (
            Difference("largest_diameter", 5.0, 4.8, "mm", -4.0, 9.0),
            "Largest diameter: 5.0 mm before, 4.8 mm now (-4 %), within measurement error (up to 9 %).",
        ),
        (
            Difference("largest_diameter", 100.0, 112.0, "px", 12.0, 9.0),
            "Largest diameter: +12 %, beyond measurement error (up to 9 %).",
        ),
        (
            Difference("asymmetry", 10.4, 10.6, "%", 0.2, 4.0),
            "Asymmetry of the outline: 10.4 % before, 10.6 % now (+0.2 percentage points), within measurement error "
            "(up to 4 points).",
        ),
        (
            Difference("color", 0.0, 9.5, "ΔE", 9.5, 9.0),
            "Mean color: differs by ΔE 9.5, beyond measurement error (up to ΔE 9).",
        ),
        (
            Difference("color_spread", 8.0, 9.5, "ΔE", 1.5, 3.0),
            "Spread of colors: 8.0 before, 9.5 now (ΔE +1.5), within measurement error (up to ΔE 3).",
        ),
    ],
)
def test_each_quantity_in_a_sentence(difference: Difference, said: str) -> None:
    assert wording.difference_words(difference).replace("\u00a0", " ") == said


def test_sizes_are_in_inches_where_the_settings_say_so() -> None:
    said = wording.difference_words(Difference("area", 12.04, 16.16, "mm²", 34.2, 27.0), "inch").replace("\u00a0", " ")
    assert said == "Area: 0.019 in² before, 0.025 in² now (+34 %), beyond measurement error (up to 27 %)."
    said = wording.difference_words(Difference("largest_diameter", 5.0, 4.8, "mm", -4.0, 9.0), "inch")
    assert said.replace("\u00a0", " ").startswith("Largest diameter: 0.20 in before, 0.19 in now (-4 %)")


def test_what_the_figures_rest_on_is_said() -> None:
    sentences = wording.change_words(CHANGE)
    assert len(sentences) == 2
    assert sentences[1].startswith(
        "Measurement error: two photos of a lesion that has not changed differ by up to this much in 9 of 10"
    )
    conflict = ScaleConflict(12.0, 20.0, 12.2)
    relative = wording.change_words(
        replace(CHANGE, basis="registration", scale_conflict=conflict, outlined_by_model=True), "inch"
    )
    assert relative[1:4] == (wording.MAGNIFICATION, wording.conflict_words(conflict, "inch"), wording.BY_MODEL)
    nothing = wording.change_words(replace(CHANGE, basis="none", differences=(), color_matched=False))
    assert nothing[:2] == (wording.NO_SIZES, wording.NO_COLORS)


def test_widths_that_contradict_the_alignment_are_named() -> None:
    conflict = ScaleConflict(12.0, 20.0, 12.2)
    assert (
        wording.conflict_words(conflict)
        .replace("\u00a0", " ")
        .startswith(
            "The fields of view entered for the two photos do not agree: 12.0 mm and 20.0 mm of skin. Laid over the "
            "earlier photo, the later one shows 12.2 mm."
        )
    )
    assert "0.47 in and 0.79 in" in wording.conflict_words(conflict, "inch").replace("\u00a0", " ")


def test_visits_of_one_day_are_told_apart_by_their_numbers() -> None:
    assert wording.visit_days([(1, "2026-01-01"), (4, "2026-02-01"), (7, "2026-01-01")]) == {
        1: "2026-01-01 (case 1)", 4: "2026-02-01", 7: "2026-01-01 (case 7)",
    }  # fmt: skip


def test_the_alignment_in_a_sentence() -> None:
    assert wording.alignment_words(ALIGNED) == (
        "Aligned: 52 matching points, to within 0.83 px; turned by 90°, magnification 1.25 times."
    )
    assert wording.alignment_words(replace(ALIGNED, moving_sha256="a")) == "Both visits hold the same photo."
    refused = replace(ALIGNED, matrix=None, problem="The photos could not be aligned: …; shown side by side.")
    assert wording.alignment_words(refused) == "The photos could not be aligned: …; shown side by side."
