"""Sections of the page about the model: what stands behind its figures, each with a chart and a plain caption."""

import math
from collections.abc import Mapping
from typing import Any

import streamlit as st

from skinlens import published_figures
from skinlens.formatting import NOT_MEASURABLE, estimate, grouped, percent, rounded_percent
from skinlens.metrics import predictive_values
from skinlens.ui.components import widgets
from skinlens.ui.components.choice import chosen
from skinlens.ui.components.figures import STATIC
from skinlens.ui.performance import curves
from skinlens.ui.state import cache
from skinlens.ui.visit import operating_point
from skinlens.wording.evaluation import HEADLINES, SUBGROUPS, TARGETS, middle_of_melanoma, photos
from skinlens.wording.naming import capital, name
from skinlens.wording.verdict import in_full

SKIN_TONE = (
    "**Skin tone: not evaluated.** The data has no label for it and is nearly all light skin. Nothing on this page "
    "says how the model does on dark skin."
)
USUAL_MALIGNANT_PERCENT = 20.0
"""Share of the malignant and pre-malignant among the photos of HAM10000: 1,954 of 10,015 are 19.5 %."""
TRAIT_NOTES = {
    "confirmed_by": "The histology group matters most: only there are melanomas compared with other excised lesions. "
    "Lesions confirmed by follow-up or consensus were easier, so figures over all photos look too good.",
    "source": "The model was trained on photos from all four: this shows how results differ between cameras, not how "
    "a new camera would do. MoleMax photos are nearly all nevi under follow-up.",
    "site": "Small groups have wide ranges.",
    "age": "Small groups have wide ranges. There are very few photos of young patients.",
}
PARTS = {
    "balanced_accuracy": HEADLINES["balanced_accuracy"],
    "accuracy": HEADLINES["accuracy"],
    "melanoma_auc": HEADLINES["melanoma_auc"],
    "melanoma_sensitivity": "Melanomas above the cut-off",
    "melanoma_specificity": "Others below the cut-off",
    "ece": HEADLINES["ece"],
    "rejection_rate": "Flagged as unfamiliar image",
}


def _found(key: str) -> Mapping[str, Any] | None:
    """The evaluation of this model that holds this measurement, photos kept aside first; says so if there is none."""
    for evaluation in published_figures.evaluations(cache.classifier().engine.model_ref).values():
        if evaluation.get(key):
            return evaluation
    st.info("This was not measured for this model.")
    return None


def _chart(figure: Any, key: str, alt: str) -> None:
    st.plotly_chart(figure, config=STATIC, key=key, alt=alt)


def probabilities() -> None:
    """Reliability diagrams."""
    evaluation = _found("reliability")
    if evaluation is None:
        return
    left, right = st.columns(2, gap="large")
    for column, key, title in (
        (left, "top", "Of the most probable class"),
        (right, "melanoma", "Of melanoma"),
    ):
        with column:
            st.header(title)
            bins = evaluation["reliability"][key]
            said = ", ".join(
                f"{entry['stated']:.2f} stated, {entry['happened']['value']:.2f} observed" for entry in bins
            )
            _chart(curves.reliability(bins), f"reliability_{key}", f"{title}: {said}")
    st.caption(
        f"{photos(evaluation)}. On the dashed line, a stated 70 % is right in 70 of 100 photos. Below it, the model "
        f"is overconfident. Lines: 95 % range. {middle_of_melanoma(evaluation['reliability']['melanoma'])}"
    )


@st.fragment
def thresholds() -> None:
    """Operating points: other cut-offs at the reader's own prevalence."""
    evaluation = _found("thresholds")
    if evaluation is None:
        return
    target = st.segmented_control(
        "Target",
        list(TARGETS),
        default="melanoma",
        required=True,
        format_func=TARGETS.__getitem__,
        key="model_target",
        persist_state="session",
    )
    target = chosen(target, "melanoma")
    table = evaluation["thresholds"][target]
    _chart(
        curves.threshold_curve(table),
        "threshold_curve",
        f"Sensitivity and specificity over the cut-off, {TARGETS[target]}",
    )
    st.caption(
        f"{photos(evaluation)}: {grouped(table['positives'])} with the target diagnosis, {grouped(table['negatives'])} "
        "without. A lower cut-off misses fewer of them and flags more of the others. Lines: 95 % range."
    )
    share = _prevalence(target)
    with st.expander("All cut-offs as a table"):
        widgets.wide_table(
            f"Cut-offs for {TARGETS[target].lower()}",
            ("Cut-off", "Sensitivity", "Specificity", "PPV", "NPV", "Found", "Missed", "Falsely flagged"),
            [_threshold(row, share, table["shipped"]) for row in table["rows"]],
        )
        st.caption(
            "PPV: of those flagged, the share that has it; NPV: of the others, the share that does not; both where "
            f"{percent(share)} of the lesions have it. Found, missed and falsely flagged: counts of photos."
        )


def _prevalence(target: str) -> float:
    if target == "melanoma":
        return operating_point.prevalence()
    return widgets.share_of_lesions(
        TARGETS["malignant"],
        USUAL_MALIGNANT_PERCENT,
        key="prevalence_malignant_percent",
        help_text=f"It begins at {rounded_percent(USUAL_MALIGNANT_PERCENT / 100)}, about the share among the photos "
        "of the data set. Set the one of your own patients.",
    )


