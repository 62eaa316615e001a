"""Choice of a control in which something is always chosen, as it should be."""

from typing import TypeVar

Value = TypeVar("Value")


def chosen(value: Value | None, otherwise: Value) -> Value:
    """Choice of such a control; ``otherwise`` where it has none.

    A click elsewhere on the page just before a control is drawn again can leave it without a choice in the browser,
    which then sends none, also where one is required.
    """
    return otherwise if value is None else value
