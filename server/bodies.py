"""What the body of a request is said to be, and the whole of it, within bounds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection
from typing import Final

from starlette.requests import ClientDisconnect, Request

from ostinato.server.protocol import ProtocolError

LEAST_BYTES_PER_S: Final = 64 * 1024  # whoever sends slower would hold a place for ever


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
    """The body, of at most so many bytes.

    Raises:
        ProtocolError: where it is bigger, its next piece is waited for longer than `stall_s`, it falls behind
            LEAST_BYTES_PER_S by so much, or the client is gone.
    """
    body, pieces, began = bytearray(), aiter(request.stream()), time.monotonic()
    while True:
        left_s = stall_s + len(body) / LEAST_BYTES_PER_S - (time.monotonic() - began)
        try:
            async with asyncio.timeout(min(stall_s, left_s)):
                body += await anext(pieces)
        except StopAsyncIteration:
            return bytes(body)
        except TimeoutError:
            message = f"the body came too slowly: no piece of it within {stall_s:g} s, or less than"
            raise ProtocolError("stalled", f"{message} {LEAST_BYTES_PER_S} bytes a second") from None
        except ClientDisconnect:
            raise ProtocolError("gone", "the client went away before the body was whole") from None
        if len(body) > most:
            raise ProtocolError("body_too_big", f"a body has at most {most} bytes")
