"""The queue: maps come in turn, sessions do not wait for each other, cancel stops at the next step."""

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from skinlens import pipeline
from skinlens.errors import ParameterError
from skinlens.explain import explain
from skinlens.records import Explanation, ModelRef, Progress
from skinlens.ui.components import live
from skinlens.ui.state.jobs import LONG_PLACES, FairScheduler, Job, SessionQueue

STAMP = ModelRef("tiny", "0", "0" * 64)
LIMIT_S = 120.0
ENDLESS = {"samples": 10_000, "steady": 100}
"""Settings of a LIME that does not end before it is stopped."""


def explanation(label: str = "mel") -> Explanation:
    heatmap = np.zeros((4, 4), dtype=np.float32)
    return Explanation("lime", label, heatmap, {}, None, "0" * 64, STAMP, 1.0, "2024-01-01T00:00:00+00:00")


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
    queue, job = SessionQueue(), Job(("lime", "mel"), steps(gate), kept.append)
    queue.submit(job)
    wait(lambda: job.state == "running" and job.fraction == 0.5)
    assert queue.busy
    gate.set()
    wait(lambda: job.state == "done")
    assert not queue.busy
    assert len(kept) == 1


def test_cancel_keeps_nothing_and_lets_the_next_one_in(gate: threading.Event) -> None:
    kept: list[Explanation] = []
    queue, job = SessionQueue(), Job(("lime", "mel"), steps(gate), kept.append)
    queue.submit(job)
    wait(lambda: job.state == "running")
    job.cancel()
    wait(lambda: job.state == "cancelled")
    assert kept == []
    following = Job(("grad_cam", "mel"), lambda _: explanation(), kept.append)
    queue.submit(following)
    wait(lambda: following.state == "done")


def test_a_map_cancelled_while_it_waits_is_never_begun(gate: threading.Event) -> None:
    begun: list[str] = []

    def compute(progress: Progress) -> Explanation:
        begun.append("second")
        return explanation()

    queue = SessionQueue()
    first = Job(("lime", "mel"), steps(gate), lambda _: None)
    second = Job(("lime", "nv"), compute, lambda _: None)
    queue.submit(first)
    queue.submit(second)
    second.cancel()
    assert second.state == "cancelled"  # at once, not when its turn comes
    gate.set()
    wait(lambda: first.state == "done")
    assert begun == []


def test_the_class_on_the_screen_comes_before_what_still_waits(gate: threading.Event) -> None:
    order: list[str] = []

    def noting(label: str) -> Callable[[Progress], Explanation]:
        def compute(progress: Progress) -> Explanation:
            order.append(label)
            return explanation(label)

        return compute

    queue = SessionQueue()
    queue.submit(Job(("lime", "nv"), steps(gate), lambda _: None))
    jobs = [Job(("lime", code), noting(code), lambda _: None) for code in ("bkl", "df", "mel")]
    for job in jobs:
        queue.submit(job)
    gate.set()
    wait(lambda: all(job.state == "done" for job in jobs))
    assert order == ["mel", "bkl", "df"]


def test_one_session_never_waits_for_all_of_another(gate: threading.Event) -> None:
    line = FairScheduler(long=2)
    busy = SessionQueue(line)
    for code in ("akiec", "bcc", "bkl", "df", "mel", "nv", "vasc"):
        busy.submit(Job(("lime", code), steps(gate), lambda _: None))
    job = Job(("lime", "mel"), lambda _: explanation(), lambda _: None)
    SessionQueue(line).submit(job)
    wait(lambda: job.state == "done")
    gate.set()
    wait(lambda: not busy.busy)


def test_four_tabs_with_long_work_do_not_keep_a_fifth_from_its_short_work(gate: threading.Event) -> None:
    tabs = [SessionQueue() for _ in range(4)]
    kinds = ("lime", "stability", "reference", "depth")
    long = [Job((kind, "mel"), steps(gate), lambda _: None) for kind in kinds]
    for queue, job in zip(tabs, long, strict=True):
        queue.submit(job)
    wait(lambda: long[0].state == "running")
    fifth = Job(("grad_cam", "mel"), lambda _: explanation(), lambda _: None)
    SessionQueue().submit(fifth)
    own = Job(("score_cam", "mel"), lambda _: explanation(), lambda _: None)
    tabs[0].submit(own)  # nor does a tab's own long work
    wait(lambda: fifth.state == own.state == "done")
    assert sum(job.state == "running" for job in long) == min(4, LONG_PLACES)
    assert not any(job.state == "done" for job in long)
    gate.set()
    wait(lambda: all(job.state == "done" for job in long))


def test_long_work_leaves_a_core() -> None:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    assert max(1, cores - 1) == LONG_PLACES


