"""Tables for the page on reliability, from what the soak tests and the loads of many readers wrote.

As those of ``figures``: ``cog`` calls the functions, which read a JSON file and return Markdown.
"""

from collections.abc import Mapping
from typing import Any

from figures import ROOT, measured_on, processor, read, table
from skinlens.formatting import grouped


def soak(result: Mapping[str, Any] | None = None) -> str:
    """Table of the processes killed and of the losses, from ``tests/soak/kill.py``."""
    one = result or read(ROOT / "benchmarks" / "results" / "soak_kill.json")
    rows = [
        ["processes killed with SIGKILL", grouped(one["kills"])],
        ["of these in the middle of a step", grouped(one["kills_in_a_step"])],
        ["saves acknowledged before", grouped(one["saves"])],
        ["edits, maps and views acknowledged before", grouped(one["edits"])],
        ["erasures acknowledged before", grouped(one["erasures"])],
        ["kills between a commit and the note of the log's head", grouped(one["heads_behind"])],
        ["**kills after which any check or the next start had something to say**", f"**{grouped(one['failures'])}**"],
    ]
    seeds = _seeds(one, "kills")
    sentence = f"Each after a random time of up to {one['longest_s']} s, seeds {seeds}; {measured_on(one)}.\n\n"
    return sentence + table(["", "count"], rows)


def soak_faults(result: Mapping[str, Any] | None = None) -> str:
    """Faults that were put into each step of the store, from ``tests/soak/faults.py``."""
    one = result or read(ROOT / "benchmarks" / "results" / "soak_faults.json")
    steps = one["steps"]
    rows = [
        [name, grouped(of["faults"]), grouped(of["said"]), f"**{grouped(of['wrong'])}**"] for name, of in steps.items()
    ]
    total = [sum(of[part] for of in steps.values()) for part in ("faults", "said", "wrong")]
    rows.append(["all", *(grouped(count) for count in total)])
    sentence = (
        f"Every {one['every']}th of all faults, from a random one on; {one['seconds']:.0f} s on {measured_on(one)}. "
        "What was not said did no harm: the step was done.\n\n"
    )
    return sentence + table(["step", "faults", "said in a sentence", "**anything lost, unsaid or not mended**"], rows)


def soak_uploads(result: Mapping[str, Any] | None = None) -> str:
    """Changed uploads and what intake answered, from ``tests/soak/uploads.py``."""
    one = result or read(ROOT / "benchmarks" / "results" / "soak_uploads.json")
    rows = [
        ["changed files", grouped(one["files"])],
        ["read as a photo all the same", grouped(one["read"])],
        ["refused in a sentence", grouped(one["refused"])],
        ["refused because the decoder's process ended", grouped(one["ended"])],
        ["slowest answer, seconds", f"{one['slowest_s']:.1f}"],
        ["**anything else raised, or a whole file read otherwise afterwards**", f"**{grouped(one['wrong'])}**"],
    ]
    sentence = f"Seeds {_seeds(one, 'files')}, {one['seconds']:.0f} s on {measured_on(one)}.\n\n"
    return sentence + table(["", "count"], rows)


def soak_databases(result: Mapping[str, Any] | None = None) -> str:
    """Changed databases and what the store answered, from ``tests/soak/databases.py``."""
    one = result or read(ROOT / "benchmarks" / "results" / "soak_databases.json")
    rows = [
        ["changed databases", grouped(one["files"])],
        ["of these said at the start", grouped(one["found_at_start"])],
        [f"of these with a sentence on at least one of {one['pages']} pages", grouped(one["felt"])],
        ["sentences in all", grouped(one["sentences"])],
        ["**other data shown, no sentence, or not brought back by the backup**", f"**{grouped(one['wrong'])}**"],
    ]
    sentence = f"Seeds {_seeds(one, 'files')}, {one['seconds']:.0f} s on {measured_on(one)}.\n\n"
    return sentence + table(["", "count"], rows)


