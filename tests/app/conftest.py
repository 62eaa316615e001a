"""The app on a small real release, with a data folder of the test's own."""

import io
import re
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
from PIL import Image
from streamlit.components.v2 import manifest_scanner
from streamlit.elements.lib import policies
from streamlit.testing.v1 import AppTest

from skinlens.explain import METHODS
from skinlens.imaging.synthetic import draw_synthetic_lesion
from skinlens.ui.state import jobs, session
from tests.new_store import new_store

ROOT = Path(__file__).resolve().parents[2]
LIMIT_S = 240.0
"""Only for what never happens: on a busy machine a map that takes seconds can take minutes."""


@pytest.fixture(autouse=True, scope="session")
def installed_once() -> Iterator[None]:
    """Streamlit looks through all installed packages for components at the start of each app: here once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manifest_scanner, "scan_component_manifests", cache(manifest_scanner.scan_component_manifests))
        yield


@pytest.fixture(autouse=True)
def nothing_left_in_the_line(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Ends what a test asked for and did not wait for, as a closed page does: the next test waits behind it."""
    queues: list[jobs.SessionQueue] = []
    join = jobs.FairScheduler.join

    def remember(line: jobs.FairScheduler, queue: jobs.SessionQueue, *, lane: jobs.Lane) -> None:
        queues.append(queue)
        join(line, queue, lane=lane)

    monkeypatch.setattr(jobs.FairScheduler, "join", remember)
    yield
    for queue in queues:
        queue.clear()


@pytest.fixture(autouse=True)
def one_default_for_each_field(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A field whose value a program sets has no default beside it, which Streamlit warns of once in a process."""
    said: list[str] = []
    monkeypatch.setattr(policies, "_shown_default_value_warning", False)
    monkeypatch.setattr(policies._LOGGER, "warning", lambda words, *rest, **_: said.append(words % rest))
    yield
    assert said == []


@pytest.fixture
def app(release: Path, skinlens_home: Path, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    """The app at its first start, before the conditions are agreed to."""
    monkeypatch.setenv("SKINLENS_WEIGHTS", str(release))
    return AppTest.from_file(str(ROOT / "app.py"), default_timeout=LIMIT_S)


QUICK: dict[str, dict[str, int | str]] = {"score_cam": {"channels": 4}, "lime": {"samples": 50, "segments": 10}}
"""Settings with which maps are made quickly."""


@pytest.fixture(autouse=True)
def quick_maps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Maps begin by themselves: here with few trials, unless a test asks for others."""
    chosen = session.map_params
    monkeypatch.setattr(session, "map_params", lambda method: chosen(method) or QUICK.get(method, {}))


@pytest.fixture
def agreed(app: AppTest, skinlens_home: Path) -> AppTest:
    """The page for a new photo, on an installation where the conditions were agreed to."""
    new_store(skinlens_home).acknowledge_disclaimer()
    return app.run().switch_page("pages/visit.py").run()


@pytest.fixture
def photo() -> bytes:
    """The drawn lesion as a camera would hand it over."""
    return drawn(1, "JPEG")


@cache
def drawn(seed: int, file_format: str) -> bytes:
    """A drawn lesion as a file, drawn once for all tests of a process."""
    file = io.BytesIO()
    Image.fromarray(draw_synthetic_lesion(seed)).save(file, file_format, quality=92)
    return file.getvalue()


@pytest.fixture
def until() -> Callable[[AppTest, Callable[[], bool]], None]:
    """Run the app again until something holds, as a browser does while maps are made."""

    def wait(app: AppTest, holds: Callable[[], bool]) -> None:
        end = time.monotonic() + LIMIT_S
        while not holds():
            assert time.monotonic() < end, f"it never happened; what was asked for: {asked_for(app)}"
            time.sleep(0.1)
            app.run()

    return wait


@pytest.fixture
def mapped(agreed: AppTest, until: Callable[[AppTest, Callable[[], bool]], None]) -> AppTest:
    """The page with all three maps of the example."""
    return map_example(agreed, until)


def map_example(app: AppTest, until: Callable[[AppTest, Callable[[], bool]], None]) -> AppTest:
    """Open the example and wait for its three maps; the technical details are open."""
    press(app, "Try the example")
    press(app, "Show result")
    turn(app, "why")
    opened = app.session_state["open_case"]
    until(app, lambda: len(opened.maps) == len(METHODS))
    return app.toggle(key="technical_details").set_value(True).run()


def asked_for(app: AppTest) -> str:
    """How far each map and check is that the app's session asked for, and where every thread stands."""
    queue = app.session_state.get("queue", None)
    standing = (
        [f"{job.key}: {job.state}, {job.fraction:.0%} {job.problem}" for job in queue._jobs.values()] if queue else []
    )
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    stacks = [
        f"{names.get(ident)}:\n{''.join(traceback.format_stack(frame))}"
        for ident, frame in sys._current_frames().items()
    ]
    return "\n".join([*standing, *stacks])


def words(app: AppTest) -> str:
    """Every text on the page, as it is given to the browser."""
    return "\n".join([*markdown(app), *html(app)])


def read(app: AppTest) -> str:
    """Every text on the page, as it is read: without the signs that keep a text from becoming markup."""
    return re.sub(r"\\([^\w\s])", r"\1", words(app))


def markdown(app: AppTest) -> list[str]:
    kinds = (
        *(app.title, app.header, app.subheader, app.markdown, app.caption),
        *(app.success, app.info, app.warning, app.error),
    )
    return [str(element.value) for kind in kinds for element in kind]


def html(app: AppTest) -> list[str]:
    return [str(element.proto.body) for element in app.get("html")]


def press(app: AppTest, label: str) -> AppTest:
    """Press the button of that label."""
    found = [button for button in app.button if button.label == label]
    assert found, f"no button {label!r} among {[button.label for button in app.button]}"
    app = found[0].click().run()
    if label.startswith("Open case") or label in {"Open photo", "Add photo"}:
        return turn(app, "visit")  # the button leads there; AppTest would be back on the page before at its next run
    return app


def heading(app: AppTest) -> str:
    """The heading of the page, as it is read."""
    return re.sub(r"\\([^\w\s])", r"\1", str(app.title[0].value))


def typed(app: AppTest, name: str) -> str:
    """The key of a field of the open photo."""
    key: str = app.session_state["open_case"].key(name)
    return key


VIEWS = {"result": "Result", "why": "Why?", "compare": "Compare", "report": "Report", "more": "More"}


def turn(app: AppTest, to: str) -> AppTest:
    """Go to a page, by its file's name, or to a part of the visit's page, one of ``VIEWS``."""
    if to not in VIEWS:
        return app.switch_page(f"pages/{to}.py").run()
    app.switch_page("pages/visit.py").run()
    app.session_state["view"] = app.query_params["view"] = VIEWS[to]
    return app.run()


def topic(app: AppTest, name: str) -> AppTest:
    """Turn to a part of the page about the model."""
    app.session_state["topic"] = app.query_params["topic"] = name
    return app.run()
