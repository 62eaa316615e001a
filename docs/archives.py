"""Table for the how-to on archives, from the JSON of ``benchmarks/batch.py``; ``cog`` calls it (``make docs``)."""

from collections.abc import Mapping
from typing import Any

from figures import ROOT, measured_on, read, table
from skinlens.formatting import grouped, rounded_percent


def rates(result: Mapping[str, Any] | None = None) -> str:
    """Photos a second over an archive, from ``benchmarks/batch.py``; each rate is without the start of the programs."""
    one = result or read(ROOT / "benchmarks" / "results" / "batch.json")
    rate = "photos_per_second_after_start"
    alone = one["engine_alone"]["photos_per_second"]
    ways = {
        "the command on one core": one["one_core"][rate],
        f"the command on all {one['bound']['cores']} cores, a reader process on each": one["command"][rate],
        **{
            f"Ray, {count} node{'s' * (int(count) > 1)} of one worker": ray[rate]
            for count, ray in one["ray_nodes"].items()
        },
        f"for comparison: the engine alone, {one['engine_alone']['batch']} at a time": alone,
        "for comparison: what the stations below allow on these cores": one["bound"]["photos_per_second"],
    }
    rows = [[way, f"{reached:.1f}", rounded_percent(reached / alone)] for way, reached in ways.items()]
    titles = {"decode_and_hash": "decoding and hash", "quality": "quality", "view": "reduction to the view"}
    stations = [
        [titles.get(name, name), f"{took:.1f}", f"{one['stations_ms_all_cores_busy'][name]:.1f}"]
        for name, took in one["stations_ms"].items()
    ]
    return (
        f"{grouped(one['photos'])} JPEGs of 600 × 450 px (half of them on one core and on Ray), release "
        f"{one['model']['version']}, {measured_on(one)}; at most {grouped(one['command']['memory_mb'])} MB of "
        "memory.\n\n"
        + table(["", "photos a second", "of the engine alone"], rows)
        + "\n"
        + table(["a photo's cost, ms of a core", "one core at work", "all at work"], stations)
    )


def million(result: Mapping[str, Any] | None = None) -> str:
    """Memory over a whole archive, from ``benchmarks/batch_million.py``."""
    one = result or read(ROOT / "benchmarks" / "results" / "batch_million.json")
    return (
        f"Memory does not grow with the archive: over a folder of {grouped(one['photos'])} photos, killed and gone "
        "on with "
        f"when {grouped(one['left'])} were left, the command and its readers took {grouped(one['memory_mb'])} MB at "
        "most up to the "
        f"written table ({grouped(one['seconds'])} s for walk, rest and table; {measured_on(one)}, beside other "
        "work).\n"
    )
