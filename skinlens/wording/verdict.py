"""Verdict on a photo: the melanoma cut-off, the classes that cannot be ruled out, agreement with the clinician."""

import math
import re
from collections.abc import Sequence

from skinlens.criteria import Criteria
from skinlens.formatting import percent, rounded_percent
from skinlens.labels import BY_CODE, CODES, MELANOMA
from skinlens.records import (
    AIMED_SENSITIVITY,
    Prediction,
    PredictionSet,
    QualityReport,
    Threshold,
)
from skinlens.wording.naming import capital
from skinlens.wording.quality import UNRELIABLE

FLAGGED_TOO = "other lesions are flagged too"
"""Behind their number."""
NOTICED = 0.1
"""From this probability on, a class that is not on the list of those that cannot be ruled out is spoken of."""


def in_full(photos: str) -> str:
    """Photos in full words, without the data set's short word for a part of it."""
    return re.sub(r"\bval\b", "the validation set", photos)


def verdict(quality: QualityReport, prediction: Prediction) -> tuple[str, ...]:
    """Sentences beside the distribution; of a photo that is unlike the training photos, that nothing holds."""
    if not quality.reliable:
        return (UNRELIABLE,)
    return tuple(filter(None, statements(prediction)))


def statements(prediction: Prediction) -> tuple[str, str, str]:
    """Sentences on cut-off, classes that cannot be ruled out, and orientations; each empty where there is none."""
    return threshold_statement(prediction), set_statement(prediction), turns_statement(prediction)


def threshold_statement(prediction: Prediction) -> str:
    """Statement on which side of its cut-off melanoma lies, and what that cut-off does where it was chosen."""
    threshold = prediction.melanoma_threshold
    aim = f" for a sensitivity of at least {rounded_percent(AIMED_SENSITIVITY)}"
    if threshold.sensitivity < AIMED_SENSITIVITY:
        aim = ""
    chosen = f"The cut-off was chosen on {in_full(threshold.chosen_on)}{aim}"
    return f"{verdict_line(prediction)} {chosen}; there it {reached(threshold)}."


def reached(threshold: Threshold) -> str:
    """Sensitivity and specificity of a cut-off in words, as they follow on "it"."""
    return (
        f"caught {percent(threshold.sensitivity)} of the melanomas (sensitivity), and "
        f"{percent(threshold.specificity)} of the other lesions stayed below it (specificity)"
    )


def verdict_line(prediction: Prediction, *, figures: bool = True) -> str:
    """The first line of a result: on which side of its cut-off melanoma lies, with both figures or in words alone; and
    what else is suspected.
    """
    above, top = prediction.above_melanoma_threshold, prediction.top
    other = other_finding(top.code, above=above)
    if not figures:
        return f"{side_of_cutoff(above=above)}." + (f" {other}." if other else "")
    prob, value = _told_apart(prediction.melanoma_prob, prediction.melanoma_threshold.value)
    words = f"{side_of_cutoff(above=above)} ({prob}; cut-off {value})."
    return f"{words} {other} ({percent(prediction.prob(top.code))})." if other else words


def other_finding(code: str, *, above: bool) -> str:
    """The most probable class, a code, where it is malignant or a precursor and melanoma is not flagged; else empty.

    To be below the cut-off of melanoma would read as an all-clear for a carcinoma.
    """
    label = BY_CODE[code]
    return "" if above or label.risk == "benign" else f"Most probable: {label.name}, {label.risk}"


def side_of_cutoff(*, above: bool) -> str:
    return "Suspicious for melanoma" if above else "Below the melanoma cut-off"


def top_change(before: str, after: str) -> str:
    """Whether the most probable class changed; both are codes of classes."""
    if before == after:
        return f"The most probable class is the same: {BY_CODE[after].name}."
    return f"The most probable class was {BY_CODE[before].name}, and now is {BY_CODE[after].name}."


