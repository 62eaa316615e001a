"""Processes of a measurement: found by their command line, with their processor time and memory."""

import os
import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path


def processes(*words: str) -> list[int]:
    """Numbers of the processes whose command line has all these words, and of all that they started."""
    parents, found = dict[int, int](), set[int]()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            line = (folder / "cmdline").read_bytes().decode("utf-8", "replace").split("\0")
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, IndexError, ValueError):  # it has just ended
            continue
        if all(word in line for word in words):
            found.add(int(folder.name))
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return sorted(found)


def cpu_s(pids: Iterable[int]) -> float:
    """Processor time of the processes, with that of children that have ended."""
    ticks = 0
    for pid in pids:
        with suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += sum(int(one) for one in fields[11:15])
    return ticks / os.sysconf("SC_CLK_TCK")


def memory_mb(pids: Iterable[int]) -> float:
    """Proportional set size of the processes: pages that they share are counted once."""
    total = 0
    for pid in pids:
        with suppress(OSError):
            found = re.search(r"^Pss:\s+(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
            total += int(found[1]) if found else 0
    return total / 1024


def busy_s() -> float:
    """Processor time that all processes of this computer have used so far."""
    fields = Path("/proc/stat").read_text(encoding="ascii").partition("\n")[0].split()[1:]
    user, nice, system, _idle, _waiting, irq, soft = (int(ticks) for ticks in fields[:7])
    return (user + nice + system + irq + soft) / os.sysconf("SC_CLK_TCK")
