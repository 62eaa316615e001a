"""What holds for every test: shapes are checked, the user's cases are out of reach, nothing leaves this machine.

The tests that need the photos of HAM10000 ask for ``ham10000`` or ``originals`` and are skipped, with the reason, where
``SKINLENS_HAM10000`` is not set. With ``SKINLENS_NO_SKIPS=1``, as in ``.ci/run``, a skipped test counts as failed.
"""

import functools
import gc
import ipaddress
import os
import re
import shutil
import socket
import sys
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from argon2 import PasswordHasher

import skinlens  # first of all: it switches off what ONNX Runtime would send
from tests import shapes
from tests.drawn_once import drawn_once
from tests.slow_tests import listed

# Before the first import of what is in skinlens: from here on every annotated type, shape and dtype is checked.
shapes.check_calls(Path(skinlens.__file__).parent)

from skinlens.imaging import synthetic  # noqa: E402

synthetic.draw_synthetic_lesion = drawn_once(synthetic.draw_synthetic_lesion)  # before others import it by name

os.environ.setdefault("MPLBACKEND", "Agg")  # no test opens a window

# Compiling the checked modules and the rewritten tests anew takes half of the time of collecting them.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # and for the processes that tests start

# Of two worker processes that look for a free port at once, both find the same one.
WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
os.environ["SKINLENS_TEST_PORT"] = str(int(os.environ.get("SKINLENS_TEST_PORT", "8601")) + 20 * WORKER)

pytest_plugins = ["pytester"]

hypothesis.settings.register_profile("local", deadline=None, max_examples=50)
hypothesis.settings.register_profile("gate", deadline=None, max_examples=50, derandomize=True, database=None)
hypothesis.settings.load_profile("gate" if os.environ.get("CI") else "local")


# --------------------------------------------------------------------------------------------------------- markers

FOLDERS = {"browser": "browser", "app": "slow"}
FIXTURES = {"ham10000": "data", "originals": "data", "release": "slow", "student": "slow"}
"""What asks for a release may have to train it first."""

SLOW = listed()


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out files of which ``-m`` deselects every test, without importing what they import: torch among others."""
    asked = config.getoption("markexpr", "") or ""
    deselected = set() if " or " in asked else set(re.findall(r"\bnot (\w+)", asked))
    if not deselected or collection_path.suffix != ".py" or not collection_path.name.startswith("test_"):
        return None
    whole = re.findall(r"^pytestmark = pytest\.mark\.(\w+)", collection_path.read_text(encoding="utf-8"), re.MULTILINE)
    return True if deselected & {*whole, FOLDERS.get(collection_path.parent.name)} else None


LONG = (
    *("browser/test_accessibility.py", "training/test_processes.py", "browser/test_case_journey.py"),
    *("batch/test_batch.py", "browser/test_memory.py", "browser/test_journey.py", "browser/test_worklist.py"),
    *("browser/test_explain_page.py", "browser/test_session.py", "browser/test_login.py", "test_nothing_leaves.py"),
    *("browser/test_attacks.py", "evaluation/test_explanations.py"),
)
"""The files that take longest, begun first: a long one that begins last is waited for by the other processes. Two that
stand side by side here do not both begin with a release, which one process makes while the others wait for it."""


def _place(item: pytest.Item) -> int:
    path = item.path.as_posix()
    return next((place for place, name in enumerate(LONG) if path.endswith(f"/{name}")), len(LONG))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is known by its folder, by what it asks for or by what it took."""
    items.sort(key=_place)
    for item in items:
        asked = getattr(item, "fixturenames", ())
        known = {FOLDERS.get(item.path.parent.name), *(FIXTURES.get(name) for name in asked)} - {None}
        if item.nodeid.partition("[")[0].removeprefix("tests/") in SLOW:
            known.add("slow")
        for name in sorted(str(one) for one in known):
            item.add_marker(name)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect without looking for garbage, and never look through what was imported: it is there to stay, and to look
    through a million objects takes seconds, again and again.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()


# ------------------------------------------------------------------------------------------------- nothing skipped


def _no_skips() -> bool:
    return os.environ.get("SKINLENS_NO_SKIPS") == "1"


