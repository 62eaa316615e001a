"""Routes of the API: what of a request is asked for, and what is answered."""

from collections.abc import Callable, Collection
from typing import TypeVar

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from skinlens import whole_number
from skinlens.accounts import Token
from skinlens.api import body, openapi
from skinlens.api.responses import JSON, Refusal
from skinlens.api.service import Service
from skinlens.formatting import counted
from skinlens.roles import Right
from skinlens.store import CaseStore

AT_WORK = 2
"""Photos that are read at a time; the engine of each uses two cores."""
MEDIA = {"pdf": "application/pdf", "png": "image/png"}

Done = TypeVar("Done")


async def predict(request: Request) -> Response:
    """POST a photo: what the model says of it. Nothing is stored."""
    _store(request, "file")
    _asked(request, ())
    data = await body.photo(request)
    return JSON(await _work(request, lambda: _service(request).predict(data)))


async def explain(request: Request) -> Response:
    """POST a photo: a heat map of it, as JSON or, where the client accepts nothing else, as PNG. Nothing is stored."""
    _store(request, "file")
    asked = _asked(request, ("label", "method", "contrast_with"))
    method = asked.get("method", "grad_cam").replace("-", "_")
    data = await body.photo(request)
    said, picture = await _work(
        request, lambda: _service(request).explain(data, method, asked.get("label", ""), asked.get("contrast_with", ""))
    )
    if request.headers.get("accept", "").strip().lower() == MEDIA["png"]:
        return Response(picture, media_type=MEDIA["png"])
    return JSON(said)


async def worklist(request: Request) -> Response:
    """POST a photo: it waits in the worklist to be filed. 201, or 200 where it waits already."""
    store = _store(request, "file")
    _asked(request, ())
    data = await body.photo(request)
    said, new = await _work(request, lambda: _service(request).take_in(store, data))
    return JSON(said, 201 if new else 200)


async def report(request: Request) -> Response:
    """GET the report of a stored case as PDF."""
    store = _store(request, "read")
    annex = _truth(_asked(request, ("annex",)).get("annex", "false"), "annex")
    number = whole_number.of_text(request.path_params["case"])
    if number is None:
        raise HTTPException(404)
    made = await _work(request, lambda: _service(request).report(store, number, annex=annex))
    sent = {"content-disposition": f'attachment; filename="skinlens-case-{number:04d}-report.pdf"'}
    if made.problems:  # in full they can name a folder, and letters that no header may hold
        sent["skinlens-problems"] = (
            f"{counted(len(made.problems), 'part')} could not be printed or noted; open the case"
        )
    return Response(made.content, media_type=MEDIA["pdf"], headers=sent)


async def description(request: Request) -> Response:
    """GET the OpenAPI document."""
    _asked(request, ())
    return JSON(openapi.document())


ROUTES = (
    Route("/predict", predict, methods=["POST"]),
    Route("/explain", explain, methods=["POST"]),
    Route("/worklist", worklist, methods=["POST"]),
    Route("/report/{case}", report, methods=["GET"]),
    Route("/openapi.json", description, methods=["GET"]),
)


def limiter() -> CapacityLimiter:
    """Limit of the photos that are read at a time."""
    return CapacityLimiter(AT_WORK)


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


def _store(request: Request, right: Right) -> CaseStore:
    """The store for the owner of the token. Raises NotAllowed where its role has not the right; before the body."""
    token: Token = request.state.token
    store = _service(request).store(token)
    store.must_be_allowed(right)
    return store


async def _work(request: Request, task: Callable[[], Done]) -> Done:
    return await run_sync(task, limiter=request.app.state.limiter)


def _asked(request: Request, known: Collection[str]) -> dict[str, str]:
    """Parameters of the address. Raises Refusal for one that is not known, or is there twice."""
    given = request.query_params.multi_items()
    for name, _ in given:
        if name not in known:
            choice = f"Choose from: {', '.join(known)}." if known else "Leave it out: none is expected."
            raise Refusal(422, "ParameterError", f"There is no parameter {name[:80]!r} here. {choice}")
    if len(dict(given)) != len(given):
        raise Refusal(422, "ParameterError", "A parameter was given twice. Give each once.")
    return dict(given)


def _truth(value: str, name: str) -> bool:
    if value not in {"true", "false"}:
        raise Refusal(422, "ParameterError", f"{value[:80]!r} is no value of {name}. Give true or false.")
    return value == "true"
