"""What an HTTP answer refuses, as the same error that a stream raises."""

from __future__ import annotations

import httpx

from ostinato.clients.errors import CorruptError, RefusedError
from ostinato.server.protocol import Error, ErrorDetail


def check_answer(address: str, answer: httpx.Response) -> None:
    """Raise RefusedError where an answer that was read is an error; CorruptError where no Ostinato server gave it."""
    if not answer.is_error:
        return
    try:
        detail = ErrorDetail.model_validate(answer.json()["error"])
    except (ValueError, LookupError, TypeError) as error:
        raise CorruptError(f"{address}: {answer.status_code}, and no answer of an Ostinato server") from error
    raise RefusedError(Error(error=detail, fatal=True, retry_after_s=_seconds(answer.headers.get("retry-after"))))


def _seconds(text: str | None) -> float | None:
    """Seconds of a Retry-After; a date, which an Ostinato server never sends, is as if there were none."""
    try:
        return None if text is None else float(text)
    except ValueError:
        return None
