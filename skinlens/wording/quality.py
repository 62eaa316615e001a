"""Photo quality: the checks of a photo, and what is said of an unfamiliar image."""

from typing import NamedTuple

from skinlens.formatting import number
from skinlens.records import LIKENESS, QualityCheck, QualityReport
from skinlens.wording.naming import in_sentence

SIMILARITY = "Similarity to training images"
"""Title of the check named ``LIKENESS``; releases up to 0.3.0 stored it under another title."""
UNRELIABLE_BRIEFLY = "Unreliable"
"""On a card and in a list, in the place of classes and probabilities."""
UNRELIABLE = "Unfamiliar image: result unreliable (the photo differs from the training photos)."
"""All that the verdict says of a photo that ``QualityReport.reliable`` rules out."""
UNLIKE = "Unfamiliar image."
"""How the advice of the check for likeness begins; its likely cause follows."""
_UNLIKE_BEFORE = "Unlike the photos that the model learned from, of skin lesions under a dermatoscope."
"""The same in cases that version 0.3.0 and earlier stored."""
UNRELIABLE_MAPS = "Unreliable, like the result: the maps show what influenced the model on an unfamiliar image."
GRAY_BARS = "Shown in gray because they mean nothing for this photo."
NOT_CHECKED = "The quality of this photo was not checked."


class CheckWords(NamedTuple):
    """A quality check in words: what was checked, what was measured, what is expected."""

    title: str
    measured: str
    expected: str


def check_words(check: QualityCheck) -> CheckWords:
    """One row of the table of quality checks, the same on the screen and in print."""
    unit = f" {check.unit}" if check.unit else ""
    measured, expected = f"{number(check.value)}{unit}", f"{check.direction} {number(check.limit)}{unit}"
    if check.name == LIKENESS:
        level = "normal" if check.passed else "low"
        return CheckWords(SIMILARITY, f"{level}; distance {measured}", f"distance {expected}")
    return CheckWords(check.title, measured, expected)


def cause(quality: QualityReport) -> str:
    """Cause of a photo's distance from the training photos, as far as it is known, and what to do; empty where it is
    not.
    """
    advice = (check.advice for check in quality.failed if check.name == LIKENESS)
    return " ".join(words.removeprefix(UNLIKE).removeprefix(_UNLIKE_BEFORE).strip() for words in advice)


def photo_quality(quality: QualityReport) -> str:
    """Verdict on the photo alone, as "Photo quality: good" or "Photo quality: sharpness, hair not met"."""
    if not quality.checks:
        return NOT_CHECKED
    if not quality.failed:
        return "Photo quality: good"
    return f"Photo quality: {', '.join(in_sentence(check.title) for check in quality.failed)} not met"


def not_met(quality: QualityReport) -> str:
    """Number of checks that failed, as "Photo quality: 2 of 5 checks not met"."""
    return f"Photo quality: {len(quality.failed)} of {len(quality.checks)} checks not met"
