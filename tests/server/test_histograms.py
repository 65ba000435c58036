import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.server.histograms import BUCKETS, DIGITS, HIGHEST_S, LAP_S, LAPS, NS, Histogram, _layout
from ostinato.server.measurements import Spread

durations = st.lists(st.floats(1e-9, HIGHEST_S), min_size=1, max_size=200)


def measured(seconds: list[float]) -> Histogram:
    histogram = Histogram()
    for each in seconds:
        histogram.record(each)
    return histogram


@given(durations)
def test_counting_many_at_once_is_what_the_library_does_one_by_one(seconds: list[float]) -> None:
    library = _layout()
    for each in seconds:
        library.record_value(round(each * NS))
    counts = measured(seconds).fold(0.0).total
    assert [library.get_count_at_index(i) for i in range(BUCKETS)] == counts.buckets.tolist()
    for percent in (1, 25, 50, 90, 99, 100):
        assert round((counts.quantile(percent / 100) or 0.0) * NS) == library.get_value_at_percentile(percent)


@given(durations)
def test_every_percentile_is_one_that_was_measured_within_a_hundredth(seconds: list[float]) -> None:
    counts = measured(seconds).fold(0.0).total
    assert counts.count == len(seconds)
    assert counts.total_s == pytest.approx(sum(seconds))
    for share in (0.0, 0.5, 0.99, 1.0):
        told = counts.quantile(share)
        assert told is not None
        assert any(told == pytest.approx(each, rel=10**-DIGITS, abs=0.5 / NS) for each in seconds)
    assert counts.quantile(1.0) == pytest.approx(max(seconds), rel=10**-DIGITS, abs=0.5 / NS)


@given(durations, st.lists(st.floats(1e-8, 10.0), max_size=10))
def test_what_does_not_exceed_a_bound_is_counted_within_a_hundredth(seconds: list[float], bounds: list[float]) -> None:
    counts = measured(seconds).fold(0.0).total
    for bound, count in zip(bounds, counts.at_most(bounds), strict=True):
        assert sum(each <= bound * 0.99 for each in seconds) <= count <= sum(each <= bound * 1.001 for each in seconds)


def test_durations_put_aside_singly_and_in_arrays_are_counted_alike() -> None:
    singly, together = measured([0.25, 0.5, 0.5]), Histogram()
    together.extend(np.array([0.25, 0.5]))
    together.record(0.5)
    together.extend(np.array([]))
    assert singly.fold(0.0).total.buckets.tolist() == together.fold(0.0).total.buckets.tolist()


def test_figures_of_late_forget_and_those_since_the_start_do_not() -> None:
    histogram = measured([1.0])
    assert histogram.fold(0.0).recent.spread(1000.0).count == 1
    histogram.record(2.0)
    at = 0.0
    while at < LAPS * LAP_S:
        at += 1.0
        reading = histogram.fold(at)
    assert reading.recent.spread(1.0) == Spread()
    assert reading.total.spread(1.0).count == 2
    histogram.record(4.0)
    assert histogram.fold(at + 1.0).recent.quantile(0.5) == pytest.approx(4.0, rel=0.01)


def test_figures_of_late_look_back_two_laps_at_least() -> None:
    histogram = Histogram()
    histogram.fold(0.0)
    for second in range(1, 200):
        histogram.record(float(second % 90 + 1))
        kept = histogram.fold(float(second)).recent.count
        assert min(second, (LAPS - 1) * LAP_S) <= kept <= LAPS * LAP_S + 1


def test_a_reading_never_changes_once_it_is_made() -> None:
    histogram = measured([1.0])
    reading = histogram.fold(0.0)
    histogram.record(1.0)
    histogram.fold(1.0)
    assert reading.total.count == 1
    with pytest.raises(ValueError, match="read-only"):
        reading.total.buckets[0] = 1


def test_what_lies_beyond_counts_as_the_furthest() -> None:
    counts = measured([-1.0, 1e6, 0.0]).fold(0.0).total
    assert counts.quantile(0.0) == 0.0
    assert counts.quantile(1.0) == pytest.approx(HIGHEST_S, rel=0.01)
