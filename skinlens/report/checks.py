"""Check results in the words of the report: a sentence for each check."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from skinlens.checks import artifacts, early_exits, faithfulness, localization, reference, robustness
from skinlens.clock import local_day
from skinlens.explain import AGAINST, METHODS
from skinlens.records import CheckResult, Prediction, Target

NOTHING = "No test of the result or of its maps was made."
NOTE = (
    "Whether the maps can be trusted to show what moved the model, and what else sways its result. "
    "None of these tests says that the model is right."
)


@dataclass(frozen=True)
class CheckRow:
    """One check in words."""

    question: str
    about: str
    """Which map, or which class."""
    found: str
    made: str
    """When, the seed, and the model where it is another."""


WORDS: Mapping[str, tuple[str, Callable[[CheckResult], str]]] = {
    faithfulness.KIND: ("Faithfulness", faithfulness.in_words),
    robustness.KIND: ("Stability", robustness.in_words),
    localization.KIND: ("Focus on the lesion", localization.in_words),
    reference.KIND: ("Agreement with published libraries", reference.in_words),
    artifacts.KIND: ("Artifact sensitivity", artifacts.in_words),
    early_exits.KIND: ("Answers of the two branches", early_exits.in_words),
}
"""Kind → the question and the function that words the answer, in the order of the report."""


def check_rows(checks: Sequence[CheckResult], prediction: Prediction) -> tuple[CheckRow, ...]:
    """Those of the kinds that the report knows, by kind, then by falling probability of the class, then by method."""
    kinds, methods = list(WORDS), ["", *METHODS]
    known = [check for check in checks if check.kind in WORDS]
    known.sort(
        key=lambda one: (
            *(kinds.index(one.kind), -_prob(one, prediction), one.label),
            *(methods.index(one.method), one.identity),
        )
    )
    return tuple(_row(check, prediction) for check in known)


def _prob(check: CheckResult, prediction: Prediction) -> float:
    return prediction.prob(check.label) if check.label else 1.0


def _row(check: CheckResult, prediction: Prediction) -> CheckRow:
    question, words = WORDS[check.kind]
    title = METHODS[check.method].title if check.method else ""
    target = Target(check.label, str(check.settings.get("map", {}).get(AGAINST, ""))).words if check.label else ""
    made = [local_day(check.created_at)]
    if check.seed is not None:
        made.append(f"seed {check.seed}")
    if check.model != prediction.model:
        made.append(f"with another model: version {check.model.version}, {check.model.sha256[:12]}…")
    about = ", ".join(part for part in (title, target) if part) or "the result"
    return CheckRow(question, about, words(check), ", ".join(made))
