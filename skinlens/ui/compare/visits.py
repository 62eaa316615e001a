"""Two visits of one lesion side by side: photos and maps at one scale, and the change of the probabilities in words."""

from collections.abc import Mapping

import streamlit as st

from skinlens.case_record import CaseRecord
from skinlens.explain import METHODS
from skinlens.followup.wording import visit_days
from skinlens.formatting import Unit, entered_length, percent
from skinlens.imaging.preprocess import InputSpec
from skinlens.labels import CODES, MELANOMA
from skinlens.records import Case, Explanation, Method, Prediction, Target, Visit
from skinlens.store import CaseStore
from skinlens.ui.compare import course
from skinlens.ui.components import viewer, widgets
from skinlens.ui.components.choice import chosen
from skinlens.ui.components.text import plain
from skinlens.ui.components.viewer import Panel
from skinlens.ui.state import cache
from skinlens.ui.state.open_case import OpenCase
from skinlens.ui.visit import maps
from skinlens.wording.maps import over_photo
from skinlens.wording.naming import capital, diagnosis_name, impression_words, name
from skinlens.wording.quality import UNRELIABLE_BRIEFLY
from skinlens.wording.records import target_words
from skinlens.wording.verdict import top_change

NOTABLE = 0.05
"""Change of a probability from which a class is named; two photos of one lesion differ by as much without a change."""
CAUTION = (
    "Two photos of an unchanged lesion can differ this much because of light, angle, sharpness or hair. Look at the "
    "photos first."
)
SAME_DAY = (
    "Both photos were taken on {day} and cannot show a change over time. Any difference in probability comes from "
    "light, angle, sharpness or hair."
)
OPENER = "Overlay two photos without alignment"
SAME_SIDES = "Both photos are drawn with their short sides equally long, as the model sees them."
OTHER_MODEL = "The two visits were read by different models: their probabilities cannot be compared."


def compare(store: CaseStore, opened: OpenCase, stored: Case) -> None:
    """Two visits of the open case's lesion, the earlier one on the left: at first the open one and the last before it,
    or the next after it.
    """
    st.header("Follow-up comparison")
    all_visits = {visit.id: visit for visit in store.visits_of_lesion(stored.lesion.id)}
    if len(all_visits) < 2:
        st.markdown(
            "This lesion has one visit so far. When you save its next photo, choose the existing patient and this "
            "lesion; then both are shown here side by side."
        )
        return
    chosen = _choose_two(opened, all_visits, stored.visit.id)
    if chosen[0] == chosen[1]:
        st.info("Choose two different visits.")
        return
    seen = [_seen(store, opened, number) for number in chosen]
    before, after = sorted(seen, key=lambda record: (record.visit.taken_on, record.visit.id))
    course.trend(store, stored.lesion.id)
    _changes(before.visit, after.visit)
    course.change(store, before, after)
    _pictures(before, after)
    for column, record in zip(st.columns(2), (before, after), strict=True):
        with column:
            _fields(record.visit)


def _choose_two(opened: OpenCase, all_visits: Mapping[int, Visit], open_id: int) -> tuple[int, int]:
    """The numbers of two visits, as they were chosen."""
    numbers = list(all_visits)
    place = numbers.index(open_id)
    pair = numbers[place - 1 : place + 1] if place else numbers[:2]
    chosen = []
    for column, label, preset in zip(st.columns(2), ("Earlier visit", "Later visit"), pair, strict=True):
        key = opened.key(f"compare {label}")
        if st.session_state.get(key) not in all_visits:  # not chosen yet, or erased elsewhere
            st.session_state[key] = preset
        chosen.append(
            column.selectbox(
                label,
                numbers,
                format_func=lambda number: _visit_words(all_visits[number], open_id),
                key=key,
                persist_state="session",
            )
        )
    return int(chosen[0]), int(chosen[1])


def _visit_words(visit: Visit, open_id: int) -> str:
    return f"{visit.taken_on} (case {visit.id}{', this visit' if visit.id == open_id else ''})"


def _seen(store: CaseStore, opened: OpenCase, visit_id: int) -> CaseRecord:
    """Record of a visit: from the session for the open case, else from the store; unreadable parts are listed."""
    if opened.case is not None and visit_id == opened.case.visit.id:
        return opened.record(opened.case)
    record = store.load(visit_id)
    widgets.problems(record.problems)
    return record


