"""Random networks of every kind that a config allows, random controls for them, and their forward to hold against."""

import numpy as np
import torch
from hypothesis import strategies as st
from numpy.typing import NDArray

from ostinato.models import excitation, noise, registry
from ostinato.models.checkpoint import Checkpoint
from ostinato.models.config import (
    BlocksConfig,
    ExcitationConfig,
    FlowConfig,
    GaussianHead,
    GlobalConditioning,
    HeadConfig,
    HybridConfig,
    Instrument,
    LocalConditioning,
    LogisticsHead,
    ModelConfig,
    MuLawHead,
    NadeConfig,
    SteeredConfig,
    ToneConfig,
    WaveNetConfig,
)
from ostinato.models.controls import FRAME
from ostinato.models.networks import make_network
from ostinato.models.parallel import DensityNetwork

STEERED = SteeredConfig.model_fields.keys() | {"global"}

heads: st.SearchStrategy[HeadConfig] = st.one_of(
    st.builds(MuLawHead, levels=st.integers(2, 40)),
    st.builds(LogisticsHead, components=st.integers(1, 6)),
    st.builds(GaussianHead),
)


control_networks = st.builds(
    LocalConditioning,
    hidden=st.lists(st.integers(1, 20), min_size=1, max_size=3).map(tuple),
    channels=st.integers(1, 20),
)


@st.composite
def checkpoints(draw: st.DrawFn) -> Checkpoint:
    head = draw(heads)
    entries = draw(st.integers(0, 3))
    local = draw(st.none() | control_networks)
    stated = local is not None and head.kind != "mu_law"
    network = WaveNetConfig(
        hop=draw(st.sampled_from([1, 5, 16, 24, 64])),
        residual_channels=draw(st.sampled_from([1, 2, 5, 8, 16, 17, 33])),
        skip_channels=draw(st.sampled_from([1, 7, 16, 30, 65])),
        layers=draw(st.integers(1, 5)),
        dilation_cycle=tuple(draw(st.lists(st.integers(1, 19), min_size=1, max_size=4))),
        kernel_size=draw(st.integers(2, 4)),
        bias=draw(st.booleans()),
        head_hidden=tuple(draw(st.lists(st.integers(1, 35), max_size=2))),
        head=head,
        local=local,
        global_=GlobalConditioning(entries=entries, channels=draw(st.integers(1, 9))) if entries else None,
        excitation=draw(st.none() | st.builds(ExcitationConfig, harmonics=st.integers(1, 20))),
        tone=draw(st.none() | st.builds(ToneConfig, harmonics=st.integers(1, 40))) if stated else None,
        pre_emphasis=0.0 if head.kind == "mu_law" else draw(st.sampled_from([0.0, 0.85])),
    )
    instruments = tuple(Instrument(name=f"instrument {i}") for i in range(max(entries, 1)))
    return registry.random_checkpoint(
        ModelConfig(name="random", network=network, instruments=instruments), draw(st.integers(0, 9))
    )


@st.composite
def nade_checkpoints(draw: st.DrawFn) -> Checkpoint:
    """The same over frames, of any head that a NADE's conditionals can have."""
    plain = draw(checkpoints())
    units = draw(st.sampled_from([1, 3, 16, 21, 40]))
    network = NadeConfig.model_validate({**plain.config.wavenet.model_dump(), "units": units})
    config = ModelConfig(name="random", strategy="nade", network=network, instruments=plain.config.instruments)
    return registry.random_checkpoint(config, draw(st.integers(0, 9)))


@st.composite
def flow_checkpoints(draw: st.DrawFn) -> Checkpoint:
    """The same controls over a flow."""
    plain = draw(checkpoints())
    steered = {key: value for key, value in plain.config.network.model_dump().items() if key in STEERED}
    own = {
        "hop": draw(st.sampled_from([2, 8, 32, 64])),
        "head": draw(st.sampled_from([{"kind": "gaussian"}, {"kind": "logistics", "components": 1}])),
        "excitation": None,
        "couplings": draw(st.integers(1, 8)),
        "kernel_size": draw(st.integers(1, 3)),
        "units": draw(st.sampled_from([1, 5, 16, 21])),
        "lines": draw(st.sampled_from([1, 7, 16, 33])),
    }
    flow = FlowConfig.model_validate({**steered, **own})
    config = ModelConfig(name="random", strategy="flow", network=flow, instruments=plain.config.instruments)
    return registry.random_checkpoint(config, draw(st.integers(0, 9)))


