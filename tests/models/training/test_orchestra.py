"""What is rendered of the orchestra, and what is held out."""

from itertools import pairwise

import numpy as np
import pytest

from ostinato.models.training.notes import Note, Split
from ostinato.models.training.orchestra import (
    BEND_CENTS,
    HELD_OUT_VELOCITY,
    ORCHESTRA,
    VELOCITIES,
    VELOCITY_GAP,
    Part,
    plan_notes,
)
from ostinato.models.training.soundfont import Zone

PARTS = {part.instrument.name: part for part in ORCHESTRA}


def zones(part: Part) -> tuple[Zone, ...]:
    """A recording a key, the held-out ones at keys of their own."""
    keys = range(int(part.instrument.low), int(part.instrument.high) + 1)
    free = [key for key in keys if key not in part.held_out_keys and part.played(key) == key]
    named = dict(zip(free[10:], part.held_out_recordings, strict=False))
    return tuple(Zone((key, key), (0, 127), named.get(key, f"at {key}"), 1.0, 44100) for key in keys)


@pytest.fixture(params=PARTS)
def part(request: pytest.FixtureRequest) -> Part:
    return PARTS[request.param]


def planned(part: Part) -> list[Note]:
    return plan_notes(part, zones(part), place=2, seed=0)


def test_every_key_of_the_range_is_there(part: Part) -> None:
    assert {n.key for n in planned(part)} == set(range(int(part.instrument.low), int(part.instrument.high) + 1))
    assert {n.instrument for n in planned(part)} == {2}
    assert all(1 <= n.velocity <= 127 for n in planned(part))


def test_nothing_held_out_is_trained_on(part: Part) -> None:
    trained = [n for n in planned(part) if n.split is Split.TRAIN]
    assert not {n.key for n in trained} & set(part.held_out_keys)
    assert not {n.recording for n in trained} & set(part.held_out_recordings)
    assert all(abs(n.velocity - HELD_OUT_VELOCITY) >= VELOCITY_GAP for n in trained)


def test_each_split_is_tested_on_plain_long_notes(part: Part) -> None:
    for split in (Split.PITCH, Split.VELOCITY, Split.RECORDING):
        tested = [n for n in planned(part) if n.split is split]
        assert tested
        assert all(n.bend_cents == 0 and n.held_s >= 2 for n in tested)


def test_trained_pitches_leave_no_gap_but_the_held_out_keys(part: Part) -> None:
    trained = [n for n in planned(part) if n.split is Split.TRAIN]
    assert max(abs(n.bend_cents) for n in trained) <= BEND_CENTS
    assert np.ptp([n.bend_cents for n in trained]) > 1.8 * BEND_CENTS
    for key in {n.key for n in trained}:
        assert {n.velocity for n in trained if n.key == key and n.bend_cents == 0} == set(VELOCITIES)


def test_a_replaced_recording_is_played_from_the_one_beside_it(part: Part) -> None:
    replaced = {key for first, last, _ in part.replaced for key in range(first, last + 1)}
    recordings = {n.key: n.recording for n in planned(part)}
    assert all(recordings[key] == recordings[part.played(int(key))] for key in replaced)
    assert not {f"at {key}" for key in replaced} & set(recordings.values())
    assert all(abs(key - part.played(key)) < 12 for key in replaced)  # within the wheel's range


def test_the_plan_is_a_function_of_its_seed(part: Part) -> None:
    assert planned(part) == planned(part)
    assert plan_notes(part, zones(part), place=2, seed=1) != planned(part)


def test_each_program_belongs_to_one_instrument() -> None:
    programs = sorted(p for part in ORCHESTRA for p in part.instrument.programs)
    assert all(a < b for a, b in pairwise(programs))
    assert all(part.program in part.instrument.programs for part in ORCHESTRA)
