"""What is made small: nothing where the model states what is heard, and the likelihood of what is played."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ostinato.models.controls import FRAME
from ostinato.models.excitation import AUDIBLE
from ostinato.models.registry import random_config
from ostinato.models.training.crops import Corpus, CropPlan, Crops, Hops
from ostinato.models.training.demodulation import SILENT
from ostinato.models.training.gaps import GapHops, Gaps, gap_distance
from ostinato.models.training.losses import (
    GAPS,
    emphasised,
    gaussian_log_prob,
    losses,
    mean_bits,
    tone_distance,
)
from ostinato.models.wavenet import WaveNet
from tests.models.training.tones import RATE, recordings

CPU = torch.device("cpu")
LEVELS, PHASES = torch.linspace(-2, -7, 6), torch.linspace(-3, 9, 6)


def stating(log_scale: float = -4.0, *, tone: bool = True) -> WaveNet:
    """A network that states `LEVELS`, `PHASES` and this scale whatever it is asked to play."""
    torch.manual_seed(0)
    config = random_config("tiny").wavenet
    network = WaveNet(config if tone else config.model_copy(update={"tone": None}))
    if network.tone is not None:
        with torch.no_grad():
            network.tone.weight.zero_()
            network.tone.bias.copy_(torch.cat((LEVELS, PHASES, torch.tensor([log_scale]))))
    return network


def hops(levels: torch.Tensor = LEVELS, phases: torch.Tensor = PHASES, key: float = 60.0, count: int = 3) -> Hops:
    frames = torch.zeros(count, len(FRAME))
    frames[:, FRAME.index("note")] = key
    return Hops(frames, levels.expand(count, -1), phases.expand(count, -1))


def distance(levels: torch.Tensor = LEVELS, phases: torch.Tensor = PHASES, key: float = 60.0) -> float:
    return float(tone_distance(stating(), hops(levels, phases, key)).detach())


def drawn(config_tone: bool = True) -> tuple[Crops, Hops, GapHops]:
    network = stating(tone=config_tone)
    corpus = Corpus(recordings(), network.config, CPU)
    rng = np.random.default_rng(0)
    crops = corpus.draw(CropPlan(count=3, samples=1024), network.config.receptive_field, rng)
    hops = corpus.draw_hops(20, rng)
    return crops, hops, Gaps([r.note for r in recordings()]).fill(hops.frames, rng)


def test_what_states_exactly_what_is_heard_is_at_no_distance() -> None:
    assert 0 <= distance() < 0.05
    whole_turns = 2 * math.pi * torch.tensor([1, -3, 0, 2, 7, 1])
    assert distance(phases=PHASES + whole_turns) == pytest.approx(distance(), abs=1e-4)


@given(st.integers(0, 5), st.floats(0.01, 3), st.floats(1.05, 3), st.sampled_from([-1, 1]))
def test_distance_grows_with_an_error_of_level(k: int, error: float, more: float, sign: int) -> None:
    step = sign * torch.eye(6)[k]
    assert distance() < distance(LEVELS + error * step) < distance(LEVELS + error * more * step)


@given(st.integers(0, 5), st.floats(0.05, 1.5), st.floats(1.05, 2), st.sampled_from([-1, 1]))
def test_distance_grows_with_an_error_of_phase(k: int, error: float, more: float, sign: int) -> None:
    step = sign * torch.eye(6)[k]
    assert distance() < distance(phases=PHASES + error * step) < distance(phases=PHASES + error * more * step)


def test_the_phase_of_what_is_silent_does_not_matter() -> None:
    silent = LEVELS.clone()
    silent[3] = SILENT
    assert distance(silent, PHASES) == pytest.approx(distance(silent, PHASES + torch.eye(6)[3]), rel=1e-3)


@settings(max_examples=40, deadline=None)
@given(st.floats(60, 127), st.integers(0, 99))
def test_harmonics_above_the_audible_share_are_ignored(key: float, seed: int) -> None:
    pitch = 440 * 2 ** ((key - 69) / 12)
    inaudible = torch.arange(1, 7) * pitch > AUDIBLE * RATE
    noise = torch.from_numpy(np.random.default_rng(seed).normal(0, 3, 6).astype(np.float32)) * inaudible
    assert distance(LEVELS + noise, PHASES + noise, key) == pytest.approx(distance(key=key), abs=1e-6)


@pytest.mark.parametrize("log_scale", [-30.0, -12.5])
def test_a_scale_below_its_range_finds_back(log_scale: float) -> None:
    network, (batch, some, gaps) = stating(log_scale), drawn()
    assert network.tone is not None
    bits, left, apart = losses(network, batch, some, gaps, torch.zeros_like(batch.counted))
    (gradient,) = torch.autograd.grad(bits + left + apart, network.tone.bias)
    assert -gradient[-1] > 0


def test_the_bits_are_those_of_the_model_that_is_played() -> None:
    for tone in (True, False):
        network, (batch, some, gaps) = stating(tone=tone), drawn(tone)
        clean = emphasised(batch, network.config)
        with torch.no_grad():
            bits, _, _ = losses(network, batch, some, gaps, torch.zeros_like(clean))
            log_prob = network.distribution.log_prob(network(clean, batch.frames, batch.phase), clean)
        assert float(bits) == pytest.approx(float(mean_bits(log_prob, batch.counted)), rel=1e-5)


def test_without_a_tone_there_is_nothing_but_the_bits() -> None:
    network, (batch, some, gaps) = stating(tone=False), drawn(config_tone=False)
    _, left, apart = losses(network, batch, some, gaps, torch.zeros_like(batch.counted))
    assert float(left) == float(apart) == 0


def test_where_nobody_played_counts_too() -> None:
    torch.manual_seed(1)
    network, (batch, some, gaps) = WaveNet(random_config("tiny").wavenet), drawn()
    with torch.no_grad():
        _, _, apart = losses(network, batch, some, gaps, torch.zeros_like(batch.counted))
        heard, between = tone_distance(network, some), gap_distance(network, gaps)
    assert between > 0
    assert float(apart) == pytest.approx(float(heard + GAPS * between))


def test_the_bits_leave_the_tone_alone_and_its_own_leave_the_stack_alone() -> None:
    """The harmonics are fitted to what is heard, not to how likely the samples are."""
    network, (batch, some, gaps) = stating(), drawn()
    bits, left, apart = losses(network, batch, some, gaps, torch.zeros_like(batch.counted))
    assert network.tone is not None
    tone, stack = network.tone.bias, network.input.weight
    of_bits = torch.autograd.grad(bits, (tone, stack), retain_graph=True, materialize_grads=True)
    assert not of_bits[0].any()
    assert of_bits[1].any()
    (of_left,) = torch.autograd.grad(left, tone, retain_graph=True)
    assert of_left[-1] != 0
    assert not of_left[:-1].any()
    (of_distance,) = torch.autograd.grad(apart, tone)
    assert of_distance[:-1].any()
    assert of_distance[-1] == 0


def test_only_what_counts_is_counted() -> None:
    log_prob = torch.tensor([[-math.log(2), -100.0, -3 * math.log(2)]])
    assert float(mean_bits(log_prob, torch.tensor([[1.0, 0.0, 1.0]]))) == pytest.approx(2)


def test_white_noise_of_the_scale_is_likeliest_at_that_scale() -> None:
    noise = 0.01 * torch.randn(20_000, generator=torch.Generator().manual_seed(0))
    scales = torch.linspace(-6, -3, 31)
    bits = [float(-gaussian_log_prob(noise / math.exp(s), s).mean()) for s in scales]
    assert scales[int(np.argmin(bits))] == pytest.approx(math.log(0.01), abs=0.1)
