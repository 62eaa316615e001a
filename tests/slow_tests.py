"""The list of tests that ``make check-fast`` leaves out for what they took: ``python -m tests.slow_tests RUN.xml``.

``RUN.xml`` is the report of a run (``pytest --junitxml=RUN.xml``), in which conftest.py notes the seconds that each
test took of a processor. Tests that the run did not have stay as they stood. ``slow`` also stands in files that are
slow by what they do or import.
"""

import sys
from collections import defaultdict
from pathlib import Path
from statistics import median
from xml.etree import ElementTree

LIST = Path(__file__).with_suffix(".txt")
LIMIT_S = 0.06
"""Of a processor; what takes more is left out."""


def listed() -> frozenset[str]:
    """The functions as ``folder/test_file.py::test_name``, seen from this folder."""
    return frozenset(line for line in LIST.read_text(encoding="utf-8").splitlines() if not line.startswith("#"))


def seconds(report: Path) -> dict[str, float]:
    """The processor's seconds of each function; of one that runs with several values the median."""
    taken: defaultdict[str, list[float]] = defaultdict(list)
    for case in ElementTree.parse(report).iter("testcase"):
        file = case.attrib["classname"].removeprefix("tests.").replace(".", "/")
        name = f"{file}.py::{case.attrib['name'].partition('[')[0]}"
        for found in case.iterfind("properties/property[@name='cpu_s']"):
            taken[name].append(float(found.attrib["value"]))
    return {name: median(values) for name, values in taken.items()}


def main(report: Path) -> None:
    taken = seconds(report)
    slow = {name for name in listed() if name not in taken} | {name for name, took in taken.items() if took > LIMIT_S}
    head = f"# Made by tests/slow_tests.py: what takes more than {LIMIT_S} s of a processor.\n"
    LIST.write_text(head + "".join(f"{name}\n" for name in sorted(slow)), encoding="utf-8")
    print(f"{len(slow)} of {len(taken)} functions are slow: {LIST}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