def _threshold(row: Mapping[str, Any], share: float, shipped: float | None) -> tuple[str, ...]:
    sensitivity, specificity = row["sensitivity"]["value"], row["specificity"]["value"]
    if sensitivity is None or specificity is None:
        values = [NOT_MEASURABLE, NOT_MEASURABLE]
    else:
        both = predictive_values(sensitivity, specificity, share)
        values = ["–" if math.isnan(value) else percent(value) for value in both]
    return (
        f"{percent(row['threshold'])}{' (in use)' if row['threshold'] == shipped else ''}",
        estimate(row["sensitivity"]),
        estimate(row["specificity"]),
        *values,
        grouped(row["true_positives"]),
        grouped(row["false_negatives"]),
        grouped(row["false_positives"]),
    )


@st.fragment
def subgroups() -> None:
    """Performance by subgroup."""
    st.markdown(SKIN_TONE)
    evaluation = _found("subgroups")
    if evaluation is None:
        return
    present = [trait for trait in SUBGROUPS if trait in evaluation["subgroups"]]
    left, right = st.columns(2)
    trait = left.selectbox(
        "Subgroups by",
        present,
        format_func=lambda trait: capital(SUBGROUPS[trait]),
        key="model_trait",
        persist_state="session",
    )
    part = right.selectbox(
        "Figure", list(PARTS), format_func=PARTS.__getitem__, key="model_part", persist_state="session"
    )
    everything = evaluation["subgroups"][trait]
    groups = [group for group in everything if (group[part] or {}).get("low") is not None]
    names = [f"{capital(group['group'])} ({grouped(group['n'])})" for group in groups]
    _chart(
        curves.dots(names, [group[part] for group in groups], PARTS[part], None),
        "subgroups",
        "; ".join(f"{name}: {estimate(group[part])}" for name, group in zip(names, groups, strict=True)),
    )
    st.caption(
        f"{photos(evaluation)}; in brackets: photos. Lines: 95 % range. Groups too small for a range are left out. "
        f"{TRAIT_NOTES.get(trait, '')}"
    )
    with st.expander("All figures by subgroup"):
        widgets.wide_table(
            capital(SUBGROUPS[trait]),
            (capital(SUBGROUPS[trait]), "Photos", "Melanomas", *PARTS.values()),
            [
                (
                    group["group"],
                    grouped(group["n"]),
                    grouped(group["melanomas"]),
                    *(estimate(group[key]) for key in PARTS),
                )
                for group in everything
            ],
        )


def selective_prediction() -> None:
    """Selective prediction: the errors if the model answered only where it is surest."""
    evaluation = _found("risk_coverage")
    if evaluation is None:
        return
    curve = evaluation["risk_coverage"]
    _chart(curves.risk_coverage(curve), "risk_coverage", "Share of errors over the share of photos answered")
    st.caption(
        f"{photos(evaluation)}. If it answered only where it is sure, it would be wrong less often. Area under "
        f"the curve: {estimate(curve['aurc'])}; the least that any order could reach is "
        f"{curve['aurc_of_a_perfect_ranking']:.3f}. The surest photos are mostly nevi, and a withheld answer is no "
        "diagnosis."
    )


def sets() -> None:
    """Coverage and size of the conformal prediction sets."""
    evaluation = _found("prediction_sets")
    if evaluation is None:
        return
    measurement = evaluation["prediction_sets"]
    st.markdown(
        "Each result lists the classes that cannot be ruled out. The list is meant to hold the diagnosis for "
        f"{rounded_percent(measurement['level'])} of the photos of each class; rare classes are taken together. "
        f"Calibrated on {in_full(measurement['calibrated_on'])}. On {grouped(measurement['n'])} other photos, the list "
        f"held the diagnosis in {estimate(measurement['coverage'])} of them, and named "
        f"{estimate(measurement['mean_size'])} classes on average."
    )
    left, right = st.columns(2, gap="large")
    with left:
        st.header("Is the diagnosis in the set?")
        said = (f"{name(code)} {estimate(entry['coverage'])}" for code, entry in measurement["per_class"].items())
        _chart(curves.set_coverage(measurement), "set_coverage", "; ".join(said))
        st.caption("In brackets: photos. Dashed: what is promised. Lines: 95 % range; wide for the rare kinds.")
    with right:
        st.header("How large are the sets?")
        said = (f"{grouped(count)} with {size}" for size, count in enumerate(measurement["sizes"], start=1))
        _chart(curves.set_sizes(measurement), "set_sizes", f"Sets by number of classes: {', '.join(said)}")
        st.caption(
            f"One class alone: {estimate(measurement['single'])} of the photos. Of lesions that are no melanoma, the "
            f"set leaves melanoma out in {estimate(measurement['melanoma_ruled_out'])}."
        )


def foreign() -> None:
    """Out-of-distribution detection on images that show no lesion."""
    evaluation = _found("ood")
    if evaluation is None:
        return
    measurement = evaluation["ood"]
    said = (f"{kind['kind']} {rounded_percent(kind['rejection_rate'])}" for kind in measurement["kinds"])
    _chart(curves.refused(measurement["kinds"]), "ood", f"Share flagged: {', '.join(said)}")
    st.caption(
        f"{grouped(measurement['n'])} pictures of other subjects. Similarity to the training images separates them "
        f"from dermoscopic photos with an AUC of {estimate(measurement['auroc'])}. Of {photos(evaluation)}, a share of "
        f"{estimate(measurement['in_distribution_rejection'])} is flagged as unfamiliar too. Drawn lesions imitate "
        "real ones and are not counted. A kind of lesion that the model does not know can still look familiar."
    )
