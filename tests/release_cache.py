"""Tiny releases that are trained once, not in every run: kept below pytest's cache folder, by a hash of their sources.

An entry is a folder named for what it holds and for everything that decides its bytes: the source of every module that
takes part, the versions of the libraries, the processor and the settings that choose its instructions and threads. It
is made in another folder and renamed when it is whole, under a lock: a killed run leaves no half an entry, and of two
runs side by side one waits for the other. What is handed out is a copy, checked file by file.
"""

import contextlib
import hashlib
import json
import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

from filelock import FileLock, Timeout

ROOT = Path(__file__).resolve().parents[1]
KEPT = 4
"""Entries of one name, those used last: a few branches, and one each for the instruction sets that are tried."""
LIBRARIES = ("torch", "torchvision", "timm", "numpy", "onnx", "onnxruntime", "pillow")
INSTRUCTIONS = (
    *("ATEN_CPU_CAPABILITY", "DNNL_MAX_CPU_ISA", "ONEDNN_MAX_CPU_ISA"),
    *("NPY_DISABLE_CPU_FEATURES", "OPENBLAS_CORETYPE"),
)
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
DIGESTS = "digests.json"


def sources(modules: tuple[str, ...], files: tuple[Path, ...]) -> Iterator[Path]:
    """The files of some modules of skinlens, of all that they import of it, and some more, in a fixed order."""
    from grimp import build_graph

    graph = build_graph("skinlens", cache_dir=None)
    for name in sorted({*modules, *(found for module in modules for found in graph.find_upstream_modules(module))}):
        path = ROOT.joinpath(*name.split("."))
        yield path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    yield from sorted(files)


def key_of(files: Iterator[Path], *more: str) -> str:
    """What an entry is found by.

    The number of threads is not in it, since a release made on one thread will do on two. What is compared byte for
    byte gives ``threads()`` as ``more``, and the digest of what it was made from.
    """
    known = {
        "sources": [hashlib.sha256(path.read_bytes()).hexdigest() for path in files],
        "versions": [sys.version, *(f"{name} {version(name)}" for name in LIBRARIES)],
        "processor": [platform.machine(), _instructions(), *(os.environ.get(name) for name in INSTRUCTIONS)],
        "more": more,
    }
    return hashlib.sha256(json.dumps(known).encode()).hexdigest()[:16]


def threads() -> str:
    """On how many threads torch computes, as far as that is set: on another number, sums of floats differ."""
    return " ".join([f"{os.cpu_count()}", *(f"{name}={os.environ.get(name)}" for name in THREADS)])


def digest_of(folder: Path) -> str:
    return hashlib.sha256(json.dumps(_digests(folder)).encode()).hexdigest()


def _instructions() -> str:
    """What the processor can do, as far as the system says so: torch chooses its kernels by it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((" ".join(sorted(line.split())) for line in lines if line.startswith(("flags", "Features"))), "")


def cached(cache: Path, name: str, key: str, make: Callable[[Path], object], copy: Path) -> Path:
    """Put a copy of the entry into ``copy``, which must not exist; ``make`` fills the folder that it is given."""
    entry = cache / f"{name}-{key}"
    cache.mkdir(parents=True, exist_ok=True)
    with FileLock(cache / f"{name}-{key}.lock"):
        if not _is_whole(entry):
            shutil.rmtree(entry, ignore_errors=True)
            unfinished = cache / f"{name}-{key}.unfinished"  # whoever left it was killed: the lock is ours
            shutil.rmtree(unfinished, ignore_errors=True)
            make(unfinished)
            (unfinished / DIGESTS).write_text(json.dumps(_digests(unfinished)), encoding="utf-8")
            unfinished.rename(entry)
        os.utime(entry)
        shutil.copytree(entry, copy, ignore=shutil.ignore_patterns(DIGESTS))
    _forget_all_but_the_last(cache, name)
    return copy


def _digests(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path != folder / DIGESTS
    }


def _is_whole(entry: Path) -> bool:
    try:
        return bool(json.loads((entry / DIGESTS).read_text(encoding="utf-8")) == _digests(entry))
    except (OSError, ValueError):
        return False


def _forget_all_but_the_last(cache: Path, name: str) -> None:
    """Entries that another run holds the lock of stay."""
    entries = [path for path in cache.glob(f"{name}-*") if path.is_dir() and not path.suffix]
    for entry in sorted(entries, key=lambda path: path.stat().st_mtime)[:-KEPT]:
        with contextlib.suppress(Timeout), FileLock(entry.with_suffix(".lock"), blocking=False):
            shutil.rmtree(entry, ignore_errors=True)
