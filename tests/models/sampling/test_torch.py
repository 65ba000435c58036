"""What a captured hop needs of the torch sampler's step, held on a CPU, where the same function runs uncaptured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from ostinato.models import registry
from ostinato.models.checkpoint import Checkpoint
from ostinato.models.config import Instrument, ModelConfig, WaveNetConfig
from ostinato.models.controls import FRAME
from ostinato.models.sampling.contract import SamplerError
from ostinato.models.sampling.torch_sampler import TorchSampler
from tests.models.sampling.networks import controls_for

SLOTS = 3


def of(**changes: object) -> Checkpoint:
    """Two instruments, a control network and a head of one's choice."""
    shape = {**registry.random_config("tiny").network.model_dump(), "hop": 4, "global": {"entries": 2, "channels": 3}}
    network = WaveNetConfig.model_validate({**shape, **changes})
    instruments = (Instrument(name="one"), Instrument(name="two"))
    return registry.random_checkpoint(ModelConfig(name="two", network=network, instruments=instruments))


MODELS = {
    "logistics": of(),
    "gaussian": of(head={"kind": "gaussian"}, kernel_size=3),
    "mu-law": of(head={"kind": "mu_law", "levels": 16}, tone=None, pre_emphasis=0.0),
}


@pytest.fixture(params=MODELS)
def model(request: pytest.FixtureRequest) -> Checkpoint:
    return MODELS[request.param]


class Recorded(TorchDispatchMode):
    """The operations that torch was asked for, in order, with the dtypes of an index."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.operations: list[str] = []

    def __torch_dispatch__(
        self,
        func: torch._ops.OpOverload,
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401
        name = str(func)
        indices = args[1] if name.startswith(("aten.index.", "aten.index_put")) else ()
        self.operations.append(" ".join([name, *(str(i.dtype) for i in indices if isinstance(i, Tensor))]))
        return func(*args, **(kwargs or {}))


def recorded_hop(sampler: TorchSampler) -> list[str]:
    recorded = Recorded()
    with recorded:
        sampler._hop()
    return recorded.operations


def test_a_hop_asks_the_host_for_nothing(model: Checkpoint) -> None:
    """A value read back, a constant sent over, or an index of bools (whose count is read back) breaks a capture."""
    operations = recorded_hop(TorchSampler(model, SLOTS))
    refused = ("_local_scalar_dense", "nonzero", "masked_select", "unique", "lift_fresh", "torch.bool")
    assert len(operations) > 100
    assert not [name for name in operations if any(part in name for part in refused)]


def test_a_hop_is_the_same_operations_whatever_the_values(model: Checkpoint) -> None:
    sampler = TorchSampler(model, SLOTS)
    first = recorded_hop(sampler)
    sampler.reset(1, 9)
    sampler.advance([1, 2], controls_for(model.config, 2, 2))
    sampler._buffers.frames[:, FRAME.index("temperature")] = 0
    sampler._buffers.forced[0] = 0.25
    assert recorded_hop(sampler) == first


def test_a_hop_with_no_slot_active_changes_no_state(model: Checkpoint) -> None:
    """The warm-up of a capture runs so."""
    sampler = TorchSampler(model, SLOTS)
    sampler.reset(0, 1)
    sampler.advance([0, 2], controls_for(model.config, 2, 3))
    before = [sampler.snapshot(slot) for slot in range(SLOTS)]
    sampler._buffers.active.fill_(False)
    sampler._hop()
    for slot, state in enumerate(before):
        after = sampler.snapshot(slot)
        assert all(np.array_equal(state.arrays[name], after.arrays[name]) for name in after.arrays)


def test_nothing_that_a_graph_would_replay_over_ever_moves(model: Checkpoint) -> None:
    def addresses() -> list[int]:
        buffers = [getattr(sampler._buffers, field.name) for field in fields(sampler._buffers)]
        weights = list(sampler._network.parameters())
        return [t.data_ptr() for t in (*sampler._state.tensors().values(), *buffers, *weights)]

    sampler = TorchSampler(model, SLOTS)
    before, hop = addresses(), model.config.network.hop
    sampler.reset(1, 5)
    sampler.advance([1, 0], controls_for(model.config, 2, 2))
    sampler.probe(2, controls_for(model.config, 1, 1)[0], np.zeros(hop, dtype=np.float32))
    sampler.restore(0, sampler.snapshot(1))
    assert addresses() == before


@pytest.mark.parametrize("index", [2.0, -1.0, np.nan])
def test_an_instrument_outside_the_embedding_is_refused_before_it_reaches_the_device(index: float) -> None:
    sampler = TorchSampler(MODELS["logistics"], SLOTS)
    frames = controls_for(MODELS["logistics"].config, 1, 2)
    frames[0, 1, FRAME.index("instrument")] = index
    with pytest.raises(SamplerError, match=r"controls: instrument .* is outside 0\.\.1"):
        sampler.advance([0], frames)
    with pytest.raises(SamplerError, match=r"controls: instrument .* is outside 0\.\.1"):
        sampler.probe(0, frames[0], np.zeros(2 * MODELS["logistics"].config.network.hop, dtype=np.float32))


def test_probing_leaves_no_sample_forced_on_the_next_draw() -> None:
    model = MODELS["logistics"]
    frames, hop = controls_for(model.config, 1, 3), model.config.network.hop
    probed, fresh = TorchSampler(model, SLOTS), TorchSampler(model, SLOTS)
    probed.probe(1, frames[0], np.full(3 * hop, 0.25, dtype=np.float32))
    for sampler in (probed, fresh):
        sampler.reset(1, 3)
    assert np.array_equal(probed.advance([1], frames), fresh.advance([1], frames))
    assert torch.isnan(probed._buffers.forced).all()
