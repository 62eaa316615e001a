"""Tables for the model card on what stands behind the figures, from the JSON that ``evaluate`` and ``ablation`` wrote.

``cog`` calls these functions (``make docs``). Each names the photos that it is about; what was not measured for the
released model says so.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from figures import ROOT, TITLES, evaluation, read, table
from skinlens import published_figures
from skinlens.evaluation.previous_results import FIRST_DETAIL_PX, released_detail
from skinlens.formatting import decimal, estimate, grouped, number, rounded_percent
from skinlens.labels import BY_CODE
from skinlens.metrics import predictive_values
from skinlens.renamed_keys import with_present_keys
from skinlens.training.recipe import OLD_NAMES
from skinlens.wording.evaluation import SUBGROUPS, data_set, middle_of_melanoma

NOT_MEASURED = "Not measured for this release.\n"
NOT_RUN = "not run"
PREVALENCES = (0.02, 0.075, 0.2)
"""At which predictive values are shown; the app computes them at any."""
SHOWN_COVERAGES = (0.5, 0.7, 0.8, 0.9, 1.0)
SEED_FIGURES = ("balanced_accuracy", "macro_f1", "melanoma_auc")
PARTS = {
    "balanced_accuracy": TITLES["balanced_accuracy"],
    "melanoma_auc": TITLES["melanoma_auc"],
    "melanoma_sensitivity": "sensitivity",
    "melanoma_specificity": "specificity",
    "ece": "ECE",
    "rejection_rate": "flagged as unfamiliar",
}


def found(key: str, sha256: str) -> Mapping[str, Any] | None:
    """The evaluation of the released model that holds a measurement: on ``test`` if there is one, else on ``val``."""
    for split in ("test", "val"):
        one = evaluation(split)
        if one["model"]["sha256"] == sha256 and one.get(key):
            return one
    return None


def training(release: Mapping[str, Any]) -> str:
    """Sentence on what the released student learned from."""
    recipe = release["recipe"]
    distilled = with_present_keys(recipe.get("distillation", {}), OLD_NAMES)
    fusion = "with layer fusion" if recipe["student"]["fusion"] else "without layer fusion"
    if not distilled.get("teacher"):
        return f"This version (recipe `{recipe['name']}`) was trained on the labels, without a teacher, {fusion}.\n"
    weights = ", ".join(f"{name} {value:g}" for name, value in distilled["weights"].items())
    source = "a teacher and a student without one (their mean)" if distilled.get("second_teacher") else "a teacher"
    return (
        f"This version (recipe `{recipe['name']}`) was distilled from {source}, {fusion}; weights of the loss: "
        f"{weights}; temperature of the distillation: {distilled['temperature']:g}.\n"
    )


def elsewhere(sha256: str) -> str:
    """Melanoma on photos of other sources, a row a source, with what the cut-off in use does there."""
    rows = []
    for path in sorted((ROOT / "weights").glob("evaluation-*.json")):
        one = published_figures.read(path)
        if one["split"] in {"val", "test"} or one["model"]["sha256"] != sha256:
            continue
        melanoma = one["thresholds"]["melanoma"]
        used = published_figures.at_cutoff(one, melanoma["shipped"])
        rows.append([data_set(one["split"]), grouped(one["n"]), grouped(melanoma["positives"])])
        rows[-1] += [
            estimate(one["melanoma_auc"]),
            estimate(used.get("sensitivity")),
            estimate(used.get("specificity")),
        ]
        rows[-1].append(estimate(one["ood"]["in_distribution_rejection"]))
    header = ["photos of", "photos", "melanomas", "melanoma AUC", "sensitivity", "specificity", "flagged as unfamiliar"]
    return table(header, rows) if rows else NOT_MEASURED


def invariance(sha256: str) -> str:
    """Table of how far changes that should not matter move the probabilities of one photo."""
    path = ROOT / "weights" / "invariance-val.json"
    one = read(path) if path.is_file() else None
    if one is None or one["model"]["sha256"] != sha256:
        return NOT_MEASURED
    moved, counts = ("median", "p90", "p95", "largest"), ("top_changed", "side_changed")
    rows = []
    for row in one["changes"]:
        rows.append([row["change"], *(f"{row[key]:.3f}" for key in moved), *(str(row[key]) for key in counts)])
        rows[-1].append(rounded_percent(row["melanoma_within"]))
    header = ["change", "median", "90 %", "95 %", "most", "top class changed", "side of the cut-off changed"]
    header.append("melanoma within 0.10")
    return about(one) + table(header, rows)


def reliability(one: Mapping[str, Any] | None) -> str:
    """Stated probability against what happened, for the class put first and for melanoma."""
    if one is None:
        return NOT_MEASURED
    rows = [
        [title, f"{entry['stated']:.2f}", estimate(entry["happened"]), grouped(entry["n"])]
        for key, title in (("top", "class put first"), ("melanoma", "melanoma"))
        for entry in one["reliability"][key]
    ]
    middle = middle_of_melanoma(one["reliability"]["melanoma"])
    return (
        about(one)
        + table(["probability of", "stated, mean", "happened", "photos"], rows)
        + (f"\n{middle}\n" if middle else "")
    )


def thresholds(one: Mapping[str, Any] | None, target: str) -> str:
    """Table of the effect of each cut-off, and of its predictive values at three prevalences."""
    if one is None:
        return NOT_MEASURED
    found_here = one["thresholds"][target]
    header = ["cut-off", "sensitivity", "specificity", "missed", "falsely flagged"]
    header += [f"PPV / NPV at {number(100 * share)}\u00a0%" for share in PREVALENCES]
    rows = []
    for row in found_here["rows"]:
        used = " **(in use)**" if row["threshold"] == found_here["shipped"] else ""
        rows.append([f"{row['threshold']:.3f}{used}", estimate(row["sensitivity"]), estimate(row["specificity"])])
        rows[-1] += [grouped(row["false_negatives"]), grouped(row["false_positives"])]
        rates = row["sensitivity"]["value"], row["specificity"]["value"]
        rows[-1] += ["–" if None in rates else _both(*rates, share) for share in PREVALENCES]
    counts = f"{grouped(found_here['positives'])} with it, {grouped(found_here['negatives'])} without. "
    return counts + about(one) + table(header, rows)


def _both(sensitivity: float, specificity: float, prevalence: float) -> str:
    return " / ".join(f"{value:.3f}" for value in predictive_values(sensitivity, specificity, prevalence))


def subgroups(one: Mapping[str, Any] | None) -> str:
    """One table of all parts of the photos."""
    if one is None:
        return NOT_MEASURED
    rows = [
        [f"{words}: {group['group']}", grouped(group["n"]), grouped(group["melanomas"])]
        + [estimate(group[part]) for part in PARTS]
        for trait, words in SUBGROUPS.items()
        for group in one["subgroups"].get(trait, ())
    ]
    return about(one) + table(["", "photos", "melanomas", *PARTS.values()], rows)


def cameras(one: Mapping[str, Any] | None) -> str:
    """Sentence on the fall of the melanoma AUC where the camera cannot help."""
    if one is None or "confirmed_by" not in one["subgroups"]:
        return NOT_MEASURED
    histology = next(group for group in one["subgroups"]["confirmed_by"] if group["group"] == "histology")
    return (
        f"On `{one['split']}` the melanoma AUC is {estimate(one['melanoma_auc'])} over all photos, and "
        f"{estimate(histology['melanoma_auc'])} over the {grouped(histology['n'])} that were confirmed by histology.\n"
    )


def risk_coverage(one: Mapping[str, Any] | None) -> str:
    """Table of the share of errors if the model answered only its surest photos."""
    if one is None:
        return NOT_MEASURED
    curve = one["risk_coverage"]
    rows = [
        [rounded_percent(point["coverage"]), estimate(point["risk"])]
        for point in curve["points"]
        if any(abs(point["coverage"] - shown) < 1e-9 for shown in SHOWN_COVERAGES)
    ]
    area = (
        f"Area under the risk–coverage curve: {estimate(curve['aurc'])}; the least that any ranking could reach with "
        f"these errors is {curve['aurc_of_a_perfect_ranking']:.3f}. "
    )
    return area + about(one) + table(["photos answered, the surest first", "wrong among them"], rows)


def prediction_sets(one: Mapping[str, Any] | None) -> str:
    """Coverage and size of the sets of classes, over all and by class."""
    if one is None:
        return NOT_MEASURED
    sets = one["prediction_sets"]
    sentence = (
        f"Level {rounded_percent(sets['level'])}, calibrated on {sets['calibrated_on']}; measured on "
        f"{grouped(sets['n'])} photos of `{one['split']}` that took no part in it. Coverage "
        f"{estimate(sets['coverage'])}, "
        f"mean size {estimate(sets['mean_size'])}; one class alone: {estimate(sets['single'])}; melanoma left out, "
        f"of lesions that are none: {estimate(sets['melanoma_ruled_out'])}.\n\n"
    )
    rows = [
        [code, BY_CODE[code].name, grouped(entry["n"]), estimate(entry["coverage"]), estimate(entry["mean_size"])]
        for code, entry in sets["per_class"].items()
    ]
    return sentence + table(["class", "", "photos", "coverage", "mean size"], rows)


def ood(one: Mapping[str, Any] | None) -> str:
    """Pictures of other things: are they told from the training photos?"""
    if one is None:
        return NOT_MEASURED
    strange = one["ood"]
    sentence = (
        f"AUROC of the distance: {estimate(strange['auroc'])} over {grouped(strange['n'])} pictures; of the photos of "
        f"`{one['split']}`, {estimate(strange['in_distribution_rejection'])} lie above the limit too.\n\n"
    )
    rows = [
        [kind["kind"], grouped(kind["n"]), estimate(kind["auroc"]), rounded_percent(kind["rejection_rate"])]
        for kind in strange["kinds"]
    ]
    return sentence + table(["pictures", "", "AUROC", "flagged"], rows)


def patient_context(one: Mapping[str, Any] | None) -> str:
    """Figures of the photo alone and with age, sex and site, on the photos of which any of these is known."""
    if one is None:
        return NOT_MEASURED
    context = one["patient_context"]
    sentence = (
        f"On the {grouped(context['n'])} photos of `{one['split']}` of which age, sex or site is recorded. Fitted on "
        f"{context['fitted_on']}; its weight, {context['weight']:g}, was chosen on `val`.\n\n"
    )
    rows = [
        [
            TITLES.get(key, key.replace("_", " ")),
            estimate(context["photo"][key]),
            estimate(context["with_context"][key]),
            estimate(gain, sign=True),
        ]
        for key, gain in context["gain"].items()
    ]
    return sentence + table(["", "the photo alone", "with age, sex and site", "difference"], rows)


COSTS = {
    "size_px": "px",
    "epochs": "epochs",
    "parameters": "parameters",
    "macs": "MACs",
    "size_kb": "KB",
}
SHORT = ("balanced_accuracy", "accuracy", "macro_f1", "melanoma_auc")
"""Figures of the README's table."""


