"""Choosing a few of many: the extremes, and evenly between."""

from hypothesis import given
from hypothesis import strategies as st

from ostinato.models.training.choosing import of_each, spread_out


@given(st.lists(st.integers(), min_size=1, unique=True), st.integers(2, 10))
def test_the_least_and_the_greatest_are_among_them(items: list[int], count: int) -> None:
    chosen = spread_out(items, count, float)
    assert len(chosen) == len(set(chosen)) == min(count, len(items))
    assert chosen[0] == min(items)
    assert chosen[-1] == max(items)


def test_each_group_has_its_own() -> None:
    items = [("a", 3), ("b", 1), ("a", 1), ("a", 2)]
    assert of_each(items, lambda i: i[0], 2, lambda i: i[1]) == [("a", 1), ("a", 3), ("b", 1)]


def test_nothing_comes_of_nothing() -> None:
    assert spread_out([], 3, float) == []
