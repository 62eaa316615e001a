"""The explanations on their page: which class, the row of maps as they are made, and what stands under each."""

from collections.abc import Callable
from dataclasses import replace
from typing import cast

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from skinlens.explain import CONTRAST_WITH, METHODS
from skinlens.explain.overlay import OPACITY, Style
from skinlens.formatting import duration, number, percent
from skinlens.imaging.preprocess import InputSpec
from skinlens.inference.classifier import Classifier
from skinlens.labels import CODES
from skinlens.records import Explanation, Method
from skinlens.ui.components import viewer
from skinlens.ui.components.choice import chosen
from skinlens.ui.components.text import settings_line
from skinlens.ui.components.viewer import Look, Panel
from skinlens.ui.performance import explanations
from skinlens.ui.state import open_case, session
from skinlens.ui.state.jobs import Job
from skinlens.ui.state.open_case import OpenCase
from skinlens.ui.visit import contrast
from skinlens.wording.maps import CANCELLED, PHOTO, SYNTHETIC, no_map, nothing_for, over_photo
from skinlens.wording.naming import name
from skinlens.wording.records import target_words

OTHER = "another class"
NOT_ABLE = "Not made, and it cannot be: the photo or the model of this result is not here any more."


def choose_class(opened: OpenCase) -> DeltaGenerator:
    """Melanoma and the most probable class at one click, the others in a list; beside it what it is contrasted with.

    Returns:
        The line that they stand in.
    """
    prediction = opened.analysis.prediction
    first = open_case.labels_first(opened)
    row = st.container(horizontal=True, vertical_alignment="bottom")  # one line, where the names are short enough

    def title(code: str) -> str:
        if code == OTHER:
            return "Another class"
        return f"{name(code)}, {percent(prediction.prob(code))}"

    control = row.segmented_control(
        "Class to explain",
        [*first, OTHER],
        default=opened.label if opened.label in first else OTHER,
        required=True,
        format_func=title,
        wrap=True,
        key="case_explained",
        persist_state="session",
    )
    code = chosen(control, opened.label)
    if code == OTHER:
        rest = [code for code in CODES if code not in first]
        code = row.selectbox(
            "Which one",
            rest,
            index=rest.index(opened.label) if opened.label in rest else 0,
            format_func=title,
            key="case_explained_other",
            persist_state="session",
            width=contrast.WIDTH_PX,
        )
    if code != opened.label:
        opened.label, opened.contrast_with = str(code), ""
    with row:
        contrast.choose(opened)
    return row


def choose_look() -> tuple[Style, float]:
    """Heat or contour, and how much of the photo shows through, 0 to 1; each style keeps its own."""
    left, right = st.columns([1, 2], vertical_alignment="center")
    # Not given to the widgets as defaults: a key may set them too, see change_look.
    st.session_state.setdefault("look_style", "heat")
    style = left.segmented_control(
        "Draw the maps as",
        ["heat", "contour"],
        required=True,
        format_func={"heat": "Heat", "contour": "Contour lines"}.__getitem__,
        key="look_style",
        persist_state="session",
    )
    style = chosen(style, "heat")
    key = f"look_opacity_{style}"
    st.session_state.setdefault(key, {"heat": round(100 * OPACITY), "contour": 100}[str(style)])
    opacity = right.slider("Opacity of the maps, %", 0, 100, step=5, key=key, persist_state="session")
    return cast(Style, style), opacity / 100


def change_look(asked: Look) -> None:
    """Apply a key to the controls of ``choose_look``."""
    style = chosen(st.session_state["look_style"], "heat")
    if asked == "style":
        st.session_state["look_style"] = {"heat": "contour", "contour": "heat"}[style]
    else:
        key = f"look_opacity_{style}"
        st.session_state[key] = min(100, max(0, st.session_state[key] + {"more": 10, "less": -10}[asked]))


def start_early(opened: OpenCase, classifier: Classifier) -> None:
    """A new photo's maps are made while the clinician looks at it, so that they are there when they are asked for."""
    if opened.case is None:
        start(opened, classifier)


def start(
    opened: OpenCase,
    classifier: Classifier,
    place: DeltaGenerator | None = None,
    on_asked: Callable[[], None] | None = None,
) -> bool:
    """A new photo's maps are made at once. Those of a stored case only when asked: looking must not change it.

    Args:
        opened: Whose maps.
        classifier: Makes them.
        place: Where the button for a stored case stands.
        on_asked: Is called when it was clicked.

    Returns:
        Whether a stored case lacks maps, and none of them is under way.
    """
    wanted = [
        method
        for method in METHODS
        if session.queue().job((method, opened.target.code)) is None
        and opened.map_of(method, session.map_params(method)) is None
    ]
    lacks = bool(wanted) and opened.case is not None
    asked = lacks and place is not None and place.button("Make the maps", type="primary", on_click=on_asked)
    if wanted and (opened.case is None or asked):
        session.request_maps(opened, classifier, tuple(wanted))
    if asked:
        st.rerun()
    return lacks