@st.composite
def hybrid_checkpoints(draw: st.DrawFn) -> Checkpoint:
    """The same stack over latents, and their decoder."""
    plain = draw(checkpoints())
    own = {
        "hop": draw(st.sampled_from([2, 8, 20, 64])),
        "head": {"kind": "gaussian"},
        "excitation": None,
        "local": draw(control_networks).model_dump(),
        "tone": {"harmonics": draw(st.integers(1, 40))},
        "latents": draw(st.sampled_from([1, 3, 16, 35, 64])),
        "decoder_units": draw(st.sampled_from([1, 9, 16, 33])),
        "cepstrum": draw(st.sampled_from([1, 5, 16, 20, 40])),
        "taps": draw(st.sampled_from([2, 11, 16, 40])),
    }
    network = HybridConfig.model_validate({**plain.config.wavenet.model_dump(), **own})
    config = ModelConfig(name="random", strategy="hybrid", network=network, instruments=plain.config.instruments)
    return registry.random_checkpoint(config, draw(st.integers(0, 9)))


@st.composite
def blocks_checkpoints(draw: st.DrawFn) -> Checkpoint:
    """The same over blocks, whichever way they are drawn inside."""
    plain = draw(checkpoints())
    steered = {name: value for name, value in plain.config.network.model_dump(by_alias=True).items() if name in STEERED}
    hop = steered["hop"] = draw(st.sampled_from([1, 6, 24, 64]))
    block = draw(st.sampled_from([n for n in range(1, hop + 1) if hop % n == 0]))
    before, kv_heads = draw(st.integers(block, block + 20)), draw(st.integers(1, 2))
    heads = kv_heads * draw(st.integers(1, 2))
    own = {
        "block": block,
        "before": before,
        "width": heads * draw(st.sampled_from([2, 6, 16, 34])),
        "heads": heads,
        "kv_heads": kv_heads,
        "feed_forward": draw(st.sampled_from([1, 15, 16, 33])),
        "layers": draw(st.integers(1, 3)),
        "window": draw(st.sampled_from([1, 2, 5, 17])),
        "inside": draw(st.sampled_from(["parallel", "nade"])),
        "units": draw(st.sampled_from([1, 3, 16, 21])),
        "taps": 0 if plain.config.network.head.kind == "mu_law" else draw(st.integers(0, before)),
    }
    network = BlocksConfig.model_validate({**steered, **own})
    config = ModelConfig(name="random", strategy="blocks", network=network, instruments=plain.config.instruments)
    return registry.random_checkpoint(config, draw(st.integers(0, 9)))


def controls_for(config: ModelConfig, streams: int, frames: int, seed: int = 0) -> NDArray[np.float32]:
    """Random notes, onsets and releases: [streams, frames, channels]."""
    generator = np.random.default_rng(seed)
    controls = generator.uniform(0.0, 1.0, (streams, frames, len(FRAME))).astype(np.float32)
    controls[..., FRAME.index("note")] = generator.uniform(20, 127, (streams, frames))
    controls[..., FRAME.index("instrument")] = generator.integers(0, len(config.instruments), (streams, frames))
    return controls


def frames_for(config: ModelConfig, samples: int) -> int:
    return -(-samples // config.network.hop)


def forward_in_double(
    checkpoint: Checkpoint, key: int, controls: NDArray[np.float32], forced: NDArray[np.float32]
) -> torch.Tensor:
    """Head parameters of the parallel forward, in double precision: [T, P]. Its waves are of float32 phases."""
    net = checkpoint.config.network
    network = make_network(checkpoint.config).double().requires_grad_(False)
    network.load_state_dict({name: torch.from_numpy(tensor.copy()) for name, tensor in checkpoint.tensors.items()})
    own_waves = network.waves
    network.waves = lambda phase, note: own_waves(phase, note).double()  # type: ignore[method-assign]
    start = torch.tensor([noise.as_int64(noise.phase_start(key))])
    note = torch.from_numpy(controls[None, :, FRAME.index("note")].copy())
    phase = excitation.running_phase(start, note, net.hop, net.sample_rate)
    own_domain = excitation.emphasise(torch.from_numpy(forced)[None], net.pre_emphasis)
    forward = network.parameters_of if isinstance(network, DensityNetwork) else network
    parameters: torch.Tensor = forward(own_domain.double(), torch.from_numpy(controls)[None].double(), phase)
    return parameters[0]
