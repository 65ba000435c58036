from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.clients.ring import SampleRing


@given(st.integers(1, 40), st.lists(st.tuples(st.booleans(), st.integers(0, 60)), max_size=40))
def test_what_comes_out_is_what_went_in_in_order(size: int, steps: list[tuple[bool, int]]) -> None:
    ring, source, heard = SampleRing(size), np.arange(3000, dtype=np.float32), list[np.float32]()
    for brings, count in steps:
        if brings:
            there = len(ring)
            assert ring.write(source[ring.written : ring.written + count], 0.0) == min(count, size - there)
        else:
            out = np.full(count, -1.0, np.float32)
            taken = ring.take_into(out)
            heard += list(out[:taken])
            assert (out[taken:] == -1.0).all()
        assert 0 <= len(ring) <= size
    assert heard == list(source[: ring.read])


def test_who_brings_more_than_there_is_room_for_waits_for_it() -> None:
    ring, samples = SampleRing(10), np.arange(100, dtype=np.float32)
    bringing = threading.Thread(target=lambda: ring.write(samples, 10.0))
    bringing.start()
    heard = list[np.float32]()
    while len(heard) < 100:
        out = np.empty(7, np.float32)
        heard += list(out[: ring.take_into(out)])
    bringing.join()
    assert heard == list(samples)
    assert ring.wait_until_empty(0.0)


def test_nobody_waits_for_longer_than_there_is_patience() -> None:
    ring = SampleRing(2)
    assert ring.write(np.zeros(3, np.float32), 0.01) == 2
    assert not ring.wait_until_empty(0.01)


def test_a_ring_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="size: 0 is less than 1"):
        SampleRing(0)
