"""The guards around the tests do guard."""

import os
import socket
import tomllib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import slow_tests

CONFTEST = Path(__file__).with_name("conftest.py")


@pytest.fixture
def tests_elsewhere(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A folder for other tests, with these guards around them."""
    monkeypatch.setenv("PYTHONPATH", str(CONFTEST.parents[1]))
    pytester.makeconftest(CONFTEST.read_text(encoding="utf-8"))
    return pytester


def test_arrays_of_another_shape_are_refused() -> None:
    from skinlens.records import Photo

    with pytest.raises(Exception, match="pixels"):
        Photo(pixels=np.zeros((4, 4), np.uint8), sha256="0", source_format="PNG")


def test_a_whole_number_passes_for_a_float_but_text_does_not() -> None:
    from skinlens.records import Threshold

    Threshold(value=1, sensitivity=1, specificity=0, chosen_on="val")
    with pytest.raises(Exception, match="sensitivity"):
        Threshold(value=1.0, sensitivity="high", specificity=0.0, chosen_on="val")  # type: ignore[arg-type]


def test_the_users_cases_are_out_of_reach(skinlens_home: Path) -> None:
    assert os.environ["SKINLENS_HOME"] == str(skinlens_home)
    assert not skinlens_home.exists()


@given(st.integers())
def test_the_isolation_goes_with_properties(number: int) -> None:
    assert "skinlens-home" in os.environ["SKINLENS_HOME"]


@pytest.mark.parametrize("host", ["192.0.2.1", "example.org", "2001:db8::1"])
def test_another_machine_is_refused(host: str, network_attempts: list[str]) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as caller, pytest.raises(AssertionError, match=r"connect\("):
        caller.connect((host, 80))
    with pytest.raises(AssertionError, match="getaddrinfo"):
        socket.create_connection((host, 80))
    assert len(network_attempts) == 2
    network_attempts.clear()  # otherwise this very test would be failed for them


def test_this_machine_is_within_reach() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(("localhost", server.getsockname()[1])).close()


IN_TWO_PROCESSES = ("--numprocesses", "2", "--dist", "loadfile", "--no-loadscope-reorder", "--max-worker-restart=0")
"""As the gate runs them."""

SKIPPING = """
import pytest

def test_passes():
    pass

def test_skips():
    pytest.skip("no browser here")

@pytest.mark.xfail(strict=True)
def test_fails_as_expected():
    raise ValueError
"""
SKIPPED_WHOLE = """
import pytest

pytest.skip("no data here", allow_module_level=True)
"""


@pytest.mark.slow
def test_skips_fail_where_nothing_may_be_skipped_and_are_named_at_once(
    tests_elsewhere: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SKINLENS_NO_SKIPS", "1")
    tests_elsewhere.makepyfile(test_some=SKIPPING, test_whole=SKIPPED_WHOLE)
    result = tests_elsewhere.runpytest_subprocess("--continue-on-collection-errors", *IN_TWO_PROCESSES)
    result.assert_outcomes(passed=1, failed=1, errors=1, xfailed=1)
    assert result.ret != 0
    result.stdout.fnmatch_lines(["*nothing may be skipped here*no browser here*"])
    result.stdout.fnmatch_lines(["*nothing may be skipped here*no data here*"])
    printed = str(result.stdout)
    for name in ("test_some.py::test_skips (call)", "test_whole.py (collect)"):  # in the moment, before the summary
        assert printed.index(f"failed now: {name}") < printed.index("short test summary")


def test_skips_are_skips_elsewhere(tests_elsewhere: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SKINLENS_NO_SKIPS", "0")
    tests_elsewhere.makepyfile(test_some=SKIPPING, test_whole=SKIPPED_WHOLE)
    result = tests_elsewhere.runpytest_inprocess()
    result.assert_outcomes(passed=1, skipped=2, xfailed=1)
    assert result.ret == 0
    assert "failed now" not in str(result.stdout)


@pytest.mark.slow
def test_a_swallowed_try_to_reach_out_fails_all_the_same(tests_elsewhere: pytest.Pytester) -> None:
    tests_elsewhere.makepyfile(
        """
        import socket

        def test_reaches_out():
            try:
                socket.create_connection(("192.0.2.1", 80))
            except BaseException:
                pass
        """
    )
    result = tests_elsewhere.runpytest_inprocess()
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*SkinLens sends nothing*192.0.2.1*"])


# --------------------------------------------------------------------------------------------------------- markers

MARKED = {
    "browser/test_page": "def test_page(): pass",
    "app/test_case": "def test_case(): pass",
    "test_photos": "def test_photos(ham10000): pass\ndef test_older(originals): pass\ndef test_none(): pass",
    "test_training": "import pytest\npytestmark = pytest.mark.slow\ndef test_training(): pass",
}


@pytest.mark.parametrize(
    ("marker", "names"),
    [
        ("browser", {"test_page"}),
        ("slow", {"test_case", "test_training"}),
        ("data", {"test_photos", "test_older"}),
        ("not slow and not browser and not data", {"test_none"}),
    ],
)
def test_marks_are_given_by_folder_and_fixture(tests_elsewhere: pytest.Pytester, marker: str, names: set[str]) -> None:
    for name, source in MARKED.items():
        path = tests_elsewhere.path / f"{name}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(source)
    tests_elsewhere.makeini("[pytest]\nmarkers =\n    slow\n    browser\n    data\n")
    found = tests_elsewhere.inline_run("--collect-only", "-q", "-m", marker)
    assert {call.item.name for call in found.getcalls("pytest_itemcollected")} >= names
    (kept,) = found.getcalls("pytest_collection_finish")
    assert {item.name for item in kept.session.items} == names


WHOLE = """
import os, pathlib, time
import pytest

@pytest.mark.parametrize("number", range(6))
def test_part(number):
    pathlib.Path(f"{{os.environ['PYTEST_XDIST_WORKER']}}.{name}{{number}}").write_text(os.environ["SKINLENS_TEST_PORT"])
    end = time.monotonic() + 60
    while not list(pathlib.Path(".").glob("*.{other}*")):  # so that each process gets one of the files
        assert time.monotonic() < end
        time.sleep(0.01)
"""


@pytest.mark.slow
def test_a_file_stays_whole_among_worker_processes_which_look_for_ports_in_two_places(
    tests_elsewhere: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a file sets up for all its tests is set up once."""
    monkeypatch.setenv("SKINLENS_TEST_PORT", "8660")
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    files = {f"test_{name}": WHOLE.format(name=name, other=other) for name, other in (("one", "two"), ("two", "one"))}
    tests_elsewhere.makepyfile(**files)
    tests_elsewhere.runpytest_subprocess(*IN_TWO_PROCESSES).assert_outcomes(passed=12)
    assert f"{' '.join(IN_TWO_PROCESSES[2:])}\n" in CONFTEST.parents[1].joinpath("Makefile").read_text(
        encoding="utf-8"
    ), "as the gate does"
    ports = []
    for name in ("one", "two"):
        written = list(tests_elsewhere.path.glob(f"gw*.{name}*"))
        assert len({path.suffix for path in written}) == 6
        assert len({path.stem for path in written}) == 1
        ports.append({path.read_text() for path in written})
    assert sorted(port for one in ports for port in one) == ["8660", "8680"]


@pytest.mark.slow
def test_a_test_that_hangs_ends_the_run_and_is_named(tests_elsewhere: pytest.Pytester) -> None:
    hanging = "import threading\n\ndef test_hanging():\n    threading.Event().wait()\n"
    tests_elsewhere.makepyfile(test_hangs=hanging)
    told = tomllib.loads((CONFTEST.parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["pytest"]
    assert 0 < told["ini_options"]["faulthandler_timeout"] <= 600
    exits = f"faulthandler_exit_on_timeout={told['ini_options']['faulthandler_exit_on_timeout']}"
    run = tests_elsewhere.runpytest_subprocess(
        *IN_TWO_PROCESSES, "-o", "faulthandler_timeout=1", "-o", exits, timeout=60
    )
    run.stdout.fnmatch_lines(["*failed now: *test_hangs.py::test_hanging*"])
    assert run.stderr.str().count("in test_hanging") == 1, "the stack, and tried once"
    assert run.ret == 1


def test_the_list_of_slow_tests_names_tests_that_are_there() -> None:
    gone = []
    for name in sorted(slow_tests.listed()):
        file, _, function = name.partition("::")
        path = CONFTEST.parent / file
        if not path.is_file() or f"def {function}(" not in path.read_text(encoding="utf-8"):
            gone.append(name)
    assert gone == []
    assert len(slow_tests.listed()) > 50


def test_a_run_makes_the_list_anew_and_what_it_did_not_run_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report, written = tmp_path / "run.xml", tmp_path / "slow.txt"
    taken = '<properties><property name="cpu_s" value="{}"/></properties>'
    case = f'<testcase classname="tests.{{}}" name="{{}}">{taken}</testcase>'
    cases = [
        ("a.test_x", "test_long[1]", 0.1),
        ("a.test_x", "test_long[2]", 0.4),
        ("test_y", "test_quick[1]", 0.9),
        ("test_y", "test_quick[2]", 0.01),
        ("test_y", "test_quick[3]", 0.01),
    ]
    report.write_text(f"<testsuites>{''.join(case.format(*one) for one in cases)}</testsuites>", encoding="utf-8")
    written.write_text("# head\ntest_y.py::test_quick\nb/test_z.py::test_elsewhere\n", encoding="utf-8")
    monkeypatch.setattr(slow_tests, "LIST", written)
    slow_tests.main(report)
    assert slow_tests.listed() == {"a/test_x.py::test_long", "b/test_z.py::test_elsewhere"}