def ablation(
    protocol: str, gathered: Mapping[str, Any] | None = None, figures: Sequence[str] = (*TITLES, "melanoma_recall")
) -> str:
    """One protocol's table; the paper's is named leaky.

    The rows that were run or, under the paper's protocol, that the paper has; without it, those on photos of another
    detail than the released model's are left out. A sentence names the recipes that were not run.
    """
    content = gathered or stored_ablation()
    if content is None or protocol not in content["protocols"]:
        return f"{'Leaky. ' if protocol == 'paper' else ''}Not run yet.\n"
    detail = released_detail(content) if protocol == "lesion" else None
    everything = content["protocols"][protocol]["rows"]
    rows = [
        row
        for row in everything
        if row.get("paper_reports") or (row["status"] != NOT_RUN and detail in {None, row.get("detail_px")})
    ]
    others = "; ".join(row["title"] for row in everything if row not in rows)
    keys = [key for key in figures if any(key in row["figures"] for row in rows)]
    titles = [TITLES.get(key, key.replace("_", " ")) for key in keys]
    header = ["leaky" if protocol == "paper" else "", *titles, *COSTS.values()]
    if any(row.get("paper_reports") for row in rows):
        header.append("the paper reports")
    lines = [_ablation_row(row, keys, "the paper reports" in header) for row in rows]
    names = {row["name"]: row["title"] for row in everything}
    not_run = "Not run this way, and not in the paper" if protocol == "paper" else "Not run yet on these photos"
    below = [f"{not_run}: {others}.\n"] if others else []
    below += [f"- {difference(one, names)}\n" for one in content["protocols"][protocol].get("differences", ())]
    return table(header, lines) + ("\n" + "".join(below) if below else "")


