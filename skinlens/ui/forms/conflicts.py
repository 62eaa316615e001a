"""Two windows changed the same stored fields: both texts side by side, and the clinician says which holds."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, cast

import streamlit as st

from skinlens.errors import Conflict
from skinlens.records import Sex
from skinlens.ui.forms import refusal
from skinlens.wording.naming import SEXES, diagnosis_name

Value = object
"""Of a field: a text, a number, a choice, or a part of a record."""
Choice = Literal["stored", "mine", "both"]
TITLES = {
    "clinician_label": "Diagnosis",
    "clinician_diagnosis": "Diagnosis in words",
    "notes": "Notes",
    "pseudonym": "Patient ID",
    "birth_year": "Birth year",
    "sex": "Sex",
    "body_site": "Body site",
    "remark": "Exact location",
}
CHOICES: dict[Choice, str] = {"stored": "What is stored now", "mine": "Mine", "both": "Both, one below the other"}
JOINED = ("clinician_diagnosis", "notes", "remark", "pattern", "symptoms", "evolution")
LONG = ("notes", "symptoms", "evolution")
"""Texts of which both can be kept; those of ``LONG`` are joined as paragraphs."""


@dataclass(frozen=True)
class Difference:
    """One field that two windows left differently."""

    field: str
    read: Value
    """Value as this window read it."""
    stored: Value
    """Value as the other window left it."""
    mine: Value

    @property
    def proposed(self) -> Choice | None:
        """Value that holds if only one side changed the field; None where both did: then nobody may guess."""
        if self.mine == self.read:
            return "stored"
        return "mine" if self.stored == self.read else None

    @property
    def choices(self) -> tuple[Choice, ...]:
        both = self.field in JOINED and self.stored and self.mine
        return ("stored", "mine", "both") if both else ("stored", "mine")

    def settled(self, choice: Choice) -> Value:
        if choice == "both":
            return f"{self.stored}\n\n{self.mine}" if self.field in LONG else f"{self.stored}; {self.mine}"
        return self.stored if choice == "stored" else self.mine


@dataclass(frozen=True)
class Pending:
    """A write that was refused, with all that is needed to write again."""

    subject: str
    version: int
    """Version of the record that is stored now."""
    mine: Mapping[str, Value]
    """Every field as this window would have it."""
    differences: tuple[Difference, ...]
    sign: bool = False
    signer: str = ""

    def settled(self, choices: Mapping[str, Choice]) -> dict[str, Value]:
        """Every field as it was chosen."""
        return {
            **self.mine,
            **{difference.field: difference.settled(choices[difference.field]) for difference in self.differences},
        }


def pending(
    conflict: Conflict, read: Mapping[str, Value], mine: Mapping[str, Value], *, sign: bool = False, signer: str = ""
) -> Pending:
    """Refused write, held until it is settled. ``read`` has the fields as they were when they were shown."""
    differences = tuple(
        Difference(field, read.get(field), stored, wanted) for field, (stored, wanted) in conflict.fields.items()
    )
    return Pending(conflict.subject, conflict.version, mine, differences, sign, signer)


def resolve(
    held: Pending,
    key: Callable[[str], str],
    remark: str = "",
    *,
    title: Callable[[str], str] = lambda field: TITLES.get(field, field),
    show: Callable[[str, Value], str] | None = None,
    above_button: Callable[[], None] | None = None,
) -> dict[str, Value] | None:
    """Draw both sides of each field; what was chosen, once it was chosen and is to be saved.

    Args:
        held: The write that was refused.
        key: Of a widget, by its name.
        remark: A sentence on what else the other window did.
        title: The name of a field, as it is read.
        show: A value of a field, as it is read; None: ``shown``.
        above_button: Draws what is still asked before it is saved.
    """
    show = show or shown
    st.warning(
        f"This {held.subject.replace('visit', 'case')} was changed in another window after it was opened here. "
        f"Nothing was overwritten and nothing is lost: choose what holds. {remark}".rstrip()
    )
    choices: dict[str, Choice] = {}
    for difference in held.differences:
        st.markdown(f"**{title(difference.field)}**")
        for column, words, value in zip(
            st.columns(2), ("stored", "mine"), (difference.stored, difference.mine), strict=True
        ):
            with column, st.container(border=True):
                st.caption(CHOICES[cast(Choice, words)])
                st.text(show(difference.field, value))
        chosen = st.radio(
            f"{title(difference.field)}: what holds",
            difference.choices,
            index=difference.choices.index(difference.proposed) if difference.proposed else None,
            format_func=CHOICES.__getitem__,
            horizontal=True,
            label_visibility="collapsed",
            key=key(f"holds_{difference.field}_{held.version}"),
        )
        if chosen:
            choices[difference.field] = chosen
    if above_button is not None:
        above_button()
    with refusal.beside(held.subject) as trouble:
        pressed = "save" if st.button("Save what is chosen", type="primary", key=f"resolve_{held.subject}") else None
    open_ = ", ".join(title(difference.field) for difference in held.differences if difference.field not in choices)
    words = f"Nothing is saved yet. Choose what holds for: {open_}." if open_ else ""
    remembered = key(f"resolve_{held.version}")
    settled = refusal.mended(trouble, key=remembered, pressed=pressed, problem=lambda _: words)
    return held.settled(choices) if settled else None


def shown(field: str, value: Value) -> str:
    """A stored value as it is read."""
    if field == "clinician_label":
        return diagnosis_name(cast(str | None, value))
    if field == "sex":
        return SEXES[cast(Sex, value)]
    return "nothing" if value is None or value == "" else str(value)
