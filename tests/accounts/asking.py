"""A browser without a screen: it asks an ASGI application in this process, and keeps cookies as a browser does."""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urlencode, urlsplit

from starlette.types import ASGIApp, Message


@dataclass(frozen=True)
class Asked:
    """An answer."""

    status: int
    headers: Mapping[str, str]
    cookie_lines: tuple[str, ...]
    body: str


class Browser:
    """Sends along all its cookies, but no strict ones where it comes from another page."""

    def __init__(self, app: ASGIApp, address: str, cookies: Mapping[str, str] | None = None) -> None:
        self._app, self._address = app, address
        self.cookies = dict(cookies or {})
        self._lax: set[str] = set()

    def get(
        self,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        client: str = "127.0.0.1",
        from_elsewhere: bool = False,
    ) -> Asked:
        """Follow a link, of ours or ``from_elsewhere``, as to a page."""
        site = {"sec-fetch-site": "cross-site"} if from_elsewhere else {}
        navigates = {"sec-fetch-mode": "navigate", "sec-fetch-dest": "document", **site}
        return self._ask("GET", path, {**navigates, **(headers or {})}, b"", client, lax=from_elsewhere)

    def post(self, path: str, fields: Mapping[str, str]) -> Asked:
        """Send a form of ours."""
        kind = {"content-type": "application/x-www-form-urlencoded", "origin": self._address}
        return self._ask("POST", path, kind, urlencode(fields).encode(), "127.0.0.1")

    def word(self, path: str) -> str:
        """The word that has to come back in the form of that page."""
        found = re.search(r'name="form" value="([^"]+)"', self.get(path).body)
        assert found
        return found[1]

    def _ask(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes, client: str, *, lax: bool = False
    ) -> Asked:
        sent = {name: value for name, value in self.cookies.items() if not lax or name in self._lax}
        told = {"host": urlsplit(self._address).netloc, **{name.lower(): value for name, value in headers.items()}}
        if sent:
            told["cookie"] = "; ".join(f"{name}={value}" for name, value in sent.items())
        name, _, query = path.partition("?")
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "root_path": "",
            "path": name,
            "raw_path": name.encode(),
            "query_string": query.encode(),
            "headers": [(one.encode(), value.encode("latin-1")) for one, value in told.items()],
            "client": (client, 50000),
            "server": ("127.0.0.1", 8501),
        }
        answer = asyncio.run(self._answered(scope, body))
        for line in answer.cookie_lines:
            self._keep(line)
        return answer

    async def _answered(self, scope: dict[str, Any], body: bytes) -> Asked:
        parts: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Message) -> None:
            parts.append(message)

        await self._app(scope, receive, send)
        told = [(name.decode().lower(), value.decode("latin-1")) for name, value in parts[0]["headers"]]
        lines = tuple(value for name, value in told if name == "set-cookie")
        return Asked(
            parts[0]["status"], dict(told), lines, b"".join(one.get("body", b"") for one in parts[1:]).decode()
        )

    def _keep(self, line: str) -> None:
        found: SimpleCookie = SimpleCookie()
        found.load(line)
        for name, morsel in found.items():
            if morsel["max-age"] == "0":
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = morsel.value
                (self._lax.add if "SameSite=Lax" in line else self._lax.discard)(name)
