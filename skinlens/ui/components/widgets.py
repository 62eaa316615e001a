"""Pieces of pages: verdicts, the distribution over the classes, the statement on melanoma, empty states."""

import base64
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from html import escape

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from skinlens.clock import FIRST_BIRTH_YEAR, FIRST_YEAR, today
from skinlens.formatting import duration, percent
from skinlens.labels import DIAGNOSES, IMPRESSIONS, LABELS, MELANOMA, Label
from skinlens.records import LIKENESS, Prediction, QualityReport
from skinlens.report.text import PLACEHOLDER, not_printed
from skinlens.store import CaseStore, NewLesion, NewPatient
from skinlens.ui.components import allowed
from skinlens.ui.components.text import RISK_SIGNS, plain
from skinlens.ui.forms import numbers
from skinlens.ui.forms.numbers import Expected
from skinlens.ui.state import cache
from skinlens.ui.state.open_case import OpenCase
from skinlens.wording.naming import diagnosis_name, impression_name, impression_words, name
from skinlens.wording.quality import NOT_CHECKED, SIMILARITY, check_words, not_met
from skinlens.wording.verdict import cutoff_promise, other_finding, verdict_line

FIRST_DAY, LAST_DAY = date(FIRST_YEAR, 1, 1), date(2100, 12, 31)
"""Of a field for a day: wider than what is stored. A day that the browser refuses never comes here, and
what the field had before would be stored in its place; the store refuses a day in a sentence.
"""
TOP = 3
"""Classes that are shown at once; the others are folded."""
MOST_SIGNS = 12
"""Most characters that a warning lists as not printable."""


def address_of(jpeg: bytes) -> str:
    """A small picture as an address that stands in the page itself."""
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode()


def export_patient(store: CaseStore, patient_id: int) -> None:
    """The button that hands out everything of a patient."""
    st.download_button(
        "Export the patient",
        lambda: store.export_patient(patient_id),
        file_name=f"skinlens-patient-{patient_id:04d}-export.zip",
        mime="application/zip",
        on_click="ignore",
        **allowed.button("export"),
    )


def thumbnail(jpeg: bytes, alt: str) -> str:
    """A small picture as markup; empty where its bytes are lost."""
    return f'<img class="sl-thumb" src="{address_of(jpeg)}" alt="{escape(alt)}">'


def day_of_photo(place: DeltaGenerator, title: str, key: str) -> date:
    """Field for the day on which a photo was taken; today where nothing was chosen."""
    return place.date_input(
        title, min_value=FIRST_DAY, max_value=LAST_DAY, format="YYYY-MM-DD", key=key, persist_state="session"
    )


def quality(report: QualityReport, *, cause_shown: bool = False) -> None:
    """The verdict, what to do about it, and the checks behind it; ``cause_shown``: the page says already why an
    unfamiliar image is one.
    """
    if report.failed:
        shown = {LIKENESS: f"{SIMILARITY}: low (see above)."} if cause_shown else {}
        advice = "\n".join(f"- {shown.get(check.name, check.advice)}" for check in report.failed)
        st.warning(f"**{not_met(report)}**\n\n{advice}")
    elif report.checks:
        st.success(f"**Photo quality: good.** All {len(report.checks)} checks are met.")
    else:
        st.info(NOT_CHECKED)
        return
    with st.expander("Quality measurements"):
        rows = [(*check_words(check), "met" if check.passed else "not met") for check in report.checks]
        table(("Check", "Measured", "Expected", "Result"), rows)


def distribution(prediction: Prediction, *, reliable: bool = True, cutoff: bool = True) -> None:
    """All seven classes by falling probability: name, risk group in words and sign, bar, percent.

    For a photo on which the model is not reliable: gray bars, and neither risk groups nor the threshold. ``cutoff``:
    whether melanoma's is drawn at all.
    """
    threshold = prediction.melanoma_threshold.value
    rows = []
    ranked = sorted(zip(LABELS, prediction.probs, strict=True), key=lambda pair: -pair[1])
    for label, prob in ranked:
        tick = cut = ""
        if label.code == MELANOMA and reliable and cutoff:
            tick = f'<em style="left:{100 * threshold:.2f}%"></em>'
            cut = f'<div class="sl-cut">Dashed line: the cut-off for melanoma, {percent(threshold)}</div>'
        rows.append(
            f'<li><div class="sl-row"><span>{escape(name(label.code))}{_risk(label) if reliable else ""}</span>'
            f"{_share(prob, reliable=reliable)}</div>"
            f'<div class="sl-track" aria-hidden="true"><span class="sl-{label.risk if reliable else "gray"}" '
            f'style="width:{100 * prob:.2f}%"></span>{tick}</div>{cut}</li>'
        )
    _bars("The most probable classes", rows[:TOP])
    with st.expander("All seven classes"):
        _bars("The other classes", rows[TOP:])


