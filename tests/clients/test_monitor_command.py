"""`ostinato monitor`, before a real server."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from ostinato.clients import SessionStart, connect
from ostinato.clients.cli.monitor_view import BINS, LEVELS, Clocks, MonitorView, histogram
from tests.clients.test_cli import run
from tests.clients.test_stream import free_port
from tests.server.serving import eventually, serving

CLOCKS = {"tiny": (64, 44_100)}


def drawn(view: MonitorView, look: dict[str, Any], clocks: Clocks = CLOCKS, width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(view.draw(look, clocks))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.fixture(scope="module")
def look() -> dict[str, Any]:
    """What a server told while somebody listened, but for deadlines that a busy machine missed."""
    with serving() as server, connect(server.url, SessionStart(model="tiny", seed=1)) as stream:
        stream.note_on(60)
        blocks = iter(stream)
        told: dict[str, Any] = {}

        def counted() -> bool:
            next(blocks)
            told.update(json.loads(run("monitor", server.url, "--json").stdout))
            sessions = told["latency"]["sessions"]
            sounded = bool(sessions) and sessions[0]["steps"]["rtf"] is not None
            return sounded and bool(told["recent"]["blocks"])  # asked for before: the first block may lie between

        assert eventually(counted)
    misses = told["latency"]["engine"]["misses"]
    misses.update(dict.fromkeys(misses, 0))
    told["recent"]["misses"] = []
    return told


def test_json_is_what_the_server_told_one_look_a_line(look: dict[str, Any]) -> None:
    assert set(look) == {"latency", "recent"}
    assert look["recent"]["blocks"]
    with serving(api_key="open sesame") as server:
        result = run("monitor", server.url, "--json", "--times", "2", "--every", "0.1", OSTINATO_API_KEY="open sesame")
    assert [set(json.loads(line)) for line in result.stdout.splitlines()] == [set(look)] * 2


def test_everything_that_matters_is_drawn_within_80_columns(look: dict[str, Any]) -> None:
    text = drawn(MonitorView("http://here"), look)
    session = look["latency"]["sessions"][0]
    for part in (
        "http://here",
        "1 voices",
        "0 waiting",
        "RTF to 1",
        "step µs of 22.676",
        "TTFA ms",
        "no deadline missed",
    ):
        assert part in text
    row = next(line for line in text.splitlines() if line.startswith(session["session_id"][:8]))
    assert {"tiny", "live", f"{session['steps']['rtf']:.3f}"} <= set(row.split())
    assert "…" not in text


def test_a_server_that_comes_back_with_other_models_is_drawn_with_those(look: dict[str, Any]) -> None:
    view = MonitorView("http://here")
    view.draw(look, CLOCKS)
    other = json.loads(json.dumps(look).replace('"tiny"', '"other"'))
    assert "other" in drawn(view, other, {"other": (64, 44_100)})
    assert drawn(view, other, CLOCKS).count("step µs") == 0  # which were asked for before it came back


def test_missed_deadlines_are_told_with_their_causes(look: dict[str, Any]) -> None:
    worse = json.loads(json.dumps(look))
    worse["latency"]["engine"]["misses"]["network"] = 3
    worse["latency"]["engine"]["refused"] = {"full": 2}
    miss = {"at": worse["recent"]["now"] - 4.0, "session_id": "abcdefghijk", "cause": "network", "late_ms": 7.25}
    worse["recent"]["misses"] = [{**miss, "times": 1}]
    text = drawn(MonitorView("http://here"), worse, width=120)
    assert "missed 3 by network\n" in text
    assert "4 s ago  abcdefgh  network, 7.2 ms late" in text
    assert "refused 2 full" in text


def test_the_time_line_grows_from_look_to_look_and_forgets(look: dict[str, Any]) -> None:
    view = MonitorView("http://here")
    view.draw(look, CLOCKS)
    first = set(view._rtf["tiny"])
    later = json.loads(json.dumps(look))
    for block in later["recent"]["blocks"]:
        block["at"] += 20.0
    later["recent"]["now"] += 20.0
    view.draw(later, CLOCKS)
    assert first
    assert set(view._rtf["tiny"]) == first | {second + 20 for second in first}
    later["recent"]["now"] += 1000.0
    view.draw(later, CLOCKS)
    assert not view._rtf["tiny"]


def test_a_block_that_took_twice_its_time_is_twice_real_time(look: dict[str, Any]) -> None:
    view = MonitorView("http://here")
    block = {**look["recent"]["blocks"][0], "hops": 10, "step_ms": 2000.0 * 640 / 44_100}
    view.draw({**look, "recent": {**look["recent"], "blocks": [block], "now": block["at"] + 1.0}}, CLOCKS)
    assert list(view._rtf["tiny"].values()) == [pytest.approx(2.0)]


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=200))
def test_a_histogram_shows_where_values_are_and_names_its_ends(values: list[float]) -> None:
    text = histogram(values, "ms").plain
    low, high = f"{min(values):.3g} ", f" {max(values):.3g} ms"
    assert text.startswith(low)
    assert text.endswith(high)
    bars = text[len(low) : -len(high)]
    assert len(bars) == BINS
    assert max(bars) == LEVELS[-1]
    assert len(set(values)) >= sum(mark != " " for mark in bars)


def test_of_nothing_there_is_no_histogram() -> None:
    assert histogram([], "ms").plain == "-"


@pytest.mark.parametrize(("url", "code", "told"), [("localhost", 2, "does not begin with"), (None, 3, "--server: ")])
def test_a_server_that_is_none_is_one_line(url: str | None, code: int, told: str) -> None:
    result = run("monitor", url or f"http://127.0.0.1:{free_port()}")
    assert (result.exit_code, result.stderr.count("\n")) == (code, 1)
    assert told in result.stderr


def test_a_key_that_is_missing_is_exit_code_4() -> None:
    with serving(api_key="open sesame") as server:
        result = run("monitor", server.url)
    assert result.exit_code == 4
    assert "Authorization" in result.stderr
