"""Two visits of one lesion: the change in words, and maps on one scale where their amounts can be compared."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest

from skinlens.case_record import CaseRecord
from skinlens.clinical import ClinicalRecord
from skinlens.formatting import Unit
from skinlens.labels import CODES
from skinlens.records import (
    Case,
    Explanation,
    Lesion,
    ModelRef,
    Photo,
    Prediction,
    QualityCheck,
    QualityReport,
    Target,
    Threshold,
    Visit,
)
from skinlens.ui.compare.visits import (
    OTHER_MODEL,
    changes_in_words,
    common_scale,
    explained_targets,
    map_panels,
    not_comparable,
    sizes_known,
)
from skinlens.ui.components import viewer

STAMP = ModelRef("tiny", "0", "5e" * 32)


def prediction(**probs: float) -> Prediction:
    """The given probabilities; what is missing to 1 is vascular."""
    given = {**dict.fromkeys(CODES, 0.0), **probs}
    given["vasc"] += 1 - sum(given.values())
    threshold = Threshold(0.1, 0.9, 0.7, "val")
    return Prediction(tuple(given[code] for code in CODES), (0.0,) * 7, threshold, STAMP, 8.0)


def test_what_rose_and_fell_is_said_with_both_figures_and_the_side_of_the_threshold() -> None:
    before, after = prediction(mel=0.04, nv=0.9, bkl=0.06), prediction(mel=0.5, nv=0.36, bkl=0.1, df=0.04)
    assert [sentence.replace("\u00a0", " ") for sentence in changes_in_words(before, after)] == [
        "Melanoma rose from 4.0 % to 50.0 %, by 46.0 percentage points, and now lies at or above the cut-off of "
        "10.0 %.",
        "The most probable class was melanocytic nevus, and now is melanoma.",
        "Melanocytic nevus fell from 90.0 % to 36.0 %, by 54.0 percentage points.",
    ]


@pytest.mark.parametrize(
    ("was", "now", "words"),
    [
        (0.3, 0.02, "and now lies below the cut-off of 10.0 %."),
        (0.3, 0.2, "at or above the cut-off of 10.0 % at both visits."),
        (0.02, 0.02, "Melanoma is unchanged at 2.0 %, below the cut-off of 10.0 % at both visits."),
    ],
)
def test_the_threshold_is_crossed_or_not(was: float, now: float, words: str) -> None:
    said = changes_in_words(prediction(mel=was, nv=0.6), prediction(mel=now, nv=0.6))
    assert words in said[0].replace("\u00a0", " ")
    assert said[1] == "The most probable class is the same: melanocytic nevus."


def test_an_unreliable_photo_is_compared_by_eye_alone() -> None:
    strange = QualityReport((QualityCheck("familiarity", "Distance", 3.0, 1.6, "at most", "", False, "Fur."),))
    first, second = seen(1, photo(8, 6)).visit, seen(2, photo(8, 6)).visit
    assert not_comparable(first, second) == ""
    assert not_comparable(first, replace(second, quality=strange)) == (
        "Not reliable: the photo of 2024-02-01 (case 2) is an unfamiliar image. Compare the photos only."
    )
    newer = replace(prediction(mel=0.5), model=ModelRef("tiny", "1", "6f" * 32))
    assert not_comparable(first, replace(second, prediction=newer)) == OTHER_MODEL


def photo(width: int, height: int) -> Photo:
    pixels = np.full((height, width, 3), width % 251, dtype=np.uint8)
    return Photo(pixels, hashlib.sha256(f"{width}x{height}".encode()).hexdigest(), "PNG")


def made(of: Photo, peak: float, **params: int) -> Explanation:
    heatmap = np.zeros((4, 4), dtype=np.float32)
    heatmap[1, 1] = float(peak > 0)
    day = "2024-01-01T00:00:00+00:00"
    return Explanation("lime", "mel", heatmap, params, None, of.sha256, STAMP, 1.0, day, {"peak": peak})


def seen(number: int, of: Photo, *explanations: Explanation) -> CaseRecord:
    day = f"2024-0{number}-01"
    visit = Visit(number, 1, day, of.sha256, QualityReport(()), prediction(), None, "", "", "draft", day, day)
    return CaseRecord(Case(visit, Lesion(1, None, "back"), None), of, explanations)


def test_the_larger_peak_is_the_end_of_the_common_scale() -> None:
    of = photo(8, 6)
    assert common_scale(made(of, 0.5, seed=1), made(of, 2.0, seed=2)) == (0.25, 1.0)
    assert common_scale(made(of, 0.5, samples=50), made(of, 2.0, samples=60)) is None
    assert common_scale(made(of, 0.5), replace(made(of, 2.0), model=ModelRef("tiny", "1", "6f" * 32))) is None
    assert common_scale(made(of, 0.0), made(of, 2.0)) is None
    assert common_scale(None, made(of, 2.0)) is None


def test_a_visit_without_the_map_says_so_and_the_other_keeps_its_scale() -> None:
    first, second = photo(8, 6), photo(16, 6)
    without, other = map_panels("lime", Target("mel"), seen(1, first), seen(2, second, made(second, 0.5)))
    assert without.note == "No LIME map is saved for melanoma."
    assert (other.gain, other.shows, other.photo) == (1.0, "", second)
    contrast_with = replace(made(first, 1.0), params={"against": "nv"})
    assert map_panels("lime", Target("mel"), seen(1, first, contrast_with), seen(2, second))[0].map is None


def test_maps_of_one_class_rather_than_another_are_compared_as_what_they_are() -> None:
    """Where melanoma is flagged, Why? presets the comparison with nevus, so these are what most visits have."""
    first, second = photo(8, 6), photo(16, 6)
    contrasts = [replace(made(of, 1.0), params={"against": "nv"}) for of in (first, second)]
    alone = replace(made(second, 1.0), label="bkl")
    records = seen(1, first, contrasts[0]), seen(2, second, alone, contrasts[1], made(second, 0.5))
    targets = explained_targets(*records)
    assert list(targets.values()) == [Target("mel", "nv"), Target("mel"), Target("bkl")]
    assert list(targets) == ["mel-not-nv", "mel", "bkl"]
    panels = map_panels("lime", targets["mel-not-nv"], *records)
    assert [panel.map for panel in panels] == contrasts
    assert "LIME map for melanoma rather than melanocytic nevus over the photo of 2024-01-01" in panels[0].alt
    assert explained_targets(seen(1, first), seen(2, second)) == {}


def test_photos_of_two_sizes_lie_on_each_other_with_their_short_sides_alike() -> None:
    small, wide = photo(400, 300), photo(1200, 600)
    frame = viewer._frame([small, wide])
    assert frame == (1200, 600)
    assert viewer._placed(wide, frame) == {"x": 0, "y": 0, "width": 1200, "height": 600}
    assert viewer._placed(small, frame) == {"x": 200, "y": 0, "width": 800, "height": 600}


def test_two_photos_of_one_day_have_two_names() -> None:
    first, second = seen(1, photo(8, 6)), seen(2, photo(16, 6))
    twice = replace(second, case=replace(second.case, visit=replace(second.visit, taken_on=first.visit.taken_on)))
    titles = [panel.title for panel in map_panels("lime", Target("mel"), first, twice)]
    assert titles == ["2024-01-01 (case 1): LIME", "2024-01-01 (case 2): LIME"]
    assert [panel.title for panel in map_panels("lime", Target("mel"), first, second)] == [
        "2024-01-01: LIME", "2024-02-01: LIME",
    ]  # fmt: skip


@pytest.mark.parametrize(("unit", "words"), [("mm", "12 mm and 12.5 mm of skin"), ("inch", "0.47 in and 0.49 in")])
def test_the_widths_of_the_photos_are_said_in_the_unit_of_the_settings(unit: Unit, words: str) -> None:
    pair = [
        replace(one, case=replace(one.case, visit=replace(one.visit, clinical=ClinicalRecord(field_width_mm=width))))
        for one, width in zip((seen(1, photo(8, 6)), seen(2, photo(8, 6))), (12.0, 12.5), strict=True)
    ]
    assert words in sizes_known(pair[0], pair[1], unit).replace("\u00a0", " ")


def test_two_photos_of_one_day_are_no_course() -> None:
    first, second = seen(1, photo(8, 6)).visit, seen(2, photo(8, 6)).visit
    assert "cannot show a change over time" in not_comparable(first, replace(second, taken_on=first.taken_on))
