"""The curl lines of the how-to page, sent as they are written."""

import re
import shlex
from pathlib import Path

from starlette.testclient import TestClient

from skinlens.store import CaseStore, NewLesion, NewVisit
from tests.api.conftest import ADDRESS
from tests.store import samples

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "use-the-api.md"


def sent(api: TestClient, line: str, lesion: bytes) -> tuple[str, int, str]:
    """Path that a curl line asks for, the status and the kind of the answer."""
    words = shlex.split(line)[1:]
    headers, body, address = {}, None, ""
    assert ("--fail" in words) == ("-o" in words), "a refusal would be saved as a picture or a PDF"
    while words:
        match words.pop(0):
            case "-sS" | "--fail":
                continue
            case "-H":
                if (header := words.pop(0)) != "@token.header":
                    name, _, value = header.partition(": ")
                    headers[name] = value
            case "--data-binary":
                assert words.pop(0) == "@photo.jpg"
                body, headers["content-type"] = lesion, "application/x-www-form-urlencoded"  # as curl says
            case "-o":
                words.pop(0)
            case other:
                address = other
    assert address.startswith(f"{ADDRESS}/")
    answered = api.request("POST" if body else "GET", address.removeprefix(ADDRESS), content=body, headers=headers)
    return address.removeprefix(ADDRESS).partition("?")[0], answered.status_code, answered.headers["content-type"]


def test_every_curl_line_is_answered(api: TestClient, lesion: bytes, skinlens_home: Path) -> None:
    visit = NewVisit(None, NewLesion("back"), "2025-03-04")
    CaseStore(skinlens_home).save_case(samples.analysis(samples.photo(1)), visit)
    lines = re.findall(r"^curl .*$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert [sent(api, line, lesion) for line in lines] == [
        ("/predict", 200, "application/json"),
        ("/explain", 200, "application/json"),
        ("/explain", 200, "image/png"),
        ("/worklist", 201, "application/json"),
        ("/report/1", 200, "application/pdf"),
        ("/openapi.json", 200, "application/json"),
    ]
