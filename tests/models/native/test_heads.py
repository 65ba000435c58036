"""Each head draws what models/heads.py draws, given the same parameters, uniforms and temperature."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from ostinato.models import registry
from ostinato.models.config import GaussianHead, HeadConfig, LogisticsHead, ModelConfig, MuLawHead, WaveNetConfig
from ostinato.models.heads import make_head
from ostinato.models.native import _kernel
from ostinato.models.sampling.native import NativeSampler, Precision

HEADS: list[HeadConfig] = [
    MuLawHead(levels=256),
    MuLawHead(levels=37),
    MuLawHead(levels=2),
    LogisticsHead(components=1),
    LogisticsHead(components=2, log_scale_min=-7.0),
    LogisticsHead(components=17),
    GaussianHead(log_scale_min=-7.0),
]
DRAWS = 600
PRECISIONS: tuple[Precision, ...] = "float32", "int8"
KERNELS = [(isa, precision) for precision in PRECISIONS for isa in _kernel.isas(precision)]


def pool_of(head: HeadConfig, amplitude: float, isa: str, precision: Precision) -> _kernel.Pool:
    network = WaveNetConfig(
        residual_channels=1,
        skip_channels=1,
        layers=1,
        dilation_cycle=(1,),
        head=head,
        pre_emphasis=0.5 if amplitude == 2.0 else 0.0,
    )
    checkpoint = registry.random_checkpoint(ModelConfig(name="x", network=network))
    return NativeSampler(checkpoint, 1, isa, precision=precision)._pool


def random_parameters(head: HeadConfig, generator: np.random.Generator) -> NDArray[np.float32]:
    parameters = generator.standard_normal((DRAWS, head.parameters)) * 2
    if head.kind == "logistics":
        k = head.components
        parameters[:, k : 2 * k] *= 0.3
        parameters[:, 2 * k :] -= 5
    elif head.kind == "gaussian":
        parameters *= (0.3, 2.0)
        parameters[:, 1] -= 5
    return parameters.astype(np.float32)


@pytest.mark.parametrize(("isa", "precision"), KERNELS)
@pytest.mark.parametrize("head", HEADS, ids=lambda head: f"{head.kind}-{head.parameters}")
def test_draws_are_the_reference_s(head: HeadConfig, isa: str, precision: Precision) -> None:
    generator = np.random.default_rng(5)
    amplitude = 1.0 if head.kind == "mu_law" else 2.0
    pool = pool_of(head, amplitude, isa, precision)
    parameters = random_parameters(head, generator)
    uniforms = ((generator.integers(0, 2**23, (DRAWS, head.draws)) + 0.5) * 2.0**-23).astype(np.float32)
    temperature = generator.choice(np.array([0.0, 0.3, 1.0, 2.0], dtype=np.float32), DRAWS)
    expected = (
        make_head(head, amplitude)
        .sample(torch.from_numpy(parameters), torch.from_numpy(uniforms), torch.from_numpy(temperature))
        .numpy()
    )
    drawn = np.array([pool.sample(*row) for row in zip(parameters, uniforms, temperature.tolist(), strict=True)])
    apart = np.abs(drawn - expected)
    if head.kind == "gaussian":
        np.testing.assert_allclose(drawn, expected, atol=2e-6)
    elif head.kind == "mu_law":
        assert (apart < 1e-6).mean() > 0.995  # a sum that rounds otherwise may tip a draw into the next level
    else:
        assert (apart == 0).mean() > 0.97
        assert (apart <= 2.0**-15).mean() > 0.998  # the next level; or, rarer, the next component


@pytest.mark.parametrize(("isa", "precision"), KERNELS)
def test_extreme_parameters_stay_within_the_amplitude(isa: str, precision: Precision) -> None:
    for head in HEADS:
        amplitude = 1.0 if head.kind == "mu_law" else 2.0
        pool = pool_of(head, amplitude, isa, precision)
        for value in (-3e38, -100.0, 100.0, 3e38):
            for uniform in (2.0**-24, 1 - 2.0**-24):
                parameters = np.full(head.parameters, value, dtype=np.float32)
                drawn = pool.sample(parameters, np.full(head.draws, uniform, dtype=np.float32), 1.0)
                assert abs(drawn) <= amplitude


@pytest.mark.parametrize(("isa", "precision"), KERNELS)
def test_parameters_that_are_no_numbers_give_a_sample_within_the_amplitude(isa: str, precision: Precision) -> None:
    for head in HEADS:
        amplitude = 1.0 if head.kind == "mu_law" else 2.0
        parameters = np.full(head.parameters, np.nan, dtype=np.float32)
        uniforms = np.full(head.draws, 0.5, dtype=np.float32)
        assert abs(pool_of(head, amplitude, isa, precision).sample(parameters, uniforms, 1.0)) <= amplitude


@pytest.mark.parametrize(("isa", "precision"), KERNELS)
def test_levels_come_with_their_probabilities(isa: str, precision: Precision) -> None:
    pool = pool_of(MuLawHead(levels=5), 1.0, isa, precision)
    logits = np.array([0.0, 1.0, -2.0, 0.5, 1.5], dtype=np.float32)
    uniforms = ((np.arange(4000) + 0.5) / 4000).astype(np.float32)
    drawn = np.array([pool.sample(logits, u[None], 1.0) for u in uniforms])
    levels = np.unique(drawn)
    expected = np.exp(logits) / np.exp(logits).sum()
    np.testing.assert_allclose([(drawn == level).mean() for level in levels], expected, atol=1e-3)
