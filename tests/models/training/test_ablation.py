"""Each variant takes away what it names, and nothing else."""

import numpy as np
import pytest
import torch

from ostinato.models.config import Instrument, ModelConfig
from ostinato.models.controls import FRAME
from ostinato.models.training.ablation import VARIANTS, alone, changed
from ostinato.models.training.alignment import nominal_turns
from ostinato.models.training.budget import Budget
from ostinato.models.training.crops import CropPlan
from ostinato.models.training.dataset import Recording
from ostinato.models.training.loop import Settings, Trainer, draw_noise
from ostinato.models.training.notes import Note
from ostinato.models.training.recipe import instrument_config
from tests.models.training.tones import HOP, RATE, recordings, tone

SETTINGS = Settings(crops=CropPlan(count=1, samples=2048), hops=16)


def config() -> ModelConfig:
    return instrument_config([Instrument(name="tone", low=60, high=71)], name="ablation")


@pytest.fixture(scope="module")
def toy() -> list[Recording]:
    return recordings()


def test_the_whole_is_left_as_it_is(toy: list[Recording]) -> None:
    assert VARIANTS["whole"](config(), SETTINGS, toy) == (config(), SETTINGS, toy)


def test_without_alignment_each_phase_is_nominal_from_a_start_of_its_own(toy: list[Recording]) -> None:
    found, settings, some = VARIANTS["no-alignment"](config(), SETTINGS, toy)
    assert (found, settings) == (config(), SETTINGS)
    starts = []
    for before, after in zip(toy, some, strict=True):
        turns = after.phase / 2.0**64 - nominal_turns(len(after.audio), after.note.hertz, RATE)
        apart = turns - turns[0]
        assert np.abs(apart - np.round(apart)).max() < 1e-6
        starts.append(turns[0] % 1)
        assert after.audio is before.audio
        assert after.frames is before.frames
        assert not np.array_equal(after.phase, before.phase)
    assert np.ptp(starts) > 0.1
    again = VARIANTS["no-alignment"](config(), SETTINGS, toy)[2]
    assert all(np.array_equal(a.phase, b.phase) for a, b in zip(some, again, strict=True))


def test_without_noise_the_past_is_as_it_was_recorded(toy: list[Recording]) -> None:
    found, settings, some = VARIANTS["no-noise"](config(), SETTINGS, toy)
    assert (found, some) == (config(), toy)
    noise = draw_noise(np.random.default_rng(0), settings.noise, torch.zeros(3, 100))
    assert noise.abs().max() < 1e-7


@pytest.mark.parametrize(
    ("variant", "keys"),
    [("no-pre-emphasis", {"pre_emphasis": 0.0}), ("no-tone", {"tone": None, "excitation": {"harmonics": 8}})],
)
def test_a_variant_of_the_network_differs_in_these_keys_alone(
    variant: str, keys: dict[str, object], toy: list[Recording]
) -> None:
    found, _, some = VARIANTS[variant](config(), SETTINGS, toy)
    assert some == toy
    whole, changed_ = config().model_dump(), found.model_dump()
    for key, value in keys.items():
        assert changed_["network"].pop(key) == value
        assert whole["network"].pop(key) != value
    assert changed_ == whole


def test_only_without_a_tone_is_the_noise_of_another_size(toy: list[Recording]) -> None:
    sizes = {name: variant(config(), SETTINGS, toy)[1].noise for name, variant in VARIANTS.items()}
    assert sizes["no-alignment"] == sizes["no-pre-emphasis"] == sizes["whole"] == SETTINGS.noise
    assert 10 ** sizes["no-tone"][1] < 0.01  # of samples, whose full scale is 1


def test_every_variant_can_be_trained(toy: list[Recording]) -> None:
    for variant in VARIANTS.values():
        found, settings, some = variant(config(), SETTINGS, toy)
        assert np.isfinite(Trainer(found, some[:1], Budget(steps=1), settings).step())


def test_a_config_that_can_not_work_is_refused() -> None:
    with pytest.raises(ValueError, match="entries"):
        changed(config(), **{"global": {"entries": 2}})


def test_an_instrument_alone_is_at_place_0() -> None:
    note = Note(69, 100, 0.0, 0.1, instrument=3)
    before = Recording.of(note, tone(note, 100 * HOP)[0], hop=HOP, sample_rate=RATE)
    after = alone(before)
    assert after.note.instrument == 0
    place = FRAME.index("instrument")
    assert not after.frames[:, place].any()
    assert (before.frames[:, place] == 3).all()  # what it was made from stays as it is
    np.testing.assert_array_equal(np.delete(after.frames, place, 1), np.delete(before.frames, place, 1))
    assert after.audio is before.audio
