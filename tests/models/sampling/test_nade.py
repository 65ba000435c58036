"""Random NADEs of every shape: the kernel draws what the parallel forward says, whoever its neighbours are."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ostinato.models.checkpoint import Checkpoint
from ostinato.models.native import _kernel
from ostinato.models.sampling.contract import Sampler
from ostinato.models.sampling.native import NativeSampler, kernel_shape
from ostinato.models.sampling.torch_sampler import TorchSampler
from tests.models.sampling.networks import controls_for, forward_in_double, frames_for, nade_checkpoints

ISAS = _kernel.isas()
KEY = 0xDEADBEEFCAFEBABE


@settings(max_examples=40, deadline=None)
@given(checkpoint=nade_checkpoints(), seed=st.integers(0, 99))
def test_probe_equals_the_parallel_forward(checkpoint: Checkpoint, seed: int) -> None:
    frames = frames_for(checkpoint.config, 90)
    controls = controls_for(checkpoint.config, 1, frames, seed)[0]
    samples = frames * checkpoint.config.network.hop
    forced = (np.random.default_rng(seed).standard_normal(samples) * 0.2).astype(np.float32)
    expected = forward_in_double(checkpoint, KEY, controls, forced).numpy()
    samplers: list[Sampler] = [TorchSampler(checkpoint, 2), *(NativeSampler(checkpoint, 2, isa) for isa in ISAS)]
    for sampler in samplers:
        sampler.reset(1, KEY)
        found = sampler.probe(1, controls, forced)
        np.testing.assert_allclose(found, expected, rtol=0, atol=2e-5 * max(1.0, float(np.abs(expected).max())))


@settings(max_examples=5, deadline=None)
@given(checkpoint=nade_checkpoints())
def test_what_the_kernel_cannot_run_is_refused_by_name(checkpoint: Checkpoint) -> None:
    shape = kernel_shape(checkpoint.config)
    less = {name: tensor for name, tensor in checkpoint.tensors.items() if name != "nade.output.bias"}
    with pytest.raises(ValueError, match=r"tensors: nade\.output\.bias is missing"):
        _kernel.Pool(shape, {**less}, 1)
    shape.units += 1
    with pytest.raises(ValueError, match="units: "):
        _kernel.Pool(shape, {**checkpoint.tensors}, 1)
