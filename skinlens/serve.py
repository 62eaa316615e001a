"""App server: find a free port, then hand this process over to Streamlit."""

import errno
import ipaddress
import os
import re
import secrets
import socket
import subprocess
import sys
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit

from skinlens.errors import ServeError
from skinlens.paths import ROOT

LOOPBACK = ("127.0.0.1", "localhost", "::1")
BEHIND_PROXY = "SKINLENS_BEHIND_PROXY"
"""Tells the app the address at which a proxy forwards to it."""
TOKEN = "SKINLENS_TOKEN"  # noqa: S105  a variable's name
"""Tells the app the secret that its address must hold, where nobody signs in."""

OIDC = "SKINLENS_OIDC"
"""Tells the app the file with the settings of the OpenID provider where people sign in."""
BELIEVED = "FORWARDED_ALLOW_IPS"
"""Tells uvicorn whom it believes where a request came from: the proxy, and without one nobody."""
WILDCARDS = ("", "0.0.0.0", "::")  # noqa: S104  compared with, not listened on
"""Not addresses, but all that this machine has."""
_GOALS = {
    socket.AF_INET: ("192.0.2.1", "192.168.255.254", "172.31.255.254", "10.255.255.254"),
    socket.AF_INET6: ("2001:db8::1", "fd00::1"),
}
"""Of no machine: the addresses for examples, and the last ones of the private networks."""

HIGHEST_PORT = 65535
WINDOWS = os.name == "nt"
FOLDERS = ("SKINLENS_HOME", "SKINLENS_WEIGHTS", OIDC)
"""Settings that name a folder, or a file."""


def serve(
    host: str = "127.0.0.1", port: int = 8501, *, behind_proxy: str = "", token: bool = True, oidc: str = ""
) -> NoReturn:
    """Replace this process by the app on ``host``, at ``port`` or the first free one above it.

    Says on stderr if it had to take another port.

    Args:
        host: Address of this machine. On any but the loopback address people sign in.
        port: 1 to 65535.
        behind_proxy: Address at which a proxy with TLS forwards to the app: then people sign in too; empty: none.
        token: Where nobody signs in, let in only who opens the address that is printed. Other accounts of this computer
            reach the loopback address as well, and do not know it.
        oidc: File with the settings of an OpenID provider with which people sign in; empty: none.

    Raises:
        ServeError: the app cannot listen there, or people would have to sign in and there is no account.
    """
    os.environ[OIDC] = oidc
    settle_folders()
    where = public_address(behind_proxy) if behind_proxy else ""
    people_sign_in = _must_have_accounts(host, where)
    free = free_port(host, port)
    if free != port:
        print(f"Port {port} is taken by another program; SkinLens takes {free}.", file=sys.stderr)
    if host not in LOOPBACK and not where:
        print(unencrypted(host, "passwords and photos"), file=sys.stderr)
    sys.stderr.flush()
    os.environ[BEHIND_PROXY] = where
    if not where:
        os.environ[BELIEVED] = ""
    os.environ[TOKEN] = secrets.token_urlsafe(32) if token and not people_sign_in else ""
    os.chdir(ROOT)  # Streamlit reads .streamlit/config.toml from the working folder
    become([*streamlit_command(host, free), *_below(where)])


def unencrypted(host: str, what: str) -> str:
    """Sentence on a server that others reach without TLS; ``what`` travels in the clear."""
    return (
        f"On {host} {what} travel over the network as they are. Put a proxy with TLS in front, and say so with "
        "--behind-proxy: docs/how-to/put-on-a-network.md."
    )


def public_address(typed: str) -> str:
    """The address at which a proxy forwards to the app, without a slash at its end.

    Raises:
        ServeError: it is none, or has no TLS.
    """
    try:
        parts = urlsplit(typed.strip())
        name, _ = parts.hostname or "", parts.port
    except ValueError:
        parts, name = urlsplit(""), ""
    path = parts.path.rstrip("/")
    if parts.scheme != "https" or not name or parts.username is not None or parts.query or parts.fragment:
        raise ServeError(
            f"{typed!r} is no address at which a proxy can forward to SkinLens. Expected https, a name, and the path "
            "if there is one: https://clinic.example/skinlens. Without TLS anybody on the way could read along."
        )
    if not re.fullmatch(r"(/[A-Za-z0-9_-]+)*", path):
        raise ServeError(f"{parts.path!r} is no path for SkinLens: letters, digits, - and _ are expected in each part.")
    return f"https://{parts.netloc.lower()}{path}"


