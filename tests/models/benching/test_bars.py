"""Bars are held against the rows that they name, and no others."""

from dataclasses import replace

import pytest

from ostinato.models.benching.bars import BARS, Bar, judge
from ostinato.models.benching.rows import Plan
from tests.models.benching.rows import ROW

BAR = Bar("r64", 1, "us_per_sample", 7.0)
FRACTION = Bar("r64", 1, "fraction_of_roofline", 0.6)


@pytest.mark.parametrize(("us_per_sample", "met"), [(6.99, True), (7.0, True), (7.01, False)])
def test_a_time_is_met_up_to_its_bound(us_per_sample: float, met: bool) -> None:
    (verdict,) = judge([replace(ROW, us_per_sample=us_per_sample)], [BAR])
    assert (verdict.measured, verdict.met) == (us_per_sample, met)


@pytest.mark.parametrize(("fraction", "met"), [(0.59, False), (0.6, True), (0.9, True)])
def test_a_fraction_is_met_from_its_bound_on(fraction: float, met: bool) -> None:
    (verdict,) = judge([replace(ROW, fraction_of_roofline=fraction)], [FRACTION])
    assert (verdict.measured, verdict.met) == (fraction, met)


def test_the_ratio_to_torch_comes_along() -> None:
    (verdict,) = judge([replace(ROW, speedup_vs_torch=432.1)], [BAR])
    assert verdict.speedup_vs_torch == 432.1


@pytest.mark.parametrize(
    "other",
    [
        replace(ROW, precision="float32"),
        replace(ROW, engine="torch"),
        replace(ROW, threads=2),
        replace(ROW, slots=8),
        replace(ROW, model="r32"),
    ],
)
def test_another_row_neither_meets_nor_misses(other: object) -> None:
    (verdict,) = judge([other], [BAR])  # type: ignore[list-item]
    assert (verdict.measured, verdict.met) == (None, None)


def test_every_bar_can_be_measured_by_default() -> None:
    assert {bar.model for bar in BARS} <= set(Plan.models)
    assert {bar.streams for bar in BARS} <= set(Plan.streams)
