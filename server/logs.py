"""Logs as text or as JSON, one line each, with fields such as a session's id; written by a thread of their own.

The engine's thread and the event loop log too, and neither may wait for whoever reads stderr. So records pass through
a bounded queue; what does not fit is dropped, and counted.
"""

from __future__ import annotations

import json
import logging
import queue
import re
import sys
from datetime import UTC, datetime
from logging.handlers import QueueHandler, QueueListener
from typing import Any, Final, Literal, TextIO, TypeAlias

LogFormat: TypeAlias = Literal["text", "json"]
WAITING: Final = 4096  # lines that may wait to be written
WORD: Final = re.compile(r"[\w.:+-]+")


class TextFormatter(logging.Formatter):
    """`2026-01-31 12:00:00,000 INFO ostinato.server: session opened session_id=… model=…`."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        """The line, with its fields."""
        fields = (f" {name}={_quoted(value)}" for name, value in fields_of(record).items())
        return super().formatMessage(record) + "".join(fields)


class JsonFormatter(logging.Formatter):
    """One object a line: time (UTC), level, logger, message, the record's fields, and an exception's traceback."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        told: dict[str, Any] = {
            "time": at.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **fields_of(record),
        }
        if record.exc_info:
            told["exception"] = self.formatException(record.exc_info)
        return json.dumps(told, default=str)


def fields_of(record: logging.LogRecord) -> dict[str, Any]:
    """What was passed as `extra={"fields": {...}}`, without what is None."""
    fields = getattr(record, "fields", {})
    return {name: value for name, value in fields.items() if value is not None}


def _quoted(value: object) -> str:
    """A value as it is where it is one plain word, else as JSON: no listener's text begins a line of its own."""
    text = str(value)
    return text if WORD.fullmatch(text) else json.dumps(text, ensure_ascii=False)


class BackgroundHandler(QueueHandler):
    """Hands records to a thread that writes them to stderr, until it is closed."""

    def __init__(self, format: LogFormat, stream: TextIO | None = None) -> None:  # noqa: A002
        self.dropped = 0
        self._records: queue.Queue[Any] = queue.Queue(WAITING)
        super().__init__(self._records)
        self._writer = logging.StreamHandler(stream or sys.stderr)
        self._writer.setFormatter(JsonFormatter() if format == "json" else TextFormatter())
        self._listener: QueueListener | None = QueueListener(self._records, self._writer)
        self._listener.start()

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        """The record as it is: it never leaves the process, so the thread can put it into words."""
        return record

    def enqueue(self, record: logging.LogRecord) -> None:
        """Pass a record on, or count it as dropped; the next that passes is told how many were."""
        try:
            if self.dropped:
                text = "%d lines were dropped: they came faster than they could be written"
                self._records.put_nowait(
                    logging.LogRecord("ostinato.server.logs", logging.WARNING, __file__, 0, text, (self.dropped,), None)
                )
                self.dropped = 0
            self._records.put_nowait(record)
        except queue.Full:
            self.dropped += 1

    def close(self) -> None:
        """Write what waits, and end the thread."""
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.stop()
        super().close()


def logging_config(level: str, format: LogFormat) -> dict[str, Any]:  # noqa: A002
    """Everything to stderr; of uvicorn's own doings, only what is wrong, unless all is asked for."""
    own, others = level.upper(), "WARNING" if level == "info" else level.upper()
    # asyncio warns of each write to a socket that broke, which is no news, and would do so on the event loop
    levels = {"ostinato": own, "uvicorn": others, "asyncio": "DEBUG" if level == "debug" else "ERROR"}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": {"stderr": {"()": BackgroundHandler, "format": format}},
        "loggers": {
            name: {"handlers": ["stderr"], "propagate": False, "level": least} for name, least in levels.items()
        },
    }
