"""The native sampler against the parallel forward, and its bitwise promises over random networks.

The suite of the contract, which every sampler passes, is in test_contract.py.
"""

import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ostinato.models import registry
from ostinato.models.checkpoint import Checkpoint
from ostinato.models.config import Instrument, ModelConfig, WaveNetConfig
from ostinato.models.controls import FRAME
from ostinato.models.native import _kernel
from ostinato.models.sampling.contract import SamplerError
from ostinato.models.sampling.native import NativeSampler, Precision, kernel_shape
from tests.models.sampling.networks import checkpoints, controls_for, forward_in_double, frames_for

ISAS = _kernel.isas()
PRECISIONS: tuple[Precision, ...] = "float32", "int8"
KERNELS = [(isa, precision) for precision in PRECISIONS for isa in _kernel.isas(precision)]
KEY = 0xDEADBEEFCAFEBABE


@settings(max_examples=40)
@given(checkpoint=checkpoints(), seed=st.integers(0, 99))
def test_probe_equals_the_parallel_forward(checkpoint: Checkpoint, seed: int) -> None:
    frames = frames_for(checkpoint.config, 90)
    controls = controls_for(checkpoint.config, 1, frames, seed)[0]
    samples = frames * checkpoint.config.network.hop
    forced = (np.random.default_rng(seed).standard_normal(samples) * 0.2).astype(np.float32)
    expected = forward_in_double(checkpoint, KEY, controls, forced).numpy()
    for isa in ISAS:
        sampler = NativeSampler(checkpoint, 2, isa)
        sampler.reset(1, KEY)
        found = sampler.probe(1, controls, forced)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * max(1.0, float(np.abs(expected).max())))


@pytest.mark.parametrize("name", ["tiny", "r32", "r64"])
def test_probe_equals_the_parallel_forward_of_the_registered(name: str) -> None:
    checkpoint = registry.load(name)
    controls = controls_for(checkpoint.config, 1, 20)[0]
    forced = (np.random.default_rng(1).standard_normal(20 * 64) * 0.2).astype(np.float32)
    expected = forward_in_double(checkpoint, KEY, controls, forced).numpy()
    sampler = NativeSampler(checkpoint, 1)
    sampler.reset(0, KEY)
    np.testing.assert_allclose(
        sampler.probe(0, controls, forced), expected, rtol=0, atol=1e-5 * max(1.0, float(np.abs(expected).max()))
    )


@settings(max_examples=20)
@given(checkpoint=checkpoints(), data=st.data())
def test_no_bit_depends_on_neighbours_order_or_calls(checkpoint: Checkpoint, data: st.DataObject) -> None:
    """Streams advanced alone equal the same streams advanced together, in any order, cut anywhere."""
    isa, precision = data.draw(st.sampled_from(KERNELS))
    streams = data.draw(st.integers(2, 19))
    frames = frames_for(checkpoint.config, 60) + 1
    controls = controls_for(checkpoint.config, streams, frames)
    alone = NativeSampler(checkpoint, 1, isa, precision=precision)
    expected = []
    for stream in range(streams):
        alone.reset(0, KEY + stream)
        expected.append(alone.advance([0], controls[stream : stream + 1])[0])

    pool = NativeSampler(checkpoint, streams + 3, isa, data.draw(st.integers(1, 3)), precision)
    slots = data.draw(st.permutations(range(streams + 3)))[:streams]
    for stream, slot in enumerate(slots):
        pool.reset(slot, KEY + stream)
    cut = data.draw(st.integers(0, frames))
    found = np.empty((streams, frames * checkpoint.config.network.hop), dtype=np.float32)
    for part in (slice(0, cut), slice(cut, frames)):
        order = data.draw(st.permutations(range(streams)))
        middle = data.draw(st.integers(0, streams))
        samples = slice(part.start * checkpoint.config.network.hop, part.stop * checkpoint.config.network.hop)
        for rows in (list(order[:middle]), list(order[middle:])):
            found[rows, samples] = pool.advance([slots[row] for row in rows], controls[rows][:, part])
    np.testing.assert_array_equal(found, np.stack(expected))


@pytest.mark.skipif(len({"avx512", "avx2"} & set(ISAS)) < 2, reason="needs both AVX-512 and AVX2")
@pytest.mark.parametrize("name", ["tiny", "r32"])
def test_float32_agrees_to_the_bit_where_sums_are_fused(name: str) -> None:
    """Lanes are outputs, so only rounding could part them, and both fuse the same sums."""
    checkpoint = registry.load(name)
    controls = controls_for(checkpoint.config, 3, 4)
    outs = []
    for isa in ("avx512", "avx2"):
        sampler = NativeSampler(checkpoint, 3, isa)
        for slot in range(3):
            sampler.reset(slot, KEY + slot)
        outs.append(sampler.advance([0, 1, 2], controls))
    np.testing.assert_array_equal(outs[0], outs[1])


