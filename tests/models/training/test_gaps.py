"""Where nobody played: gaps lie there and nowhere else, and what is stated in them lies between its neighbours."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from ostinato.models.controls import FRAME
from ostinato.models.registry import random_config
from ostinato.models.steered import Steering
from ostinato.models.tone import Tone
from ostinato.models.training.gaps import BEYOND, NARROWEST, SHARE, GapHops, Gaps, gap_distance
from ostinato.models.training.notes import Note
from ostinato.models.wavenet import WaveNet

NOTE, INSTRUMENT = FRAME.index("note"), FRAME.index("instrument")
QUARTERS = st.sets(st.integers(4 * 20, 4 * 100), min_size=1, max_size=12)  # of a semitone, exact in binary
LOW, HIGH = 60.0, 68.0  # of the gap that the networks below are asked about


def notes_at(pitches: list[float], instrument: int = 0) -> list[Note]:
    """Each pitch as the nearest key below it and a bend, and one of them twice."""
    keys = [math.floor(pitch) for pitch in [*pitches, pitches[0]]]
    bends = [100 * (pitch - key) for pitch, key in zip([*pitches, pitches[0]], keys, strict=True)]
    return [Note(key, 100, bend, 0.1, instrument=instrument) for key, bend in zip(keys, bends, strict=True)]


def any_frames(count: int, seed: int = 0) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).random((count, len(FRAME)), dtype=np.float32))


def rows(hops: GapHops) -> list[tuple[int, float, float, float, float]]:
    """Instrument, pitches below, inside and above, and way, of each hop."""
    pitches = [frames[:, NOTE].tolist() for frames in (hops.below, hops.inside, hops.above)]
    return list(zip(hops.inside[:, INSTRUMENT].int().tolist(), *pitches, hops.way.tolist(), strict=True))


@settings(max_examples=60, deadline=None)
@given(st.lists(QUARTERS, min_size=1, max_size=3), st.integers(0, 2**32 - 1))
def test_gaps_lie_where_nobody_played_and_never_elsewhere(quarters: list[set[int]], seed: int) -> None:
    played = [sorted(q / 4 for q in some) for some in quarters]
    notes = [note for i, pitches in enumerate(played) for note in notes_at(pitches, i)]
    for instrument, below, inside, above, _ in rows(Gaps(notes).fill(any_frames(200), np.random.default_rng(seed))):
        pitches = played[instrument]
        if below == above:
            first, last = pitches[0], pitches[-1]
            assert (below == first and first - BEYOND <= inside <= first) or (
                below == last and last <= inside <= last + BEYOND
            )
        else:
            assert above == pitches[pitches.index(below) + 1]  # nothing was played in between
            assert above - below > NARROWEST
            assert below <= inside <= above


@pytest.mark.parametrize("first", [0, 1])
def test_each_instrument_has_every_gap_of_its_own_the_wider_the_likelier(first: int) -> None:
    notes = notes_at([60.0, 60.5, 61.25, 67.25], first) + notes_at([50.0], 1 - first)
    widths = {
        (first, 60.0, 60.0): BEYOND, (first, 60.5, 61.25): 0.75, (first, 61.25, 67.25): 6.0,
        (first, 67.25, 67.25): BEYOND, (1 - first, 50.0, 50.0): 2 * BEYOND,
    }  # fmt: skip
    found = rows(Gaps(notes).fill(any_frames(20_000 * SHARE), np.random.default_rng(0)))
    edges = [(instrument, below, above) for instrument, below, _, above, _ in found]
    assert set(edges) == set(widths)  # 60 and 60.5 are not more than NARROWEST apart
    for gap, width in widths.items():
        assert edges.count(gap) / len(edges) == pytest.approx(width / sum(widths.values()), abs=0.015)
    alone = [inside for instrument, _, inside, _, _ in found if instrument != first]
    assert (min(alone), max(alone)) == pytest.approx((50 - BEYOND, 50 + BEYOND), abs=0.05)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_only_pitch_and_instrument_of_a_hop_are_moved(count: int, seed: int) -> None:
    frames = any_frames(count, seed)
    before = frames.clone()
    hops = Gaps(notes_at([60.0, 64.0], 2)).fill(frames, np.random.default_rng(seed))
    assert torch.equal(frames, before)
    assert len(hops.way) == max(count // SHARE, 1)
    others = [i for i in range(len(FRAME)) if i not in (NOTE, INSTRUMENT)]
    for moved in (hops.below, hops.inside, hops.above):
        assert moved.dtype == torch.float32
        assert torch.equal(moved[:, others], frames[: len(hops.way), others])
        assert (moved[:, INSTRUMENT] == 2).all()


def test_the_way_is_that_of_the_pitch_from_the_lower_to_the_upper() -> None:
    hops = Gaps(notes_at([60.0, 64.0, 65.5])).fill(any_frames(4000), np.random.default_rng(0))
    assert hops.way.min() >= 0
    assert hops.way.max() <= 1
    below, inside, above = (frames[:, NOTE] for frames in (hops.below, hops.inside, hops.above))
    between = above > below
    assert between.any()
    torch.testing.assert_close(inside[between], torch.lerp(below, above, hops.way)[between], rtol=0, atol=1e-4)


def test_hops_in_gaps_are_a_function_of_their_generator_alone() -> None:
    gaps = Gaps(notes_at([60.0, 64.0, 70.0]))
    first, again, other = (gaps.fill(any_frames(100), np.random.default_rng(seed)) for seed in (5, 5, 6))
    for name in ("inside", "below", "above", "way"):
        assert torch.equal(getattr(first, name), getattr(again, name))
    assert not torch.equal(first.inside, other.inside)


class Stating(WaveNet):
    """A network that states straight lines of the pitch, and something else strictly between `LOW` and `HIGH`."""

    def __init__(
        self, slope: float, level: float = 0.0, phase: float = 0.0, scale: float = 0.0, cond: float = 0.0
    ) -> None:
        super().__init__(random_config("tiny").wavenet)
        self.slope, self.bumps = slope, (level, phase, scale, cond)

    def steer(self, frames: Tensor) -> Steering:
        note = frames[..., NOTE]
        within = ((note > LOW) & (note < HIGH)).float()
        line = self.slope * (note - LOW)
        level, phase, scale, cond = (bump * within for bump in self.bumps)
        k = torch.arange(6)
        tone = Tone((line + level)[..., None] - k, phase[..., None] + k, line + scale - 4)
        return Steering((line + cond)[..., None].expand(*note.shape, 8), tone)


def between(count: int = 50) -> GapHops:
    """Hops strictly within the one gap, and on its edges."""
    way = torch.linspace(0.01, 0.99, count)
    inside, below, above = (any_frames(count) for _ in range(3))
    inside[:, NOTE], below[:, NOTE], above[:, NOTE] = torch.lerp(torch.tensor(LOW), torch.tensor(HIGH), way), LOW, HIGH
    return GapHops(inside, below, above, way)


@pytest.mark.parametrize("slope", [0.0, 0.1, -0.3])
def test_what_lies_on_the_line_between_its_neighbours_is_at_no_distance(slope: float) -> None:
    assert float(gap_distance(Stating(slope), between())) == pytest.approx(0, abs=1e-5)
    assert float(gap_distance(Stating(slope, phase=2 * math.pi), between())) == pytest.approx(0, abs=1e-5)


@given(st.sampled_from(["level", "scale", "cond"]), st.floats(-2, 2))
def test_what_lies_off_the_line_is_as_far_as_it_is_off(part: str, off: float) -> None:
    assert float(gap_distance(Stating(0.1, **{part: off}), between())) == pytest.approx(abs(off), abs=1e-4)


@given(st.floats(-math.pi, math.pi))
def test_a_phase_is_off_by_its_angle(off: float) -> None:
    assert float(gap_distance(Stating(0.1, phase=off), between())) == pytest.approx(1 - math.cos(off), abs=1e-4)


def test_the_nearer_side_s_phase_holds() -> None:
    class Turning(Stating):
        def steer(self, frames: Tensor) -> Steering:
            steering, upper = super().steer(frames), frames[..., NOTE, None] >= (LOW + HIGH) / 2
            assert steering.tone is not None
            tone = Tone(steering.tone.log_levels, steering.tone.phases + 2.0 * upper, steering.tone.log_scale)
            return Steering(steering.condition, tone)

    assert float(gap_distance(Turning(0.1), between())) == pytest.approx(0, abs=1e-5)


def test_past_an_end_what_the_end_states_is_asked_for() -> None:
    hops = between()
    ends = GapHops(hops.above.clone(), hops.below, hops.below, hops.way)
    assert float(gap_distance(Stating(0.0), ends)) == pytest.approx(0, abs=1e-6)
    rise = 0.1 * (HIGH - LOW)  # of levels, of the scale and of the condition
    assert float(gap_distance(Stating(0.1), ends)) == pytest.approx(3 * rise, abs=1e-4)


def test_only_what_is_inside_is_moved() -> None:
    """What was heard on either side is not to give way to what was not."""
    torch.manual_seed(0)
    network, hops = WaveNet(random_config("tiny").wavenet), between()
    frames = [f.requires_grad_() for f in (hops.inside, hops.below, hops.above)]
    inside, below, above = torch.autograd.grad(gap_distance(network, hops), frames, allow_unused=True)
    assert inside is not None
    assert inside.any()
    assert below is above is None
