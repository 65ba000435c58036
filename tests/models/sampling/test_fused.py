"""The fused kernel under Triton's interpreter: the contract's promises, on networks small enough for it.

The interpreter runs a program in one thread, so nothing here can show a missing barrier. With `TRITON_INTERPRET=0` the
same promises are asked of a GPU.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from ostinato.models import excitation, noise, registry
from ostinato.models.checkpoint import Checkpoint
from ostinato.models.config import ModelConfig, WaveNetConfig
from ostinato.models.controls import FRAME
from ostinato.models.fused.kernel import INTERPRETED
from ostinato.models.fused.shape import LANES, Precision
from ostinato.models.sampling.contract import SamplerError, Snapshot
from ostinato.models.sampling.fused import LONGEST_LAUNCH, FusedSampler
from ostinato.models.sampling.torch_sampler import TorchSampler, build_network

DEVICE = "cpu" if INTERPRETED else "cuda"
HOP = 2
KEY = 0xC0FFEE_0123_4567_89


def small(**changes: object) -> Checkpoint:
    """Everything switched on; rings of 2 and 4 rows, which a few samples go round."""
    network: dict[str, object] = {
        "hop": HOP,
        "residual_channels": 6,
        "skip_channels": 10,
        "layers": 2,
        "dilation_cycle": [1, 3],
        "head_hidden": [7],
        "head": {"kind": "logistics", "components": 2},
        "local": {"hidden": [5, 3], "channels": 4},
        "global": {"entries": 2, "channels": 3},
        "excitation": {"harmonics": 3},
        "tone": {"harmonics": 5},
        "pre_emphasis": 0.85,
        **changes,
    }
    data = {
        "name": "small",
        "instruments": [{"name": "one"}, {"name": "two"}],
        "network": WaveNetConfig.model_validate(network),
    }
    return registry.random_checkpoint(ModelConfig.model_validate(data), seed=3)


MODELS = {
    "logistics": small(),
    "gaussian": small(head={"kind": "gaussian"}, kernel_size=3),
    "mu-law": small(head={"kind": "mu_law", "levels": 20}, tone=None, pre_emphasis=0.0, bias=False, head_hidden=[]),
    "wide": small(residual_channels=17, skip_channels=33, excitation=None, head_hidden=[40, 3]),
}


@pytest.fixture(params=MODELS)
def model(request: pytest.FixtureRequest) -> Checkpoint:
    return MODELS[request.param]


def controls(streams: int, frames: int, seed: int = 0) -> NDArray[np.float32]:
    """Random control frames [streams, frames, channels], every channel within its range."""
    generator = np.random.default_rng(seed)
    out = generator.random((streams, frames, len(FRAME)), dtype=np.float32)
    out[..., FRAME.index("note")] = 55 + 60 * out[..., FRAME.index("note")]
    out[..., FRAME.index("instrument")] = generator.integers(0, 2, (streams, frames))
    out[..., FRAME.index("temperature")] += 0.5
    return out


def forced(samples: int) -> NDArray[np.float32]:
    return (np.random.default_rng(1).random(samples, dtype=np.float32) - 0.5).astype(np.float32)


def reference(model: Checkpoint, frames: NDArray[np.float32], heard: NDArray[np.float32]) -> NDArray[np.float32]:
    """Head parameters of the parallel forward: [frames * hop, P]."""
    net = model.config.network
    batch = torch.from_numpy(frames[None].copy())
    start = torch.tensor([noise.as_int64(noise.phase_start(KEY))])
    phase = excitation.running_phase(start, batch[..., 0], net.hop, net.sample_rate)
    samples = excitation.emphasise(torch.from_numpy(heard)[None], net.pre_emphasis)
    found: NDArray[np.float32] = build_network(model, torch.device("cpu"))(samples, batch, phase)[0].numpy()
    return found


def rounded(model: Checkpoint) -> Checkpoint:
    """The model with the weights of every product rounded to half."""

    def half(name: str, tensor: NDArray[np.float32]) -> NDArray[np.float32]:
        kept = tensor.ndim < 2 or "condition" in name or name.startswith(("local", "global", "tone"))
        if kept:
            return tensor
        out = tensor.astype(np.float16).astype(np.float32)
        if name == "input.weight":
            out[:, 0] = tensor[:, 0]  # of the last sample: no product
        return out

    return replace(model, tensors={name: half(name, tensor) for name, tensor in model.tensors.items()})


def test_same_as_the_reference_with_float32_weights(model: Checkpoint) -> None:
    frames, heard = controls(1, 7)[0], forced(7 * HOP)
    sampler = FusedSampler(model, 3, DEVICE, "float32")
    sampler.reset(2, KEY)
    expected = reference(model, frames, heard)
    assert np.abs(sampler.probe(2, frames, heard) - expected).max() < 1e-5 * max(1.0, float(np.abs(expected).max()))


def test_half_departs_from_the_reference_by_the_rounding_of_levels_alone(model: Checkpoint) -> None:
    """Against the reference on the same rounded weights: a level, of order one, is rounded by 2^-11 of itself.

    Each layer rounds two (its input, its gate's output) and a head layer one, each through weights that keep a
    level's order: a handful of errors of 2^-11 in all, here held to eight.
    """
    frames, heard = controls(1, 7)[0], forced(7 * HOP)
    sampler = FusedSampler(model, 1, DEVICE, "float16")
    sampler.reset(0, KEY)
    expected = reference(rounded(model), frames, heard)
    found = sampler.probe(0, frames, heard)
    assert np.abs(found - expected).max() < 8 * 2.0**-11 * max(1.0, float(np.abs(expected).max()))
    assert np.abs(found - expected).max() > 0


def test_draws_what_the_torch_sampler_draws(model: Checkpoint) -> None:
    frames = controls(1, 8)
    sampler, other = FusedSampler(model, 2, DEVICE, "float32"), TorchSampler(model, 2)
    for pool in (sampler, other):
        pool.reset(1, KEY)
    agree = np.abs(sampler.advance([1], frames) - other.advance([1], frames)) < 1e-4
    assert agree.mean() > 0.9  # a rounding at the edge of a level may flip it


@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_chunk_free_and_resumable_to_the_bit(precision: Precision) -> None:
    frames = controls(1, 6)
    sampler = FusedSampler(MODELS["logistics"], 3, DEVICE, precision)
    sampler.reset(1, KEY)
    whole = sampler.advance([1], frames)
    sampler.reset(1, KEY)
    first = sampler.advance([1], frames[:, :1])
    state = sampler.snapshot(1)
    second = sampler.advance([1], frames[:, 1:])
    assert np.array_equal(np.concatenate((first, second), axis=1), whole)
    sampler.restore(2, state)
    assert np.array_equal(sampler.advance([2], frames[:, 1:]), second)


def test_a_call_longer_than_a_launch_is_cut_and_stays_the_same() -> None:
    model = small(hop=1, layers=1, head={"kind": "gaussian"})
    frames = controls(1, LONGEST_LAUNCH + 1)
    sampler, other = FusedSampler(model, 1, DEVICE, "float32"), TorchSampler(model, 1)
    for pool in (sampler, other):
        pool.reset(0, KEY)
    np.testing.assert_allclose(sampler.advance([0], frames), other.advance([0], frames), atol=1e-4)
    samples = forced(LONGEST_LAUNCH + 1)
    expected = other.probe(0, frames[0], samples)
    found = sampler.probe(0, frames[0], samples)
    np.testing.assert_allclose(found, expected, atol=1e-5 * max(1.0, float(np.abs(expected).max())))


def test_streams_of_one_program_and_of_the_next_do_not_meet() -> None:
    count = LANES + 2
    frames = controls(count, 3)
    sampler, alone = FusedSampler(MODELS["gaussian"], count + 1, DEVICE, "float32"), TorchSampler(MODELS["gaussian"], 1)
    order = np.random.default_rng(4).permutation(count)
    for slot in range(count):
        sampler.reset(slot, KEY + slot)
    heard = sampler.advance(order.tolist(), frames[order])
    for row in (0, LANES - 1, LANES):
        alone.reset(0, KEY + int(order[row]))
        expected = alone.advance([0], frames[order[row : row + 1]])[0]
        np.testing.assert_allclose(heard[row], expected, atol=1e-5)


def test_neighbours_change_no_bit_within_one_pool() -> None:
    frames = controls(3, 3)
    sampler = FusedSampler(MODELS["logistics"], 3, DEVICE, "float16")
    for slot in range(3):
        sampler.reset(slot, KEY + slot)
    together = sampler.advance([2, 0, 1], frames)
    sampler.reset(0, KEY)
    assert np.array_equal(sampler.advance([0], frames[1:2])[0], together[1])


def test_a_slot_that_is_not_named_is_untouched_and_reset_leaves_no_trace() -> None:
    sampler = FusedSampler(MODELS["logistics"], 3, DEVICE)
    sampler.reset(1, KEY)
    sampler.advance([1], controls(1, 2))
    before = sampler.snapshot(1)
    sampler.reset(0, 5)
    sampler.advance([0], controls(1, 2))
    sampler.probe(0, controls(1, 1)[0], forced(HOP))
    after = sampler.snapshot(1)
    assert all(np.array_equal(before.arrays[name], after.arrays[name]) for name in before.arrays)
    sampler.reset(1, 7)
    sampler.reset(2, 7)
    used, fresh = sampler.snapshot(1), sampler.snapshot(2)
    assert all(np.array_equal(used.arrays[name], fresh.arrays[name]) for name in used.arrays)


def test_a_temperature_of_zero_takes_the_likeliest_whatever_the_noise(model: Checkpoint) -> None:
    frames = controls(1, 2)
    frames[..., FRAME.index("temperature")] = 0
    drawn = []
    for key in (1, 2):
        sampler = FusedSampler(model, 1, DEVICE, "float32")
        sampler.reset(0, KEY)
        sampler._state.key[0] = key  # other noise, the same phase
        drawn.append(sampler.advance([0], frames))
    assert np.array_equal(drawn[0], drawn[1])


def test_refuses_what_does_not_fit() -> None:
    sampler = FusedSampler(MODELS["logistics"], 2, DEVICE)
    frames = controls(1, 1)
    with pytest.raises(SamplerError, match="slots: 2 is outside"):
        sampler.advance([2], frames)
    with pytest.raises(SamplerError, match="forced"):
        sampler.probe(1, frames[0], forced(HOP + 1))
    frames[..., FRAME.index("instrument")] = 2
    with pytest.raises(SamplerError, match=r"controls: instrument 2\.\.2 is outside 0\.\.1"):
        sampler.advance([0], frames)
    with pytest.raises(SamplerError, match="slots: 0"):
        FusedSampler(MODELS["logistics"], 0, DEVICE)
    with pytest.raises(SamplerError, match="state"):
        sampler.restore(0, Snapshot("another", {}))
    with pytest.raises(SamplerError, match="state"):  # padded to the same width, and yet another model
        sampler.restore(0, FusedSampler(small(residual_channels=5), 1, DEVICE).snapshot(0))
    with pytest.raises(SamplerError, match="state"):
        sampler.restore(0, FusedSampler(MODELS["logistics"], 1, DEVICE, "float32").snapshot(0))


def test_an_empty_step_draws_nothing() -> None:
    sampler = FusedSampler(MODELS["logistics"], 2, DEVICE)
    assert sampler.advance([], np.zeros((0, 3, len(FRAME)), dtype=np.float32)).shape == (0, 3 * HOP)
    assert sampler.advance([1], np.zeros((1, 0, len(FRAME)), dtype=np.float32)).shape == (1, 0)
    assert sampler.probe(1, np.zeros((0, len(FRAME)), dtype=np.float32), forced(0)).shape == (0, 6)
