"""The app finds a port to listen on, or says why it cannot."""

import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import pytest

from skinlens import serve
from skinlens.accounts import Accounts
from skinlens.errors import ServeError


def test_a_taken_port_is_passed_over() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        free = serve.free_port("127.0.0.1", port)
    assert port < free <= port + 100


def test_a_free_port_is_kept() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert serve.free_port("127.0.0.1", port) == port


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_what_is_no_port_is_refused(port: int) -> None:
    with pytest.raises(ServeError, match=re.escape(f"{port} is no port. Give a number from 1 to 65535")):
        serve.free_port("127.0.0.1", port)


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(ServeError, match=r"cannot listen on 192\.0\.2\.1, port 8501 .*Give an address of this machine"):
        serve.free_port("192.0.2.1", 8501)


def test_streamlit_is_told_to_ask_and_to_send_nothing() -> None:
    command = serve.streamlit_command("127.0.0.1", 8501)
    assert Path(command[4]) == serve.ROOT / "app.py"
    options = dict(zip(command[5::2], command[6::2], strict=True))
    assert options["--browser.gatherUsageStats"] == "false"
    assert options["--server.showEmailPrompt"] == "false"
    assert options["--server.address"] == "127.0.0.1"


URL = re.compile(r"(http://127\.0\.0\.1:\d+)/\?token=([\w-]{43})(?= \(stop)")
T = TypeVar("T")


def until(ask: Callable[[], T | None], app: subprocess.Popen[bytes]) -> T:
    """Ask until there is an answer, for as long as the app runs and for a minute at most."""
    deadline = time.monotonic() + 60
    while (answer := ask()) is None:
        assert app.poll() is None, "the app stopped before it served anything"
        assert time.monotonic() < deadline, "the app did not come up within a minute"
        time.sleep(0.1)
    return answer


def body(url: str, browser: urllib.request.OpenerDirector) -> bytes | None:
    try:
        with browser.open(url, timeout=5) as response:
            return bytes(response.read())
    except OSError:
        return None


