"""The figures of a load, as they are told and judged."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ostinato.clients.load import Load
from ostinato.clients.load_plan import LoadPlan
from ostinato.clients.load_report import line, table

NOTHING = Load(LoadPlan(url="ws://a", streams=3, seconds=1.0)).report()


def test_a_report_of_nothing_shows_no_figures() -> None:
    assert (NOTHING.joined, NOTHING.ttfa_ms_p99, NOTHING.client_lag_ms_p99) == (0, None, None)
    assert "TTFA                -        -        -" in table(NOTHING)
    assert "TTFA p99 - ms" in line(NOTHING)
    assert NOTHING.gapless
    assert NOTHING.warnings == []


@pytest.mark.parametrize(
    ("figures", "late"),
    [
        ({}, False),
        ({"client_lag_ms_p99": 40.1}, True),  # half of the 80 ms that a playhead has in hand
        ({"client_lag_ms_p99": 5.1, "lead_ms": 20.0}, True),
        ({"client_stalls": 9}, False),  # and nobody ran dry
        ({"client_stalls": 2, "joined": 3, "underruns": 6}, True),
        ({"client_stalls": 2, "joined": 3, "underruns": 7}, False),
    ],
)
def test_a_client_that_may_have_been_the_cause_is_warned_of(figures: dict[str, float], late: bool) -> None:
    report = replace(NOTHING, **figures)  # type: ignore[arg-type]
    assert report.client_late is late
    assert bool(report.warnings) is late
