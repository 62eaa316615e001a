"""Registry of the checks: kind → check, in the order of the page, of the report and of the line above the maps."""

from skinlens.checks.agreement import AgreementCheck
from skinlens.checks.artifacts import ArtifactCheck
from skinlens.checks.contract import Check
from skinlens.checks.early_exits import EarlyExitCheck
from skinlens.checks.faithfulness import FaithfulnessCheck
from skinlens.checks.localization import LocalizationCheck
from skinlens.checks.reference import ReferenceCheck
from skinlens.checks.robustness import RobustnessCheck

CHECKS: dict[str, Check] = {
    check.kind: check
    for check in (
        AgreementCheck(),
        FaithfulnessCheck(),
        LocalizationCheck(),
        RobustnessCheck(),
        ArtifactCheck(),
        EarlyExitCheck(),
        ReferenceCheck(),
    )
}
