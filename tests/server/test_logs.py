import io
import json
import logging
import threading

import pytest

from ostinato.server.logs import WAITING, BackgroundHandler, JsonFormatter, LogFormat, TextFormatter


def record(message: str, level: int = logging.INFO, **fields: object) -> logging.LogRecord:
    made = logging.LogRecord("ostinato.session", level, __file__, 1, message, (), None)
    made.fields = fields
    return made


def test_a_line_of_json_holds_time_level_message_and_fields() -> None:
    told = json.loads(
        JsonFormatter().format(record("underrun", logging.WARNING, session_id="s", late_ms=1.5, why=None))
    )
    assert told.pop("time").endswith("Z")
    assert told == {
        "level": "warning",
        "logger": "ostinato.session",
        "message": "underrun",
        "session_id": "s",
        "late_ms": 1.5,
    }


def test_a_traceback_stays_on_its_line_of_json() -> None:
    failed = record("failed")
    try:
        raise ValueError("broken")
    except ValueError as error:
        failed.exc_info = (type(error), error, error.__traceback__)
    line = JsonFormatter().format(failed)
    assert "\n" not in line
    assert "ValueError: broken" in json.loads(line)["exception"]


def test_a_line_of_text_ends_with_its_fields() -> None:
    line = TextFormatter().format(record("session opened", session_id="s", lead_ms=20.0, why=None))
    assert line.endswith(" INFO ostinato.session: session opened session_id=s lead_ms=20.0")


def test_no_listener_can_begin_a_line_of_its_own() -> None:
    line = TextFormatter().format(record("session refused", why='bad "name"\n2026 ERROR forged'))
    assert "\n" not in line
    assert line.endswith(r'why="bad \"name\"\n2026 ERROR forged"')


@pytest.mark.parametrize("format", ["text", "json"])
def test_a_thread_of_its_own_writes_all_lines_in_order_and_ends(format: LogFormat) -> None:  # noqa: A002
    out, before = io.StringIO(), threading.active_count()
    handler = BackgroundHandler(format, out)
    for number in range(100):
        handler.handle(record(f"line {number}."))
    handler.close()
    assert [f"line {n}." in line for n, line in enumerate(out.getvalue().splitlines())] == [True] * 100
    assert threading.active_count() == before


class Stuck(io.StringIO):
    """A stream that nobody reads."""

    def __init__(self) -> None:
        super().__init__()
        self.freed = threading.Event()

    def write(self, text: str) -> int:
        self.freed.wait(20)
        return super().write(text)


def test_who_logs_waits_for_no_reader_and_what_is_dropped_is_counted() -> None:
    out = Stuck()
    handler = BackgroundHandler("json", out)
    for _ in range(2 * WAITING):
        handler.handle(record("a line"))
    dropped = handler.dropped
    assert dropped >= WAITING - 1
    out.freed.set()
    handler._records.join()
    handler.handle(record("the last"))
    handler.close()
    lines = [json.loads(line)["message"] for line in out.getvalue().splitlines()]
    assert lines[-2:] == [f"{dropped} lines were dropped: they came faster than they could be written", "the last"]
