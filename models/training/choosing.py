"""Which notes stand for the others: a few to bend, to hold, to show, where all would take too long."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import TypeVar

import numpy as np

T = TypeVar("T")


def spread_out(items: Sequence[T], count: int, key: Callable[[T], float]) -> list[T]:
    """So many of them, evenly over their order by `key`, the least and the greatest among them."""
    ranked = sorted(items, key=key)
    places = np.linspace(0, len(ranked) - 1, min(count, len(ranked))).round().astype(int)
    return [ranked[i] for i in places]


def of_each(items: Sequence[T], group: Callable[[T], Hashable], count: int, key: Callable[[T], float]) -> list[T]:
    """`spread_out` in each group, the groups in the order in which they are first met."""
    groups: dict[Hashable, list[T]] = {}
    for item in items:
        groups.setdefault(group(item), []).append(item)
    return [item for some in groups.values() for item in spread_out(some, count, key)]
