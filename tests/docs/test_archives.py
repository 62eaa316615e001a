"""Table of the how-to on archives: each rate beside that of the engine alone."""

import archives


def test_an_archives_rates_stand_beside_the_engine_alone() -> None:
    rate = "photos_per_second_after_start"
    result = {
        "photos": 2000,
        "model": {"version": "0.5.0"},
        "machine": {"cores": 2, "cpu": "a processor", "commit": "0123456789ab"},
        "one_core": {rate: 30.0},
        "command": {rate: 60.0, "memory_mb": 219},
        "ray_nodes": {"1": {rate: 25.0}, "2": {rate: 50.0}},
        "engine_alone": {"batch": 16, "photos_per_second": 150.0},
        "stations_ms": {"decode_and_hash": 2.0, "engine": 11.0},
        "stations_ms_all_cores_busy": {"decode_and_hash": 2.54, "engine": 12.0},
        "bound": {"cores": 2, "photos_per_second": 80.0},
    }
    lines = archives.rates(result).splitlines()
    assert lines[0].endswith(
        "on Ray), release 0.5.0, 2 cores of a processor, commit `0123456789ab`; at most 219 MB of memory."
    )
    assert lines[4:] == [
        "| the command on one core | 30.0 | 20\N{NO-BREAK SPACE}% |",
        "| the command on all 2 cores, a reader process on each | 60.0 | 40\N{NO-BREAK SPACE}% |",
        "| Ray, 1 node of one worker | 25.0 | 17\N{NO-BREAK SPACE}% |",
        "| Ray, 2 nodes of one worker | 50.0 | 33\N{NO-BREAK SPACE}% |",
        "| for comparison: the engine alone, 16 at a time | 150.0 | 100\N{NO-BREAK SPACE}% |",
        "| for comparison: what the stations below allow on these cores | 80.0 | 53\N{NO-BREAK SPACE}% |",
        "",
        "| a photo's cost, ms of a core | one core at work | all at work |",
        "| --- | --- | --- |",
        "| decoding and hash | 2.0 | 2.5 |",
        "| engine | 11.0 | 12.0 |",
    ]


def test_memory_over_a_million_photos_is_said() -> None:
    machine = {"cpu": "X", "cores": 2, "commit": "abc", "platform": "Linux", "date": "2026-11-27"}
    said = archives.million({"machine": machine, "photos": 1_000_000, "left": 500, "memory_mb": 239, "seconds": 162.5})
    assert "a folder of 1,000,000 photos" in said
    assert "took 239 MB at most" in said