def _map_of(record: CaseRecord, method: Method, target: Target) -> Explanation | None:
    """The latest of this target: a class alone is not one class against another."""
    explanations = [
        explanation
        for explanation in record.explanations
        if (explanation.method, explanation.target) == (method, target)
    ]
    return explanations[-1] if explanations else None


def _changes(before: Visit, after: Visit) -> None:
    if words := not_comparable(before, after):
        st.info(plain(words))
        return
    sentences = changes_in_words(before.prediction, after.prediction)
    st.markdown("\n".join(f"- {plain(sentence)}" for sentence in sentences))
    st.caption(CAUTION)


def not_comparable(before: Visit, after: Visit) -> str:
    """Reason why the probabilities of two visits say nothing of a change; empty where they can be compared."""
    strange = [visit for visit in (before, after) if not visit.quality.reliable]
    if strange:
        days = " and ".join(f"{visit.taken_on} (case {visit.id})" for visit in strange)
        return f"Not reliable: the photo of {days} is an unfamiliar image. Compare the photos only."
    if before.prediction.model != after.prediction.model:
        return OTHER_MODEL
    return SAME_DAY.format(day=after.taken_on) if before.taken_on == after.taken_on else ""


def changes_in_words(before: Prediction, after: Prediction) -> list[str]:
    """Change of melanoma, of the most probable class, and of every other that changed by ``NOTABLE`` or more.

    Both are of one model.
    """
    sentences = [f"{_change(MELANOMA, before, after)}{_threshold_crossed(before, after)}."]
    sentences.append(top_change(before.top.code, after.top.code))
    notable = [code for code in CODES if abs(after.prob(code) - before.prob(code)) >= NOTABLE and code != MELANOMA]
    notable.sort(key=lambda code: -abs(after.prob(code) - before.prob(code)))
    return sentences + [f"{_change(code, before, after)}." for code in notable]


def _change(code: str, before: Prediction, after: Prediction) -> str:
    was, now = before.prob(code), after.prob(code)
    points = f"{100 * abs(now - was):.1f}"
    if points == "0.0":
        return f"{name(code)} is unchanged at {percent(now)}"
    verb = "rose" if now > was else "fell"
    return f"{name(code)} {verb} from {percent(was)} to {percent(now)}, by {points} percentage points"


def _threshold_crossed(before: Prediction, after: Prediction) -> str:
    value = percent(after.melanoma_threshold.value)
    if before.above_melanoma_threshold == after.above_melanoma_threshold:
        side = "at or above" if after.above_melanoma_threshold else "below"
        return f", {side} the cut-off of {value} at both visits"
    side = "and now lies at or above" if after.above_melanoma_threshold else "and now lies below"
    return f", {side} the cut-off of {value}"


# --------------------------------------------------------------------------------------------------------- pictures


def _pictures(before: CaseRecord, after: CaseRecord) -> None:
    targets = explained_targets(before, after)
    names = _names(before, after)
    panels = [_photo_panel(record, names) for record in (before, after)]
    if targets:
        first, *_ = targets
        code = st.segmented_control(
            "Maps for",
            list(targets),
            default=first,
            required=True,
            format_func=lambda code: capital(target_words(targets[code])),
            wrap=True,
            key="case_visits_class",
        )
        target = targets.get(chosen(code, first), targets[first])
        for method in METHODS:
            panels += map_panels(method, target, before, after)
    else:
        st.markdown("No maps saved for these visits. Open each under “Why?” to have its maps made.")
    model = cache.installed()
    style, opacity = maps.choose_look()
    spec = model.engine.spec if model else InputSpec()
    viewer.show(
        viewer.Row(before.photo, panels, spec, style, opacity, before.mm_per_px),
        viewer.Layout(columns=2, opener=OPENER),
        key="visits",
        on_look=maps.change_look,
    )
    viewer.load(before.photo, after.photo, key="visits")
    st.caption(
        f"Zoom and place are the same in all pictures. {SAME_SIDES} {sizes_known(before, after, cache.settings().unit)}"
    )