def seeds(gathered: Mapping[str, Any] | None = None) -> str:
    """Table of each seed's figures, of the rows that were run with several on photos of the released model's detail."""
    content = gathered or stored_ablation()
    everything = content["protocols"]["lesion"]["rows"] if content else []
    detail = released_detail(content) if content else None
    rows = [
        row for row in everything if len(row.get("seeds") or ()) > 1 and detail in {None, row.get("detail_px", detail)}
    ]
    lines = [
        [
            row["title"],
            ", ".join(map(str, row["seeds"])),
            *(", ".join(decimal(value) for value in row["each_seed"][key]) for key in SEED_FIGURES),
        ]
        for row in rows
    ]
    return (
        table(["of each seed", "seeds", *(TITLES[key] for key in SEED_FIGURES)], lines)
        if lines
        else "Not run with several seeds yet.\n"
    )


def ablation_elsewhere(gathered: Mapping[str, Any] | None = None) -> str:
    """AUC of melanoma on photos of other clinics, of the rows whose weights were at hand, and their differences."""
    content = gathered or stored_ablation() or {}
    titles = {row["name"]: row["title"] for row in content.get("protocols", {"lesion": {"rows": ()}})["lesion"]["rows"]}
    parts = []
    for name, theirs in content.get("elsewhere", {}).items():
        rows = [
            [
                title,
                ", ".join(map(str, theirs["rows"][row]["seeds"])) or "–",
                estimate(theirs["rows"][row]["melanoma_auc"]),
            ]
            for row, title in titles.items()
            if row in theirs["rows"]
        ]
        parts.append(
            f"On the {grouped(theirs['n'])} validation photos of {data_set(name)}, {grouped(theirs['melanomas'])} of "
            "melanomas:\n\n" + table(["", "seeds", TITLES["melanoma_auc"]], rows) + "\n"
        )
        parts += [f"- {difference(one, titles)}\n" for one in theirs["differences"]]
    return "".join(parts) or "Not measured on photos of other clinics yet.\n"