def test_a_session_is_told_how_many_are_before_it(gate: threading.Event) -> None:
    line = FairScheduler(long=1)
    queues = [SessionQueue(line) for _ in range(4)]
    jobs = [Job(("lime", "mel"), steps(gate), lambda _: None) for _ in queues]
    for queue, job in zip(queues, jobs, strict=True):
        queue.submit(job)
    second = Job(("depth", "mel"), steps(gate), lambda _: None)
    queues[0].submit(second)
    wait(lambda: jobs[0].state == "running")
    assert [queue.standing(job) for queue, job in zip(queues, jobs, strict=True)] == [
        "Computing …",
        "Waiting for a free place. You are next.",
        "Waiting for a free place. 1 job is ahead of yours.",
        "Waiting for a free place. 2 jobs are ahead of yours.",
    ]
    assert queues[0].standing(second) == "Waiting"
    queues[1].clear()  # who has left stands in nobody's way
    assert queues[3].standing(jobs[3]) == "Waiting for a free place. 1 job is ahead of yours."
    jobs[0].cancel()
    assert queues[0].standing(jobs[0]) == "Stopping …"
    gate.set()
    wait(lambda: not any(queue.busy for queue in queues))
    assert [job.state for job in (*jobs, second)] == ["cancelled", "cancelled", "done", "done", "done"]


def test_a_map_of_one_session_comes_before_the_checks_of_others(gate: threading.Event) -> None:
    """And maps among themselves, as checks, in the order in which they were asked for."""
    line, order = FairScheduler(long=1), list[str]()

    def noting(name: str) -> Callable[[Progress], str]:
        return lambda _: name

    holding = SessionQueue(line)
    held = Job(("lime", "mel"), steps(gate), lambda _: None)
    holding.submit(held)
    wait(lambda: held.state == "running")
    asked = [("stability", "check 1"), ("artefacts", "check 2"), ("lime", "map 1"), ("focus", "check 3")]
    queues = [SessionQueue(line) for _ in asked]
    jobs = [Job((kind, "mel"), noting(name), order.append) for kind, name in asked]
    last = Job(("lime", "mel"), noting("map 2"), order.append)
    for queue, job in zip(queues, jobs, strict=True):
        queue.submit(job)
    queues[0].submit(last)  # a map of a session that also waits for a check
    assert [queue.standing(job) for queue, job in zip(queues, jobs, strict=True)][1:] == [
        "Waiting for a free place. 2 jobs are ahead of yours.",
        "Waiting for a free place. 1 job is ahead of yours.",
        "Waiting for a free place. 3 jobs are ahead of yours.",
    ]
    gate.set()
    wait(lambda: all(job.state == "done" for job in [*jobs, last]))
    assert order == ["map 2", "map 1", "check 2", "check 3", "check 1"]


def named(name: str) -> Callable[[Progress], str]:
    return lambda _: name


def test_a_check_stands_still_while_maps_are_made(gate: threading.Event) -> None:
    """Of its own session as of others; then it goes on where it was."""
    line, order = FairScheduler(long=1), list[str]()
    checking, other = SessionQueue(line), SessionQueue(line)
    check = Job(("stability", "mel"), steps(gate), lambda _: order.append("check"))
    checking.submit(check)
    wait(lambda: check.state == "running")
    maps = [Job(("lime", code), named(code), order.append) for code in ("mel", "nv")]
    other.submit(maps[0])
    wait(lambda: maps[0].state == "done")
    checking.submit(maps[1])
    wait(lambda: maps[1].state == "done")
    assert check.state == "running"
    later = Job(("artefacts", ""), named("other check"), order.append)
    other.submit(later)
    gate.set()
    wait(lambda: later.state == "done")
    assert order == ["mel", "nv", "check", "other check"]


def test_maps_that_somebody_looks_at_come_before_those_made_ahead(gate: threading.Event) -> None:
    line, order = FairScheduler(long=1), list[str]()
    holding = Job(("lime", "mel"), steps(gate), lambda _: None)
    SessionQueue(line).submit(holding)
    wait(lambda: holding.state == "running")
    queues = {name: SessionQueue(line) for name in ("ahead", "looked at", "looked at before", "check")}
    jobs = [Job(("lime", "mel"), named(name), order.append) for name in list(queues)[:3]]
    jobs.append(Job(("stability", "mel"), named("check"), order.append))
    for queue, job in zip(queues.values(), jobs, strict=True):
        queue.submit(job)
    queues["looked at"].look()
    queues["looked at before"].look()
    queues["looked at before"].change(lambda job: True)  # of the case that was open before
    gate.set()
    wait(lambda: all(job.state == "done" for job in jobs))
    assert order == ["looked at", "ahead", "looked at before", "check"]


