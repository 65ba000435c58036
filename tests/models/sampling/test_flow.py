"""Random flows of every shape: the kernel draws and weighs as the readable reference, whoever its neighbours are."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ostinato.models.checkpoint import Checkpoint
from ostinato.models.native import _kernel
from ostinato.models.sampling.contract import Sampler
from ostinato.models.sampling.native import NativeSampler, kernel_shape
from ostinato.models.sampling.torch_parallel import TorchParallelSampler
from tests.models.sampling.networks import controls_for, flow_checkpoints, forward_in_double, frames_for

ISAS = _kernel.isas()
KEY = 0xDEADBEEFCAFEBABE


def samplers_of(checkpoint: Checkpoint) -> list[Sampler]:
    return [TorchParallelSampler(checkpoint, 2), *(NativeSampler(checkpoint, 2, isa) for isa in ISAS)]


@settings(max_examples=20, deadline=None)
@given(checkpoint=flow_checkpoints(), seed=st.integers(0, 99))
def test_probe_equals_the_parallel_forward(checkpoint: Checkpoint, seed: int) -> None:
    frames = frames_for(checkpoint.config, 90)
    controls = controls_for(checkpoint.config, 1, frames, seed)[0]
    samples = frames * checkpoint.config.network.hop
    forced = (np.random.default_rng(seed).standard_normal(samples) * 0.02).astype(np.float32)
    expected = forward_in_double(checkpoint, KEY, controls, forced).numpy()
    for sampler in samplers_of(checkpoint):
        sampler.reset(1, KEY)
        found = sampler.probe(1, controls, forced)
        np.testing.assert_allclose(found, expected, rtol=0, atol=2e-5 * max(1.0, float(np.abs(expected).max())))


@settings(max_examples=20, deadline=None)
@given(checkpoint=flow_checkpoints(), seed=st.integers(0, 99))
def test_the_kernel_draws_what_the_reference_draws(checkpoint: Checkpoint, seed: int) -> None:
    controls, drawn = controls_for(checkpoint.config, 1, frames_for(checkpoint.config, 90), seed), []
    for sampler in samplers_of(checkpoint):
        sampler.reset(1, KEY)
        drawn.append(sampler.advance([1], controls))
    for found in drawn[1:]:
        np.testing.assert_allclose(found, drawn[0], rtol=0, atol=5e-5 * max(1.0, float(np.abs(drawn[0]).max())))


@settings(max_examples=5, deadline=None)
@given(checkpoint=flow_checkpoints())
def test_what_the_kernel_cannot_run_is_refused_by_name(checkpoint: Checkpoint) -> None:
    shape = kernel_shape(checkpoint.config)
    less = {name: tensor for name, tensor in checkpoint.tensors.items() if name != "couplings.0.shift.weight"}
    with pytest.raises(ValueError, match=r"tensors: couplings\.0\.shift\.weight is missing"):
        _kernel.Pool(shape, {**less}, 1)
    most = checkpoint.config.network.hop.bit_length() - 2
    for field, value, expected in (
        ("bits", [*shape.bits[1:], 11], f"bits: 11, expected 0..{most}"),
        ("bits", [], "bits: none, expected one for each coupling"),
        ("moves_set", [*shape.moves_set, 1], f"moves_set: {len(shape.bits) + 1} values, expected one for each of bits"),
        ("coupling_units", 0, "coupling_units: 0, expected 1"),
        ("coupling_lines", 0, "coupling_lines: 0, expected 1"),
        ("kernel_size", 0, "kernel_size: 0, expected 1"),
        ("hop", 7, "hop: 7, expected an even number"),
    ):
        shape = kernel_shape(checkpoint.config)
        setattr(shape, field, value)
        with pytest.raises(ValueError, match=expected):
            _kernel.Pool(shape, {**checkpoint.tensors}, 1)
    with pytest.raises(ValueError, match="strategy: 'flow' has no kernel in int8"):
        _kernel.Pool(kernel_shape(checkpoint.config), {**checkpoint.tensors}, 1, "", "int8")
