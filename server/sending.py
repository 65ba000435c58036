"""A response that comes piece by piece, to a client that keeps up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing

from starlette.responses import StreamingResponse
from starlette.types import Send


class StallingResponse(StreamingResponse):
    """Ends where a client takes a piece no sooner than `stall_s` after it was offered.

    Where it is cut short the response is left incomplete, and the server aborts the transfer, so that no one takes
    half for whole. However it ends, the pieces are closed.
    """

    def __init__(self, pieces: AsyncGenerator[bytes, None], headers: Mapping[str, str], stall_s: float) -> None:
        super().__init__(pieces, headers=headers)
        self._pieces, self._stall_s = pieces, stall_s

    async def stream_response(self, send: Send) -> None:
        """Send all of it."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        async with aclosing(self._pieces):
            async for piece in self._pieces:
                async with asyncio.timeout(self._stall_s):
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