def _fail_if_skipped(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Turn a skip into a failure that gives the reason of the skip; an expected failure stays what it is."""
    if _no_skips() and report.outcome == "skipped" and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"SKINLENS_NO_SKIPS=1: nothing may be skipped here. {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    _fail_if_skipped(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _fail_if_skipped(report)
    return report


# ------------------------------------------------------------------------------------------- failures, as they happen


class Namer:
    """Names a failure in the moment in which it is reported: the summary comes at the end, if a run gets there."""

    LINES = 15
    """Of its report; the whole is in the summary."""

    def __init__(self, terminal: pytest.TerminalReporter) -> None:
        self._terminal = terminal

    def _name(self, report: pytest.TestReport | pytest.CollectReport, when: str) -> None:
        if not report.failed:
            return
        self._terminal.ensure_newline()
        self._terminal.write_line(f"failed now: {report.nodeid} ({when})", red=True)
        for line in str(report.longreprtext).splitlines()[-self.LINES :]:
            self._terminal.write_line(f"    {line}")
        self._terminal.flush()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._name(report, report.when or "call")

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self._name(report, "collect")


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """In the process that prints, which is none of the workers."""
    terminal = config.pluginmanager.get_plugin("terminalreporter")
    if terminal is not None and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Namer(terminal), "namer")


# -------------------------------------------------------------------------------------------- what a test takes


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Note the processor's seconds of the test, set-up included: a run's report (``--junitxml``) names them."""
    begun = sum(os.times()[:4])
    item.user_properties.append(("begun_cpu_s", begun))
    return (yield)


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item) -> None:
    begun = dict(item.user_properties).get("begun_cpu_s", 0.0)
    item.user_properties[:] = [("cpu_s", round(sum(os.times()[:4]) - float(str(begun)), 2))]


# -------------------------------------------------------------------------------------------------------- isolation


@pytest.fixture(autouse=True)
def skinlens_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder of the test's own (not yet made) in the place of the user's."""
    home = tmp_path / "skinlens-home"
    monkeypatch.setenv("SKINLENS_HOME", str(home))
    return home


class NetworkUsed(AssertionError):
    """Something tried to reach another machine."""


def is_local(family: int, address: object) -> bool:
    """Whether a socket address stays on this machine: a Unix socket, the loopback range, or nowhere yet."""
    if family not in {socket.AF_INET, socket.AF_INET6}:
        return True
    host = str(address[0]) if isinstance(address, tuple) else str(address)
    if host in {"", "localhost"}:
        return True
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False


@pytest.fixture(scope="session")
def network_attempts() -> Iterator[list[str]]:
    """What was tried to be reached beyond this machine; every such try is also refused."""
    attempts: list[str] = []

    def guarded(name: str) -> Callable[..., Any]:
        original = getattr(socket.socket, name)

        def guard(self: socket.socket, *args: Any) -> Any:
            address = args[-1]
            if not is_local(self.family, address):
                attempts.append(f"socket.{name}({address})")
                raise NetworkUsed(attempts[-1])
            return original(self, *args)

        return guard

    original_lookup = socket.getaddrinfo

    def guarded_lookup(host: Any, *args: Any, **kwargs: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host or ""
        if not is_local(socket.AF_INET, (name,)) and name != "0.0.0.0":
            attempts.append(f"socket.getaddrinfo({name!r})")
            raise NetworkUsed(attempts[-1])
        return original_lookup(host, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        for name in ("connect", "connect_ex", "sendto"):
            patch.setattr(socket.socket, name, guarded(name))
        patch.setattr(socket, "getaddrinfo", guarded_lookup)
        yield attempts


@pytest.fixture(autouse=True)
def nothing_leaves_this_machine(network_attempts: list[str]) -> Iterator[None]:
    """Fail the test that reached for another machine, even where the code under test swallowed the refusal."""
    network_attempts.clear()
    yield
    assert not network_attempts, f"SkinLens sends nothing, but this was tried: {', '.join(network_attempts)}"


@pytest.fixture(scope="session")
def production_hasher() -> PasswordHasher:
    """What hashes passwords outside of the tests."""
    from skinlens.accounts import passwords

    return passwords._HASHER


@pytest.fixture(autouse=True, scope="session")
def cheap_hasher(request: pytest.FixtureRequest) -> Iterator[None]:
    """Argon2id with the least of everything, also of the accounts that a test gives to a served app: a hash holds the
    parameters that it is verified with. Where no test that was collected imports the accounts, none hashes.
    """
    if "skinlens.accounts" not in sys.modules:
        yield
        return
    from skinlens.accounts import passwords

    request.getfixturevalue("production_hasher")  # before it is replaced
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "_HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        yield


# ------------------------------------------------------------------------------------------------------------- data


@pytest.fixture(autouse=True, scope="session")
def foreign_pictures_once() -> Iterator[None]:
    """The pictures that are no lesions, which every evaluation asks for, made once in a process."""
    ood = sys.modules.get("skinlens.evaluation.ood")
    with pytest.MonkeyPatch.context() as patch:
        if ood is not None:
            patch.setattr(ood, "pictures", functools.cache(ood.pictures))
        yield


@pytest.fixture
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Intervals of 20 resamples whatever is asked for: for a test that does not look at how wide they are."""
    from skinlens.evaluation import bootstrap

    original = bootstrap.bootstrap
    monkeypatch.setattr(bootstrap, "bootstrap", lambda figures, groups, _resamples=0: original(figures, groups, 20))


