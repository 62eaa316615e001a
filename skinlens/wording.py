"""Sentences on a verdict that the screen, the report and the command line share: each is written here alone."""

import re

from skinlens.criteria import Criteria
from skinlens.labels import BY_CODE, CODES
from skinlens.quantities import percent
from skinlens.records import AIMED_SENSITIVITY, LIKENESS, Prediction, PredictionSet, QualityReport

UNRELIABLE_BRIEFLY = "Not reliable"
"""On a card and in a list, in the place of classes and probabilities."""
UNRELIABLE = (
    "Not reliable: this photo is unlike those that the model learned from, of skin lesions under a dermatoscope. What "
    "the model says of it is no statement on what it shows."
)
"""All that the verdict says of a photo that ``QualityReport.reliable`` rules out."""
UNLIKE = "Unlike the photos that the model learned from, of skin lesions under a dermatoscope."
"""How the advice of the check for likeness begins; its likely cause follows."""
UNRELIABLE_MAPS = (
    "Not reliable, as the prediction is not: the maps show what moved the model on a photo unlike those that it knows."
)
GREY_BARS = "Grey, as they mean nothing for this photo."
NO_CODES = (
    "None: codes are suggested for the clinician's diagnosis alone, and none of the seven classes was chosen as one."
)


def in_full(photos: str) -> str:
    """Which photos, without the data set's short word for a part of it."""
    return re.sub(r"\bval\b", "the validation set", photos)


def verdict(quality: QualityReport, prediction: Prediction) -> tuple[str, ...]:
    """What is said beside the distribution; of a photo that is unlike the training photos, that nothing holds."""
    if not quality.reliable:
        return (UNRELIABLE,)
    return tuple(filter(None, (threshold_statement(prediction), set_statement(prediction))))


def cause(quality: QualityReport) -> str:
    """Why a photo is unlike the training photos, as far as it is known, and what to do; empty where it is not."""
    advice = (check.advice for check in quality.failed if check.name == LIKENESS)
    return " ".join(words.removeprefix(UNLIKE).strip() for words in advice)


def threshold_statement(prediction: Prediction) -> str:
    """On which side of its threshold melanoma lies, and what that threshold does where it was chosen."""
    threshold = prediction.melanoma_threshold
    prob, value = _told_apart(prediction.melanoma_prob, threshold.value)
    side = "at or above" if prediction.above_melanoma_threshold else "below"
    aim = f" for a sensitivity of at least {100 * AIMED_SENSITIVITY:.0f}\u00a0%"
    if threshold.sensitivity < AIMED_SENSITIVITY:
        aim = ""
    return (
        f"Melanoma: {prob}, {side} the threshold of {value}. The threshold was chosen on {in_full(threshold.chosen_on)}"
        f"{aim}; there it found {percent(threshold.sensitivity)} of the melanomas (sensitivity), and "
        f"{percent(threshold.specificity)} of the other lesions stayed below it (specificity)."
    )


def _told_apart(left: float, right: float) -> tuple[str, str]:
    """Two probabilities in percent, with as many digits, from one up, as it takes to see that they differ."""
    for digits in range(1, 6):
        words = [f"{100 * prob:.{digits}f}\u00a0%" for prob in (left, right)]
        if words[0] != words[1]:
            return words[0], words[1]
    return percent(left), percent(right)


def set_words(found: PredictionSet) -> str:
    """Which classes cannot be ruled out, and at which level."""
    if len(found.codes) == len(CODES):
        which = "any of the seven classes; none can be ruled out"
    elif len(found.codes) == 1:
        which = f"{BY_CODE[found.codes[0]].name} alone"
    else:
        which = f"one of: {', '.join(BY_CODE[code].name for code in found.codes)}"
    return f"At the {_level(found)} level, {which}."


def set_promise(found: PredictionSet) -> str:
    """What the level means, and for which photos."""
    return (
        f"In at least {_level(found)} of cases the diagnosis is in such a set, for each kind of lesion, as long as the "
        f"photos are like those it was calibrated on: {in_full(found.calibrated_on)}."
    )


def set_remark(prediction: Prediction) -> str:
    """Which classes a set of an earlier version leaves out although they are more probable than one it holds.

    Empty for a set that ``calibration.SetRule`` makes today.
    """
    held = prediction.prediction_set.codes if prediction.prediction_set else ()
    if not held:
        return ""
    least = min(held, key=prediction.prob)
    out = [code for code in CODES if code not in held and prediction.prob(code) > prediction.prob(least)]
    if not out:
        return ""
    out.sort(key=prediction.prob, reverse=True)
    named = " and ".join(f"{BY_CODE[code].name} ({percent(prediction.prob(code))})" for code in out)
    return (
        f"An earlier version made this set. It leaves out {named}, more probable than {BY_CODE[least].name} "
        f"({percent(prediction.prob(least))}), which it holds, as each class had a limit of its own."
    )


def set_statement(prediction: Prediction) -> str:
    """The classes that cannot be ruled out, what that promises, and for an earlier version's set what it leaves out."""
    found = prediction.prediction_set
    if found is None:
        return ""
    return " ".join(filter(None, (set_words(found), set_promise(found), set_remark(prediction))))


def _level(found: PredictionSet) -> str:
    return f"{100 * found.level:.0f}\u00a0%"


CONTEXT_PRIOR = (
    "How much age, sex and site say was learned from the patients of two clinics: where other patients come, it says "
    "less or something else."
)


def criteria_statement(
    criteria: Criteria, quality: QualityReport, prediction: Prediction, *, whose: str = "Your"
) -> str:
    """Whether the clinician's criteria and the model's melanoma flag agree; empty where no rule was filled in.

    ``whose``: how the sentence begins where it is not the clinician who reads it.
    """
    if not criteria.rules:
        return ""
    found = "; ".join(rule.summary for rule in criteria.rules)
    if not quality.reliable:
        return f"{whose} criteria stand alone, as the model's result is unreliable: {found}."
    flagged = prediction.above_melanoma_threshold
    model = "flags melanoma" if flagged else "does not flag melanoma"
    if criteria.suspicious is None:
        return f"{whose} two rules disagree ({found}); the model {model}. Look again."
    if criteria.suspicious == flagged:
        said = "both speak for melanoma" if flagged else "neither speaks for melanoma"
        return f"{whose} criteria and the model agree, {said}: {found}."
    said = "speak" if criteria.suspicious else "do not speak"
    return f"{whose} criteria {said} for melanoma ({found}), but the model {model}. Look again."
