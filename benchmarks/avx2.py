"""A module run as on a processor that has AVX2 and nothing wider: ``python -m benchmarks.avx2 MODULE [ARGUMENTS …]``.

ONNX Runtime asks the processor itself, by the instruction ``cpuid``, which of its kernels it may use, and has no
setting for it. So a copy of its library is made in which every ``cpuid`` is an undefined instruction, and a small
library that is loaded ahead of everything (``benchmarks/cpuid.c``) answers in its place as the processor would, without
what is wider than AVX2. torch, oneDNN, OpenBLAS and numpy have settings for the same. The processor's clock and caches
stay what they are, so a time is that of AVX2 kernels on this machine, not that of an older one.

For a measurement, ``python -m benchmarks.avx2 benchmarks.explain_cost --json FILE``, and for tests, ``python -m
benchmarks.avx2 pytest tests/quantization``. Needs Linux on x86-64, gcc and binutils. Not for a program that takes the
signal SIGILL for itself: the workers of Ray end by it.
"""

import hashlib
import importlib.util
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MASK = Path(__file__).with_name("cpuid.c")
SIMD = "AVX2 (wider instructions hidden)"
SETTINGS = {
    "ATEN_CPU_CAPABILITY": "avx2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    "OPENBLAS_CORETYPE": "Haswell",
    "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",
    "BENCHMARK_SIMD": SIMD,
}
CPUID, UNDEFINED = b"\x0f\xa2", b"\x0f\x0b"


def environment(folder: Path | None = None) -> dict[str, str]:
    """Variables under which a process and all that it starts see AVX2 at most.

    Args:
        folder: Where the copy of the library and the compiled mask are kept, under a name of their contents;
            ``artefacts/avx2`` by default.

    Raises:
        SystemExit: Not Linux on x86-64; gcc or objdump is missing or fails; ONNX Runtime's library has no ``cpuid``.
    """
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        raise SystemExit(f"Needs Linux on x86-64; this is {sys.platform} on {platform.machine()}.")
    for tool, package in {"gcc": "gcc", "objdump": "binutils"}.items():
        if not shutil.which(tool):
            raise SystemExit(f"{tool} is missing: install the package {package}.")
    library = runtime_library()
    made_from = (MASK, Path(__file__), library)
    contents = hashlib.sha256(b"".join(path.read_bytes() for path in made_from)).hexdigest()[:16]
    made = (folder or ROOT / "artefacts" / "avx2") / contents
    if not made.is_dir():
        make(made, library)
    wanted = {"LD_PRELOAD": made / "mask.so", "AVX2_INSTEAD_OF": library, "AVX2_LIBRARY": made / library.name}
    return SETTINGS | {name: str(path) for name, path in wanted.items()}


def runtime_library() -> Path:
    """ONNX Runtime's library of this environment, without loading it."""
    package = importlib.util.find_spec("onnxruntime")
    if package is None or package.origin is None:
        raise SystemExit("onnxruntime is not installed in this environment.")
    return next((Path(package.origin).parent / "capi").glob("onnxruntime_pybind11_state*.so"))


def make(folder: Path, library: Path) -> None:
    """Compile the mask and copy the library without ``cpuid``; the folder appears when both are whole.

    What lies beside the library is loaded from beside the copy, and so is linked there.
    """
    unfinished = folder.with_name(f"{folder.name}.{os.getpid()}")
    unfinished.mkdir(parents=True)
    run("gcc", "-O2", "-Wall", "-Werror", "-shared", "-fPIC", "-o", unfinished / "mask.so", MASK, "-ldl")
    (unfinished / library.name).write_bytes(without_cpuid(library))
    for beside in set(library.parent.glob("*.so*")) - {library}:
        (unfinished / beside.name).symlink_to(beside)
    unfinished.rename(folder)


def without_cpuid(library: Path) -> bytes:
    """A library's bytes with an undefined instruction in the place of every ``cpuid`` of its code."""
    content = bytearray(library.read_bytes())
    places = cpuid_offsets(library)
    if not places:
        raise SystemExit(f"No cpuid in {library}: it asks for instructions in a way that is not known here.")
    for place in places:
        content[place : place + 2] = UNDEFINED
    return bytes(content)


def cpuid_offsets(library: Path) -> list[int]:
    """Places of the instruction in the file, as objdump reads the section ``.text``."""
    section = next(line.split() for line in run("objdump", "-h", library).splitlines() if " .text " in line)
    from_address_to_file = int(section[5], 16) - int(section[3], 16)
    listing = run("objdump", "-d", "-j", ".text", "--no-show-raw-insn", library)
    addresses = re.findall(r"^\s*([0-9a-f]+):\s+cpuid\s*$", listing, re.MULTILINE)
    places = [int(address, 16) + from_address_to_file for address in addresses]
    content = library.read_bytes()
    if any(content[place : place + 2] != CPUID for place in places):
        raise SystemExit(f"objdump's addresses do not fit the file {library}.")
    return places


def run(*command: str | Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{command[0]} failed: {done.stderr.strip()}")
    return done.stdout


def main(arguments: list[str], kept: Mapping[str, str] = os.environ) -> None:
    if not arguments or arguments[0].startswith("-"):
        raise SystemExit(__doc__)
    os.execve(sys.executable, [sys.executable, "-m", *arguments], {**kept, **environment()})  # noqa: S606  this very Python, by its path


if __name__ == "__main__":
    main(sys.argv[1:])