def cutoff_promise(threshold: Threshold) -> str:
    """Effect of the cut-off, in tenths of the photos on which it was chosen; neither share is made out better than it
    was.
    """
    share = 10 * (1 - threshold.specificity)
    tenths = max(1, math.ceil(share - 1e-9))
    others = f"{'fewer than ' * (share < tenths - 1e-9)}{tenths} of 10"
    return f"The cut-off catches {_of_ten(threshold.sensitivity)} melanomas; {others} {FLAGGED_TOO}."


def _of_ten(share: float) -> str:
    """Rounded down: never more than was reached."""
    return f"{math.floor(10 * share + 1e-9)} of 10"


def agreement(impression: str | None, quality: QualityReport, prediction: Prediction) -> str:
    """Whether the clinician's first impression and the result agree; empty where either says nothing."""
    if impression not in BY_CODE or not quality.reliable:
        return ""
    mine, top = BY_CODE[impression], prediction.top
    if mine.code == top.code:
        words = f"You and the model agree: {mine.name}."
    else:
        words = (
            f"You and the model differ: your impression was {mine.name} (model: "
            f"{percent(prediction.prob(mine.code))}), the model's most probable class is {top.name} "
            f"({percent(prediction.prob(top.code))})."
        )
    if prediction.above_melanoma_threshold and mine.code != MELANOMA:
        return f"{words} But its melanoma probability is above the cut-off, and you did not say melanoma. Look again."
    if prediction.above_melanoma_threshold and mine.code == MELANOMA and mine.code != top.code:
        return (
            f"You suspected melanoma, and the model flags it ({percent(prediction.melanoma_prob)}). Its most probable "
            f"class is {top.name} ({percent(prediction.prob(top.code))}), but the suspicion stands."
        )
    if not prediction.above_melanoma_threshold and mine.code == MELANOMA:
        return f"{words} You suspected melanoma; the model does not flag it. Your suspicion takes precedence."
    return words if mine.code == top.code else f"{words} Look again."


def _told_apart(left: float, right: float) -> tuple[str, str]:
    """Two probabilities in percent, with as many digits, from one up, as it takes to see that they differ."""
    for digits in range(1, 6):
        words = [percent(prob) if digits == 1 else rounded_percent(prob, digits) for prob in (left, right)]
        if words[0] != words[1]:
            return words[0], words[1]
    return percent(left), percent(right)


def set_words(prediction: Prediction, prediction_set: PredictionSet) -> str:
    """Sentence on the classes that cannot be ruled out, the most probable first, and at which level."""
    if len(prediction_set.codes) == len(CODES):
        return f"None of the seven classes can be ruled out ({rounded_percent(prediction_set.level)} confidence)."
    if len(prediction_set.codes) == 1:
        (code,) = prediction_set.codes
        return f"Cannot be ruled out ({rounded_percent(prediction_set.level)} confidence): {BY_CODE[code].name} alone."
    listed = sorted(prediction_set.codes, key=prediction.prob, reverse=True)
    named = ", ".join(BY_CODE[code].name for code in listed)
    return f"Cannot be ruled out ({rounded_percent(prediction_set.level)} confidence): {named}."


def set_promise(prediction_set: PredictionSet) -> str:
    """Meaning of the level, and the photos for which it holds."""
    return (
        f"In {_of_ten(prediction_set.level)} comparable photos the true diagnosis is on this list, whichever class it "
        f"is. Calibrated on {in_full(prediction_set.calibrated_on)}; for other photos this may not hold."
    )


