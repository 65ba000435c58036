"""Controls: ranges are kept, ramps are straight, frames say what was played."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.models.controls import ControlError, Trajectory, VoiceTimeline, control_specs, next_hop

SPECS = {spec.name: spec for spec in control_specs(temperature=0.7, instruments=2)}


@given(st.sampled_from(sorted(SPECS)), st.floats(allow_nan=True, allow_infinity=True))
def test_a_value_outside_the_range_is_refused_by_name_and_value(name: str, value: float) -> None:
    spec = SPECS[name]
    if spec.low <= value <= spec.high:
        assert spec.check(value) == value
    else:
        with pytest.raises(ControlError, match=name) as error:
            spec.check(value)
        assert str(value) in str(error.value)


def test_every_default_is_within_its_own_range() -> None:
    assert all(spec.check(spec.default) == spec.default for spec in SPECS.values())


def test_a_ramp_is_a_straight_line_that_starts_where_the_value_was() -> None:
    gain = Trajectory.constant(0.0)
    gain.steer(100, 10.0, ramp=10)
    assert gain.at(np.arange(100, 113)).tolist() == [*range(11), 10, 10]
    gain.steer(105, 0.0, ramp=5)
    assert gain.at(np.arange(105, 112)).tolist() == [5, 4, 3, 2, 1, 0, 0]


def test_without_a_ramp_a_control_switches_at_its_sample() -> None:
    bend = Trajectory.constant(0.0)
    bend.steer(64, 50.0)
    assert bend.at(np.array([64, 65])).tolist() == [50, 50]


def test_frames_carry_note_bend_gate_and_the_times_since_onset_and_release() -> None:
    voice = VoiceTimeline(note=60.0, velocity=0.5, instrument=1, onset=128, release=256)
    flat = np.full(4, 0.7)
    frames = voice.frames(128, 4, hop=64, sample_rate=6400, bend=np.array([0.0, 50, 100, 100]), temperature=flat)
    assert frames.dtype == np.float32
    assert frames[:, 0].tolist() == [60, 60.5, 61, 61]
    assert frames[:, 1].tolist() == [0.5] * 4
    assert frames[:, 2].tolist() == [1, 1, 0, 0]
    assert frames[:, 3] == pytest.approx([0, 0.01, 0.02, 0.03])
    assert frames[:, 4] == pytest.approx([0, 0, 0, 0.01])
    assert frames[:, 5].tolist() == [1] * 4
    assert frames[:, 6] == pytest.approx(flat)


@given(st.integers(0, 10**9), st.integers(1, 4096))
def test_the_next_hop_is_the_first_boundary_not_before(sample: int, hop: int) -> None:
    boundary = next_hop(sample, hop)
    assert boundary % hop == 0
    assert sample <= boundary < sample + hop
