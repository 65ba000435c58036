import math
import sys

from hypothesis import given
from hypothesis import strategies as st

from ostinato.server.recent import BlockRing


def filled(count: int, size: int = 8) -> BlockRing:
    ring = BlockRing(("a", "b"), size)
    for number in range(1, count + 1):
        ring.add(float(number), "ab"[number % 2], 2, 3, 4, 0.5, 0.75, -0.25 if number % 3 else -math.inf)
    return ring


@given(st.integers(0, 40), st.integers(0, 40))
def test_the_last_blocks_are_kept_in_order(count: int, since: int) -> None:
    at = [block.at for block in filled(count).since(float(since))]
    assert at == [float(n) for n in range(max(1, count - 7, since), count + 1)]


def test_a_block_comes_back_as_it_was_put() -> None:
    first, second, third = filled(3).since(0.0)
    assert (first.model, first.sessions, first.voices, first.hops) == ("b", 2, 3, 4)
    assert (first.step_s, first.block_s, first.late_s) == (0.5, 0.75, -0.25)
    assert second.model == "a"
    assert third.late_s is None  # nobody live heard it


def test_memory_is_the_same_whatever_was_put() -> None:
    empty, full = BlockRing(("a", "b"), 8), filled(1000)
    assert sys.getsizeof(empty._packed) == sys.getsizeof(full._packed)
