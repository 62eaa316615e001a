"""What the annex of a report says of the maps, the tests and the model."""

from dataclasses import replace

import numpy as np
import pytest

from skinlens.checks.agreement import AKIN
from skinlens.explain import overlay
from skinlens.imaging.preprocess import InputSpec, heatmap_to_photo
from skinlens.records import (
    ModelRef,
)
from skinlens.report.annex import NO_EXPLANATIONS, OVERLAY_LONGEST_PX
from tests.report import samples
from tests.report.samples import annex


def test_no_explanation_is_said_in_a_sentence() -> None:
    photo = samples.photo()
    empty = annex(samples.case(photo), photo)
    assert empty.explanations_note == NO_EXPLANATIONS == "No map was saved with this case."
    assert empty.panels == ()


def test_maps_tests_and_hashes_are_printed_by_choice() -> None:
    photo = samples.photo()
    assert (
        samples.composed(samples.case(photo), photo, samples.explanations(photo), samples.checks(photo)).annex is None
    )
    assert len(annex(samples.case(photo), photo, samples.explanations(photo)).panels) == 3


def test_the_note_says_how_far_the_maps_of_each_class_agree() -> None:
    photo = samples.photo()
    grad_cam, score_cam, lime = samples.explanations(photo)  # LIME's is the reverse of Grad-CAM's
    nevus = [replace(one, label="nv") for one in (grad_cam, score_cam)]
    note = annex(samples.case(photo), photo, [grad_cam, score_cam, lime, *nevus]).explanations_note
    assert note.endswith(
        "Agreement of the maps for melanocytic nevus: The two maps point to the same area. "
        f"{AKIN} Agreement of the maps for melanoma: Two of three maps point to the same area: Grad-CAM and Score-CAM. "
        f"LIME points elsewhere. {AKIN}"
    )


def test_of_two_maps_of_a_method_the_later_one_is_compared_and_a_single_map_with_nothing() -> None:
    photo = samples.photo()
    grad_cam, score_cam, lime = samples.explanations(photo)
    again = replace(score_cam, heatmap=lime.heatmap)
    assert "maps disagree" in annex(samples.case(photo), photo, [grad_cam, score_cam, again]).explanations_note
    other = replace(score_cam, model=ModelRef("hsb", "0.9", "9f" * 32))
    assert "Agreement" not in annex(samples.case(photo), photo, [grad_cam, other]).explanations_note


def test_maps_of_one_class_stand_side_by_side_the_most_probable_class_first() -> None:
    photo = samples.photo()
    melanoma = samples.explanations(photo)
    nevus = [replace(one, label="nv") for one in melanoma]
    mixed = [melanoma[2], nevus[1], melanoma[0], nevus[2], nevus[0], melanoma[1]]
    panels = annex(samples.case(photo), photo, mixed).panels
    assert [(panel.lines[0], panel.title) for panel in panels] == [
        (f"Supports {name}", title)
        for name in ("melanocytic nevus (59.3\u00a0%)", "melanoma (23.1\u00a0%)")
        for title in ("Grad-CAM", "Score-CAM", "LIME")
    ]


def test_each_overlay_says_what_it_explains_and_how_it_was_made() -> None:
    photo = samples.photo()
    grad_cam, score_cam, lime = annex(samples.case(photo), photo, samples.explanations(photo)).panels
    assert [panel.title for panel in (grad_cam, score_cam, lime)] == ["Grad-CAM", "Score-CAM", "LIME"]
    assert grad_cam.lines == (
        "Supports melanoma (23.1\u00a0%)",
        "Settings: layer: fused map",
    )
    assert lime.lines[1:] == (
        "Settings: max. samples: 512",
        "Seed of the random samples: 2891336453",
        "Measured: fit to the samples (R², 1 = perfect): 0.812",
    )
    assert grad_cam.alt == "Grad-CAM map for melanoma over the photo. 0 = none, 1 = most."


def test_a_contrast_names_both_classes_and_stands_after_the_maps_of_the_class_alone() -> None:
    photo = samples.photo()
    alone = samples.explanations(photo)
    contrast = [replace(one, params={**one.params, "against": "nv"}) for one in alone]
    report = annex(samples.case(photo), photo, [*contrast, *alone])
    assert [panel.lines[0] for panel in report.panels] == [
        *["Supports melanoma (23.1\u00a0%)"] * 3,
        *["Supports melanoma rather than melanocytic nevus (23.1\u00a0% against 59.3\u00a0%)"] * 3,
    ]
    assert report.panels[3].lines[1] == report.panels[0].lines[1]
    assert report.panels[3].alt.startswith("Grad-CAM map for melanoma rather than melanocytic nevus over")
    assert report.explanations_note.count("Agreement of the maps for melanoma: ") == 1
    assert report.explanations_note.count("Agreement of the maps for melanoma rather than melanocytic nevus: ") == 1


def test_what_a_method_knows_about_its_map_is_said_in_words() -> None:
    photo = samples.photo()
    lime = replace(
        samples.explanations(photo)[2],
        params={"samples": 512, "seed": 5},
        seed=5,
        diagnostics={"peak": 0.3, "empty": 1.0, "r2": 0.5, "segments": 48.0, "stability": 0.913},
    )
    assert annex(samples.case(photo), photo, [lime]).panels[0].lines[1:] == (
        "Settings: max. samples: 512",
        "Seed of the random samples: 5",
        "Measured: fit to the samples (R², 1 = perfect): 0.5; reproducibility with other samples (1 = the same): "
        "0.913; superpixels: 48",
        "The map is empty: nothing in the photo supported melanoma.",
    )


def test_an_explanation_by_another_model_is_told_apart() -> None:
    photo = samples.photo()
    older = replace(samples.explanations(photo)[0], model=ModelRef("hsb", "0.9.0", "ab" * 32))
    assert annex(samples.case(photo), photo, [older]).panels[0].lines[-1] == (
        "Made with another model: version 0.9.0, abababababab…"
    )


def test_an_overlay_is_the_photo_under_the_map() -> None:
    photo = samples.photo(450, 600)  # as long as an overlay, so that nothing is resized
    explanation = samples.explanations(photo)[0]
    picture = annex(samples.case(photo), photo, [explanation]).panels[0].picture
    assert np.array_equal(
        picture, overlay.blend(photo.pixels, heatmap_to_photo(explanation.heatmap, 450, 600, InputSpec()))
    )


@pytest.mark.parametrize(("height", "width"), [(40, 400), (400, 40), (150, 150)])
def test_overlays_show_the_region_that_the_model_sees(height: int, width: int) -> None:
    photo = samples.photo(height, width)
    report = samples.composed(samples.case(photo), photo, samples.explanations(photo)[:1], annex=True)
    assert report.annex is not None
    shape = report.annex.panels[0].picture.shape
    assert max(shape) == OVERLAY_LONGEST_PX
    assert max(shape[:2]) / min(shape[:2]) <= 4 / 3 + 0.02
    said = "The model sees only the central" in report.photo_caption
    assert said == (height != width)
