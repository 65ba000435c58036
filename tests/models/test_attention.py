"""Attention over a window: the same at once and step by step, and as exact after an age as in the first second."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ostinato.models.attention import attend_ring, attend_whole, rotated, rotation

CASES = {
    "window": st.integers(1, 9),
    "steps": st.integers(1, 25),
    "groups": st.integers(1, 3),
    "seed": st.integers(0, 99),
}


def heard(steps: int, heads: int, groups: int, width: int, seed: int) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(seed)
    return tuple(torch.randn(2, steps, n, width, generator=generator) for n in (heads, groups, groups))


@settings(max_examples=30, deadline=None)
@given(**CASES)
def test_a_whole_sequence_is_what_a_ring_gives_step_by_step(window: int, steps: int, groups: int, seed: int) -> None:
    queries, keys, values = heard(steps, 2 * groups, groups, 4, seed)
    rings = torch.zeros(2, 2, window, groups, 4)
    found = []
    for step in range(steps):
        rings[:, :, step % window] = torch.stack((keys[:, step], values[:, step]))
        found.append(attend_ring(queries[:, step], rings[0], rings[1], torch.full((2,), step)))
    expected = attend_whole(queries, keys, values, window)
    torch.testing.assert_close(torch.stack(found, dim=1), expected, rtol=0, atol=1e-5)


@settings(max_examples=30, deadline=None)
@given(**CASES)
def test_a_step_sees_exactly_its_window(window: int, steps: int, groups: int, seed: int) -> None:
    queries, keys, values = heard(steps, groups, groups, 2, seed)
    values.requires_grad_()
    attend_whole(queries, keys, values, window)[0, -1].sum().backward()  # type: ignore[no-untyped-call]
    assert values.grad is not None
    seen = values.grad[0].abs().sum(dim=(1, 2)).nonzero().flatten().tolist()
    assert seen == list(range(max(0, steps - window), steps))


@given(st.integers(0, 2**61), st.integers(0, 63), st.integers(0, 99))
def test_a_score_depends_on_how_far_apart_two_steps_are_and_not_on_where_they_stand(
    position: int, apart: int, seed: int
) -> None:
    queries, keys, _ = heard(1, 1, 1, 16, seed)
    scores = []
    for first in (0, position):
        turns = [rotation(torch.tensor(first + later), 16, 64) for later in (0, apart)]
        scores.append((rotated(keys, turns[0]) * rotated(queries, turns[1])).sum())
    torch.testing.assert_close(scores[1], scores[0], rtol=0, atol=2e-5)
    torch.testing.assert_close(rotated(keys, turns[0]).norm(), keys.norm())
