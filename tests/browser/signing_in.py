"""A program that signs in by the login form without a browser, and asks with exactly the headers that it is given."""

import http.client
import re
import ssl
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.cookies import SimpleCookie
from urllib.parse import urlencode, urlsplit

from playwright.sync_api import Page
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

from tests.browser.axe import violations

PASSWORDS = {
    "Vera": "a viewer looks at it",
    "Rita": "she also files photos",
    "Dr. Lange": "correct horse battery",
    "Ada": "the one who may do all",
}
ROLES = {"Vera": "viewer", "Rita": "reader", "Dr. Lange": "reviewer", "Ada": "admin"}
SILENT_S = 1.0
"""A websocket that was not closed by then is open; one that is to be closed is given ``CLOSES_S``."""
CLOSES_S = 60.0
SIZES = ((1440, 900), (1024, 768), (390, 844))
UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
    "Sec-WebSocket-Protocol": "streamlit",
}


@dataclass(frozen=True)
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: str

    @property
    def cookies(self) -> dict[str, str]:
        """Those that it sets, with their values."""
        found: SimpleCookie = SimpleCookie()
        for one in self.headers.get_all("Set-Cookie", []):
            found.load(one)
        return {name: morsel.value for name, morsel in found.items()}

    @property
    def cookie_lines(self) -> list[str]:
        return self.headers.get_all("Set-Cookie", [])


def ask(
    address: str,
    path: str,
    *,
    method: str = "GET",
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    silent_s: float = SILENT_S,
) -> Answer:
    """One request. Of a websocket the first frame within ``silent_s`` is the body, as hexadecimal digits."""
    parts = urlsplit(address)
    port = parts.port or 443
    connection: http.client.HTTPConnection
    if parts.scheme == "https":  # with a certificate of the test's own
        connection = http.client.HTTPSConnection(
            "127.0.0.1", port, timeout=60, context=ssl._create_unverified_context()
        )
    else:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    with closing(connection):
        connection.connect()
        sock = connection.sock
        connection.request(method, f"{parts.path}{path}", body=body, headers={"Host": parts.netloc, **(headers or {})})
        with connection.getresponse() as answer:
            if answer.status == 101:
                sock.settimeout(silent_s)
                try:
                    return Answer(101, answer.headers, answer.fp.read(4).hex())
                except TimeoutError:  # it stays open and waits for us
                    return Answer(101, answer.headers, "")
            return Answer(answer.status, answer.headers, answer.read().decode("utf-8", "replace"))


def origin(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"


def cookie_header(cookies: Mapping[str, str]) -> str:
    return "; ".join(f"{name}={value}" for name, value in cookies.items())


def post_form(
    address: str,
    name: str,
    password: str,
    *,
    to: str = "",
    cookies: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """Open the form and send it, as a browser does; ``cookies`` are sent along, ``headers`` take the place of ours."""
    form = ask(address, "/skinlens/login")
    word = re.search(r'name="form" value="([^"]+)"', form.body)
    assert word
    fields = {"form": word[1], "name": name, "password": password, "next": to}
    sent = {
        "Content-Type": "application/x-www-form-urlencoded",
        "Origin": origin(address),
        "Cookie": cookie_header({**form.cookies, **(cookies or {})}),
        **(headers or {}),
    }
    return ask(address, "/skinlens/login", method="POST", body=urlencode(fields).encode(), headers=sent)


def signed_in(address: str, name: str) -> dict[str, str]:
    """The cookie of somebody who has signed in."""
    answer = post_form(address, name, PASSWORDS[name])
    assert answer.status == 303, answer.body
    return {name: value for name, value in answer.cookies.items() if value}


@contextmanager
def tab(address: str, cookies: Mapping[str, str], going_on_with: str = "") -> Iterator[tuple[ClientConnection, str]]:
    """A tab's connection, and the id of its session; ``going_on_with``: the one that it names as its own."""
    named = [Subprotocol("streamlit"), Subprotocol("none"), *([Subprotocol(going_on_with)] if going_on_with else [])]
    headers = {"Cookie": cookie_header(cookies)}
    where = f"{address.replace('http', 'ws', 1)}/_stcore/stream"
    with connect(
        where, origin=Origin(address), additional_headers=headers, subprotocols=named, proxy=None, max_size=None
    ) as open_one:
        yield open_one, began(open_one)


def began(open_one: ClientConnection) -> str:
    """Have the page run; the id of the session that it runs in."""
    asked = BackMsg()
    asked.rerun_script.query_string = ""
    open_one.send(asked.SerializeToString())
    while True:
        message = ForwardMsg()
        message.ParseFromString(open_one.recv(timeout=60))  # type: ignore[arg-type]
        if message.WhichOneof("type") == "new_session":
            return str(message.new_session.initialize.session_id)


def broken_apart(page: Page) -> dict[str, list[str]]:
    """What axe-core finds on a page of the gate's own, which has no app in it to settle."""
    found = {}
    for width, height in SIZES:
        page.set_viewport_size({"width": width, "height": height})
        found[f"{width} px"] = [one["id"] for one in violations(page)]
    return found
