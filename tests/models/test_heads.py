"""Heads: probabilities sum to one, and draws follow them."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ostinato.models import noise
from ostinato.models.config import GaussianHead, HeadConfig, LogisticsHead, MuLawHead
from ostinato.models.heads import STEP, Gaussian, Logistics, MuLaw, make_head

DRAWS = 200_000


def uniforms(draws: int, seed: int = 1) -> torch.Tensor:
    return torch.from_numpy(noise.uniforms(seed, 0, DRAWS, draws))


def chi_squared(counts: np.ndarray, expected: np.ndarray) -> tuple[float, int]:
    """The statistic and its degrees of freedom, cells of fewer than 10 expected draws pooled."""
    rare = expected < 10
    counts = np.append(counts[~rare], counts[rare].sum())
    expected = np.append(expected[~rare], max(expected[rare].sum(), 1e-9))
    if expected[-1] < 10:
        counts, expected = counts[:-1], expected[:-1]
    return float(((counts - expected) ** 2 / expected).sum()), len(expected) - 1


def is_plausible(statistic: float, freedom: int) -> bool:
    """Wilson and Hilferty's normal approximation, five standard deviations."""
    z = ((statistic / freedom) ** (1 / 3) - (1 - 2 / (9 * freedom))) / math.sqrt(2 / (9 * freedom))
    return bool(z < 5)


@pytest.mark.parametrize("amplitude", [1.0, 2.0])
@pytest.mark.parametrize("mean", [0.0, 0.999, -1.7, 3.0])
@pytest.mark.parametrize("log_scale", [-9.5, -6.0, 0.5])
def test_logistic_levels_sum_to_one(amplitude: float, mean: float, log_scale: float) -> None:
    head = Logistics(LogisticsHead(components=2), amplitude)
    levels = torch.arange(-amplitude, amplitude, STEP, dtype=torch.float64)
    parameters = torch.tensor([0.3, -0.4, mean, mean / 2, log_scale, log_scale + 0.7], dtype=torch.float64)
    total = head.log_prob(parameters.expand(len(levels), -1), levels).exp().sum()
    assert total.item() == pytest.approx(1.0, abs=1e-9)


def test_logistic_log_prob_is_finite_far_out_in_the_tails() -> None:
    head = Logistics(LogisticsHead(components=1))
    log_prob = head.log_prob(torch.tensor([0.0, -1.0, -9.5]), torch.tensor(0.99))
    assert math.isfinite(log_prob.item())
    assert log_prob.item() < -1000


@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_logistic_draws_follow_their_probabilities(temperature: float) -> None:
    head = Logistics(LogisticsHead(components=2))
    parameters = torch.tensor([0.2, -0.5, 0.01, -0.004, math.log(40 * STEP), math.log(90 * STEP)])
    drawn = head.sample(parameters.expand(DRAWS, -1), uniforms(2), torch.full((DRAWS,), temperature))
    assert torch.equal(drawn, head.quantise(drawn))
    tempered = parameters.clone().double()
    tempered[:2] /= temperature
    tempered[4:] += math.log(temperature)
    levels = torch.arange(-1.0, 1.0, STEP, dtype=torch.float64)
    expected = head.log_prob(tempered.expand(len(levels), -1), levels).exp().numpy() * DRAWS
    counts = np.bincount(((drawn.numpy() + 1) / STEP).astype(int), minlength=len(levels)).astype(float)
    width = 32  # levels to a cell
    assert is_plausible(*chi_squared(counts.reshape(-1, width).sum(1), expected.reshape(-1, width).sum(1)))


@pytest.mark.parametrize("temperature", [1.0, 0.6])
def test_mu_law_draws_follow_their_probabilities(temperature: float) -> None:
    head = MuLaw(MuLawHead(levels=32))
    logits = torch.from_numpy(np.random.default_rng(3).standard_normal(32)).float() * 2
    drawn = head.sample(logits.expand(DRAWS, -1), uniforms(1), torch.full((DRAWS,), temperature))
    expected = (logits.double() / temperature).softmax(-1).numpy() * DRAWS
    counts = np.bincount(head.encode(drawn).numpy(), minlength=32).astype(float)
    assert is_plausible(*chi_squared(counts, expected))


def test_gaussian_draws_have_the_stated_mean_and_deviation() -> None:
    head = Gaussian(GaussianHead())
    drawn = head.sample(torch.tensor([0.1, -4.0]).expand(DRAWS, -1), uniforms(2), torch.ones(DRAWS)).double()
    deviation = math.exp(-4)
    assert drawn.mean().item() == pytest.approx(0.1, abs=5 * deviation / math.sqrt(DRAWS))
    assert drawn.std().item() == pytest.approx(deviation, rel=0.01)
    standard = (drawn - 0.1) / deviation
    assert (standard.abs() < 1).double().mean().item() == pytest.approx(0.6827, abs=0.005)


def test_gaussian_density_integrates_to_one() -> None:
    x = torch.linspace(-1, 1, 200_001, dtype=torch.float64)
    log_prob = Gaussian(GaussianHead()).log_prob(torch.tensor([0.1, -3.0]).double().expand(len(x), -1), x)
    integral = torch.trapezoid(log_prob.exp() / STEP, x)
    assert integral.item() == pytest.approx(1.0, abs=1e-6)


@given(st.integers(2, 1024))
def test_mu_law_decoding_undoes_encoding(levels: int) -> None:
    head = MuLaw(MuLawHead(levels=levels))
    index = torch.arange(levels)
    assert torch.equal(head.encode(head.decode(index)), index)


@settings(max_examples=30)
@given(st.sampled_from([MuLawHead(levels=16), LogisticsHead(components=3), GaussianHead()]), st.integers(0, 2**32))
def test_temperature_0_draws_the_likeliest_whatever_the_noise(config: HeadConfig, seed: int) -> None:
    head = make_head(config, 1.0)
    parameters = torch.randn(4, config.parameters, generator=torch.Generator().manual_seed(seed)) * 0.2
    cold = torch.zeros(4)
    draws = [torch.from_numpy(noise.uniforms(key, 0, 4, config.draws)) for key in (1, 2)]
    first, second = (head.sample(parameters, u, cold) for u in draws)
    assert torch.isfinite(first).all()
    assert (first - second).abs().max() <= 2 * STEP