def difference(one: Mapping[str, Any], titles: Mapping[str, str]) -> str:
    """One row against another on the same photos, and whether the interval of the difference leaves out 0."""
    said = [
        f"{words} {estimate(found, sign=True)}, "
        f"{'no clear difference' if found['low'] <= 0 <= found['high'] else 'the interval leaves out 0'}"
        for key, words in (("balanced_accuracy", "balanced accuracy"), ("melanoma_auc", "melanoma AUC"))
        if (found := one["figures"].get(key))
    ]
    return f"{titles[one['of']]} against {titles[one['minus']]}: {'; '.join(said)}."


def _ablation_row(row: Mapping[str, Any], keys: Sequence[str], has_paper_results: bool) -> list[str]:
    if row["status"] == NOT_RUN:
        cells = [NOT_RUN] * (len(keys) + len(COSTS))
    else:
        cells = [estimate(row["figures"][key]) for key in keys]
        cells += [grouped(row[key]) if key in row else "–" for key in COSTS]
    paper = (
        ", ".join(f"{key} {rounded_percent(value / 100, 2)}" for key, value in (row.get("paper_reports") or {}).items())
        or "–"
    )
    return [row["title"], *cells, *([paper] if has_paper_results else [])]


def search(gathered: Mapping[str, Any] | None = None) -> str:
    """The short runs that differ in the losses' weights and the temperature alone."""
    content = gathered or stored_ablation()
    found = content and content.get("search")
    if not found:
        return "The weights of the losses were not searched yet.\n"
    names = ("intermediate", "logit", "classification", "temperature")
    shown = ("balanced_accuracy", "macro_f1", "melanoma_auc", "val_loss")
    rows = [[*(f"{row[name]:g}" for name in names), *(f"{row[name]:.3f}" for name in shown)] for row in found["rows"]]
    header = ["α, exits", "β, output", "γ, labels", "temperature", *(TITLES.get(one, "loss") for one in shown)]
    return f"After {found['epochs']} epochs, on `{found['photos']}`, best first:\n\n" + table(header, rows)


def leak(gathered: Mapping[str, Any] | None = None) -> str:
    """Cost of the leak, a sentence for each recipe that was run under both protocols."""
    protocols = (gathered or stored_ablation() or {"protocols": {}})["protocols"]
    honest, leaky = (
        {row["name"]: row for row in protocols.get(name, {"rows": ()})["rows"] if row["figures"]}
        for name in ("lesion", "paper")
    )
    both = [name for name in honest if name in leaky]
    if not both:
        return "What the leak is worth was not measured yet: no recipe was run under both protocols.\n"
    detail = released_detail({"protocols": protocols})
    return "\n".join(_leak(honest[name], leaky[name], detail) for name in both)


def _leak(honest: Mapping[str, Any], leaky: Mapping[str, Any], detail_px: int | None) -> str:
    title, own, other = honest["title"], honest["figures"], leaky["figures"]
    px = honest.get("detail_px", FIRST_DETAIL_PX)
    epochs = (
        f"{honest['epochs']} epochs here, {leaky['epochs']} of eight times as many pictures there"
        if {"epochs"} <= honest.keys() & leaky.keys()
        else "as many pictures in all"
    )
    before = f" Both were measured on photos of {px} px of detail." if detail_px not in {None, px} else ""
    return (
        f"What the leak is worth: one recipe, {title}, has an accuracy of {estimate(other['accuracy'])} under the "
        f"leaky protocol and of {estimate(own['accuracy'])} on lesions that it never saw ({epochs}). "
        "The leaky pictures are as "
        f"many of each class, so balanced accuracy compares better: {estimate(other['balanced_accuracy'])} against "
        f"{estimate(own['balanced_accuracy'])}.{before}\n"
    )


def stored_ablation() -> Mapping[str, Any] | None:
    """Result of ``python -m skinlens ablation``; None before it was run."""
    path = ROOT / "weights" / "ablation.json"
    return read(path) if path.is_file() else None


def about(one: Mapping[str, Any]) -> str:
    return f"On {grouped(one['n'])} photos of `{one['split']}`.\n\n"
