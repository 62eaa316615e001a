"""Overview of the model: what it is, how well it does, what it cannot do. Figures come from measurements alone."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from skinlens import __version__, published_figures
from skinlens.clock import local_day
from skinlens.formatting import counted, decimal, estimate, grouped, percent
from skinlens.inference.release import WEIGHTS_VARIABLE
from skinlens.labels import LABELS
from skinlens.ui.components import figures, widgets
from skinlens.ui.components.figures import STATIC
from skinlens.ui.components.text import RISK_SIGNS, plain
from skinlens.ui.shell.frame import CONDITIONS
from skinlens.ui.state import cache
from skinlens.wording.evaluation import HEADLINES, MEANINGS, data_set, photos
from skinlens.wording.maps import CAVEAT
from skinlens.wording.naming import name
from skinlens.wording.verdict import in_full, reached

LIMITS = (
    "On photos from other clinics, cameras or skin types, results are worse than the first table says.",
    f"{CAVEAT} The three methods may disagree.",
    "For an unfamiliar image it says only that: its probabilities are shown in gray and mean nothing.",
)


def what_it_is(release: Mapping[str, Any]) -> None:
    spec = release["input"]
    if not cache.bundled():
        st.warning(
            f"This is not the model that SkinLens {__version__} came with: it was chosen with the setting "
            f"{WEIGHTS_VARIABLE}, and is version {plain(release['version'])}. What the documents say of the "
            "model need not hold for it."
        )
    st.markdown(
        "A small neural network that runs on this computer. It analyzes one photo, scaled to "
        f"{spec['detail_px']} pixels on its short side, and gives each of seven classes a probability. It was trained "
        f"on {release['data']['name']}, photos from two clinics{_further_sources(release)}; photos of one lesion were "
        "never both in training and in the test."
    )
    widgets.table(
        ("Kind of lesion", "Risk group"),
        [(name(label.code), f"{RISK_SIGNS[label.risk]} {label.risk}") for label in LABELS],
    )


def _further_sources(release: Mapping[str, Any]) -> str:
    names = [data_set(source["name"]) for source in release["data"].get("sources", ())]
    return f", and on photos of other clinics ({plain('; '.join(names))})" if names else ""


def elsewhere() -> None:
    """Melanoma on photos of other clinics: AUC, and what the cut-off in use does there."""
    measured = published_figures.elsewhere(cache.classifier().engine.model_ref)
    if not measured:
        st.info("There are no figures of this model on photos of other clinics.")
        return
    cutoff = cache.classifier().melanoma_threshold.value
    rows = []
    for title, evaluation in measured.items():
        melanomas = evaluation["thresholds"]["melanoma"]["positives"]
        in_use = published_figures.at_cutoff(evaluation, cutoff)
        photo_counts = f"{counted(evaluation['n'], 'photo')}, {counted(melanomas, 'melanoma')}"
        rows.append(
            (
                f"{plain(data_set(title))}: {photo_counts}",
                estimate(evaluation["melanoma_auc"]),
                estimate(in_use.get("sensitivity")),
                estimate(in_use.get("specificity")),
            )
        )
    widgets.table(
        ("Photos", HEADLINES["melanoma_auc"], "Sensitivity at the cut-off", "Specificity at the cut-off"), rows
    )
    st.caption(
        "Photos of the same clinics were used to train or to select the network: expect worse results at a new clinic."
    )


def how_well() -> None:
    """The figures of each split that was measured, or a sentence that there are none."""
    measured = _measured()
    if not measured:
        return
    header = ("Figure", *map(photos, measured.values()))
    widgets.table(
        header,
        [
            (f"{title}: {MEANINGS[key]}", *(estimate(evaluation.get(key)) for evaluation in measured.values()))
            for key, title in HEADLINES.items()
        ],
    )
    st.caption("In brackets: the range in which the figure would lie in 95 of 100 such samples.")


def _measured() -> dict[str, Mapping[str, Any]]:
    """The evaluations of the installed model by split, the test set first; says so where there is none."""
    measured = published_figures.evaluations(cache.classifier().engine.model_ref)
    if not measured:
        st.info("This model's figures were not measured yet: no evaluation of it is stored with the program.")
    return measured


def per_class() -> None:
    """Sensitivity by class, and the confusion matrix."""
    measured = _measured()
    if not measured:
        return
    first = next(iter(measured.values()))
    st.header("Sensitivity per class")
    st.plotly_chart(figures.recall_chart(first), config=STATIC, key="recalls", alt=_recalls(first))
    st.caption(
        f"Of the photos of each kind of lesion, the share that the model classifies correctly ({grouped(first['n'])} "
        "photos in all). Lines: 95 % range."
    )
    st.header("Confusion matrix")
    st.plotly_chart(figures.confusion_chart(first), config=STATIC, key="confusion", alt="Confusion matrix")
    st.caption(
        "Rows: the diagnosis. Columns: the class that the model finds most probable, by code. Each cell counts photos; "
        "a darker cell is a larger share of its row."
    )


def _recalls(measured: Mapping[str, Any]) -> str:
    parts = [
        f"{name(code)} {decimal(entry['recall']['value'] or 0, 2)}" for code, entry in measured["per_class"].items()
    ]
    return "Share found of each kind: " + ", ".join(parts)


def threshold(release: Mapping[str, Any]) -> None:
    cutoff = cache.classifier().melanoma_threshold
    st.markdown(
        f"A photo is flagged as suspicious for melanoma at a probability of **{percent(cutoff.value)}** or more. On "
        f"{in_full(cutoff.chosen_on)}, this {reached(cutoff)}. It was chosen to miss few melanomas, so many benign "
        "lesions are flagged too."
    )
    st.markdown(
        "Probabilities are calibrated: the scores are divided by a temperature of "
        f"{release['temperature']:.2f}, fitted so that about 70 of 100 photos given 70 % are right."
    )


def parity(release: Mapping[str, Any]) -> None:
    both = release["parity"]
    st.markdown(
        "For speed, the network computes with 8-bit integers (int8). For "
        f"{percent(both['top1_agreement'])} of the photos, its most probable class is that of its float form."
    )
    widgets.table(
        ("Figure", "float form", "int8 form, as it runs here"),
        [
            (title, decimal(both["float"][key]), decimal(both["int8"][key]))
            for key, title in HEADLINES.items()
            if key in both["float"] and key in both["int8"]
        ],
    )


def limits() -> None:
    st.markdown("\n".join(f"- {sentence}" for sentence in (*CONDITIONS[:-1], *LIMITS)))


def _more_sources(release: Mapping[str, Any]) -> str:
    """Further data sets that the release was trained on, as its recipe names them."""
    names = [source.get("name") or source["folder"] for source in release["recipe"].get("sources", ())]
    return "".join(f"; {data_set(name)}" for name in names)


def versions(release: Mapping[str, Any]) -> None:
    model_ref = cache.classifier().engine.model_ref
    widgets.fields(
        {
            "Model": f"{model_ref.name}, version {model_ref.version}",
            "Made on": local_day(str(release["created_at"])),
            "SHA-256": model_ref.sha256,
            "Parameters": grouped(release["parameters"]),
            "Program": f"SkinLens {__version__}",
            "License of the model": "CC BY-NC 4.0, for non-commercial use, like HAM10000, on which it was trained",
            "Training photos": f"Tschandl, Rosendahl, Kittler: The HAM10000 dataset. Scientific Data 5, 180161 (2018)"
            f"{_more_sources(release)}",
        }
    )
    agreed = cache.store().disclaimer_acknowledged_at()
    if agreed:
        st.caption(f"The conditions of use were agreed to on this computer on {local_day(agreed)}.")
