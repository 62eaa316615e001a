"""Working on one item while the next is made."""

import threading
from collections.abc import Iterator

import pytest

from skinlens.explain.prefetch import DEPTH, prefetch_map


def test_results_come_in_order_and_few_items_are_in_use() -> None:
    made: list[int] = []

    def items() -> Iterator[int]:
        for number in range(6):
            made.append(number)
            yield number

    found = []
    for result in prefetch_map(lambda number: number**2, items()):
        found.append(result)
        assert len(made) <= len(found) + DEPTH
    assert found == [0, 1, 4, 9, 16, 25]
    assert list(prefetch_map(str, [])) == []


def test_the_next_item_is_made_while_the_first_is_worked_on() -> None:
    second_is_made = threading.Event()

    def items() -> Iterator[int]:
        yield 1
        second_is_made.set()
        yield 2

    assert list(prefetch_map(lambda number: second_is_made.wait(10) and number, items())) == [1, 2]


def test_an_error_in_the_work_is_the_callers_and_ends_it() -> None:
    with pytest.raises(ZeroDivisionError):
        list(prefetch_map(lambda number: 1 / number, [1, 0, 2]))
    assert not [one for one in threading.enumerate() if one.name.startswith("ahead")]


def test_a_caller_that_stops_listening_leaves_no_thread() -> None:
    results = prefetch_map(lambda number: number, range(100))
    assert next(results) == 0
    results.close()  # type: ignore[attr-defined]  # a generator, called an iterator
    assert not [one for one in threading.enumerate() if one.name.startswith("ahead")]
