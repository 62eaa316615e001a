"""The measurement of many tabs at once, with two: what it counts as mixed would be noticed. ``benchmarks/load.py``."""

import asyncio
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest

from benchmarks import load
from benchmarks.clients import websocket
from benchmarks.clients.journeys import Expected, Mixed, check_shares
from benchmarks.clients.processes import memory_mb
from skinlens.store import CaseStore

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="It reads /proc"),
]


class Served(NamedTuple):
    address: str
    server: Callable[[], list[int]]
    store: CaseStore
    photos: list[Expected]


@pytest.fixture(scope="module")
def app(release: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("load")
    photos = load.prepared(folder / "photos", 2, release)
    with load.served(folder / "home", release) as (address, server):
        yield Served(address, server, CaseStore(folder / "home"), photos)


def test_two_tabs_at_once_are_not_mixed(app: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "journey", partial(websocket.journey, titles=("Grad-CAM",)))
    driven = asyncio.run(load.drive(app.address, app.photos, "websocket", 2, 0.0, app.server))
    assert (driven.errors, driven.mixed, driven.unfinished) == ([], [], 0)
    assert sorted(journey.photo for journey in driven.done) == [0, 1]
    assert sorted(journey.case for journey in driven.done) == [1, 2]
    assert driven.peak_mb >= memory_mb(app.server()[:1]) / 2 > 0
    assert list(load.wrongly_stored(app.store, driven.done, app.photos, maps=1)) == []
    swapped = [driven.done[0]._replace(case=driven.done[1].case)]
    assert len(list(load.wrongly_stored(app.store, swapped, app.photos, maps=1))) == 3  # photo, patient, prediction
    assert len(list(load.wrongly_stored(app.store, driven.done, app.photos, maps=4))) == 2


def test_a_tab_that_shows_another_photo_is_noticed(app: Served) -> None:
    first, second = app.photos
    another = first._replace(path=second.path)
    with pytest.raises(Mixed, match=f"photo 0: expected {first.sha256[:12]}, found .*{second.sha256[:12]}"):
        asyncio.run(websocket.journey(app.address, another, ()))


def test_other_shares_are_noticed(app: Served) -> None:
    own = app.photos[0]
    check_shares([round(share, 3) for share in own.probs[:3]], own)
    for shown in ([], [own.probs[0] + 0.01, *own.probs[1:3]]):
        with pytest.raises(Mixed):
            check_shares(shown, own)


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="It is of util-linux")
def test_nothing_is_left_by_one_that_was_killed() -> None:
    code = (
        "import subprocess, sys, time; from benchmarks import load\n"
        "command = load.ending_with_this_process([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "print(subprocess.Popen(command).pid, flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", code], cwd=load.ROOT, stdout=subprocess.PIPE, text=True) as killed:
        assert killed.stdout is not None
        pid = int(killed.stdout.readline())
        assert Path(f"/proc/{pid}").exists()
        time.sleep(0.2)  # until it is told
        killed.send_signal(signal.SIGKILL)
    end = time.monotonic() + 60
    while Path(f"/proc/{pid}").exists():
        assert time.monotonic() < end, "it goes on"
        time.sleep(0.05)