def _must_have_accounts(host: str, where: str) -> bool:
    """Whether people sign in: with accounts, or a provider. Raises ServeError where they must and cannot."""
    from skinlens.accounts import Accounts, oidc_settings
    from skinlens.accounts.sessions import idle_s

    idle_s()  # a setting that cannot be meant is told at once
    if named := os.environ[OIDC]:
        oidc_settings.read(Path(named))
        return True
    accounts = Accounts()
    if accounts.there_are_any():
        return True
    if host in LOOPBACK and not where:
        return False
    reach = f"Through the proxy at {where}" if where else f"On {host}"
    raise ServeError(
        f"{reach} other machines can reach SkinLens, so people have to sign in there, and there is no account yet in "
        f"{accounts.home}. Add one with `skinlens user add NAME --role admin`, or name the "
        "settings of an OpenID provider with --oidc; then start SkinLens again."
    )


def _below(where: str) -> list[str]:
    path = urlsplit(where).path.strip("/")
    return ["--server.baseUrlPath", path] if path else []


def settle_folders() -> None:
    """A folder that a setting names is meant from where it was typed, also when the app works in another folder."""
    for setting in FOLDERS:
        if (named := os.environ.get(setting, "").strip()) and not named.startswith("~"):
            os.environ[setting] = str(Path(named).absolute())


def become(command: Sequence[str]) -> NoReturn:
    """Replace this process by another. On Windows it is started and waited for: there ``exec`` would break words with
    spaces apart, and give the terminal back while the other still runs.
    """
    if WINDOWS:
        with subprocess.Popen(command) as process:
            while True:
                try:
                    raise SystemExit(process.wait())
                except KeyboardInterrupt:  # it was told too, and ends by itself
                    continue
    os.execv(command[0], list(command))  # noqa: S606  this very Python, by its path


def free_port(host: str, port: int, what: str = "app") -> int:
    """Return ``port``, or the first one above it that nothing listens on, for ``what``. Raises ServeError.

    Between this look and Streamlit's own bind another program may take the port; Streamlit then says so and stops.
    """
    if not 1 <= port <= HIGHEST_PORT:
        raise ServeError(f"{port} is no port. Give a number from 1 to {HIGHEST_PORT}, for example 8501.")
    for candidate in range(port, HIGHEST_PORT + 1):
        try:
            with socket.create_server((host, candidate), family=_family(host)):
                return candidate
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise ServeError(
                    f"The {what} cannot listen on {host}, port {candidate} ({error.strerror or error}). "
                    "Give an address of this machine, for example 127.0.0.1, and a port from 1024 up."
                ) from error
    raise ServeError(
        f"No port from {port} to {HIGHEST_PORT} is free on {host}. Stop a program that listens, or go lower."
    )


def addresses(host: str) -> tuple[str, ...]:
    """Addresses at which an app that listens on ``host`` is opened: for a wildcard this computer's own name for itself,
    then what other computers can reach it by.
    """
    if host not in WILDCARDS:
        return (host,)
    families = (socket.AF_INET,) if host == WILDCARDS[1] else (socket.AF_INET, socket.AF_INET6)
    candidates = [_own_address(family, goal) for family in families for goal in _GOALS[family]]
    reached = [
        address
        for address in candidates
        if address and not address.startswith(("127.", "169.254.", "fe80:")) and address != "::1"
    ]
    return tuple(dict.fromkeys(("localhost", *reached)))


def is_own_name(host: str, listening: str, public: str = "", added: Collection[str] = ()) -> bool:
    """Whether a Host header names this server: a foreign name that was made to lead here is none of its own.

    Args:
        host: The header as it was sent.
        listening: Address that the server listens on.
        public: Name (and port) at which a proxy forwards to it; empty: none does.
        added: Further names that were allowed.
    """
    try:
        parts = urlsplit(f"//{host}")
        name, _ = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        return False
    if parts.netloc != host or "@" in host:
        return False
    if public and host.lower() == public:
        return True
    if name in {*LOOPBACK, listening.lower(), *added} - {""}:
        return True
    # Let in from elsewhere on every address of this machine: by number, which no foreign name can be made to point to,
    # or by the machine's own name.
    return not public and listening in WILDCARDS and (_is_number(name) or name == socket.gethostname().lower())


def _is_number(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _own_address(family: socket.AddressFamily, goal: str) -> str:
    """Address of this machine by which it would go there; empty: there is no way.

    Nothing is sent and no name is looked up: a datagram socket that is told of a goal only asks the table of routes.
    """
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as looking:
            looking.connect((goal, 9))
            return str(looking.getsockname()[0])
    except OSError:
        return ""


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def streamlit_command(host: str, port: int) -> list[str]:
    """Return the command that runs the app without a question on the terminal and without usage statistics."""
    return [
        sys.executable,
        *("-m", "streamlit", "run", str(ROOT / "app.py")),
        *("--server.address", host),
        *("--server.port", str(port)),
        *("--server.showEmailPrompt", "false"),
        *("--browser.gatherUsageStats", "false"),
    ]
