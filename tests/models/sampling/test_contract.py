"""The promises of `models/sampling/contract.py`, each held by every sampler."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from ostinato.models import excitation, noise, registry
from ostinato.models.autoregressive import AutoregressiveNetwork
from ostinato.models.checkpoint import Checkpoint
from ostinato.models.config import PARALLEL, WITHOUT_DENSITY, ModelConfig, SteeredConfig, WaveNetConfig
from ostinato.models.controls import FRAME
from ostinato.models.parallel import DensityNetwork, logit, standard_normal
from ostinato.models.quantized_wavenet import QuantizedWaveNet
from ostinato.models.sampling.contract import Sampler, SamplerError, Snapshot
from ostinato.models.sampling.naive import NaiveSampler
from ostinato.models.sampling.native import NativeSampler
from ostinato.models.sampling.speculative import SpeculativeSampler
from ostinato.models.sampling.torch_parallel import TorchParallelSampler, build_parallel
from ostinato.models.sampling.torch_sampler import TorchSampler, build_network
from ostinato.models.steered import SteeredNetwork

SLOTS = 5
STEERED = SteeredConfig.model_fields.keys() | {"global"}
KEY = 0xC0FFEE_0123_4567_89
Make = Callable[[Checkpoint, int], Sampler]


def drafted(model: Checkpoint) -> Checkpoint:
    """A draft that knows nothing of its model."""
    return registry.random_checkpoint(model.config, seed=4)


def in_torch(model: Checkpoint, slots: int, device: str = "cpu") -> Sampler:
    """The readable reference of a model's kind."""
    kind = TorchParallelSampler if model.config.strategy in PARALLEL else TorchSampler
    return kind(model, slots, device)


EXACT: dict[str, Make] = {
    "native-avx512": lambda c, n: NativeSampler(c, n, isa="avx512"),
    "native-avx2": lambda c, n: NativeSampler(c, n, isa="avx2"),
    "native-portable": lambda c, n: NativeSampler(c, n, isa="portable"),
    "native-int8-avx512": lambda c, n: NativeSampler(c, n, isa="avx512", precision="int8"),
    "native-int8-avx2": lambda c, n: NativeSampler(c, n, isa="avx2", precision="int8"),
    "native-int8-portable": lambda c, n: NativeSampler(c, n, isa="portable", precision="int8"),
    "native-threads": lambda c, n: NativeSampler(c, n, threads=2),
    "speculative": lambda c, n: SpeculativeSampler(c, drafted(c), n),
    "speculative-int8": lambda c, n: SpeculativeSampler(c, drafted(c), n, window=7, precision="int8"),
    "speculative-avx2": lambda c, n: SpeculativeSampler(c, drafted(c), n, isa="avx2"),
    "speculative-int8-avx2": lambda c, n: SpeculativeSampler(c, drafted(c), n, isa="avx2", precision="int8"),
    "speculative-portable": lambda c, n: SpeculativeSampler(c, drafted(c), n, isa="portable"),
    "speculative-threads": lambda c, n: SpeculativeSampler(c, drafted(c), n, threads=2),
    "naive": NaiveSampler,
}
SAMPLERS: dict[str, Make] = {**EXACT, "torch": in_torch}
if torch.cuda.is_available():
    from ostinato.models.sampling.fused import FusedSampler

    SAMPLERS["torch-cuda"] = lambda c, n: in_torch(c, n, device="cuda")
    SAMPLERS["fused-cuda"] = lambda c, n: FusedSampler(c, n, "cuda", "float32")  # on a CPU: test_fused.py


def small_nade(**changes: object) -> Checkpoint:
    """The same over frames: a NADE whose stack's step is a hop."""
    network = small().config.network.model_dump()
    data = {
        "name": "small-nade",
        "strategy": "nade",
        "instruments": [{"name": "one"}, {"name": "two"}],
        "network": {**network, "units": 11, **changes},
    }
    return registry.random_checkpoint(ModelConfig.model_validate(data), seed=4)


