"""What each part of the method is worth: one table for each way of dividing the photos, the leaky one named so."""

from collections.abc import Iterator, Mapping, Sequence
from textwrap import wrap
from typing import Any

import streamlit as st

from skinlens import pipeline
from skinlens.ui import curves, figures, widgets
from skinlens.ui.rows import NOT_RUN, Row, difference, told, with_paper
from skinlens.ui.words import percent

CONFIG = {"displayModeBar": False, "scrollZoom": False}
PROTOCOLS = {
    "lesion": (
        "Photos divided by lesion",
        "No lesion is both learned from and measured on. These are the figures that count. Networks that began at "
        "random weights stand lower for that alone: the others had learned from everyday pictures before.",
    ),
    "paper": (
        "The paper's way of dividing: leaky",
        "Leaky: photos are copied and altered first, and divided at random then, so copies of one photo are both "
        "learned from and measured on. It stands here to be set beside the paper, and says nothing about new patients.",
    ),
}
COSTS = {
    "size_px": "Side, px",
    "epochs": "Epochs",
    "parameters": "Parameters",
    "macs": "Operations",
    "size_kb": "Size, KB",
    "latency_ms": "Time, ms",
}
PAPER = {"accuracy": "accuracy", "f1": "F1", "auc": "AUC"}
"""What the paper reports, in percent."""


def tables() -> None:
    """What ``ablation`` gathered, or a sentence that it has not."""
    gathered = pipeline.ablation()
    if gathered is None:
        st.info("These runs were not made yet, or their figures are not stored with the program.")
        return
    protocols = gathered["protocols"]
    for key, (title, meaning) in PROTOCOLS.items():
        if key not in protocols:
            continue
        rows, absent = told(protocols[key]["rows"])
        st.subheader(title)
        st.markdown(meaning)
        _chart(key, rows)
        widgets.wide_table(title, header(rows), [cells(row, rows) for row in rows])
        if absent:
            st.caption(absent)
        titles = {row["name"]: row["title"] for row in rows}
        for one in protocols[key].get("differences", ()):
            st.markdown(f"- {difference(one, titles)}")
    for sentence in leak(protocols):
        st.markdown(sentence)


def _chart(key: str, rows: Sequence[Row]) -> None:
    run = [row for row in rows if row["figures"]]
    if run:
        found = [row["figures"]["balanced_accuracy"] for row in run]
        names = ["<br>".join(wrap(row["title"], 22)) for row in run]
        st.plotly_chart(
            curves.dots(names, found, f"balanced accuracy{', leaky' if key == 'paper' else ''}", None),
            config=CONFIG,
            key=f"ablation_{key}",
            alt="; ".join(f"{row['title']}: {figures.interval(one)}" for row, one in zip(run, found, strict=True)),
        )


def metrics(rows: Sequence[Row]) -> list[str]:
    """The figures that any row has, those of the page's own table first."""
    present = {key for row in rows for key in row["figures"]}
    return [key for key in figures.HEADLINES if key in present] + sorted(present - figures.HEADLINES.keys())


def header(rows: Sequence[Row]) -> list[str]:
    titles = (figures.HEADLINES.get(key, key.replace("_", " ").capitalize()) for key in metrics(rows))
    return ["Model", *titles, *(["The paper reports"] if with_paper(rows) else []), *COSTS.values()]


def cells(row: Row, rows: Sequence[Row]) -> list[str]:
    """A row that was not run says so in every place of ours; nothing is borrowed for it from elsewhere."""
    keys, run = metrics(rows), row["status"] != NOT_RUN
    own = [figures.interval(row["figures"].get(key)) if run else NOT_RUN for key in keys]
    paper = [_reported(row.get("paper_reports"))] if with_paper(rows) else []
    return [row["title"], *own, *paper, *(_cost(row, key) if run else NOT_RUN for key in COSTS)]


def _reported(paper: Mapping[str, float] | None) -> str:
    return ", ".join(f"{PAPER[key]} {value:.2f} %" for key, value in (paper or {}).items()) or "nothing"


def _cost(row: Row, key: str) -> str:
    value = row.get(key)
    if value is None:
        return "not measured"
    return f"{value:.1f}" if key == "latency_ms" else f"{value:,.0f}"


def leak(protocols: Mapping[str, Any]) -> Iterator[str]:
    """What the leak is worth, for each row that was run under both protocols."""
    honest, leaky = (
        {row["name"]: row for row in protocols.get(key, {}).get("rows", ()) if row["figures"]} for key in PROTOCOLS
    )
    for name in (name for name in honest if name in leaky):
        own, other = (rows[name]["figures"] for rows in (honest, leaky))
        plain, balanced = (
            [percent(row[key]["value"]) for row in (other, own)] for key in ("accuracy", "balanced_accuracy")
        )
        yield (
            f"**What the leak is worth:** the same recipe ({honest[name]['title']}) has an accuracy of {plain[0]} "
            f"by the leaky division and of {plain[1]} on lesions that it never saw. By the leaky division the classes "
            f"are equally frequent, so balanced accuracy compares better: {balanced[0]} against {balanced[1]}."
        )
