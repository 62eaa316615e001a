"""Body of a request: one photo, read up to the limit of the app and no further."""

import asyncio

from starlette.requests import Request

from skinlens import whole_number
from skinlens.api.responses import Refusal
from skinlens.errors import UnreadableImage
from skinlens.imaging.intake.sniffing import MAX_BYTES, check_weight

LONGEST_S = 60.0
"""Time for a whole body to arrive."""
NO_FORM = (
    "This is a form; the photo itself was expected as the body of the request, without a name: curl --data-binary "
    "@photo.jpg."
)
TOO_SLOW = f"The photo did not arrive within {LONGEST_S:.0f} seconds. Send it again over a faster connection."


async def photo(request: Request) -> bytes:
    """The bytes of the photo that was sent.

    The limit is looked at in the length that is announced, and again with each piece: more than that is never held.

    Raises:
        Refusal: it is a form (415), larger than a photo may be (413), or too slow (408).
    """
    kind = request.headers.get("content-type", "").strip().lower()
    if kind.startswith("multipart/"):
        raise Refusal(415, "NoForm", NO_FORM)
    announced = whole_number.of_text(request.headers.get("content-length", ""))
    if announced is not None:
        _must_fit(announced)
    held = bytearray()
    try:
        async with asyncio.timeout(LONGEST_S):
            async for piece in request.stream():
                _must_fit(len(held) + len(piece))
                held += piece
    except TimeoutError as error:
        raise Refusal(408, "TooSlow", TOO_SLOW) from error
    return bytes(held)


def _must_fit(size: int) -> None:
    if size > MAX_BYTES:
        try:
            check_weight(size)
        except UnreadableImage as error:
            raise Refusal(413, type(error).__name__, str(error)) from error