def _bars(label: str, rows: Sequence[str]) -> None:
    st.html(f'<ul class="sl-rows" aria-label="{label}">{"".join(rows)}</ul>')


def _risk(label: Label) -> str:
    return (
        f'<span class="sl-risk"><i class="sl-{label.risk}" aria-hidden="true">{RISK_SIGNS[label.risk]}</i>'
        f"{label.risk}</span>"
    )


def _share(prob: float, *, reliable: bool) -> str:
    return f"<b>{percent(prob)}</b>" if reliable else f'<span class="sl-faint">{percent(prob)}</span>'


def melanoma_statement(prediction: Prediction, *, figures: bool = True) -> None:
    above = prediction.above_melanoma_threshold
    side = "at" if above else "other" if other_finding(prediction.top.code, above=above) else "under"
    st.html(
        f'<div class="sl-statement {side}" role="status"><b>{escape(verdict_line(prediction, figures=figures))}</b> '
        f"<br><small>{escape(cutoff_promise(prediction.melanoma_threshold))}</small></div>"
    )


def model_line(opened: OpenCase) -> None:
    """Version of the model that predicted; a notice where it is not the installed one."""
    model, latency_ms = opened.analysis.prediction.model, opened.analysis.prediction.latency_ms
    if opened.by_todays_model or opened.analysis.photo.placeholder:
        st.caption(plain(f"Model version {model.version} · {duration(latency_ms)}"))
        return
    installed = cache.todays_version()
    today = f"today's is {installed}" if installed else "no model is installed today"
    st.info(plain(f"Made with model {model.version} ({model.sha256[:12]}…); {today}. Nothing was recomputed."))


def problems(sentences: Iterable[str]) -> None:
    """List of the parts of a case that could not be read."""
    for sentence in sentences:
        st.warning(plain(sentence))


def impression(code: str | None, *, result_first: bool | None) -> None:
    """Read-only first impression: it stays as it was given."""
    st.markdown(f"Your impression: **{impression_words(code, result_first)}**")


def choose_diagnosis(
    label: str, key: str, placeholder: str = "None yet", help_text: str | None = None, *, compact: bool = False
) -> str | None:
    """A field for one of the diagnoses, by code; it begins with none. ``compact``: its label is read aloud alone."""
    return st.selectbox(
        label,
        list(DIAGNOSES),
        index=None,
        format_func=diagnosis_name,
        placeholder=placeholder,
        key=key,
        persist_state="session",
        help=help_text,
        label_visibility="collapsed" if compact else "visible",
    )


def choose_impression(
    key: str, *, compact: bool = False, on_change: Callable[..., None] | None = None, args: tuple[object, ...] = ()
) -> str | None:
    """The field for a first impression, by code; it begins with none. ``compact``: its label is read aloud alone."""
    return st.selectbox(
        "Your impression" if compact else "Your impression (optional)",
        list(IMPRESSIONS),
        index=None,
        format_func=impression_name,
        placeholder="Your impression" if compact else "Choose a diagnosis, or leave empty",
        key=key,
        persist_state="session",
        label_visibility="collapsed" if compact else "visible",
        on_change=on_change,
        args=args,
    )


@dataclass(frozen=True)
class Entered:
    """Value of a number's field."""

    value: float | None
    """None: nothing, or nothing that can be read."""
    problem: str = ""
    """What is wrong with it, as a sentence; while there is one, nothing may be saved."""

    @property
    def whole(self) -> int | None:
        return None if self.value is None else int(self.value)


