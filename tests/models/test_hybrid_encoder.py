"""What an encoder hears: nothing of the future, how a tone leads the stated one, and how loud the rest is."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ostinato.models.config import HybridConfig
from ostinato.models.excitation import harmonics
from ostinato.models.hybrid_encoder import Encoder, divergence
from ostinato.models.steered import Steering
from ostinato.models.tone import Tone
from tests.models.test_hybrid_network import configs, hybrid_of

FREQUENCY = 2756.25  # whole turns in a hop of 16, and the harmonics do not meet


def steering(hops: int, log_level: float = -2.0, log_scale: float = -4.0) -> Steering:
    """Two harmonics at this level and the phases 0.3 and -0.5, for so many hops."""
    phases = torch.tensor([0.3, -0.5]).expand(1, hops, -1)
    tone = Tone(torch.full((1, hops, 2), log_level), phases, torch.full((1, hops), log_scale))
    return Steering(torch.zeros(1, hops, 2), tone)


def waves(hops: int) -> torch.Tensor:
    turns = torch.arange(16 * hops).double() * FREQUENCY / 44100
    note = torch.tensor([69 + 12 * math.log2(FREQUENCY / 440)])
    return harmonics((turns.remainder(1) * 2.0**62).long()[None] * 4, note[:, None], 2, 44100)


@settings(max_examples=15, deadline=None)
@given(configs, st.integers(0, 2**32), st.integers(1, 4))
def test_a_posterior_hears_up_to_its_hop_and_no_further(config: HybridConfig, seed: int, hop: int) -> None:
    torch.manual_seed(seed)
    encoder, k = Encoder(config).requires_grad_(False), config.harmonics
    left, sines = torch.randn(1, 5 * config.hop), torch.randn(1, 5 * config.hop, 2 * k)
    tone = Tone(torch.zeros(1, 5, k), torch.zeros(1, 5, k), torch.zeros(1, 5))
    given_ = Steering(torch.randn(1, 5, 2), tone)
    before = encoder(left, sines, given_)
    left[:, hop * config.hop :] += 1
    for found, expected in zip(encoder(left, sines, given_), before, strict=True):
        torch.testing.assert_close(found[:, :hop], expected[:, :hop])


@pytest.mark.parametrize(("gain", "turn"), [(0.2, 0.0), (-0.3, 0.0), (0.0, 0.25)])
def test_a_tone_that_leads_the_stated_one_is_heard_to(gain: float, turn: float) -> None:
    encoder = Encoder(hybrid_of(hop=16))
    said, given_ = steering(3).tone, steering(3)
    assert said is not None
    assert given_.tone is not None
    played = said.moved(torch.full((1, 3, 2), gain), torch.full((1, 3, 2), turn), torch.zeros(1, 3))
    there = (played.amplitudes - said.amplitudes).repeat_interleave(16, dim=1)
    left = (waves(3) * there).sum(-1) * math.exp(4.0)
    heard = encoder.deviations(left, waves(3), given_.tone).sinh()[0]
    relative = math.exp(-2.0 + 4.0)
    lead = relative / math.sqrt(relative**2 + 1)
    along, across = math.exp(gain) * math.cos(turn) - 1, math.exp(gain) * math.sin(turn)
    torch.testing.assert_close(heard[:, :2], torch.full((3, 2), along * lead), rtol=0, atol=1e-3)
    torch.testing.assert_close(heard[:, 2:], torch.full((3, 2), across * lead), rtol=0, atol=1e-3)


def test_powers_are_of_bands_and_silence_is_finite() -> None:
    encoder = Encoder(hybrid_of(hop=16))
    low = torch.sin(2 * math.pi * 3 / 64 * torch.arange(160.0))[None]
    powers = encoder.powers(low)[0, -1]
    assert powers.argmax() == 1  # 16 bands of two bins
    assert powers[8:].max() < powers[1] - 3
    assert encoder.powers(torch.zeros(1, 160)).isfinite().all()


@given(st.lists(st.floats(-2, 2), min_size=4, max_size=4))
def test_the_divergence_is_that_of_gaussians(values: list[float]) -> None:
    mean, log_deviation, prior_mean, prior_log_deviation = torch.tensor(values, dtype=torch.float64)
    own = torch.distributions.Normal(mean, log_deviation.exp())
    prior = torch.distributions.Normal(prior_mean, prior_log_deviation.exp())
    found = divergence(mean, log_deviation, of=(prior_mean, prior_log_deviation))
    torch.testing.assert_close(found, torch.distributions.kl_divergence(own, prior))
