"""Bars: who passes, who is worst, and by how much."""

import math

from ostinato.models.training import bars
from ostinato.models.training.bars import Bar, Reading, judge


def reading(value: float, bar: Bar = bars.NOISE, note: str = "a note") -> Reading:
    return Reading(bar, value, "flute", "train", note)


def test_a_verdict_counts_who_passes_and_names_the_worst() -> None:
    (row,) = judge([reading(2.0, note="best"), reading(6.0, note="at the limit"), reading(9.5, note="worst")])
    assert row == {
        "name": bars.NOISE.name, "unit": "dB", "limit": 6.0, "passed": 2, "of": 3, "worst": 9.5,
        "worst_note": "worst", "aim": 3.0, "reached_aim": 1,
    }  # fmt: skip


def test_bars_come_in_their_order_and_only_where_something_was_read() -> None:
    rows = judge([reading(-70.0, bars.SILENCE), reading(1.0, bars.PITCH), reading(-50.0, bars.SILENCE)])
    assert [(row["name"], row["passed"]) for row in rows] == [(bars.PITCH.name, 1), (bars.SILENCE.name, 1)]
    assert judge([]) == []


def test_what_is_no_number_does_not_pass() -> None:
    assert not reading(math.nan).passes


def test_badness_compares_between_bars() -> None:
    assert reading(6.0).badness == 0
    assert reading(12.0).badness == 1
    assert reading(-50.0, bars.SILENCE).badness == 1
    assert reading(-70.0, bars.SILENCE).badness == -1
