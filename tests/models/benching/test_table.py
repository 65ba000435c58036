"""A run in words says what its rows say, and nothing that they don't."""

from dataclasses import replace

import pytest

from ostinato.models.benching.bars import Verdict, judge
from ostinato.models.benching.limits import Limits
from ostinato.models.benching.machine import Machine
from ostinato.models.benching.report import Report
from ostinato.models.benching.table import headings, limits_line, line, markdown, verdict_line
from tests.models.benching.rows import ROW

TORCH = replace(
    ROW, engine="torch", precision="float32", isa="torch", step_us=1718.34, us_per_sample=1718.34, rtf=75.779,
    speedup_vs_torch=1.0, weight_bytes=None, roofline_us=None, fraction_of_roofline=None,
)  # fmt: skip
REPORT = Report(
    machine=Machine("AMD EPYC (family 26, model 2)", 2, "Linux x86_64", "3.11.2"),
    limits=Limits(
        "avx512", {"L1": 1 << 14, "L2": 1 << 19}, {"L1": 476.0, "L2": 268.1}, {"float32": 137.3, "int8": 548.1}
    ),
    busy=False,
    share_of_others=0.01,
    rows=(TORCH, ROW, replace(ROW, slots=8), replace(ROW, model="tiny")),
    bars=judge([ROW]),
)


def test_a_terminal_shows_figures_under_their_headings() -> None:
    for row in (ROW, TORCH):
        assert len(line(row)) == len(headings())
    assert line(ROW).split() == ["r64", "native", "int8", "avx512", "1", "3.51", "3.51", "0.155", "489x", "68%"]
    assert line(TORCH).split()[-3:] == ["1,718.34", "75.779", "1.00x"]


def test_the_markdown_table_has_the_native_rows_that_a_newcomer_wants() -> None:
    caption, _, heads, rule, *rows, _, footnote = markdown(REPORT).splitlines()
    assert caption == "`make bench` on AMD EPYC (family 26, model 2), 2 cores; avx512 on 1 thread:"
    assert "(268 GB/s)" in footnote
    assert "(137 G/s in float32 and 548 G/s in int8)" in footnote
    assert heads == "| model | precision | streams | µs a stream-sample | RTF | against torch | of roofline |"
    assert rule == "| --- | --- | ---: | ---: | ---: | ---: | ---: |"
    assert rows == ["| `r64` | int8 | 1 | 3.51 | 0.155 | 489x | 68% |"]


def test_a_table_of_a_busy_machine_says_so_first() -> None:
    caption = markdown(replace(REPORT, busy=True, share_of_others=0.34)).splitlines()[0]
    assert "; **the machine was busy: others took 34% of its CPU time**:" in caption


def test_without_limits_nothing_is_said_of_a_roofline_s_speeds() -> None:
    assert "Roofline" not in markdown(replace(REPORT, limits=None))


def test_limits_are_told_with_their_units() -> None:
    assert limits_line(REPORT) == (
        "AMD EPYC (family 26, model 2), 2 cores; one core with avx512 reads, GB/s: 476 from L1, 268.1 from L2; "
        "multiplies and adds, G/s: 137.3 in float32, 548.1 in int8"
    )
    assert limits_line(replace(REPORT, limits=None)) == "AMD EPYC (family 26, model 2), 2 cores"


@pytest.mark.parametrize(
    ("verdict", "said"),
    [
        (
            Verdict("r64", 1, "us_per_sample", 7.0, 3.512, True, 489.3),
            "r64, 1 stream: at most 7 µs a stream-sample: 3.512 (489 times torch), met",
        ),
        (
            Verdict("default", 16, "us_per_sample", 1.3, 1.4, False, None),
            "default, 16 streams: at most 1.3 µs a stream-sample: 1.4, MISSED",
        ),
        (
            Verdict("r64", 1, "fraction_of_roofline", 0.6, None, None, None),
            "r64, 1 stream: at least 0.6 of the roofline: not measured",
        ),
    ],
)
def test_a_verdict_names_the_bar_and_the_figure(verdict: Verdict, said: str) -> None:
    assert verdict_line(verdict) == said