def small_flow(**changes: object) -> Checkpoint:
    """The same tone and controls, and all of a hop at once."""
    steered = {name: value for name, value in small().config.network.model_dump().items() if name in STEERED}
    own = {"excitation": None, "head": {"kind": "gaussian"}, "couplings": 7, "kernel_size": 3, "units": 5, "lines": 3}
    data = {
        "name": "small-flow",
        "strategy": "flow",
        "instruments": [{"name": "one"}, {"name": "two"}],
        "network": {**steered, **own, **changes},
    }
    return registry.random_checkpoint(ModelConfig.model_validate(data), seed=5)


def small_blocks(**changes: object) -> Checkpoint:
    """The same over blocks: a transformer whose step is half a hop."""
    network = {
        name: value for name, value in small().config.network.model_dump(by_alias=True).items() if name in STEERED
    }
    own = {
        "block": 4, "before": 6, "width": 12, "heads": 2, "kv_heads": 1, "feed_forward": 9, "layers": 2, "window": 3,
        "inside": "nade", "units": 11, "taps": 5,
    }  # fmt: skip
    data = {
        "name": "small-blocks",
        "strategy": "blocks",
        "instruments": [{"name": "one"}, {"name": "two"}],
        "network": {**network, **own, **changes},
    }
    return registry.random_checkpoint(ModelConfig.model_validate(data), seed=5)


def small_hybrid(**changes: object) -> Checkpoint:
    """The same of latents, drawn once a hop."""
    network = small().config.network.model_dump() | {"head": {"kind": "gaussian"}, "excitation": None}
    data = {
        "name": "small-hybrid",
        "strategy": "hybrid",
        "instruments": [{"name": "one"}, {"name": "two"}],
        "network": {**network, "latents": 3, "decoder_units": 9, "cepstrum": 5, "taps": 11, **changes},
    }
    return registry.random_checkpoint(ModelConfig.model_validate(data), seed=4)


def small(**changes: object) -> Checkpoint:
    """A random model small enough for the naive sampler, with everything switched on."""
    network: dict[str, object] = {
        "hop": 8,
        "residual_channels": 6,
        "skip_channels": 10,
        "layers": 4,
        "dilation_cycle": [1, 2, 5],
        "head_hidden": [7],
        "head": {"kind": "logistics", "components": 2},
        "local": {"hidden": [5, 3], "channels": 4},
        "global": {"entries": 2, "channels": 3},
        "excitation": {"harmonics": 3},
        "tone": {"harmonics": 5},
        "pre_emphasis": 0.85,
    }
    data = {
        "name": "small",
        "instruments": [{"name": "one"}, {"name": "two"}],
        "network": WaveNetConfig.model_validate({**network, **changes}),
    }
    return registry.random_checkpoint(ModelConfig.model_validate(data), seed=3)


MODELS = {
    "logistics": small(),
    "gaussian": small(head={"kind": "gaussian"}, kernel_size=3),
    "mu-law": small(head={"kind": "mu_law", "levels": 16}, tone=None, pre_emphasis=0.0, bias=False),
    "nade": small_nade(),
    "nade-gaussian": small_nade(
        head={"kind": "gaussian"}, head_hidden=[], kernel_size=3, excitation=None, bias=False, units=20
    ),
    "blocks": small_blocks(),
    "blocks-parallel": small_blocks(inside="parallel", block=8, before=8, head={"kind": "gaussian"}, bias=False),
    "flow": small_flow(),
    "flow-logistic": small_flow(head={"kind": "logistics", "components": 1}, kernel_size=1, tone=None),
    "hybrid": small_hybrid(),
    "hybrid-wide": small_hybrid(
        latents=35, cepstrum=20, taps=40, decoder_units=20, head_hidden=[], kernel_size=3, bias=False, hop=20
    ),
}
OF_WAVENETS = ("naive", "fused", "int8", "speculative")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every sampler of a test's kind, with every model that it draws from where the test takes one."""
    for fixture, samplers in (("make", SAMPLERS), ("make_exact", EXACT)):
        if fixture not in metafunc.fixturenames:
            continue
        dense = [name for name, model in MODELS.items() if model.config.strategy not in WITHOUT_DENSITY]
        wanted = {
            "model": list(MODELS),
            "dense_model": dense,
            "smooth_model": [name for name in MODELS if name != "mu-law"],
        }
        asked = next((name for name in wanted if name in metafunc.fixturenames), None)
        if asked is None:
            metafunc.parametrize(fixture, samplers, indirect=True)
            continue
        pairs = [(sampler, model) for sampler in samplers for model in wanted[asked] if draws_from(sampler, model)]
        metafunc.parametrize((fixture, asked), pairs, indirect=True)


