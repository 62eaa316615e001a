"""The desk: maps come in turn, sessions do not wait for each other, cancel stops at the next step."""

import threading
import time
from collections.abc import Callable

import numpy as np
import pytest

from skinlens.errors import ParameterError
from skinlens.records import Explanation, ModelStamp, Progress
from skinlens.ui.jobs import Desk, Job

STAMP = ModelStamp("tiny", "0", "0" * 64)
LIMIT_S = 20.0


def explanation(label: str = "mel") -> Explanation:
    heat = np.zeros((4, 4), dtype=np.float32)
    return Explanation("lime", label, heat, {}, None, "0" * 64, STAMP, 1.0, "2024-01-01T00:00:00+00:00")


def wait(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + LIMIT_S
    while not holds():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.005)


def steps(gate: threading.Event) -> Callable[[Progress], Explanation]:
    """A map that takes steps of progress until the gate is opened."""

    def compute(progress: Progress) -> Explanation:
        while not gate.wait(0.005):
            progress(0.5)
        return explanation()

    return compute


@pytest.fixture
def gate() -> threading.Event:
    return threading.Event()


def test_a_map_is_kept_when_it_is_done(gate: threading.Event) -> None:
    kept: list[Explanation] = []
    desk, job = Desk(), Job(("lime", "mel"), steps(gate), kept.append)
    desk.submit(job)
    wait(lambda: job.state == "running" and job.fraction == 0.5)
    assert desk.busy
    gate.set()
    wait(lambda: job.state == "done")
    assert not desk.busy
    assert len(kept) == 1


def test_cancel_keeps_nothing_and_lets_the_next_one_in(gate: threading.Event) -> None:
    kept: list[Explanation] = []
    desk, job = Desk(), Job(("lime", "mel"), steps(gate), kept.append)
    desk.submit(job)
    wait(lambda: job.state == "running")
    job.cancel()
    wait(lambda: job.state == "cancelled")
    assert kept == []
    following = Job(("grad_cam", "mel"), lambda _: explanation(), kept.append)
    desk.submit(following)
    wait(lambda: following.state == "done")


def test_a_map_cancelled_while_it_waits_is_never_begun(gate: threading.Event) -> None:
    begun: list[str] = []

    def compute(progress: Progress) -> Explanation:
        begun.append("second")
        return explanation()

    desk = Desk()
    first = Job(("lime", "mel"), steps(gate), lambda _: None)
    second = Job(("lime", "nv"), compute, lambda _: None)
    desk.submit(first)
    desk.submit(second)
    second.cancel()
    gate.set()
    wait(lambda: second.state == "cancelled")
    assert begun == []


def test_the_class_on_the_screen_comes_before_what_still_waits(gate: threading.Event) -> None:
    order: list[str] = []

    def noting(label: str) -> Callable[[Progress], Explanation]:
        def compute(progress: Progress) -> Explanation:
            order.append(label)
            return explanation(label)

        return compute

    desk = Desk()
    desk.submit(Job(("lime", "nv"), steps(gate), lambda _: None))
    jobs = [Job(("grad_cam", code), noting(code), lambda _: None) for code in ("bkl", "df", "mel")]
    for job in jobs:
        desk.submit(job)
    gate.set()
    wait(lambda: all(job.state == "done" for job in jobs))
    assert order == ["mel", "bkl", "df"]


def test_one_session_never_waits_for_another(gate: threading.Event) -> None:
    busy = Desk()
    for code in ("akiec", "bcc", "bkl", "df", "mel", "nv", "vasc"):
        busy.submit(Job(("lime", code), steps(gate), lambda _: None))
    job = Job(("lime", "mel"), lambda _: explanation(), lambda _: None)
    Desk().submit(job)
    wait(lambda: job.state == "done")
    gate.set()
    wait(lambda: not busy.busy)


@pytest.mark.parametrize(
    ("error", "words"), [(ParameterError("Trials cannot be 0."), "Trials cannot be 0."), (KeyError("x"), "log")]
)
def test_a_failed_map_says_why_and_the_desk_goes_on(error: Exception, words: str) -> None:
    def compute(progress: Progress) -> Explanation:
        raise error

    desk, job = Desk(), Job(("lime", "mel"), compute, lambda _: None)
    desk.submit(job)
    wait(lambda: job.state == "failed")
    assert words in job.problem
    following = Job(("grad_cam", "mel"), lambda _: explanation(), lambda _: None)
    desk.submit(following)
    wait(lambda: following.state == "done")


def test_clearing_the_desk_cancels_what_runs(gate: threading.Event) -> None:
    desk, job = Desk(), Job(("lime", "mel"), steps(gate), lambda _: None)
    desk.submit(job)
    wait(lambda: job.state == "running")
    desk.clear()
    wait(lambda: job.state == "cancelled")
    assert desk.job(("lime", "mel")) is None
