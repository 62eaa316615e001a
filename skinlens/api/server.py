"""Server of the API: the application behind its guard, and where it listens."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount
from starlette.types import ASGIApp

from skinlens import pipeline
from skinlens.accounts import Tokens
from skinlens.accounts.tokens import ADD_ONE
from skinlens.api import guard, routes
from skinlens.api.connections import BACKLOG, Connection
from skinlens.api.responses import of_error, refused
from skinlens.api.service import Service
from skinlens.background import GRACE_S
from skinlens.errors import ServeError, SkinLensError
from skinlens.inference.release import load_manifest, weights_directory
from skinlens.serve import LOOPBACK, free_port, is_own_name, public_address, unencrypted
from skinlens.store import CaseStore, default_home
from skinlens.store.in_use import InUse

PORT = 8502
_HTTP = {
    404: "There is nothing at this address. GET /openapi.json says what there is.",
    405: "That is not how it is asked.",
}
IDLE_S = 10
"""Time after which a connection that was answered and asks nothing more is closed."""


def application(service: Service, host: str = "127.0.0.1", behind_proxy: str = "") -> ASGIApp:
    """The API as an ASGI application.

    Args:
        service: What answers.
        host: Address that the server listens on.
        behind_proxy: Address at which a proxy with TLS forwards to it, see ``serve.public_address``; empty: none.
    """

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        app.state.limiter = routes.limiter()
        yield

    parts = urlsplit(behind_proxy)
    app = Starlette(
        routes=[Mount(parts.path, routes=routes.ROUTES)] if parts.path else routes.ROUTES,
        lifespan=lifespan,
        exception_handlers={SkinLensError: _refused, HTTPException: _http, Exception: _fault},
    )
    app.state.service = service
    return guard.Guard(
        app,
        Tokens(service.home),
        lambda name: is_own_name(name, host, parts.netloc),
        strict_transport=bool(behind_proxy),
    )


def _refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, SkinLensError)
    return of_error(error)


def _http(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return refused(error.status_code, "HTTP", _HTTP.get(error.status_code, error.detail), error.headers)


def _fault(_request: Request, _error: Exception) -> Response:
    """Starlette raises it again after this, and the guard logs it."""
    return refused(500, "Fault", guard.FAULT)


def serve(host: str = "127.0.0.1", port: int = PORT, *, behind_proxy: str = "", weights: Path | None = None) -> None:
    """Serve the API until it is told to end.

    Raises:
        ServeError: it cannot listen there; or other computers could reach it, and there is no token.
        WeightsError: there is no model that can be used.
        StoreError: the case folder cannot be used.
    """
    public = public_address(behind_proxy) if behind_proxy else ""
    home = default_home()
    _must_have_tokens(Tokens(home), host, public)
    if free_port(host, port, "API") != port:
        raise ServeError(f"Port {port} is taken by another program. Choose another one with --port.")
    if host not in LOOPBACK and not public:
        print(unencrypted(host, "tokens and photos"), file=sys.stderr)
    folder = weights or weights_directory()
    service = Service(home, pipeline.load_classifier(folder), load_manifest(folder).bundled)
    CaseStore(home).expect_photos()  # from here on a worklist looks for what was sent
    in_use = InUse(home)
    named = f"[{host}]" if ":" in host else host
    print(f"SkinLens API: {public or f'http://{named}:{port}'} (stop it with Ctrl+C)", file=sys.stderr)
    try:
        uvicorn.run(
            application(service, host, public),
            host=host,
            port=port,
            log_level="warning",
            access_log=False,  # an address holds the number of a case
            server_header=False,
            proxy_headers=bool(public),
            http=Connection,
            backlog=BACKLOG,
            timeout_keep_alive=IDLE_S,
            timeout_graceful_shutdown=GRACE_S,
            ws="none",
        )
    finally:
        in_use.let_go()


def _must_have_tokens(tokens: Tokens, host: str, public: str) -> None:
    """Without a token nobody is let in: that is said on this computer, and refused where others reach it."""
    if tokens.there_are_any():
        return
    if host in LOOPBACK and not public:
        print(f"There is no token yet, so nobody is let in. {ADD_ONE}", file=sys.stderr)
        return
    reach = f"Through {public}" if public else f"On {host}"
    raise ServeError(f"{reach} other computers reach the API, and there is no token yet. {ADD_ONE}")
