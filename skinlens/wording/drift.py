"""Drift between two models in words: the page, its PDF and the command say the same."""

from skinlens.drift import Drift, Group, Pair
from skinlens.formatting import NONE, counted, grouped, percent, points
from skinlens.labels import BY_CODE
from skinlens.wording.naming import in_sentence
from skinlens.wording.verdict import side_of_cutoff

TITLE = "Stored cases scored again"
CAMERA_NOTE = (
    "Which camera took a photo is not kept, as all metadata is dropped: file format and size in pixels stand for it."
)
STORED_STAYS = "The stored results stay as they were; this is beside them, and nothing here is a diagnosis."
HEADINGS = (
    "Cases",
    "Number",
    "Compared",
    "Class changed",
    "Now flagged",
    "No longer flagged",
    "Mean shift of melanoma",
)
CASE_HEADINGS = ("Case", "Site", "Stored result", "Newer result", "Melanoma cut-off")


def summary(drift: Drift) -> tuple[str, ...]:
    """Sentences on all cases together."""
    whole = drift.whole
    said = [
        f"{counted(whole.cases, 'case')} scored again. Of {grouped(whole.compared)} whose photo is like the training "
        "photos "
        f"of both models, {grouped(whole.changed_class)} changed their most probable class; "
        f"{grouped(whole.crossed_up)} are above "
        f"the melanoma cut-off now and were not, {grouped(whole.crossed_down)} are below it now and were above."
    ]
    if apart := whole.cases - whole.compared:
        said.append(f"{counted(apart, 'case')} cannot be compared: the photo is unlike the training photos of a model.")
    if whole.mean_shift is not None:
        said.append(f"Melanoma's probability moved by {points(whole.mean_shift)} on average.")
    return tuple(said)


def group_row(group: Group) -> tuple[str, ...]:
    """A line of the tables by site and by camera, under ``HEADINGS``."""
    counts = (group.cases, group.compared, group.changed_class, group.crossed_up, group.crossed_down)
    shift = NONE if group.mean_shift is None else points(group.mean_shift)
    return (group.name, *(grouped(count) for count in counts), shift)


def case_row(pair: Pair) -> tuple[str, ...]:
    """A line of the table of changed cases, under ``CASE_HEADINGS``."""
    crossed = {"up": "now above", "down": "now below", "": "same side"}[pair.crossed]
    results = (
        f"{BY_CODE[answer.label].name}; melanoma {percent(answer.melanoma_prob)}"
        for answer in (pair.stored, pair.newer)
    )
    return (str(pair.visit_id), pair.body_site, *results, crossed)


def newer_model_says(version: str, label: str, melanoma_prob: float, *, flagged: bool) -> str:
    """Result of a later model on a stored case: its version, the most probable class, the side of its cut-off."""
    side = side_of_cutoff(above=flagged)
    return (
        f"Newer model says (version {version}): {in_sentence(side)} ({percent(melanoma_prob)}); most "
        f"probable is {BY_CODE[label].name}."
    )