def explained_targets(before: CaseRecord, after: CaseRecord) -> dict[str, Target]:
    """Targets that the visits have maps of, by :attr:`Target.code`.

    First what both have, of it melanoma, then the later visit's most probable class, then the order of the classes.
    """
    of_each = [{explanation.target for explanation in record.explanations} for record in (before, after)]
    likely = after.visit.prediction.top.code

    def place(target: Target) -> tuple[object, ...]:
        visits = sum(target in targets for targets in of_each)
        label = target.label
        return -visits, label != MELANOMA, label != likely, [CODES.index(code) for code in target.codes]

    return {target.code: target for target in sorted(set.union(*of_each), key=place)}


def sizes_known(before: CaseRecord, after: CaseRecord, unit: Unit) -> str:
    """Width of skin that each photo shows, or that it is not known."""
    first, second = (record.visit.clinical.field_width_mm for record in (before, after))
    if first and second:
        widths = f"{entered_length(first, unit)} and {entered_length(second, unit)}"
        return f"The photos show {widths} of skin from left to right."
    return "Their true size is not known: enter the field of view of each photo (Result, Size)."


def _names(before: CaseRecord, after: CaseRecord) -> dict[int, str]:
    return visit_days((record.visit.id, record.visit.taken_on) for record in (before, after))


def _photo_panel(record: CaseRecord, names: Mapping[int, str]) -> Panel:
    day = names[record.visit.id]
    size = f"{record.photo.width_px} × {record.photo.height_px} px"
    return Panel(f"photo-{record.visit.id}", f"{day}: photo", f"Case {record.visit.id}", (size,), f"Photo of {day}",
                 photo=record.photo, mm_per_px=record.mm_per_px)  # fmt: skip


def map_panels(method: Method, target: Target, before: CaseRecord, after: CaseRecord) -> list[Panel]:
    """The maps of both visits for one target; on one scale where their amounts can be compared."""
    pair, names = (_map_of(before, method, target), _map_of(after, method, target)), _names(before, after)
    gains = common_scale(*pair)
    if gains:
        scale = "One scale for both visits: the same color is the same amount of evidence."
    elif all(pair):
        scale = "Each has a scale of its own, up to its peak: compare the places, not the colors."
    else:
        scale = ""
    panels = []
    for record, made, gain in zip((before, after), pair, gains or (1.0, 1.0), strict=True):
        day = names[record.visit.id]
        title = f"{day}: {METHODS[method].title}"
        alt = over_photo(METHODS[method].title, target_words(target), f"the photo of {day}")
        note = "" if made else f"No {METHODS[method].title} map is saved for {target_words(target)}."
        panels.append(
            Panel(
                f"{method}-{record.visit.id}",
                title,
                scale,
                (),
                alt,
                map=made,
                note=note,
                photo=record.photo,
                gain=gain,
                mm_per_px=record.mm_per_px,
            )
        )
    return panels


def common_scale(first: Explanation | None, second: Explanation | None) -> tuple[float, float] | None:
    """Factor of each map, so that 1 is the larger peak of the two; the larger gets 1.

    A map comes with its own peak at 1 and keeps the unscaled ``peak`` beside it. Peaks are amounts of one kind only
    where the model and, but for the seed, the settings are the same; otherwise, and without any heat, None.
    """
    if first is None or second is None or first.model != second.model or _settings(first) != _settings(second):
        return None
    peaks = first.diagnostics.get("peak", 0.0), second.diagnostics.get("peak", 0.0)
    most = max(peaks)
    return (peaks[0] / most, peaks[1] / most) if min(peaks) > 0 else None


def _settings(made: Explanation) -> dict[str, object]:
    return {key: value for key, value in made.params.items() if key != "seed"}


def _fields(visit: Visit) -> None:
    top = visit.prediction.top.code
    st.markdown(f"**{visit.taken_on}**, case {visit.id}")
    widgets.fields(
        {
            "Most probable": f"{name(top)}, {percent(visit.prediction.prob(top))}"
            if visit.quality.reliable
            else UNRELIABLE_BRIEFLY,
            "First impression": impression_words(visit.first_impression, visit.result_first),
            "Diagnosis": " · ".join(filter(None, (diagnosis_name(visit.clinician_label), visit.clinician_diagnosis))),
            "Notes": visit.notes or "none",
            "Model": visit.prediction.model.version,
        }
    )