def draws_from(sampler: str, model: str) -> bool:
    """Whether a sampler draws from models of this strategy."""
    return MODELS[model].config.strategy == "wavenet" or not any(part in sampler for part in OF_WAVENETS)


@pytest.fixture
def make(request: pytest.FixtureRequest) -> Make:
    return _available(str(request.param))


@pytest.fixture
def make_exact(request: pytest.FixtureRequest) -> Make:
    return _available(str(request.param))


def _available(name: str) -> Make:
    """The maker of a sampler; an instruction set that this machine lacks is skipped by name."""
    try:
        SAMPLERS[name](MODELS["logistics"], 1)
    except SamplerError as error:
        pytest.skip(str(error))
    return SAMPLERS[name]


@pytest.fixture
def model(request: pytest.FixtureRequest) -> Checkpoint:
    return MODELS[str(request.param)]


@pytest.fixture
def dense_model(request: pytest.FixtureRequest) -> Checkpoint:
    """One whose samples have a density; of the others, test_parallel.py."""
    return MODELS[str(request.param)]


@pytest.fixture
def smooth_model(request: pytest.FixtureRequest) -> Checkpoint:
    """One whose levels are fine enough for every control to be heard at once."""
    return MODELS[str(request.param)]


def controls(streams: int, frames: int, seed: int = 0) -> NDArray[np.float32]:
    """Random control frames [streams, frames, channels], every channel within its range."""
    generator = np.random.default_rng(seed)
    out = generator.random((streams, frames, len(FRAME)), dtype=np.float32)
    out[..., FRAME.index("note")] = 55 + 20 * out[..., FRAME.index("note")]
    out[..., FRAME.index("gate")] = out[..., FRAME.index("gate")] < 0.7
    out[..., FRAME.index("instrument")] = generator.integers(0, 2, (streams, 1))
    out[..., FRAME.index("temperature")] = 0.5 + out[..., FRAME.index("temperature")]
    return out


def network_of(model: Checkpoint, precision: str = "float32") -> SteeredNetwork:
    """The torch module that samplers of a precision follow."""
    if precision == "int8":
        return QuantizedWaveNet(model)
    build = build_parallel if model.config.strategy in PARALLEL else build_network
    return build(model, torch.device("cpu"))


def reference(
    model: Checkpoint, precision: str, key: int, frames: NDArray[np.float32], heard: NDArray[np.float32]
) -> torch.Tensor:
    """Head parameters of the parallel forward: [frames * hop, P]."""
    net = model.config.network
    network = network_of(model, precision)
    batch = torch.from_numpy(frames[None].copy())
    start = torch.tensor([noise.as_int64(noise.phase_start(key))])
    phase = excitation.running_phase(start, batch[..., 0], net.hop, net.sample_rate)
    samples = excitation.emphasise(torch.from_numpy(heard)[None], net.pre_emphasis)
    forward = network.parameters_of if isinstance(network, DensityNetwork) else network
    found: torch.Tensor = forward(samples, batch, phase)[0]
    return found


