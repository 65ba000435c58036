"""What only a GPU can show: barriers between threads, half precision on tensor cores, rings that went round.

Skipped without one. On one: `TRITON_INTERPRET=0 pytest tests/models/fused/test_on_gpu.py tests/models/sampling`.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from ostinato.models import excitation, noise, registry
from ostinato.models.benching.timing import steady_frames
from ostinato.models.fused.kernel import INTERPRETED
from ostinato.models.fused.shape import LANES, Padded
from ostinato.models.sampling.fused import FusedSampler
from ostinato.models.sampling.torch_sampler import build_network

pytestmark = pytest.mark.skipif(INTERPRETED or not torch.cuda.is_available(), reason="no GPU, or the interpreter")

FRAMES = 24  # 1,536 samples: the longest ring, of 513 rows, goes round twice
KEY = 0xC0FFEE_0123_4567_89
MODELS = ("r64", "default")
Samples = NDArray[np.float32]


@cache
def probed(name: str) -> tuple[Samples, Samples]:
    """A stream that the kernel drew, float32 [T], and the head parameters that the parallel forward gives it [T, P]."""
    checkpoint, frames = registry.load(name), steady_frames(1, FRAMES)
    sampler = FusedSampler(checkpoint, 1, "cuda", "float16")
    sampler.reset(0, KEY)
    heard = sampler.advance([0], frames)[0]
    net = checkpoint.config.wavenet
    batch, start = torch.from_numpy(frames), torch.tensor([noise.as_int64(noise.phase_start(KEY))])
    phase = excitation.running_phase(start, batch[..., 0], net.hop, net.sample_rate)
    samples = excitation.emphasise(torch.from_numpy(heard)[None], net.pre_emphasis)
    return heard, build_network(checkpoint, torch.device("cpu"))(samples, batch, phase)[0].numpy()


@pytest.fixture(params=[4, 8, 16])
def warps(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(Padded, "warps", request.param)
    return int(request.param)


@pytest.mark.usefixtures("warps")
@pytest.mark.parametrize("name", MODELS)
def test_float32_is_the_reference(name: str) -> None:
    heard, expected = probed(name)
    sampler = FusedSampler(registry.load(name), 3, "cuda", "float32")
    sampler.reset(1, KEY)
    found = sampler.probe(1, steady_frames(1, FRAMES)[0], heard)
    assert np.abs(found - expected).max() < 2e-5 * max(1.0, float(np.abs(expected).max()))


@pytest.mark.usefixtures("warps")
@pytest.mark.parametrize("name", MODELS)
def test_half_departs_from_the_reference_by_rounding_alone(name: str) -> None:
    heard, expected = probed(name)
    sampler = FusedSampler(registry.load(name), 3, "cuda", "float16")
    sampler.reset(1, KEY)
    found = sampler.probe(1, steady_frames(1, FRAMES)[0], heard)
    apart = np.linalg.norm(found - expected, axis=1) / np.linalg.norm(expected, axis=1)
    assert np.median(apart) < 2e-3
    assert apart.max() < 1e-2


@pytest.mark.usefixtures("warps")
@pytest.mark.parametrize("name", MODELS)
def test_many_streams_are_each_what_they_are_alone_and_again(name: str) -> None:
    """Streams of many programs at once; were a barrier missing, a bit would sooner or later differ."""
    count = 4 * LANES + 3
    sampler, frames = FusedSampler(registry.load(name), count, "cuda", "float16"), steady_frames(count, FRAMES)
    runs = []
    for _ in range(3):
        for slot in range(count):
            sampler.reset(slot, KEY + slot)
        runs.append(sampler.advance(list(range(count)), frames))
    assert np.array_equal(runs[0], runs[1])
    assert np.array_equal(runs[0], runs[2])
    for slot in (0, LANES, count - 1):
        sampler.reset(slot, KEY + slot)
        alone = [sampler.advance([slot], frames[slot : slot + 1, f : f + 1])[0] for f in range(FRAMES)]
        assert np.array_equal(np.concatenate(alone), runs[0][slot])
