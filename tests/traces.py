"""What a process and its children open, make and reach, as the kernel sees it: ``strace`` around a real command."""

import ipaddress
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

CALLS = (
    "connect,bind,sendto,sendmsg,sendmmsg,"
    "open,openat,creat,mkdir,mkdirat,mknod,mknodat,rename,renameat,renameat2,link,linkat,symlink,symlinkat,"
    "write,pwrite64,writev,pwritev,sendfile,copy_file_range"
)
WRITING = {"write", "pwrite64", "writev", "pwritev", "sendfile", "copy_file_range"}
WRITES = re.compile(r"O_WRONLY|O_RDWR|O_CREAT|O_TMPFILE")
INTERNET = re.compile(r"sa_family=AF_INET6?, .*?(?:inet_addr\(|inet_pton\(AF_INET6, )\"([^\"]+)\"")
NAMED = re.compile(r"(?:(AT_FDCWD|\d+)<([^>]*)>, )?\"((?:[^\"\\]|\\.)*)\"")
DEVICES = ("/dev/", "/proc/")
"""No files on a disk; memory that processes share lies below /dev/shm."""


def strace() -> str:
    """Its path; the test is skipped where it is not."""
    found = shutil.which("strace")
    if found is None:
        pytest.skip("strace is not installed: what the kernel is asked for cannot be seen (Debian's package strace)")
    return found


@dataclass(frozen=True)
class Trace:
    """What was written down by ``command``."""

    log: Path

    def command(self, *words: str) -> list[str]:
        # With the filter in the kernel a process stops at these calls alone, not at each of its calls.
        return [strace(), "--seccomp-bpf", "-f", "-y", "-s", "512", "-e", f"trace={CALLS}", "-o", str(self.log), *words]

    def _calls(self) -> Iterator[tuple[str, str]]:
        """Name and arguments of each call that did not fail."""
        begun: dict[str, str] = {}
        for line in self.log.read_text(encoding="utf-8", errors="replace").splitlines():
            process, _, rest = line.partition(" ")
            rest = rest.strip()
            if rest.endswith("<unfinished ...>"):
                begun[process] = rest.removesuffix("<unfinished ...>")
                continue
            if resumed := re.match(r"<\.\.\. \w+ resumed>(.*)", rest):
                rest = begun.pop(process, "") + resumed[1]
            if found := re.match(r"(\w+)\((.*)", rest):
                yield found[1], found[2]

    def reached(self) -> set[str]:
        """Internet addresses beyond this machine that were asked for, also where that failed."""
        found = {one for name, rest in self._calls() if name != "bind" for one in INTERNET.findall(rest)}
        return {address for address in found if not ipaddress.ip_address(address).is_loopback}

    def bytes_in_files(self) -> dict[str, int]:
        """How many bytes were written into each file, also into those that have no name or lost it."""
        found: dict[str, int] = {}
        for name, rest in self._calls():
            into = re.match(r"\d+<(/[^>]*)>", rest)
            count = re.search(r"= (\d+)$", rest)
            if name in WRITING and into and count and not into[1].startswith(DEVICES):
                found[into[1]] = found.get(into[1], 0) + int(count[1])
        return found

    def written(self, allowed: Sequence[Path]) -> set[str]:
        """Files and folders that were made, or opened to be written, outside of the allowed folders."""
        inside = [os.path.realpath(folder) for folder in allowed]
        found = {path for name, rest in self._calls() if "= -1 " not in rest for path in _made(name, rest)}
        return {path for path in found if not path.startswith(DEVICES) and not any(_below(path, one) for one in inside)}


def _made(name: str, rest: str) -> list[str]:
    if name in {"connect", "bind", "sendto", "sendmsg", "sendmmsg", *WRITING}:
        return []
    if name in {"open", "openat"} and not WRITES.search(rest):
        return []
    paths = [str(Path(folder, path)) for _, folder, path in NAMED.findall(rest)]
    wanted = paths[-1:] if "link" in name or "rename" in name else paths[:1]  # where it goes to, not where it was
    return [os.path.realpath(path) for path in wanted]


def _below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder + os.sep)
