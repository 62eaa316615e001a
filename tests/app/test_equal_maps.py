"""Equal maps: made once for all sessions that ask, and forgotten with the last that holds one."""

import gc
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from skinlens.errors import Cancelled, SkinLensError
from skinlens.records import Explanation, Progress
from skinlens.ui.state.equal_maps import EqualMaps, request
from tests.store import samples

PHOTO = samples.photo(1)
WANTED = request("lime", samples.MODEL, PHOTO, "mel", {"samples": 50, "segments": 10})


def made() -> Explanation:
    return samples.three_explanations(PHOTO)[0]


def unheard(_: float) -> None:
    pass


def test_all_that_decides_a_map_is_in_the_request() -> None:
    others = {
        request("score_cam", samples.MODEL, PHOTO, "mel", {"samples": 50, "segments": 10}),
        request("lime", replace(samples.MODEL, sha256="0" * 64), PHOTO, "mel", {"samples": 50, "segments": 10}),
        request("lime", samples.MODEL, samples.photo(2), "mel", {"samples": 50, "segments": 10}),
        request("lime", samples.MODEL, PHOTO, "nv", {"samples": 50, "segments": 10}),
        request("lime", samples.MODEL, PHOTO, "mel", {"samples": 51, "segments": 10}),
        request("lime", samples.MODEL, PHOTO, "mel", {"samples": 50, "segments": 10, "against": "nv"}),
    }
    assert len(others) == 6
    assert WANTED not in others
    assert request("lime", samples.MODEL, PHOTO, "mel", {"segments": 10, "samples": 50}) == WANTED


def test_a_map_that_a_session_holds_is_not_made_again_and_one_that_none_holds_is() -> None:
    maps, count = EqualMaps(), []

    def make(progress: Progress) -> Explanation:
        count.append(1)
        return made()

    first = maps.once(WANTED, make, unheard)
    assert maps.once(WANTED, make, unheard) is first
    assert len(count) == 1
    del first
    gc.collect()
    maps.once(WANTED, make, unheard)
    assert len(count) == 2


def test_one_that_asks_meanwhile_waits_and_hears_how_far_it_is() -> None:
    maps, halfway, heard, told = EqualMaps(), threading.Event(), threading.Event(), []

    def make(progress: Progress) -> Explanation:
        progress(0.5)
        halfway.set()
        assert heard.wait(10)
        return made()

    def hear(fraction: float) -> None:
        told.append(fraction)
        heard.set()

    with ThreadPoolExecutor(1) as worker:
        first = worker.submit(maps.once, WANTED, make, unheard)
        assert halfway.wait(10)
        second = maps.once(WANTED, lambda _: pytest.fail("made twice"), hear)
        assert second is first.result()
    assert set(told) == {0.5}


@pytest.mark.parametrize("error", [Cancelled("Stopped by the user."), SkinLensError("No evidence.")])
def test_where_the_first_stops_the_second_makes_it(error: Exception) -> None:
    maps, begun, heard = EqualMaps(), threading.Event(), threading.Event()

    def stops(progress: Progress) -> Explanation:
        begun.set()
        assert heard.wait(10)
        raise error

    with ThreadPoolExecutor(1) as worker:
        first = worker.submit(maps.once, WANTED, stops, unheard)
        assert begun.wait(10)
        mine = made()
        assert maps.once(WANTED, lambda _: mine, lambda _: heard.set()) is mine
        assert first.exception() is error


def test_who_waits_can_stop_and_the_other_goes_on() -> None:
    maps, begun, stopped = EqualMaps(), threading.Event(), threading.Event()

    def make(progress: Progress) -> Explanation:
        begun.set()
        assert stopped.wait(10)
        return made()

    def stop(_: float) -> None:
        stopped.set()
        raise Cancelled("Stopped by the user.")

    with ThreadPoolExecutor(1) as worker:
        first = worker.submit(maps.once, WANTED, make, unheard)
        assert begun.wait(10)
        with pytest.raises(Cancelled):
            maps.once(WANTED, lambda _: pytest.fail("made twice"), stop)
        assert isinstance(first.result(), Explanation)
