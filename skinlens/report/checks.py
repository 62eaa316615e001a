"""Check results in the words of the report: a sentence for each check."""

from collections.abc import Sequence
from dataclasses import dataclass

from skinlens.checks.contract import target_of
from skinlens.checks.registry import CHECKS
from skinlens.clock import local_day
from skinlens.explain import METHODS
from skinlens.records import CheckResult, Prediction
from skinlens.wording.records import target_words

NOTHING = "No test of the result or of its maps was made."
NOTE = (
    "Whether the maps can be trusted to show what influenced the model, and what else sways its result. "
    "None of these tests says that the model is right."
)


@dataclass(frozen=True)
class CheckRow:
    """One check in words."""

    title: str
    question: str
    about: str
    """Map or class that the row is about."""
    result: str
    made: str
    """Time, the seed, and the model where it is another."""


def check_rows(checks: Sequence[CheckResult], prediction: Prediction) -> tuple[CheckRow, ...]:
    """Rows of the checks of known kinds, by kind, then by falling probability of the class, then by method."""
    kinds, methods = list(CHECKS), ["", *METHODS]
    known = [check for check in checks if check.kind in CHECKS]
    known.sort(
        key=lambda check: (
            *(kinds.index(check.kind), -_prob(check, prediction), check.label),
            *(methods.index(check.method), check.identity),
        )
    )
    return tuple(_row(check, prediction) for check in known)


def _prob(check: CheckResult, prediction: Prediction) -> float:
    return prediction.prob(check.label) if check.label else 1.0


def _row(result: CheckResult, prediction: Prediction) -> CheckRow:
    check = CHECKS[result.kind]
    title = METHODS[result.method].title if result.method else ""
    target = target_words(target_of(result)) if result.label else ""
    made = [local_day(result.created_at)]
    if result.seed is not None:
        made.append(f"seed {result.seed}")
    if result.model != prediction.model:
        made.append(f"with another model: version {result.model.version}, {result.model.sha256[:12]}…")
    about = ", ".join(part for part in (title, target) if part) or "the result"
    return CheckRow(check.title, check.question, about, check.summary(result), ", ".join(made))
