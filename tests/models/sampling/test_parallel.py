"""What is drawn a hop at once is the offline result for the same noise, and is probed where it has a density alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from ostinato.models import excitation, noise
from ostinato.models.checkpoint import Checkpoint
from ostinato.models.config import PARALLEL, WITHOUT_DENSITY
from ostinato.models.controls import FRAME
from ostinato.models.native import _kernel
from ostinato.models.parallel import logit, standard_normal
from ostinato.models.sampling.contract import Sampler, SamplerError
from ostinato.models.sampling.native import NativeSampler
from ostinato.models.sampling.torch_parallel import TorchParallelSampler, build_parallel
from tests.models.sampling.test_contract import KEY, MODELS, controls

NAMES = [name for name, model in MODELS.items() if model.config.strategy in PARALLEL]


def offline(model: Checkpoint, key: int, frames: NDArray[np.float32]) -> NDArray[np.float32]:
    """What a listener hears of the whole sequence, drawn at once from the noise of a key: [frames * hop]."""
    net, hops = model.config.network, len(frames)
    uniforms = torch.from_numpy(noise.uniforms(key, 0, hops * net.hop, 2))
    of_samples = logit(uniforms[:, 1]) if net.head.kind == "logistics" else standard_normal(uniforms)
    of_latents = latent_normals(key, hops, net.hop, net.latent_draws)
    white = torch.cat((of_samples.reshape(hops, net.hop), of_latents), dim=1)
    white *= torch.from_numpy(frames[:, FRAME.index("temperature"), None])
    start = torch.tensor([noise.as_int64(noise.phase_start(key))])
    batch = torch.from_numpy(frames[None].copy())
    phase = excitation.running_phase(start, batch[..., 0], net.hop, net.sample_rate)
    samples = build_parallel(model, torch.device("cpu"))(batch, phase, white.reshape(1, -1))
    return excitation.de_emphasise(samples, net.pre_emphasis)[0].numpy()


def latent_normals(key: int, hops: int, hop: int, latents: int) -> torch.Tensor:
    """Of each hop, keyed by its first sample, two words each: [hops, latents]."""
    sample = (np.arange(hops, dtype=np.int64) * hop)[:, None]
    blocks = np.arange((2 * latents + 3) // 4, dtype=np.int64)[None]
    words = noise.words_of(np.full((1, 1), noise.as_int64(key)), sample, blocks, noise.PURPOSE_LATENT)
    flat = np.stack(words, axis=-1).reshape(hops, -1)[:, : 2 * latents]
    return standard_normal(torch.from_numpy(np.asarray(noise.uniform(flat), np.float32)).reshape(hops, latents, 2))


def samplers(model: Checkpoint) -> list[Sampler]:
    """Every sampler that this machine has for it."""
    return [TorchParallelSampler(model, 3), *(NativeSampler(model, 3, isa=isa) for isa in _kernel.isas())]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("key", [0, KEY, 2**64 - 1])
def test_streaming_equals_the_offline_result_for_the_same_noise(name: str, key: int) -> None:
    model, frames = MODELS[name], controls(1, 9)[0]
    expected = offline(model, key, frames)
    assert expected.std() > 1e-3
    for sampler in samplers(model):
        sampler.reset(1, key)
        parts = [sampler.advance([1], frames[None, a:b].copy())[0] for a, b in ((0, 1), (1, 5), (5, 9))]
        assert np.abs(np.concatenate(parts) - expected).max() < 1e-5, sampler.build


@pytest.mark.parametrize("name", NAMES)
def test_at_temperature_0_nothing_depends_on_noise(name: str) -> None:
    frames = controls(1, 4)
    frames[..., FRAME.index("temperature")] = 0
    for sampler in samplers(MODELS[name]):
        sampler.reset(0, 1)
        found = sampler.advance([0], frames)
        expected = offline(MODELS[name], 1, frames[0])
        assert np.abs(found[0] - expected).max() < 1e-5, sampler.build


@pytest.mark.parametrize("name", [name for name in NAMES if MODELS[name].config.strategy in WITHOUT_DENSITY])
def test_what_has_no_density_is_not_probed(name: str) -> None:
    for sampler in samplers(MODELS[name]):
        with pytest.raises(SamplerError, match=f"probe: a {MODELS[name].config.strategy} has no density"):
            sampler.probe(0, controls(1, 1)[0], np.zeros(8, dtype=np.float32))