@settings(max_examples=40)
@given(checkpoint=checkpoints(), streams=st.integers(1, 18))
def test_int8_has_the_same_bits_on_every_instruction_set(checkpoint: Checkpoint, streams: int) -> None:
    controls = controls_for(checkpoint.config, streams, frames_for(checkpoint.config, 50))
    outs = [int8_stream(checkpoint, controls, isa) for isa in _kernel.isas("int8")]
    for out in outs[1:]:
        np.testing.assert_array_equal(out, outs[0])


@pytest.mark.parametrize("name", ["default", "r16", "r32", "r64"])  # the widths that have a kernel of their own
@pytest.mark.parametrize("streams", [1, 3, 16])
def test_int8_has_the_same_bits_where_the_environment_forces_an_instruction_set(
    name: str, streams: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint = registry.load(name)
    controls = controls_for(checkpoint.config, streams, 4)
    controls[..., FRAME.index("note")] = 60
    outs = []
    for isa in _kernel.isas("int8"):
        monkeypatch.setenv("OSTINATO_ISA", isa)
        outs.append(int8_stream(checkpoint, controls, None))
    assert np.abs(outs[0]).max() > 0
    for out in outs[1:]:
        np.testing.assert_array_equal(out, outs[0])


def int8_stream(checkpoint: Checkpoint, controls: NDArray[np.float32], isa: str | None) -> NDArray[np.float32]:
    """What one sampler draws of every stream: [streams, T]."""
    sampler = NativeSampler(checkpoint, len(controls), isa, precision="int8")
    for slot in range(len(controls)):
        sampler.reset(slot, KEY + slot)
    return sampler.advance(list(range(len(controls))), controls)


@pytest.mark.parametrize("name", ["tiny", "r32"])
def test_an_int8_state_goes_on_to_the_bit_on_another_instruction_set(name: str) -> None:
    checkpoint = registry.load(name)
    controls = controls_for(checkpoint.config, 1, 12)
    samplers = [NativeSampler(checkpoint, 1, isa, precision="int8") for isa in _kernel.isas("int8")]
    samplers[0].reset(0, KEY)
    samplers[0].advance([0], controls)
    state = samplers[0].snapshot(0)
    expected = samplers[0].advance([0], controls)
    for sampler in samplers[1:]:
        sampler.restore(0, state)
        np.testing.assert_array_equal(sampler.advance([0], controls), expected)


def test_a_state_of_another_precision_is_refused() -> None:
    tiny = registry.load("tiny")
    with pytest.raises(SamplerError, match="state"):
        NativeSampler(tiny, 1, precision="int8").restore(0, NativeSampler(tiny, 1).snapshot(0))


def test_int8_needs_a_calibration() -> None:
    tiny = registry.load("tiny")
    with pytest.raises(SamplerError, match=r"precision: 'int8' needs a calibration.*ostinato quantize"):
        NativeSampler(Checkpoint(tiny.config, tiny.tensors), 1, precision="int8")


def test_int8_is_for_wavenets() -> None:
    with pytest.raises(SamplerError, match="precision: 'int8' is for wavenets; 'student' is a flow"):
        NativeSampler(registry.load("student"), 1, precision="int8")


def test_a_state_goes_on_in_another_slot_and_sampler() -> None:
    checkpoint = registry.load("tiny")
    controls = controls_for(checkpoint.config, 1, 6)
    first, second = NativeSampler(checkpoint, 2), NativeSampler(checkpoint, 5)
    first.reset(0, KEY)
    first.advance([0], controls)
    state = first.snapshot(0)
    expected = first.advance([0], controls)
    second.restore(4, state)
    np.testing.assert_array_equal(second.advance([4], controls), expected)


def test_reset_leaves_no_trace() -> None:
    checkpoint = registry.load("tiny")
    sampler = NativeSampler(checkpoint, 2)
    sampler.reset(0, KEY)
    sampler.reset(1, KEY + 1)
    sampler.advance([0, 1], controls_for(checkpoint.config, 2, 6))
    sampler.reset(1, KEY)
    sampler.reset(0, KEY)
    fresh = NativeSampler(checkpoint, 1)
    fresh.reset(0, KEY)
    for slot in range(2):
        np.testing.assert_array_equal(sampler.snapshot(slot).arrays["state"], fresh.snapshot(0).arrays["state"])


def test_refuses_what_does_not_fit() -> None:
    tiny = registry.load("tiny")
    sampler = NativeSampler(tiny, 2)
    controls = controls_for(tiny.config, 1, 2)
    with pytest.raises(SamplerError, match="slots: 2 is outside"):
        sampler.advance([2], controls)
    with pytest.raises(SamplerError, match="names one twice"):
        sampler.advance([1, 1], np.concatenate((controls, controls)))
    with pytest.raises(SamplerError, match="float64"):
        sampler.advance([0], controls.astype(np.float64))
    with pytest.raises(SamplerError, match="shape"):
        sampler.advance([0], controls[..., :6])
    with pytest.raises(SamplerError, match="forced"):
        sampler.probe(0, controls[0], np.zeros(5, np.float32))
    with pytest.raises(SamplerError, match="slots: 0"):
        NativeSampler(tiny, 0)
    with pytest.raises(SamplerError, match="threads: 0"):
        NativeSampler(tiny, 1, threads=0)
    with pytest.raises(SamplerError, match="state"):
        sampler.restore(0, NativeSampler(registry.load("r32"), 1).snapshot(0))


def test_refuses_a_state_of_equal_size_but_another_shape() -> None:
    tiny = registry.load("tiny")
    network = WaveNetConfig.model_validate({**tiny.config.network.model_dump(), "skip_channels": 9})
    other = registry.random_checkpoint(ModelConfig(name="other", network=network))
    with pytest.raises(SamplerError, match="another model"):
        NativeSampler(tiny, 1).restore(0, NativeSampler(other, 1).snapshot(0))


def test_refuses_an_instrument_outside_the_embedding() -> None:
    shape = {**registry.random_config("tiny").network.model_dump(), "global": {"entries": 2, "channels": 3}}
    network = WaveNetConfig.model_validate(shape)
    config = ModelConfig(name="two", network=network, instruments=(Instrument(name="a"), Instrument(name="b")))
    sampler = NativeSampler(registry.random_checkpoint(config), 1)
    controls = controls_for(config, 1, 1)
    for index in (2.0, -1.0, np.nan):
        controls[..., FRAME.index("instrument")] = index
        with pytest.raises(SamplerError, match="instrument"):
            sampler.advance([0], controls)


def test_binding_refuses_what_it_would_have_to_convert() -> None:
    tiny = registry.load("tiny")
    pool = NativeSampler(tiny, 2)._pool
    slots, controls, out = np.array([0]), controls_for(tiny.config, 1, 2), np.empty((1, 128), np.float32)
    with pytest.raises(TypeError):
        pool.advance(slots, controls.astype(np.float64), out)
    with pytest.raises(TypeError):
        pool.advance(slots, np.repeat(controls, 2, axis=1)[:, ::2], out)
    with pytest.raises(TypeError):
        pool.advance(slots.astype(np.int32), controls, out)
    with pytest.raises(ValueError, match="out"):
        pool.advance(slots, controls, out[:, :64].copy())
    with pytest.raises(ValueError, match="slots"):
        pool.advance(slots + 2, controls, out)
    with pytest.raises(ValueError, match=r"input\.weight"):
        _kernel.Pool(kernel_shape(tiny.config), {}, 1)
    shape = kernel_shape(tiny.config)
    shape.local_widths = []
    with pytest.raises(ValueError, match="tone_harmonics"):
        _kernel.Pool(shape, dict(tiny.tensors), 1)


def test_the_instruction_set_can_be_forced(monkeypatch: pytest.MonkeyPatch) -> None:
    tiny = registry.load("tiny")
    for isa, precision in KERNELS:
        assert NativeSampler(tiny, 1, isa, precision=precision).build.isa == isa
        monkeypatch.setenv("OSTINATO_ISA", isa)
        build = NativeSampler(tiny, 1, precision=precision).build
        assert (build.isa, build.precision) == (isa, precision)
    monkeypatch.setenv("OSTINATO_ISA", "mmx")
    with pytest.raises(SamplerError, match=r"isa: 'mmx' does not run here; there is .*portable"):
        NativeSampler(tiny, 1)


def test_other_threads_run_while_samples_are_drawn() -> None:
    tiny = registry.load("tiny")
    sampler = NativeSampler(tiny, 1)
    controls = controls_for(tiny.config, 1, 4000)
    ticks: list[float] = []
    done = threading.Event()

    def tick() -> None:
        while not done.wait(0.002):
            ticks.append(time.perf_counter())

    thread = threading.Thread(target=tick)
    thread.start()
    start = time.perf_counter()
    sampler.advance([0], controls)
    end = time.perf_counter()
    done.set()
    thread.join()
    assert sum(start < t < end for t in ticks) >= 5


def test_torch_is_not_imported() -> None:
    code = (
        "import sys; from ostinato.models import registry; from ostinato.models.sampling.native import NativeSampler;"
        "NativeSampler(registry.load('tiny'), 1); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ)