def drawn_from(
    model: Checkpoint, parameters: torch.Tensor, uniforms: torch.Tensor, temperature: torch.Tensor
) -> torch.Tensor:
    """What these uniforms draw: parameters [T, P], uniforms [T, draws], temperature [T] -> [T]."""
    network = network_of(model)
    if isinstance(network, AutoregressiveNetwork):
        return network.distribution.sample(parameters, uniforms, temperature)
    white = logit(uniforms[:, 1]) if model.config.network.head.kind == "logistics" else standard_normal(uniforms)
    return parameters[:, -2] + parameters[:, -1].exp() * temperature * white


@pytest.mark.parametrize("key", [0, 1, KEY, 2**64 - 1])
def test_same_as_the_reference(make: Make, dense_model: Checkpoint, key: int) -> None:
    frames = controls(1, 6)[0]
    forced = (np.random.default_rng(1).random(6 * 8, dtype=np.float32) - 0.5).astype(np.float32)
    sampler = make(dense_model, SLOTS)
    sampler.reset(2, key)
    found = sampler.probe(2, frames, forced)
    expected = reference(dense_model, sampler.build.precision, key, frames, forced).numpy()
    apart = np.abs(found - expected).max(axis=1) / max(1.0, float(np.abs(expected).max()))
    if sampler.build.precision == "int8":  # an activation at the edge of two levels may tip into the other
        assert (apart < 1e-5).mean() > 0.9
        assert apart.max() < 2e-3
    else:
        assert apart.max() < 1e-5


def test_what_was_drawn_has_the_parameters_it_was_drawn_from(make: Make, dense_model: Checkpoint) -> None:
    """Probing along a drawn stream meets the state that drew it, so both must agree with the reference."""
    frames = controls(1, 5)[0]
    sampler = make(dense_model, SLOTS)
    if sampler.build.engine == "speculative":
        pytest.skip("its draws are judged, not made from these uniforms: test_speculative.py")
    sampler.reset(0, KEY)
    drawn = sampler.advance([0], frames[None])[0]
    expected = reference(dense_model, sampler.build.precision, KEY, frames, drawn)
    uniforms = torch.from_numpy(noise.uniforms(KEY, 0, len(drawn), dense_model.config.network.head.draws))
    temperature = torch.from_numpy(frames[:, FRAME.index("temperature")]).repeat_interleave(8)
    samples = drawn_from(dense_model, expected, uniforms, temperature).numpy()
    in_domain = excitation.emphasise(torch.from_numpy(drawn), dense_model.config.network.pre_emphasis).numpy()
    agree = np.abs(samples - in_domain) < 1e-4
    assert agree.mean() > 0.9  # a rounding at the edge of a level may flip it


def test_chunk_free(make: Make, model: Checkpoint) -> None:
    frames = controls(2, 7)
    sampler = make(model, SLOTS)
    for slot in (1, 3):
        sampler.reset(slot, KEY + slot)
    whole = sampler.advance([1, 3], frames)
    for cuts in ([1] * 7, [3, 4], [6, 1]):
        for slot in (1, 3):
            sampler.reset(slot, KEY + slot)
        ends = np.cumsum(cuts)
        parts = [sampler.advance([1, 3], frames[:, e - c : e].copy()) for c, e in zip(cuts, ends, strict=True)]
        assert np.array_equal(np.concatenate(parts, axis=1), whole)


def test_neighbour_free_to_the_bit(make_exact: Make, model: Checkpoint) -> None:
    streams = 4 if make_exact is NaiveSampler else 13  # the naive sampler knows no batch, and is slow
    frames = controls(streams, 3)
    alone = make_exact(model, 1)
    expected = []
    for row in range(streams):
        alone.reset(0, KEY + row)
        expected.append(alone.advance([0], frames[row : row + 1])[0])
    generator = np.random.default_rng(5)
    for count in (n for n in (2, 3, 4, 5, 8, 13) if n <= streams):
        sampler = make_exact(model, 16)
        slots, rows = generator.permutation(16)[:count].tolist(), generator.permutation(streams)[:count]
        for slot, row in zip(slots, rows, strict=True):
            sampler.reset(slot, KEY + int(row))
        found = sampler.advance(slots, frames[rows])
        for i, row in enumerate(rows):
            assert np.array_equal(found[i], expected[row])


