"""What the body of a request is said to be, and the whole of it, within bounds."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

from starlette.requests import Request

from ostinato.server.protocol import ProtocolError


def content_type(request: Request, taken: Collection[str]) -> str:
    """What the body is said to be. Raises ProtocolError where it is none of these.

    Nothing is guessed: where the types that a web page may post anywhere without asking first are not among those
    taken, a page can't put a server on its reader's machine to work.
    """
    given = request.headers.get("content-type", "")
    kind = given.partition(";")[0].strip().lower()
    if kind not in taken:
        said = f"{given!r} is not taken" if given else "is missing"
        message = f"content-type: {said}; there are {', '.join(taken)}"
        raise ProtocolError("unsupported_type", message, param="content-type")
    return kind


async def read_body(request: Request, most: int, stall_s: float) -> bytes:
    """The body, of at most so many bytes, whose next piece is waited for so long. Raises ProtocolError."""
    body, pieces = bytearray(), aiter(request.stream())
    while True:
        try:
            async with asyncio.timeout(stall_s):
                body += await anext(pieces)
        except StopAsyncIteration:
            return bytes(body)
        except TimeoutError:
            raise ProtocolError("stalled", f"no piece of the body came within {stall_s:g} s") from None
        if len(body) > most:
            raise ProtocolError("body_too_big", f"a body has at most {most} bytes")
