from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ostinato.clients.spread import Spread, percentile


def test_percentiles_by_hand() -> None:
    spread = Spread()
    for value in range(200, 0, -1):
        spread.add(float(value))
    assert spread.percentiles(50, 95, 99, 100) == (100.0, 190.0, 198.0, 200.0)
    assert (spread.count, spread.greatest) == (200, 200.0)


def test_one_measurement_is_every_percentile_and_none_is_none() -> None:
    spread = Spread()
    assert (spread.percentiles(50, 99), spread.greatest) == ((None, None), None)
    spread.add(-3.0)
    assert (spread.percentiles(0, 50, 99), spread.greatest) == ((-3.0, -3.0, -3.0), -3.0)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1), st.floats(0, 100))
def test_a_percentile_was_measured_and_so_many_lie_at_or_below_it(values: list[float], percent: float) -> None:
    found = percentile(sorted(values), percent)
    assert found in values
    assert 100 * sum(value <= found for value in values) >= percent * len(values) - 1e-6
    assert 100 * sum(value < found for value in values) <= percent * len(values)


def test_more_than_is_kept_is_drawn_evenly_from_and_the_greatest_is_not_forgotten() -> None:
    spread = Spread(kept=500)
    for value in (1e9, *range(10_000)):
        spread.add(float(value))
    assert len(spread._values) == 500
    assert (spread.count, spread.greatest) == (10_001, 1e9)
    (median,) = spread.percentiles(50)
    assert median is not None
    assert 4000 < median < 6000
