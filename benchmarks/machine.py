"""Machine of a measurement: stands beside every number in ``benchmarks/results``."""

import os
import platform
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).parents[1]
SIMD = {"avx512_vnni": "AVX-512 VNNI", "avx_vnni": "AVX-VNNI", "avx512f": "AVX-512", "avx2": "AVX2"}
"""Flags of the processor as Linux names them, the fastest first."""


def machine() -> dict[str, str | int | float]:
    """Platform, processor and its vector instructions, cores that this process may use, load, Python, commit, date."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return {
        "platform": platform.platform(),
        "cpu": _cpu(),
        "simd": _simd(),
        "cores": cores,
        "load_1min": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else -1.0,
        "python": platform.python_version(),
        "commit": _commit(),
        "date": datetime.now(UTC).date().isoformat(),
    }


def _cpu() -> str:
    return _said("model name") or platform.processor() or platform.machine()


def _simd() -> str:
    """The widest vector instructions that int8 inference gains by; empty where they are not known.

    ``BENCHMARK_SIMD`` says it where some are hidden (``benchmarks/avx2.py``).
    """
    if hidden := os.environ.get("BENCHMARK_SIMD"):
        return hidden
    flags = _said("flags").split()
    return next((name for flag, name in SIMD.items() if flag in flags), "")


def _said(field: str) -> str:
    """What Linux says of the first processor in that field; empty on other systems."""
    info = Path("/proc/cpuinfo")
    line = re.search(rf"^{field}\s*:(.*)", info.read_text(), re.MULTILINE) if info.is_file() else None
    return line[1].strip() if line else ""


def _commit() -> str:
    """The commit of the checkout, "+" where files differ from it; "unknown" outside a checkout."""
    command = ["git", "describe", "--always", "--abbrev=12", "--dirty=+", "--exclude=*"]
    try:
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
