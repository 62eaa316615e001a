"""Records in words: target of an explanation, age of a patient, plan, signature, and place of a lesion."""

import os
import shlex

from skinlens.clinical import PLANS, Plan
from skinlens.clock import local_day
from skinlens.formatting import counted, rounded_percent
from skinlens.labels import BY_CODE
from skinlens.records import MAX_AGE_YEARS, BodyPosition, Patient, Target


def target_words(target: Target) -> str:
    """Target in the middle of a sentence: melanoma, or melanoma rather than melanocytic nevus."""
    return " rather than ".join(BY_CODE[code].name for code in target.codes)


def map_words(method: str, label: str, visit_id: int) -> str:
    """A stored map, where it cannot be read: "the lime map for mel of case 7"."""
    return f"the {method} map for {label} of case {visit_id}"


def age_words(patient: Patient, day: str) -> str | None:
    """The age on an ISO date: "62 or 63", as the birthday is not stored and may be over; "85+" above 85.

    None without a birth year.
    """
    if patient.birth_year is None:
        return None
    most_years = int(day[:4]) - patient.birth_year
    if most_years > MAX_AGE_YEARS:
        return f"{MAX_AGE_YEARS}+"
    least_years = max(0, most_years - 1)
    if patient.birth_year_is_upper_bound:
        return f"{least_years}+"
    if least_years:
        return f"{least_years} or {most_years}"
    return "under 2" if most_years else "under 1"


def plan_words(plan: Plan) -> str:
    """A management plan: "follow-up in 3 months: dermoscopy again"."""
    said = PLANS[plan.action]
    if plan.months is not None:
        said += f" in {counted(plan.months, 'month')}"
    return f"{said}: {plan.text.strip()}" if plan.text.strip() else said


def signature_words(signed_by: str, signed_at: str | None) -> str:
    """Signer and day of a signature, as far as they are known: " by Dr. Lange on 2024-05-31"."""
    return (f" by {signed_by}" if signed_by else "") + (f" on {local_day(signed_at)}" if signed_at else "")


def position_words(position: BodyPosition | None) -> str | None:
    """Place on the body map as the audit log has it; None: not placed."""
    if position is None:
        return None
    return f"{position.view}, {rounded_percent(position.x, 1)} across, {rounded_percent(position.y, 1)} down"


def backup_offer(path: str, made_at: str) -> str:
    """The last backup, made at that time (UTC, ISO 8601), and how it is brought back."""
    quoted = path if os.name == "nt" else shlex.quote(path)
    return (
        f"The last backup is of {local_day(made_at)}: {path}. Stop SkinLens and type, to bring it back: python -m "
        f"skinlens restore {quoted} --replace. What is here now is set aside then."
    )