def group(result: Mapping[str, Any] | None = None) -> str:
    """A store that many write to at once, from ``benchmarks/group.py``."""
    one = result or read(ROOT / "benchmarks" / "results" / "group.json")

    def milliseconds(spread: Mapping[str, float]) -> str:
        return ", ".join(grouped(spread[name]) for name in ("median", "p95", "p99", "longest"))

    rows = [
        ["writers at once, each a process", f"{one['writers']}"],
        ["visits in the store at the end", grouped(one["visits"])],
        ["of these saved by the writers while they were measured", grouped(one["saved"])],
        ["saves a second, all writers together", grouped(one["saved"] / one["seconds"])],
        ["a save: median, 95 %, 99 %, longest, ms", milliseconds(one["save_ms"])],
        ["a page of the list and a case meanwhile: the same, ms", milliseconds(one["read_ms"])],
        ["**refused**", f"**{grouped(one['refused'])}**"],
        ["**visits or files lost, or entries of the audit log amiss**", f"**{grouped(one['wrong'])}**"],
        ["database at the end, MB", grouped(one["database_mb"])],
        *([f"{name} at the end, median, ms", f"{took:,.1f}"] for name, took in one["median_ms"].items()),
    ]
    load = f"the load of the computer was {one['machine']['load_1min']} at the end"
    return f"{grouped(one['seconds'])} s on {measured_on(one)}; {load}.\n\n" + table(["", ""], rows)


def load(result: Mapping[str, Any] | None = None) -> str:
    """Many tabs at once, a column for each run of ``benchmarks/load.py``."""
    runs = (result or read(ROOT / "benchmarks" / "results" / "load.json"))["runs"]
    words = {
        "read_s": "upload to the photo and the question, median and 95 %, s",
        "result_s": "Show result to result, median and 95 %, s",
        "maps_s": "upload to three maps, median and 95 %, s",
        "whole_s": "upload to saved case, median and 95 %, s",
    }
    rows = [
        ["**tabs**", *(f"**{one['tabs']}**" for one in runs)],
        ["asked for by", *(CLIENTS[one["clients"]] for one in runs)],
        ["uploaded", *(one.get("photos", "drawn lesions") for one in runs)],
        ["order of work", *(f"before {one['before']}" if "before" in one else "today's" for one in runs)],
        ["minutes in which journeys were begun", *(f"{one['minutes']:g}" for one in runs)],
        [
            "priority of server and clients, as of nice",
            *("{server}, {clients}".format(**one["nice"]) for one in runs),
        ],
        ["seconds, with those that ended what they had begun", *(f"{one['seconds']:.0f}" for one in runs)],
        ["journeys: upload, result, three maps, saved case", *(grouped(one["journeys"]) for one in runs)],
        ["errors", *(grouped(one["errors"]) for one in runs)],
        ["under way when the time was up", *(grouped(one["unfinished"]) for one in runs)],
        ["cases with another photo, patient or prediction", *(grouped(one["mixed"]) for one in runs)],
        *([title, *(_median_and_p95(one[name]) for one in runs)] for name, title in words.items()),
        ["processor time of the server, s a journey", *(_a_journey(one, "cpu_s_a_journey") for one in runs)],
        *(
            [f"processor time of {words}, s", *(grouped(one["cpu_s"][name]) for one in runs)]
            for name, words in OF_WHOM.items()
        ),
        *(
            [f"memory of the server, {words}, MB", *(grouped(one["memory_mb"][name]) for one in runs)]
            for name, words in (("start", "before"), ("peak", "at most"), ("end", "after"))
        ),
        ["load of the computer before", *(f"{one['machine']['load_1min']}" for one in runs)],
        ["commit", *(f"`{one['machine']['commit']}`" for one in runs)],
    ]
    sentence = f"On loopback, the clients on the same {processor(runs[-1])} as the server.\n\n"
    return sentence + table(["", *([""] * len(runs))], rows)


CLIENTS = {"websocket": "a client", "chromium": "Chromium"}
OF_WHOM = {"server": "the server", "clients": "the clients", "others": "other programs beside them"}


def _seeds(one: Mapping[str, Any], drawn: str) -> str:
    """First and last seed of what was drawn, one seed each."""
    return f"{grouped(one['first_seed'])} to {grouped(one['first_seed'] + one[drawn] - 1)}"


def _a_journey(run: Mapping[str, Any], name: str) -> str:
    return f"{run[name]:.1f}" if run["journeys"] else "none"


def _median_and_p95(spread: Mapping[str, float]) -> str:
    return f"{spread['median']:.1f}, {spread['p95']:.1f}" if spread else "none"
