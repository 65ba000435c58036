"""Keys and velocities in file names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.models.training.filenames import named_key, named_velocity
from ostinato.models.training.inventory import note_name


@pytest.mark.parametrize(
    ("stem", "key", "velocity"),
    [
        ("violin_C4", 60, None),
        ("C#4 v64", 61, 64),
        ("Bb2-vel100", 46, 100),
        ("cello_fs3_velocity_9", 54, 9),
        ("0005-key60-velocity67", 60, 67),
        ("midi_72", 72, None),
        ("take 3", None, None),
        ("v2_final", None, 2),
        ("v200", None, None),
        ("key200", None, None),
        ("A-1", 9, None),
        ("Bach4ever", None, None),
        ("C4x", None, None),
    ],
)
def test_key_and_velocity_of_a_name(stem: str, key: int | None, velocity: int | None) -> None:
    assert (named_key(stem), named_velocity(stem)) == (key, velocity)


@given(st.integers(0, 127), st.integers(1, 127))
def test_what_is_written_is_read(key: int, velocity: int) -> None:
    stem = f"oboe_{note_name(key)}_v{velocity}"
    assert (named_key(stem), named_velocity(stem)) == (key, velocity)
