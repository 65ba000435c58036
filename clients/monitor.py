"""Looking at a running server: what it tells of itself, as JSON, over one connection that is kept."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from ostinato.clients.address import http_address
from ostinato.clients.connection import DEFAULT_TIMEOUTS, Timeouts, unreachable
from ostinato.clients.errors import CorruptError, SilentError
from ostinato.clients.refusal import check_answer


class Watch:
    """One server that is looked at again and again. Made by `watch`."""

    def __init__(self, url: str, client: httpx.Client) -> None:
        self._url, self._client = url, client

    def ask(self, path: str, **query: str | float) -> Any:  # noqa: ANN401 (JSON)
        """What the server tells at a path.

        Raises:
            UnreachableError, SilentError: where no server answers.
            RefusedError: where it wants a key, or does not know the path.
            CorruptError: where the answer is none of an Ostinato server.
        """
        address = http_address(self._url, path)
        try:
            answer = self._client.get(address, params=query)
        except httpx.ReadTimeout as error:
            raise SilentError(f"{address}: nothing came for too long") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise unreachable(address, error) from error
        check_answer(address, answer)
        try:
            return answer.json()
        except ValueError as error:
            raise CorruptError(f"{address}: {answer.status_code}, and no answer of an Ostinato server") from error


@contextmanager
def watch(url: str, *, api_key: str | None = None, timeouts: Timeouts = DEFAULT_TIMEOUTS) -> Iterator[Watch]:
    """Look at a server. Raises ValueError where the address is none."""
    http_address(url, "")
    headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
    with httpx.Client(headers=headers, timeout=httpx.Timeout(timeouts.silence_s, connect=timeouts.open_s)) as client:
        yield Watch(url, client)
