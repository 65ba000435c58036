"""Random transformers over blocks: the kernel draws what the parallel forward says, whoever its neighbours are."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ostinato.models.checkpoint import Checkpoint
from ostinato.models.native import _kernel
from ostinato.models.sampling.contract import Sampler, Snapshot
from ostinato.models.sampling.native import NativeSampler, kernel_shape
from ostinato.models.sampling.torch_sampler import TorchSampler
from tests.models.sampling.networks import blocks_checkpoints, controls_for, forward_in_double, frames_for
from tests.models.sampling.test_contract import small_blocks

ISAS = _kernel.isas()
KEY = 0xDEADBEEFCAFEBABE
CLOCK = 24  # bytes into a slot, behind its key, phase and shape


@settings(max_examples=15, deadline=None)
@given(checkpoint=blocks_checkpoints(), seed=st.integers(0, 99))
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
@given(checkpoint=blocks_checkpoints(), hops=st.sampled_from([2**40 + 1, 2**52 + 3]))
def test_a_stream_of_any_age_attends_as_in_its_first_second(checkpoint: Checkpoint, hops: int) -> None:
    """Once a window has passed, what is drawn next is the same at a clock that no float32 could count."""
    net = checkpoint.config.network
    frames = -(-net.receptive_field // net.hop) + 2
    controls = controls_for(checkpoint.config, 1, frames)[0]
    forced = (np.random.default_rng(1).standard_normal(frames * net.hop) * 0.2).astype(np.float32)
    samplers: list[Sampler] = [TorchSampler(checkpoint, 1), *(NativeSampler(checkpoint, 1, isa) for isa in ISAS)]
    for sampler in samplers:
        last = []
        for clock in (0, hops * net.hop):
            sampler.reset(0, KEY)
            sampler.restore(0, at_clock(sampler.snapshot(0), clock))
            last.append(sampler.probe(0, controls, forced)[-net.hop :])
        np.testing.assert_allclose(last[1], last[0], rtol=0, atol=2e-5 * max(1.0, float(np.abs(last[0]).max())))


def at_clock(state: Snapshot, clock: int) -> Snapshot:
    """The state of a stream, so many samples after its reset."""
    if "clock" in state.arrays:
        return Snapshot(state.engine, {**state.arrays, "clock": np.asarray(clock, dtype=np.int64)})
    header = state.arrays["state"].copy()
    header[CLOCK : CLOCK + 8] = np.frombuffer(np.int64(clock).tobytes(), dtype=np.uint8)
    return Snapshot(state.engine, {"state": header})


@settings(max_examples=5, deadline=None)
@given(checkpoint=blocks_checkpoints())
def test_what_the_kernel_cannot_run_is_refused_by_name(checkpoint: Checkpoint) -> None:
    less = {name: tensor for name, tensor in checkpoint.tensors.items() if name != "inside.output.bias"}
    with pytest.raises(ValueError, match=r"tensors: inside\.output\.bias is missing"):
        _kernel.Pool(kernel_shape(checkpoint.config), {**less}, 1)
    with pytest.raises(ValueError, match="strategy: 'blocks' has no kernel in int8"):
        _kernel.Pool(kernel_shape(checkpoint.config), {**checkpoint.tensors}, 1, "", "int8")


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("block", 0, "expected 1"), ("block", 3, "expected a divisor of hop, 8"), ("taps", -1, "expected 0"),
        ("before", 3, "expected 5"), ("width", 0, "expected 1"), ("heads", 0, "expected 1"),
        ("heads", 4, "expected to share a width of 12 in even parts"),
        ("heads", 5, "expected to share a width of 12 in even parts"),
        ("kv_heads", 0, "expected 1"), ("kv_heads", 3, "expected 1..2"), ("window", 0, "expected 1..4096"),
        ("window", 9000, "expected 1..4096"), ("layers", 0, "expected 1"), ("feed_forward", 0, "expected 1"),
        ("units", 0, "expected 1"),
    ],
)  # fmt: skip
def test_a_shape_that_the_kernel_would_read_past_is_refused(field: str, value: int, expected: str) -> None:
    checkpoint = small_blocks()
    shape = kernel_shape(checkpoint.config)
    blocks = shape.blocks
    setattr(blocks, field, value)
    shape.blocks = blocks
    with pytest.raises(ValueError, match=f"{field}: {value}, {expected}"):
        _kernel.Pool(shape, {**checkpoint.tensors}, 1)


def test_heads_that_share_nothing_evenly_are_refused() -> None:
    checkpoint = small_blocks(width=256, heads=2, kv_heads=2)
    for changes, expected in (
        ({"heads": 1, "kv_heads": 1}, "heads: 1, expected .* of at most 128"),
        ({"heads": 4, "kv_heads": 3}, "kv_heads: 3, expected a divisor of heads, 4"),
        ({"inside": "none"}, "inside: 'none', expected 'nade' or 'parallel'"),
    ):
        shape = kernel_shape(checkpoint.config)
        blocks = shape.blocks
        for field, value in changes.items():
            setattr(blocks, field, value)
        shape.blocks = blocks
        with pytest.raises(ValueError, match=expected):
            _kernel.Pool(shape, {**checkpoint.tensors}, 1)