def set_remark(prediction: Prediction) -> str:
    """Reason why a class is not on the list although its probability is not small; empty where there is none.

    Each class has a floor of its own (``inference.calibration.fit_conformal_sets``): 27 % is little for a nevus, and
    much for a melanoma. A set of an earlier version may even hold a class that is less probable than one left out.
    """
    made = prediction.prediction_set
    if made is None or not made.codes:
        return ""
    least = min(made.codes, key=prediction.prob)
    out = sorted((code for code in CODES if code not in made.codes), key=prediction.prob, reverse=True)
    beyond = [code for code in out if prediction.prob(code) > prediction.prob(least)]
    if beyond:
        return (
            "This list was made by an earlier version, which had a separate limit for each class. It leaves out "
            f"{_with_probabilities(prediction, beyond)}, although {_with_probabilities(prediction, [least])} is on it "
            "and less probable."
        )
    noticed = [code for code in out if prediction.prob(code) >= NOTICED]
    if not noticed:
        return ""
    verb, each = ("is", "this class") if len(noticed) == 1 else ("are", "one of these classes")
    return (
        f"{capital(_with_probabilities(prediction, noticed))} {verb} not on this list, as {_of_ten(made.level)} photos "
        f"that do show {each} get a higher probability of it. This photo may be an exception."
    )


def _with_probabilities(prediction: Prediction, codes: Sequence[str]) -> str:
    return " and ".join(f"{BY_CODE[code].name} ({percent(prediction.prob(code))})" for code in codes)


def set_statement(prediction: Prediction) -> str:
    """The classes that cannot be ruled out, what that promises, and why a probable class is not among them."""
    prediction_set = prediction.prediction_set
    if prediction_set is None:
        return ""
    return " ".join(
        filter(None, (set_words(prediction, prediction_set), set_remark(prediction), set_promise(prediction_set)))
    )


def turns_statement(prediction: Prediction) -> str:
    """Sentence on the spread over the orientations of a photo, of its most probable class and of melanoma; empty where
    the result is that of one orientation.
    """
    if not prediction.turned_probs:
        return ""
    codes = dict.fromkeys((prediction.top.code, MELANOMA))
    said = " and ".join(f"{BY_CODE[code].name} {_range_words(*prediction.range_over_turns(code))}" for code in codes)
    words = f"The result is the mean over quarter turns of the photo; each orientation alone gives {said}."
    low, high = prediction.range_over_turns(MELANOMA)
    both = low < prediction.melanoma_threshold.value <= high
    return f"{words} Some lie above the melanoma cut-off and some below." if both else words


def _range_words(low: float, high: float) -> str:
    return percent(low) if percent(low) == percent(high) else f"between {percent(low)} and {percent(high)}"


CONTEXT_PRIOR = (
    "The effect of age, sex and site was learned from the patients of two clinics. For other patients it may be "
    "weaker or different."
)


def criteria_statement(
    criteria: Criteria, quality: QualityReport, prediction: Prediction, *, whose: str = "Your", scores: bool = True
) -> str:
    """Whether the clinician's criteria and the model's melanoma cut-off agree; empty where no rule was filled in.

    ``whose``: how the sentence begins where it is not the clinician who reads it. ``scores``: whether the rules and
    their scores are named; not where they stand beside it.
    """
    if not criteria.rules:
        return ""
    summaries = "; ".join(rule.summary for rule in criteria.rules) if scores else ""
    if not quality.reliable:
        return (
            f"{whose} criteria stand alone, as the model's result is unreliable{f': {summaries}' if summaries else ''}."
        )
    flagged = prediction.above_melanoma_threshold
    prob, cutoff = _told_apart(prediction.melanoma_prob, prediction.melanoma_threshold.value)
    figures, in_brackets = f"{prob}; cut-off {cutoff}", f" ({summaries})" if summaries else ""
    model = f"the model {'flags' if flagged else 'does not flag'} melanoma ({figures})"
    if criteria.suspicious is None:
        return f"{whose} two rules disagree{in_brackets}; {model}. Look again."
    if criteria.suspicious == flagged:
        said = "suspicious for melanoma" if flagged else "not suspicious for melanoma"
        agree = f"{whose} criteria{in_brackets} and the model's melanoma cut-off agree"
        return f"{agree}: {said} (model: {figures})."
    said = "suggest" if criteria.suspicious else "do not suggest"
    return f"{whose} criteria {said} melanoma{in_brackets}, but {model}. Look again."