@pytest.mark.slow
def test_the_app_comes_up_beside_a_taken_port(tmp_path: Path) -> None:
    """The real thing, from another folder and without a home: it says which port it takes, and answers there."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code = f"from skinlens.serve import serve; serve('127.0.0.1', {port})"
        environment = os.environ | {
            "PYTHONPATH": str(serve.ROOT),
            "HOME": str(tmp_path),
            "STREAMLIT_SERVER_HEADLESS": "true",  # open no browser on the machine that runs the tests
        }
        log = tmp_path / "log"
        with log.open("w") as output:
            app = subprocess.Popen(
                [sys.executable, "-c", code], cwd=tmp_path, env=environment, stdout=output, stderr=subprocess.STDOUT
            )
        try:
            printed, url, _ = until(lambda: URL.search(log.read_text()), app).group(0, 1, 2)
            browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
            assert b"<title>" in until(lambda: body(printed, browser), app)
            assert body(f"{url}/_stcore/health", browser) == b"ok"
            assert body(f"{url}/_stcore/health", urllib.request.build_opener()) is None  # who was not let in
            taken_port = f"Port {port} is taken by another program; SkinLens takes {url.rpartition(':')[2]}."
            assert log.read_text().splitlines()[:2] == [taken_port, f"SkinLens: {printed} (stop it with Ctrl+C)"]
        finally:
            app.terminate()
            app.wait(timeout=60)


@pytest.mark.parametrize(("host", "proxy"), [("0.0.0.0", ""), ("::", ""), ("127.0.0.1", "https://clinic.example/lens")])
def test_where_others_reach_it_the_app_does_not_start_without_an_account(
    skinlens_home: Path, monkeypatch: pytest.MonkeyPatch, host: str, proxy: str
) -> None:
    monkeypatch.setattr(serve, "become", lambda _: pytest.fail("it started"))
    reach = f"Through the proxy at {proxy}" if proxy else f"On {host}"
    says = f"{reach} other machines can reach SkinLens, so people have to sign in there"
    with pytest.raises(ServeError, match=f"{re.escape(says)}.*`skinlens user add NAME --role admin`"):
        serve.serve(host, behind_proxy=proxy)


def started(monkeypatch: pytest.MonkeyPatch, *given: str, **named: Any) -> tuple[list[str], str, str]:
    """The command that the app would be started by, and what it is told about its token and its proxy."""
    commands: list[list[str]] = []

    def note(command: list[str]) -> NoReturn:
        commands.append(command)
        raise SystemExit

    monkeypatch.setattr(serve, "become", note)
    if "oidc" not in named:
        monkeypatch.chdir(serve.ROOT)
    monkeypatch.setenv(serve.TOKEN, "")
    monkeypatch.setenv(serve.BEHIND_PROXY, "")
    with pytest.raises(SystemExit):
        serve.serve(*given, **named)
    return commands[0], os.environ[serve.TOKEN], os.environ[serve.BEHIND_PROXY]


def test_with_an_account_it_starts_for_others_and_behind_a_proxy(
    skinlens_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Accounts(skinlens_home).add("Ada", "admin", "correct horse battery")
    monkeypatch.setenv(serve.BELIEVED, "10.0.0.1")
    command, token, proxy = started(monkeypatch, "0.0.0.0")
    assert (token, proxy, os.environ[serve.BELIEVED]) == ("", "", "")
    monkeypatch.setenv(serve.BELIEVED, "10.0.0.1")
    assert "--server.baseUrlPath" not in command
    command, token, proxy = started(monkeypatch, behind_proxy="https://Clinic.example:8443/derm/lens/")
    assert (token, proxy) == ("", "https://clinic.example:8443/derm/lens")
    assert command[-2:] == ["--server.baseUrlPath", "derm/lens"]
    assert os.environ[serve.BELIEVED] == "10.0.0.1"  # the proxy's address, as its guide says


def test_with_a_provider_it_starts_without_an_account_and_not_with_a_file_that_others_read(
    skinlens_home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(serve.OIDC, "")
    path = tmp_path / "oidc.toml"
    path.write_text('issuer = "https://id.example"\nclient_id = "skinlens"\n', encoding="utf-8")
    path.chmod(0o644)
    monkeypatch.setattr(serve, "become", lambda _: pytest.fail("it started"))
    with pytest.raises(ServeError, match="Others can read or change"):
        serve.serve("0.0.0.0", oidc=str(path))
    path.chmod(0o600)
    monkeypatch.chdir(tmp_path)
    _, token, _ = started(monkeypatch, "0.0.0.0", oidc="oidc.toml")
    assert (token, os.environ[serve.OIDC]) == ("", str(path))


def test_an_address_that_can_be_opened_stands_for_all_of_a_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {"192.0.2.1": "10.0.0.7", "10.255.255.254": "10.0.0.7", "172.31.255.254": "169.254.1.1"}
    found |= {"2001:db8::1": "2001:db8::7", "fd00::1": "fe80::1"}
    monkeypatch.setattr(serve, "_own_address", lambda _, goal: found.get(goal, ""))
    assert serve.addresses("0.0.0.0") == ("localhost", "10.0.0.7")
    assert serve.addresses("::") == ("localhost", "10.0.0.7", "2001:db8::7")
    assert serve.addresses("10.0.0.7") == ("10.0.0.7",)
    assert serve.addresses("127.0.0.1") == ("127.0.0.1",)


def test_at_this_computer_alone_the_address_gets_a_new_token_each_time(
    skinlens_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = {started(monkeypatch)[1] for _ in range(2)}
    assert {len(token) for token in tokens} == {43}
    assert len(tokens) == 2
    assert started(monkeypatch, token=False)[1] == ""


@pytest.mark.parametrize(
    "typed",
    [
        *("http://clinic.example", "clinic.example", "https://", "https://clinic.example?x=1", "https://a@b.example"),
        *("https://clinic.example/a/../b", "https://clinic.example:port", "https://clinic.example/a b", "https://[x"),
    ],
)
def test_what_is_no_address_of_a_proxy_is_refused(typed: str) -> None:
    with pytest.raises(ServeError, match=r"no address at which a proxy|no path for SkinLens"):
        serve.public_address(typed)


@pytest.mark.parametrize(
    ("host", "listening", "public", "own"),
    [
        ("127.0.0.1:8502", "127.0.0.1", "", True),
        ("[::1]", "127.0.0.1", "", True),
        ("localhost.", "127.0.0.1", "", True),
        ("evil.example", "127.0.0.1", "", False),
        ("127.0.0.1@evil.example", "127.0.0.1", "", False),
        ("127.0.0.1:x", "127.0.0.1", "", False),
        ("10.0.0.7", "127.0.0.1", "", False),
        ("10.0.0.7:8502", "0.0.0.0", "", True),  # by number no foreign name can lead here
        ("evil.example", "0.0.0.0", "", False),
        ("clinic.example", "127.0.0.1", "clinic.example", True),
        ("CLINIC.example:8443", "127.0.0.1", "clinic.example:8443", True),
        ("clinic.example:9", "127.0.0.1", "clinic.example:8443", False),
        ("10.0.0.7", "0.0.0.0", "clinic.example", False),
        ("", "", "", False),
    ],
)
def test_a_server_knows_its_own_names(host: str, listening: str, public: str, own: bool) -> None:
    assert serve.is_own_name(host, listening, public) is own


def test_a_name_that_was_added_is_its_own() -> None:
    assert serve.is_own_name("clinic.lan:8502", "127.0.0.1", added=("clinic.lan",))