def test_neighbours_change_no_parameter_beyond_1e_5(make: Make, dense_model: Checkpoint) -> None:
    frames = controls(3, 4)
    forced = (np.random.default_rng(2).random(32, dtype=np.float32) - 0.5).astype(np.float32)
    found = []
    for slot in (0, 4):
        sampler = make(dense_model, SLOTS)
        for other in set(range(SLOTS)) - {slot}:
            sampler.reset(other, KEY + other + slot)
        sampler.advance([(slot + 1) % SLOTS, (slot + 2) % SLOTS], frames[:2])
        sampler.reset(slot, KEY)
        found.append(sampler.probe(slot, frames[2], forced))
    assert np.abs(found[0] - found[1]).max() < 1e-5 * max(1.0, float(np.abs(found[0]).max()))


def test_clean_after_reset(make: Make, model: Checkpoint) -> None:
    frames = controls(1, 5)
    used, fresh = make(model, SLOTS), make(model, SLOTS)
    used.reset(2, 99)
    used.advance([2], controls(1, 9, seed=8))
    for sampler in (used, fresh):
        sampler.reset(2, KEY)
    a, b = used.snapshot(2), fresh.snapshot(2)
    assert all(np.array_equal(a.arrays[name], b.arrays[name]) for name in a.arrays)
    assert np.array_equal(used.advance([2], frames), fresh.advance([2], frames))


def test_a_slot_that_is_not_named_is_untouched(make: Make, model: Checkpoint) -> None:
    sampler = make(model, SLOTS)
    sampler.reset(1, KEY)
    sampler.advance([1], controls(1, 3))
    before = sampler.snapshot(1)
    for slot in (0, 2):
        sampler.reset(slot, 5)
    sampler.advance([2, 0], controls(2, 4))
    if model.config.strategy not in WITHOUT_DENSITY:
        sampler.probe(0, controls(1, 2)[0], np.zeros(2 * model.config.network.hop, dtype=np.float32))
    after = sampler.snapshot(1)
    assert all(np.array_equal(before.arrays[name], after.arrays[name]) for name in before.arrays)


def test_resumable_in_the_same_slot_another_slot_and_another_pool(make_exact: Make, model: Checkpoint) -> None:
    frames = controls(1, 9)
    sampler, other = make_exact(model, SLOTS), make_exact(model, 2)
    sampler.reset(3, KEY)
    sampler.advance([3], frames[:, :4].copy())
    state = sampler.snapshot(3)
    expected = sampler.advance([3], frames[:, 4:].copy())
    for pool, slot in ((sampler, 3), (sampler, 0), (other, 1)):
        pool.restore(slot, state)
        assert np.array_equal(pool.advance([slot], frames[:, 4:].copy()), expected)


def test_torch_resumes_bit_for_bit_in_its_slot() -> None:
    frames, sampler = controls(1, 9), TorchSampler(MODELS["logistics"], SLOTS)
    sampler.reset(3, KEY)
    sampler.advance([3], frames[:, :4].copy())
    state = sampler.snapshot(3)
    expected = sampler.advance([3], frames[:, 4:].copy())
    sampler.restore(3, state)
    assert np.array_equal(sampler.advance([3], frames[:, 4:].copy()), expected)