def number(
    label: str,
    takes: Expected,
    first: float | None = None,
    *,
    key: str | None = None,
    placeholder: str = "",
    help_text: str | None = None,
    disabled: bool = False,
) -> Entered:
    """A field for a number, with a decimal comma or point; what cannot be read is said below it, never guessed.

    Streamlit's own field for numbers makes 125 of "12,5" where the browser's language has a decimal point.

    Args:
        label: Names the quantity, with its unit.
        takes: Range, unit and kind of the numbers it takes; the unit is for what is said.
        first: What the field begins with; with a ``key``, where the session has no text under it yet.
        key: Of the text in the session; None inside of a form that begins anew with ``first``.
        placeholder: Shown while it is empty.
        help_text: What it is and where it comes from.
        disabled: Whether it is not to be filled in.
    """
    if key is not None:
        st.session_state.setdefault(key, numbers.shown(first))
        typed = st.text_input(
            label, key=key, persist_state="session", placeholder=placeholder, help=help_text, disabled=disabled
        )
    else:
        typed = st.text_input(label, numbers.shown(first), placeholder=placeholder, help=help_text, disabled=disabled)
    value, problem = takes.read(typed)
    if problem:
        problem = f"{label.removesuffix(' (optional)')}: {problem}"
        st.error(plain(problem))
    return Entered(value, problem)


def birth_year(first: int | None = None, key: str | None = None) -> Entered:
    """The field for the birth year of a patient."""
    years = Expected(FIRST_BIRTH_YEAR, today().year, whole=True)
    return number("Birth year", years, first, key=key, placeholder="year")


def unprintable(typed: Mapping[str, str], *entries: object) -> None:
    """Warning of characters that the report cannot print, as soon as they are typed; nothing where all of it can be.

    ``entries``: patient or lesion as typed, whose texts are looked at too.
    """
    named = {key: text for entry in entries if isinstance(entry, NewPatient | NewLesion) for key, text in _texts(entry)}
    for field, words in {**named, **typed}.items():
        if signs := not_printed(words):
            shown = " ".join(signs[:MOST_SIGNS]) + (" …" if len(signs) > MOST_SIGNS else "")
            st.warning(
                plain(
                    f"The report cannot print these characters of the {field.replace('_', ' ')}, and puts "
                    f"{PLACEHOLDER} in their place: {shown}. They are kept, and shown on the screen as they are."
                )
            )


def _texts(entry: NewPatient | NewLesion) -> Iterator[tuple[str, str]]:
    return ((key, text) for key, text in entry._asdict().items() if isinstance(text, str))


def pages(name: str, count: int, now: int) -> None:
    """Pagination of a list of ``count`` pages, ``now`` being the current one; the chosen page is put into the session
    state under ``name``.

    Streamlit's own field always has a default, unlike its other fields, and so warns of a second one whenever a program
    sets its value. It is given the page as its default instead, and drawn anew, under another key, where something else
    turned the page: an address, a search that finds less, a lesion that is chosen.
    """
    at = f"{name}_pages"
    turns, shown = st.session_state.get(at, (0, now))
    turns += shown != now
    st.session_state[at] = turns, now
    key = f"{at}_{turns}"

    def turned() -> None:
        st.session_state[name] = st.session_state[key]
        st.session_state[at] = turns, st.session_state[key]

    st.pagination(count, default=now, key=key, on_change=turned)


def share_of_lesions(what: str, usual_percent: float, *, key: str, help_text: str) -> float:
    """Share of the reader's lesions that are of a kind, 0 to 1, by a slider; kept for the session."""
    chosen = st.slider(
        f"{what} among the lesions that you examine, in %",
        min_value=0.5,
        max_value=50.0,
        value=usual_percent,
        step=0.1,
        format="%.1f",
        key=key,
        persist_state="session",
        help=help_text,
    )
    return float(chosen) / 100


def fields(pairs: Mapping[str, str]) -> None:
    """Description list: each caption with its value."""
    inside = "".join(f"<dt>{escape(key)}</dt><dd>{escape(value)}</dd>" for key, value in pairs.items())
    st.html(f'<dl class="sl-fields">{inside}</dl>')


def table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
    """A plain table that reads well aloud; cells are texts, not markup."""
    st.html(_table(header, rows))


def wide_table(label: str, header: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
    """A table of many columns, which scrolls to the side by itself on a narrow screen, also with the keyboard."""
    st.html(
        f'<div class="sl-scroll" role="region" aria-label="{escape(label)}" tabindex="0">{_table(header, rows)}</div>'
    )


def _table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in header)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<table class="sl-table"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


def steps(sentences: Iterable[str]) -> None:
    """Numbered steps."""
    st.html(f'<ol class="sl-steps">{"".join(f"<li>{escape(sentence)}</li>" for sentence in sentences)}</ol>')