def stored_words(opened: OpenCase) -> str:
    """Sentence that lists the maps stored with a case, for a page whose own maps are not stored."""
    titles: dict[str, list[str]] = {}
    in_order = sorted(opened.maps, key=lambda made: list(METHODS).index(made.method))  # not as they were finished
    for explanation in in_order:
        titles.setdefault(target_words(explanation.target), []).append(METHODS[explanation.method].title)
    if not titles:
        return "No map is stored with this case yet. All three take a few seconds, and are then stored with it."
    listed = "; ".join(f"{', '.join(dict.fromkeys(names))} for {target}" for target, names in titles.items())
    return f"Stored with this case: {listed}."


def waits(opened: OpenCase) -> bool:
    """Whether a map of the class that is explained is being made."""
    jobs = (session.queue().job((method, opened.target.code)) for method in METHODS)
    return any(job is not None and job.active for job in jobs)


def load(opened: OpenCase) -> None:
    """Give the browser what ``row`` needs, after it and outside of what is drawn again and again."""
    viewer.load(opened.analysis.photo, key="maps")


def row(opened: OpenCase, classifier: Classifier | None, *, details: bool) -> None:
    """Photo and maps, with what each was made of if ``details``. ``load`` has to follow it."""
    place = st.container()
    style, opacity = choose_look()

    def make(method: str) -> None:
        if classifier is not None:
            session.request_maps(opened, classifier, (cast(Method, method),))

    def cancel(method: str) -> None:
        if job := session.queue().job((cast(Method, method), opened.target.code)):
            job.cancel()

    photo = opened.analysis.photo
    panels = [
        Panel(
            key="photo",
            title="Photo",
            shows=SYNTHETIC if opened.synthetic else "As it was uploaded.",
            lines=(f"{photo.width_px} × {photo.height_px} px",) if details else (),
            alt=PHOTO,
        ),
        *(_panel(opened, method, able=classifier is not None, details=details) for method in METHODS),
    ]
    with place:
        spec = classifier.engine.spec if classifier else InputSpec()
        viewer.show(
            viewer.Row(photo, panels, spec, style, opacity, opened.mm_per_px),
            viewer.Layout(),
            key="maps",
            on_make=make,
            on_cancel=cancel,
            on_look=change_look,
        )


def _panel(opened: OpenCase, method: Method, *, able: bool, details: bool) -> Panel:
    lacking_ = lacking(opened, method, able=able)
    made = opened.map_of(method, session.map_params(method))
    if made is None or lacking_.action == "cancel":
        return lacking_
    info, of = METHODS[method], target_words(opened.target)
    nothing = nothing_for(of) if made.diagnostics.get("empty") else ""
    lines = _under(made) if details else ()
    return Panel(method, info.title, info.shows, lines, over_photo(info.title, of), map=made, note=nothing)


def lacking(opened: OpenCase, method: Method, *, able: bool) -> Panel:
    """Panel of a map that is not there: how far it is, or why there is none and the button that makes it.

    ``able``: whether it can be made, by the model that made the result.
    """
    info, job = METHODS[method], session.queue().job((method, opened.target.code))
    blank = Panel(method, info.title, info.shows, (), no_map(info.title, target_words(opened.target)))
    if job and job.active:
        note = session.queue().standing(job)
        return replace(blank, note=note, fraction=job.fraction, action="cancel", button="Cancel")
    if not able:
        return replace(blank, note=NOT_ABLE)
    note, button = _why_not(job)
    return replace(blank, note=note, action="make", button=button)


def _why_not(job: Job | None) -> tuple[str, str]:
    if job and job.state == "failed":
        return job.problem, "Try again"
    return CANCELLED if job and job.state == "cancelled" else "Not made yet", "Make this map"


def _under(made: Explanation) -> tuple[str, ...]:
    titles = {parameter.name: parameter.title for parameter in METHODS[made.method].parameters}
    settings = {key: value for key, value in made.params.items() if key != CONTRAST_WITH}
    lines = [
        f"Time: {duration(made.duration_ms)}",
        f"Settings: {settings_line(settings, titles)}",
        "Seed: none, nothing is random" if made.seed is None else f"Seed: {made.seed}",
    ]
    if "r2" in made.diagnostics:
        lines.append(f"Fit to the samples (R²): {number(made.diagnostics['r2'])}")
    if made.diagnostics.get("estimated"):
        tried, estimated = int(made.diagnostics["forwards"]), int(made.diagnostics["estimated"])
        lines.append(f"Channels tried: {tried} of {tried + estimated}, the others estimated")
    if "samples" in made.diagnostics:
        lines.append(f"Samples made: {made.diagnostics['samples']:.0f}")
    if "stability" in made.diagnostics:
        lines.append(f"Reproducibility with another seed: {number(made.diagnostics['stability'])} (1 = the same)")
    return (*lines, *explanations.remarks(made.method, made.model))