def test_the_more_wait_the_rarer_a_page_looks_again(gate: threading.Event) -> None:
    """A look costs processor time, of which the maps that all wait for then have less."""
    line = FairScheduler(long=1)
    queues = [SessionQueue(line) for _ in range(8)]
    jobs = [Job(("lime", "mel"), steps(gate), lambda _: None) for _ in queues]
    for queue, job in zip(queues, jobs, strict=True):
        queue.submit(job)
    wait(lambda: jobs[0].state == "running")
    assert [queue.others() for queue in queues] == [7, *[6] * 7]
    gate.set()
    wait(lambda: all(job.state == "done" for job in jobs))
    assert [queue.others() for queue in queues] == [0] * 8
    assert [live.poll_s(others) for others in (0, 1, 2, 4, 5, 49)] == [0.4, 0.4, 0.8, 1.6, 2.0, 2.0]


def test_a_session_takes_turns_with_the_others(gate: threading.Event) -> None:
    order: list[str] = []

    def noting(name: str) -> Callable[[Progress], Explanation]:
        def compute(progress: Progress) -> Explanation:
            order.append(name)
            return explanation()

        return compute

    line = FairScheduler(long=1)
    keeper, many, one = SessionQueue(line), SessionQueue(line), SessionQueue(line)
    keeper.submit(Job(("lime", "mel"), steps(gate), lambda _: None))
    jobs = [Job(("lime", code), noting(f"many {code}"), lambda _: None) for code in ("mel", "nv", "df")]
    for job in jobs:
        many.submit(job)
    one.submit(Job(("lime", "mel"), noting("one"), lambda _: None))
    gate.set()
    wait(lambda: not many.busy)
    assert order == ["many df", "one", "many mel", "many nv"]


def test_a_lime_is_cancelled_in_its_middle_within_a_second(release: Path) -> None:
    classifier = pipeline.load_classifier(release)
    photo = pipeline.example(classifier).photo
    kept: list[Explanation] = []
    job = Job(
        ("lime", "mel"),
        lambda progress: explain("lime", classifier, photo, "mel", params=ENDLESS, progress=progress),
        kept.append,
    )
    SessionQueue().submit(job)
    wait(lambda: job.state == "running" and job.fraction > 0)
    begun = time.monotonic()
    job.cancel()
    wait(lambda: not job.active)
    assert time.monotonic() - begun < 1
    assert (job.state, kept) == ("cancelled", [])


@pytest.mark.parametrize(
    ("error", "words"), [(ParameterError("Trials cannot be 0."), "Trials cannot be 0."), (KeyError("x"), "log")]
)
def test_a_failed_map_says_why_and_the_queue_goes_on(error: Exception, words: str) -> None:
    def compute(progress: Progress) -> Explanation:
        raise error

    queue, job = SessionQueue(), Job(("lime", "mel"), compute, lambda _: None)
    queue.submit(job)
    wait(lambda: job.state == "failed")
    assert words in job.problem
    following = Job(("grad_cam", "mel"), lambda _: explanation(), lambda _: None)
    queue.submit(following)
    wait(lambda: following.state == "done")


def test_clearing_the_queue_cancels_what_runs(gate: threading.Event) -> None:
    queue, job = SessionQueue(), Job(("lime", "mel"), steps(gate), lambda _: None)
    queue.submit(job)
    wait(lambda: job.state == "running")
    queue.clear()
    wait(lambda: job.state == "cancelled")
    assert queue.job(("lime", "mel")) is None


def test_work_that_is_to_be_finished_outlives_a_change_of_case(gate: threading.Event) -> None:
    kept: list[str] = []
    queue = SessionQueue(FairScheduler(long=1))
    runs = Job(("stability", "mel"), steps(gate), lambda _: kept.append("first"))
    waits = Job(("depth", "mel"), steps(gate), lambda _: kept.append("second"))
    a_map = Job(("lime", "mel"), steps(gate), lambda _: kept.append("map"))
    queue.submit(runs)
    wait(lambda: runs.state == "running")  # before the map comes, which would be made first
    for job in (waits, a_map):
        queue.submit(job)
    assert queue.change(lambda job: job.key[0] != "lime") == 2
    assert not queue.busy  # nothing of the case that is open now
    new = Job(("lime", "nv"), steps(gate), lambda _: kept.append("new"))
    queue.submit(new)
    gate.set()
    wait(lambda: waits.state == "done")
    assert kept == ["new", "first", "second"]  # a check stands still while a map is made
    assert a_map.state == "cancelled"


def test_clearing_the_queue_cancels_what_was_set_aside_too(gate: threading.Event) -> None:
    queue, job = SessionQueue(), Job(("stability", "mel"), steps(gate), lambda _: None)
    queue.submit(job)
    wait(lambda: job.state == "running")
    assert queue.change(lambda _: True) == 1
    queue.clear()
    wait(lambda: job.state == "cancelled")
