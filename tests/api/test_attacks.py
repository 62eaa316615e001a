"""What the API refuses: who is not let in, what is too large or no photo, and that nothing sent is in a log."""

import asyncio
import logging
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from starlette.testclient import TestClient
from starlette.types import Message

from skinlens.accounts import Tokens, attempts, database
from skinlens.api import body, guard
from skinlens.api.server import application
from skinlens.api.service import Service
from skinlens.errors import UnreadableImage
from skinlens.imaging.intake import MAX_BYTES, read_photo
from skinlens.labels import DISCLAIMER
from skinlens.store import CaseStore
from tests.api.conftest import ADDRESS, bearer
from tests.api.test_predict import held

SECRET_NAME = "Erika-Mustermann"


def message(answered: Any, status: int) -> str:
    """Sentence of a refusal, which says what every answer says."""
    assert answered.status_code == status
    assert answered.headers["skinlens-disclaimer"] == DISCLAIMER
    assert answered.headers["cache-control"] == "no-store"
    assert answered.headers["x-content-type-options"] == "nosniff"
    return str(held("Error", answered.json())["error"]["message"])


@pytest.mark.parametrize("path", ["/predict", "/explain", "/report/1", "/openapi.json", "/none", "/"])
@pytest.mark.parametrize("way", ["GET", "POST", "OPTIONS"])
def test_nothing_is_reached_without_a_token(service: Service, way: str, path: str) -> None:
    with TestClient(application(service), ADDRESS) as client:
        answered = client.request(way, path)
    assert message(answered, 401) == guard.NOT_SHOWN
    assert answered.headers["www-authenticate"] == 'Bearer realm="SkinLens"'
    assert not any(name.startswith("access-control") for name in answered.headers)


@pytest.mark.parametrize(
    "header",
    [
        "Bearer skinlens_wrong",
        "Bearer ' OR 1=1 --",
        f"Bearer {'x' * 5000}",
        "Bearer \udcff".encode("utf-8", "surrogateescape"),
    ],
)
def test_a_wrong_token_is_refused(api: TestClient, header: str | bytes) -> None:
    assert message(api.get("/openapi.json", headers={"authorization": header}), 401) == guard.UNKNOWN


def test_a_revoked_token_is_refused_from_its_next_request_on(service: Service) -> None:
    tokens = Tokens(service.home)
    _, secret = tokens.add("screen", "reader")
    with TestClient(application(service), ADDRESS, headers={"authorization": f"Bearer {secret}"}) as client:
        assert client.get("/openapi.json").status_code == 200
        tokens.revoke("Screen")
        assert message(client.get("/openapi.json"), 401) == guard.UNKNOWN
    done = [(one.kind, one.action) for one in CaseStore(service.home).audit_entries()]
    assert done[-3:] == [("token", "added"), ("token", "revoked"), ("token", "refused")]


@pytest.mark.parametrize(
    ("column", "value", "word"), [("role", "chief", "The role 'chief'"), ("expires_at", 0, "ended")]
)
def test_a_token_of_an_unknown_role_or_that_has_ended_is_refused_in_a_sentence(
    service: Service, tokens: Tokens, caplog: pytest.LogCaptureFixture, column: str, value: str | int, word: str
) -> None:
    header = bearer(tokens)
    with closing(sqlite3.connect(service.home / database.FILE)) as db:
        db.execute("PRAGMA ignore_check_constraints = ON")
        db.execute(f"UPDATE api_token SET {column} = ?", [value])
        db.commit()
    with TestClient(application(service), ADDRESS, headers=header) as client:
        answered = client.get("/openapi.json")
    assert word in message(answered, 401)
    assert answered.json()["error"]["kind"] == "TokenRefused"
    assert f"token 1 is refused: {answered.json()['error']['message']}" in caplog.text
    assert [one.action for one in CaseStore(service.home).audit_entries() if one.kind == "token"] == ["refused"]


def test_a_token_in_the_address_is_none(service: Service, tokens: Tokens) -> None:
    _, secret = tokens.add("screen", "reader")
    with TestClient(application(service), ADDRESS) as client:
        assert message(client.get(f"/openapi.json?token={secret}"), 401) == guard.NOT_SHOWN


