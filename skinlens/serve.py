"""App server: find a free port, then hand this process over to Streamlit."""

import errno
import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from skinlens.errors import ServeError
from skinlens.paths import ROOT

HIGHEST_PORT = 65535
WINDOWS = os.name == "nt"
FOLDERS = ("SKINLENS_HOME", "SKINLENS_WEIGHTS")
"""Settings that name a folder."""


def serve(host: str = "127.0.0.1", port: int = 8501) -> NoReturn:
    """Replace this process by the app on ``host``, at ``port`` or the first free one above it.

    Says on stderr if it had to take another port. Raises ServeError where the app cannot listen there.
    """
    free = free_port(host, port)
    if free != port:
        print(f"Port {port} is taken by another program; SkinLens takes {free}.", file=sys.stderr)
    if host not in {"127.0.0.1", "localhost", "::1"}:
        print(
            f"On {host} other machines may reach SkinLens. It has no login: put it behind one that you trust.",
            file=sys.stderr,
        )
    sys.stderr.flush()
    settle_folders()
    os.chdir(ROOT)  # Streamlit reads .streamlit/config.toml from the working folder
    become(streamlit_command(host, free))


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
    os.execv(command[0], list(command))


def free_port(host: str, port: int) -> int:
    """Return ``port``, or the first one above it that nothing listens on. Raises ServeError.

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
                    f"The app cannot listen on {host}, port {candidate} ({error.strerror or error}). "
                    "Give an address of this machine, for example 127.0.0.1, and a port from 1024 up."
                ) from error
    raise ServeError(
        f"No port from {port} to {HIGHEST_PORT} is free on {host}. Stop a program that listens, or go lower."
    )


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
