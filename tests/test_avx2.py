"""``benchmarks.avx2`` hides the wider instructions from ONNX Runtime, and changes nothing else of it."""

import ctypes
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from benchmarks import avx2

ROOT = Path(__file__).resolve().parents[1]
AVX2_BIT, AVX512_BITS, AVX512_VNNI_BIT, AVX_VNNI_BIT = 1 << 5, (16, 17, 21, 28, 30, 31), 1 << 11, 1 << 4
PREDICTION = """
import json, sys
from pathlib import Path
from benchmarks.machine import machine
from benchmarks.explain_sides import DRAWN, read
from skinlens.inference.classifier import load_classifier
probs = load_classifier(Path("weights")).predict(read(f"{DRAWN}7")).probs
maps = {line.split()[-1] for line in open("/proc/self/maps") if "onnxruntime_pybind11_state" in line}
print(json.dumps({"probs": list(probs), "maps": sorted(maps), "simd": machine()["simd"]}))
"""


@pytest.fixture(scope="module")
def hidden(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    if not shutil.which("gcc") or not shutil.which("objdump"):
        pytest.skip("gcc or objdump is missing")
    return avx2.environment(tmp_path_factory.mktemp("avx2"))


def test_the_answer_has_avx2_and_nothing_wider(hidden: Mapping[str, str]) -> None:
    registers = (ctypes.c_uint * 4)()
    ctypes.CDLL(hidden["LD_PRELOAD"]).answer(7, 0, registers)
    _, ebx, ecx, _ = registers
    assert ebx & AVX2_BIT
    assert not ebx & sum(1 << bit for bit in AVX512_BITS)
    assert not ecx & AVX512_VNNI_BIT
    ctypes.CDLL(hidden["LD_PRELOAD"]).answer(7, 1, registers)
    assert not registers[0] & AVX_VNNI_BIT


def test_no_cpuid_is_left_in_the_copy_and_nothing_else_differs(hidden: Mapping[str, str]) -> None:
    library, copy = Path(hidden["AVX2_INSTEAD_OF"]), Path(hidden["AVX2_LIBRARY"])
    before, after = library.read_bytes(), copy.read_bytes()
    places = avx2.cpuid_offsets(library)
    assert len(places) > 10
    assert avx2.cpuid_offsets(copy) == []
    restored = bytearray(after)
    for place in places:
        assert after[place : place + 2] == avx2.UNDEFINED
        restored[place : place + 2] = avx2.CPUID
    assert bytes(restored) == before


def test_a_prediction_is_made_by_the_copy_and_is_the_same(hidden: Mapping[str, str]) -> None:
    as_it_is, as_avx2 = prediction({}), prediction(hidden)
    assert as_it_is["maps"] == [hidden["AVX2_INSTEAD_OF"]]
    assert as_avx2["maps"] == [hidden["AVX2_LIBRARY"]]
    assert as_avx2["simd"] == avx2.SIMD != as_it_is["simd"]
    assert as_avx2["probs"] == pytest.approx(as_it_is["probs"], abs=0.02)


def prediction(variables: Mapping[str, str]) -> dict:
    run = subprocess.run(
        [sys.executable, "-c", PREDICTION],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), **variables},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(run.stdout)


def test_a_library_that_asks_in_another_way_is_refused(hidden: Mapping[str, str]) -> None:
    with pytest.raises(SystemExit, match="No cpuid in"):
        avx2.without_cpuid(Path(hidden["AVX2_LIBRARY"]))