def test_wrong_tokens_are_slowed_down_and_the_right_one_is_not(
    api: TestClient, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(attempts.FREE, "token", 2)
    wrong = {"authorization": "Bearer skinlens_wrong"}
    assert [api.get("/openapi.json", headers=wrong).status_code for _ in range(4)] == [401, 401, 429, 429]
    slowed = api.get("/openapi.json", headers=wrong)
    assert 0 < int(slowed.headers["retry-after"]) <= attempts.FIRST_WAIT_S + 1
    assert "Wait" in message(slowed, 429)
    assert api.get("/openapi.json").status_code == 200
    refused = [one for one in CaseStore(service.home).audit_entries() if one.action == "refused"]
    assert len(refused) == 2  # who tries on and on does not fill the log


@pytest.mark.parametrize("path", ["/predict", "/explain"])
def test_a_viewer_sends_no_photo_and_its_body_is_not_read(
    service: Service, tokens: Tokens, path: str, lesion: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(*_: object) -> bytes:
        pytest.fail("the body was read")

    monkeypatch.setattr(body, "photo", read)
    with TestClient(application(service), ADDRESS, headers=bearer(tokens, "viewer")) as client:
        said = message(client.post(path, content=lesion), 403)
    assert said.startswith("Your role, viewer, does not allow you to upload")


# ------------------------------------------------------------------------------------------------------- who is asked


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8502", "127.0.0.1.evil.example", "127.0.0.1@evil.example", "", "8.8.8.8", "a b"],
)
def test_a_foreign_name_that_leads_here_is_refused(api: TestClient, host: str) -> None:
    assert "does not answer under the name" in message(api.get("/openapi.json", headers={"host": host}), 421)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:8502", "[::1]:8502", "LOCALHOST."])
def test_its_own_names_are_answered(api: TestClient, host: str) -> None:
    assert api.get("/openapi.json", headers={"host": host}).status_code == 200


def test_behind_a_proxy_it_answers_below_the_path_and_asks_for_tls(service: Service, tokens: Tokens) -> None:
    app = application(service, behind_proxy="https://clinic.example/skinlens")
    with TestClient(app, "https://clinic.example", headers=bearer(tokens)) as client:
        answered = client.get("/skinlens/openapi.json")
        assert answered.status_code == 200
        assert answered.headers["strict-transport-security"] == "max-age=31536000"
        assert client.get("/openapi.json").status_code == 404


# ------------------------------------------------------------------------------------------------------ what is sent


def broken() -> Iterator[tuple[bytes, str]]:
    yield b"", "empty"
    yield b"\xff\xd8\xff\xe0 not a picture", "JPEG"
    yield b"GIF89a" + bytes(100), "GIF"
    yield b"hello", "text"


@pytest.mark.parametrize(("data", "word"), list(broken()))
def test_what_is_no_photo_gets_the_sentence_of_the_app(api: TestClient, data: bytes, word: str) -> None:
    with pytest.raises(UnreadableImage) as said:
        read_photo(data)
    answered = api.post("/predict", content=data)
    assert message(answered, 422) == str(said.value)
    assert answered.json()["error"]["kind"] == "UnreadableImage"
    assert word.lower() in str(said.value).lower()


def test_a_form_is_told_how_to_send_a_photo(api: TestClient, lesion: bytes) -> None:
    answered = api.post("/predict", files={"photo": (f"{SECRET_NAME}.jpg", lesion)})
    assert message(answered, 415) == body.NO_FORM


def test_wrong_tokens_that_wait_to_be_counted_keep_no_right_one_out(
    service: Service, tokens: Tokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[str] = []
    may_count = threading.Event()

    def refuse(_self: Tokens, address: str) -> float:
        assert may_count.wait(30)
        counted.append(address)
        return 0.0

    monkeypatch.setattr(Tokens, "refuse", refuse)
    monkeypatch.setattr(guard, "MOST_AT_ONCE", 1)
    monkeypatch.setattr(guard, "MOST_REFUSED", 3)
    _, secret = tokens.add("screen", "reader")
    app = application(service)

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def status(sent: str, into: list[int]) -> None:
        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                into.append(message["status"])

        headers = [(b"host", b"127.0.0.1:8502"), (b"authorization", f"Bearer {sent}".encode())]
        scope = {"type": "http", "method": "GET", "path": "/openapi.json", "query_string": b"", "headers": headers}
        await app({**scope, "client": ("10.0.0.1", 1)}, receive, send)

    async def together() -> tuple[list[int], list[int]]:
        wrong: list[int] = []
        right: list[int] = []
        tasks = [asyncio.create_task(status("wrong", wrong)) for _ in range(5)]
        while len(wrong) < 2:  # beyond three that wait to be counted they are refused at once
            await asyncio.sleep(0.001)
        await status(secret, right)
        may_count.set()
        await asyncio.gather(*tasks)
        return wrong, right

    assert asyncio.run(together()) == ([401] * 5, [200])
    assert counted == ["10.0.0.1"] * 3


def asked(service: Service, secret: str, announced: int | None, pieces: int, size: int = 2**20) -> tuple[int, int]:
    """Status of the answer to a body in pieces, and how many of them were read."""
    read, statuses = 0, []

    async def receive() -> Message:
        nonlocal read
        read += 1
        return {"type": "http.request", "body": bytes(size), "more_body": read < pieces}

    async def send(sent: Message) -> None:
        if sent["type"] == "http.response.start":
            statuses.append(sent["status"])

    headers = [(b"host", b"127.0.0.1:8502"), (b"authorization", f"Bearer {secret}".encode())]
    if announced is not None:
        headers.append((b"content-length", str(announced).encode()))
    scope = {"type": "http", "method": "POST", "path": "/predict", "query_string": b"", "headers": headers}
    asyncio.run(application(service)(scope, receive, send))
    (status,) = statuses
    return status, read


def test_a_body_that_is_too_large_is_refused_while_it_comes(service: Service, tokens: Tokens) -> None:
    _, secret = tokens.add("screen", "reader")
    assert asked(service, secret, 10 * MAX_BYTES, 1000) == (413, 0)  # by what is announced
    assert asked(service, secret, 100, 1000) == (413, MAX_BYTES // 2**20 + 1)  # by what comes
    assert asked(service, secret, None, 1000) == (413, MAX_BYTES // 2**20 + 1)
    assert asked(service, "wrong", None, 1000) == (401, 0)


def test_a_body_that_does_not_come_is_given_up(
    service: Service, tokens: Tokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(body, "LONGEST_S", 0.01)
    monkeypatch.setattr("starlette.requests.Request.stream", _never)
    _, secret = tokens.add("screen", "reader")
    assert asked(service, secret, None, 1) == (408, 0)


async def _never(_request: object) -> Any:
    await asyncio.sleep(60)
    yield b""


def test_more_than_it_answers_at_once_are_told_to_come_again(api: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "MOST_AT_ONCE", 0)
    answered = api.get("/openapi.json")
    assert message(answered, 503) == guard.BUSY
    assert answered.headers["retry-after"] == "1"


@pytest.mark.parametrize(
    "path",
    ["/report/../predict", "/report/..%2f..%2fcases.db", "/report/%2e%2e/openapi.json", "/report/1/../../etc/passwd",
     "/report/-1", "/report/1;drop", "/static/../cases.db", "//evil.example/report/1", "/report/99999999999999999999",
     f"/report/{'9' * 5000}", "/report/9999999999999999999", "/report/%EF%BC%91", "/report/"],
)  # fmt: skip
def test_no_path_leads_to_a_file(api: TestClient, path: str) -> None:
    answered = api.get(path)
    assert message(answered, answered.status_code)
    assert answered.status_code in {404, 405}
    assert b"SQLite" not in answered.content
    assert b"root:" not in answered.content


def test_a_fault_is_said_and_logged_without_what_was_sent(
    api: TestClient, lesion: bytes, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fault(*_: object) -> None:
        raise RuntimeError(f"cannot read {SECRET_NAME}")

    monkeypatch.setattr(Service, "predict", fault)
    with caplog.at_level(logging.DEBUG):
        answered = api.post("/predict", content=lesion)
    assert message(answered, 500) == guard.FAULT
    logged = "\n".join(one.getMessage() + str(one.exc_info or "") for one in caplog.records if "skinlens" in one.name)
    assert "RuntimeError in test_attacks.py, line " in logged
    assert SECRET_NAME not in caplog.text
    assert "skinlens_" not in caplog.text