@pytest.fixture
def registry() -> Iterator[dict[str, Any]]:
    """The registry of checks, to be changed by a test; afterwards it has those of before, in their order."""
    from skinlens.checks.registry import CHECKS

    before = dict(CHECKS)
    yield CHECKS
    CHECKS.clear()
    CHECKS.update(before)


@pytest.fixture(scope="session")
def ham10000() -> Path:
    """The folder with HAM10000 that ``SKINLENS_HAM10000`` names."""
    setting = os.environ.get("SKINLENS_HAM10000")
    if not setting:
        pytest.skip("SKINLENS_HAM10000 is not set: this test needs the folder with the HAM10000 photos")
    folder = Path(setting)
    assert folder.is_dir(), f"SKINLENS_HAM10000 names {folder}, which is no folder"
    return folder


@pytest.fixture(scope="session")
def originals(ham10000: Path) -> Path:
    """A folder of HAM10000 photos at their original 600×450, beside the data set."""
    folder = ham10000.parent / "ham10000_originals"
    if not folder.is_dir():
        pytest.skip(f"{folder} is missing: this test needs some photos at their original 600×450")
    return folder


# --------------------------------------------------------------------------------------------------------- releases


def _cached(request: pytest.FixtureRequest, name: str, key: str, make: Callable[[Path], object], folder: Path) -> Path:
    """What an earlier run made below pytest's cache folder, or made now (also with ``-p no:cacheprovider``)."""
    from tests.release_cache import cached

    cache = getattr(request.config, "cache", None)
    return cached(cache.mkdir("releases") if cache else folder / "cache", name, key, make, folder / "weights")


@pytest.fixture(scope="session")
def release(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A weights folder of a tiny network: really trained, quantized and calibrated on drawn data. Read only."""
    from tests.release_cache import ROOT, key_of, sources

    folder = tmp_path_factory.mktemp("tiny")

    def make(into: Path) -> None:
        from tests.tiny_release import make_release

        shutil.copytree(make_release(folder / "made"), into)

    modules = ("skinlens.training.loop", "skinlens.quantization.release_builder")
    return _cached(request, "release", key_of(sources(modules, (ROOT / "tests" / "tiny_release.py",))), make, folder)


@pytest.fixture(scope="session")
def outlined_release(release: Path, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with a head that draws the lesion's outline. Read only."""
    from tests.release_cache import ROOT, digest_of, key_of, sources, threads

    folder = tmp_path_factory.mktemp("outlined")

    def make(into: Path) -> None:
        from tests.tiny_outline import draw_outlined, with_outline

        with_outline(release, draw_outlined(folder / "drawn"), into)

    files = sources(("skinlens.quantization.segmentation_release",), (ROOT / "tests" / "tiny_outline.py",))
    return _cached(request, "outlined", key_of(files, digest_of(release), threads()), make, folder)