def test_a_snapshot_stays_as_it_was_while_the_slot_goes_on(make: Make) -> None:
    sampler = make(MODELS["logistics"], SLOTS)
    sampler.reset(0, KEY)
    sampler.advance([0], controls(1, 3))
    state = sampler.snapshot(0)
    held = {name: array.copy() for name, array in state.arrays.items()}
    sampler.advance([0], controls(1, 3))
    assert all(np.array_equal(state.arrays[name], held[name]) for name in held)


@pytest.mark.parametrize("channel", range(len(FRAME)))
def test_causal(make: Make, smooth_model: Checkpoint, channel: int) -> None:
    frames = controls(1, 6)
    changed = frames.copy()
    changed[:, 4:, channel] = {0: 72.0, 5: 1.0 - frames[0, 0, 5]}.get(channel, 0.123)
    sampler = make(smooth_model, SLOTS)
    sampler.reset(1, KEY)
    before = sampler.advance([1], frames)
    sampler.reset(1, KEY)
    after = sampler.advance([1], changed)
    changes = 4 * smooth_model.config.network.hop
    assert np.array_equal(before[:, :changes], after[:, :changes])
    assert not np.array_equal(before[:, changes:], after[:, changes:])


def test_keys_make_streams_differ_and_repeat(make: Make, model: Checkpoint) -> None:
    frames = np.repeat(controls(1, 6), 2, axis=0)
    sampler = make(model, SLOTS)
    runs = []
    for _ in range(2):
        for slot in (0, 1):
            sampler.reset(slot, KEY + slot)
        runs.append(sampler.advance([0, 1], frames))
    assert np.array_equal(runs[0], runs[1])
    assert not np.array_equal(runs[0][0], runs[0][1])


def test_calls_that_the_contract_does_not_allow_are_refused_by_argument(make: Make) -> None:
    sampler, other = (
        make(MODELS["logistics"], SLOTS),
        make(small(residual_channels=5, excitation={"harmonics": 2}), SLOTS),
    )
    other.reset(1, KEY)
    other.advance([1], controls(1, 1))
    frames = controls(1, 1)
    with pytest.raises(SamplerError, match=r"slots: 5 is outside 0\.\.4"):
        sampler.advance([5], frames)
    with pytest.raises(SamplerError, match="names one twice"):
        sampler.advance([1, 1], controls(2, 1))
    with pytest.raises(SamplerError, match="controls: float64"):
        sampler.advance([1], frames.astype(np.float64))
    with pytest.raises(SamplerError, match="controls: shape"):
        sampler.advance([1, 2], frames)
    with pytest.raises(SamplerError, match="forced"):
        sampler.probe(1, frames[0], np.zeros(3, dtype=np.float32))
    with pytest.raises(SamplerError, match="state"):
        sampler.restore(1, other.snapshot(1))
    with pytest.raises(SamplerError, match="state"):
        sampler.restore(1, Snapshot("another", {}))


def test_an_empty_step_draws_nothing(make: Make) -> None:
    sampler = make(MODELS["logistics"], SLOTS)
    assert sampler.advance([], np.zeros((0, 3, len(FRAME)), dtype=np.float32)).shape == (0, 24)
    assert sampler.advance([2], np.zeros((1, 0, len(FRAME)), dtype=np.float32)).shape == (1, 0)


def test_an_instrument_draws_at_its_own_temperature_times_the_controls(make: Make) -> None:
    plain = MODELS["logistics"]
    config = plain.config.model_dump()
    config["instruments"][1]["temperature"] = 0.5
    cooler = replace(plain, config=ModelConfig.model_validate(config))
    frames = controls(2, 5)
    frames[:, :, FRAME.index("instrument")] = np.array([[0.0], [1.0]])
    halved = frames.copy()
    halved[1, :, FRAME.index("temperature")] *= 0.5
    own, asked = make(cooler, SLOTS), make(plain, SLOTS)
    for sampler in (own, asked):
        sampler.reset(0, 1)
        sampler.reset(1, 2)
    np.testing.assert_array_equal(own.advance([0, 1], frames), asked.advance([0, 1], halved))
