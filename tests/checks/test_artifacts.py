"""Where each drawing lies and where it does not; that it belongs to its seed; that the model is asked about it."""

from typing import get_args

import numpy as np
import pytest
from PIL import Image

from skinlens.checks.artifacts import REPEATS, ArtifactCheck
from skinlens.checks.contract import Subject
from skinlens.errors import Cancelled
from skinlens.imaging.artifacts import TITLES, Artifact, with_artifact
from skinlens.imaging.intake import photo_from_pixels
from skinlens.imaging.preprocess import InputSpec
from skinlens.records import CheckResult, ModelRef
from tests.closeness import PROBABILITY

SPEC = InputSpec(size_px=64)
NAMES = get_args(Artifact)


def skin(height_px=150, width_px=200):
    return photo_from_pixels(np.full((height_px, width_px, 3), (214, 168, 150), dtype=np.uint8), "PNG")


def changed(photo, artifact, number=0, seed=7):
    """Which pixels the drawing changed."""
    return (with_artifact(photo, artifact, number, seed, SPEC).pixels != photo.pixels).any(axis=2)


@pytest.mark.parametrize("artifact", NAMES)
def test_a_drawing_belongs_to_its_seed_and_number(artifact):
    photo = skin()
    before = photo.pixels.copy()
    first, again = (with_artifact(photo, artifact, 0, 7, SPEC) for _ in range(2))
    assert first.sha256 == again.sha256 != photo.sha256
    assert (
        len({with_artifact(photo, artifact, n, seed, SPEC).sha256 for n in range(REPEATS) for seed in (7, 8)})
        == 2 * REPEATS
    )
    np.testing.assert_array_equal(photo.pixels, before)


@pytest.mark.parametrize("artifact", NAMES)
def test_nothing_is_drawn_where_the_network_does_not_look(artifact):
    wide = skin(90, 300)  # seen: the central 90 × 120
    touched = changed(wide, artifact)
    assert touched[:, 90:210].any()
    assert not touched[:, :90].any()
    assert not touched[:, 210:].any()


@pytest.mark.parametrize("artifact", NAMES)
def test_a_drawing_has_the_photos_scale(artifact):
    small, large = (with_artifact(skin(150 * k, 200 * k), artifact, 1, 3, SPEC).pixels for k in (1, 4))
    reduced = np.asarray(Image.fromarray(large).resize((200, 150), Image.Resampling.LANCZOS)).astype(int)
    drawn = np.abs(small.astype(int) - skin().pixels).mean()
    assert np.abs(reduced - small).mean() < drawn / 5
    assert drawn > 0.3


def test_a_ruler_lies_at_the_edge_and_dark_corners_in_the_corners():
    photo = skin(240, 320)
    for number in range(8):
        ruler = changed(photo, "ruler", number)
        assert not ruler[40:-40, 40:-40].any()
        assert 0.005 < ruler.mean() < 0.08
        corners = with_artifact(photo, "dark_corners", number, 7, SPEC).pixels
        assert corners[0, 0].max() < 15
        assert corners[-1, -1].max() < 15
        np.testing.assert_array_equal(corners[90:150, 120:200], photo.pixels[90:150, 120:200])


def test_ink_is_violet_hair_is_dark_and_bubbles_shine():
    photo = skin(240, 320)
    ink, hair, bubbles = (with_artifact(photo, name, 0, 7, SPEC).pixels for name in ("ink", "hair", "gel_bubbles"))
    most = np.unravel_index(np.abs(ink.astype(int) - photo.pixels).sum(axis=2).argmax(), (240, 320))
    assert ink[most][2] > ink[most][0] > ink[most][1]
    assert hair.min() < 90
    assert hair.max() <= 214 + 8  # the reduction of a sharp edge overshoots a little
    assert bubbles.max() > 235


def kept(before, threshold, **probs):
    effects = [
        {"artifact": name, "probs": values, "change": sum(values) / len(values) - before}
        for name, values in probs.items()
    ]
    found = {"prob": before, "threshold": threshold, "effects": effects}
    return CheckResult("artefacts", "mel", "", "a" * 64, ModelRef("tiny", "0", "0" * 64), 7, {}, found, 1.0, "")


def read(check):
    return ArtifactCheck().summary(check).replace("\u00a0", " ")


def test_what_was_found_in_words_by_hand():
    calm = kept(0.1, 0.2, ink=[0.105, 0.1, 0.11], hair=[0.1, 0.1, 0.1])
    assert read(calm) == (
        "None of them changes the probability of melanoma (10.0 %) by a percentage point on average. "
        "It stays below the cut-off of 20.0 % with all."
    )
    swayed = kept(0.1, 0.2, ink=[0.2, 0.1, 0.15], hair=[0.01, 0.02, 0.03])
    assert read(swayed) == (
        "The probability of melanoma changes most with hair: from 10.0 % to 2.0 % on average. "
        "It comes to or above the cut-off of 20.0 % with: ink of a skin marker."
    )
    assert read(kept(0.3, 0.2, hair=[0.1, 0.3, 0.3])).endswith("It comes below the cut-off of 20.0 % with: hair.")


# ------------------------------------------------------------------------------------------------------- the engine


def stressed(classifier, photo, progress=None):
    (found,) = ArtifactCheck().compute(Subject(classifier, photo), progress)
    return found


def test_the_model_is_asked_about_every_drawing(int8_classifier, photos):
    photo, told = photos[1], []
    found = stressed(int8_classifier, photo, told.append)
    effects = found.figures["effects"]
    assert found.figures["prob"] == pytest.approx(int8_classifier.predict(photo).melanoma_prob, abs=PROBABILITY)
    assert [one["artifact"] for one in effects] == list(NAMES) == list(TITLES)
    for effect in effects:
        for number, prob in enumerate(effect["probs"]):
            drawn = with_artifact(photo, effect["artifact"], number, found.seed, int8_classifier.engine.spec)
            assert prob == pytest.approx(int8_classifier.predict(drawn).melanoma_prob, abs=PROBABILITY)
    assert found.figures["threshold"] == int8_classifier.melanoma_threshold.value
    assert told == sorted(told)
    assert (told[0], told[-1]) == (0, 1)


def test_what_is_kept_can_be_found_again(int8_classifier, photos):
    check = stressed(int8_classifier, photos[0])
    assert (check.kind, check.label, check.method) == ("artefacts", "mel", "")
    assert (check.photo_sha256, check.seed) == (photos[0].sha256, int(photos[0].sha256[:8], 16))
    assert check.figures == stressed(int8_classifier, photos[0]).figures
    assert check.figures["effects"][0]["change"] == pytest.approx(
        np.mean(check.figures["effects"][0]["probs"]) - check.figures["prob"]
    )


def test_cancel_passes_through(int8_classifier, photos):
    def cancel(fraction):
        if fraction > 0.3:
            raise Cancelled("stopped by the user")

    with pytest.raises(Cancelled):
        stressed(int8_classifier, photos[0], cancel)
