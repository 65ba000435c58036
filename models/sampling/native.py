"""The C++ kernel behind the contract: float32 or int8, batched over slots, torch not needed.

Bits depend on the model, the precision and, in float32, on the instruction set alone: not on which other slots
advance with a stream, on their order, on threads, or on how the stream is cut into calls.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ostinato.models.checkpoint import Checkpoint
from ostinato.models.config import (
    BlocksConfig,
    FlowConfig,
    GaussianHead,
    HybridConfig,
    LogisticsHead,
    ModelConfig,
    NadeConfig,
    StackConfig,
)
from ostinato.models.native import _kernel
from ostinato.models.quantization import integers
from ostinato.models.sampling.contract import (
    Build,
    SamplerError,
    Snapshot,
    at_own_temperature,
    check_controls,
    check_density,
    check_forced,
    check_instruments,
    check_slots,
    check_snapshot,
    own_temperatures,
)

Precision: TypeAlias = Literal["float32", "int8"]

ISA_VARIABLE: Final = "OSTINATO_ISA"
"""Environment variable that forces an instruction set where the constructor names none."""


class NativeSampler:
    """A pool of streams over one network, in C++.

    Args:
        checkpoint: the model; its weights are packed once and may then be dropped.
        slots: size of the pool, at least 1.
        isa: avx512, avx2 or portable; None takes `OSTINATO_ISA`, else the fastest that the machine has.
        threads: most cores that the streams of a call are spread over, at least 1; fewer are taken where a call is
            too short for more to pay. All pools of a process share one team of threads.
        precision: float32; or int8, for a model that `ostinato quantize` has measured.
        window: most samples of a stream that are to be scored at once, for speculation.

    Raises:
        SamplerError: where one of these can't be had; the message names it and what there is.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        slots: int,
        isa: str | None = None,
        threads: int = 1,
        precision: Precision = "float32",
        window: int = 0,
    ) -> None:
        if slots < 1:
            raise SamplerError(f"slots: {slots}, expected at least 1")
        if threads < 1:
            raise SamplerError(f"threads: {threads}, expected at least 1")
        if precision == "int8" and checkpoint.config.strategy != "wavenet":
            name, strategy = checkpoint.config.name, checkpoint.config.strategy
            raise SamplerError(f"precision: 'int8' is for wavenets; {name!r} is a {strategy}")
        if precision == "int8" and checkpoint.calibration is None:
            raise SamplerError("precision: 'int8' needs a calibration, which `ostinato quantize` makes")
        self.config: ModelConfig = checkpoint.config
        self._own_temperatures = own_temperatures(checkpoint.config)
        self.slots = slots
        isa = os.environ.get(ISA_VARIABLE, "") if isa is None else isa
        there = _kernel.isas(precision)
        if isa and isa not in there:
            raise SamplerError(f"isa: {isa!r} does not run here; there is {', '.join(there)}")
        tensors = {**checkpoint.tensors, **(integers(checkpoint) if precision == "int8" else {})}
        shape = kernel_shape(self.config, window)
        self._pool = _kernel.Pool(shape, tensors, slots, isa, precision, threads)
        self._precision: Final = precision

    @property
    def build(self) -> Build:
        """What it runs on."""
        return Build("native", self._precision, self._pool.isa, "cpu", self._pool.threads)

    def reset(self, slot: int, key: int) -> None:
        """Begin a new stream in a slot."""
        check_slots([slot], self.slots)
        self._pool.reset(slot, key & (2**64 - 1))

    def advance(self, slots: Sequence[int], controls: NDArray[np.float32]) -> NDArray[np.float32]:
        """Draw the next samples of these slots: controls [b, frames, channels] -> [b, frames * hop]."""
        given, controls, out = self._prepared(slots, controls)
        self._pool.advance(given, controls, out)
        return out

    def advance_through(
        self, draft: NativeSampler, window: int, slots: Sequence[int], controls: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], list[int]]:
        """The same by windows of a draft's proposals, the same slots of which stand for the same streams.

        Also tells of windows, proposals that were judged, those taken, and remainders drawn the long way.
        """
        given, controls, out = self._prepared(slots, controls)
        return out, self._pool.speculate(draft._pool, given, controls, out, window)

    def _prepared(
        self, slots: Sequence[int], controls: NDArray[np.float32]
    ) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.float32]]:
        """Slots and controls as the kernel takes them, and where it puts what is drawn. Refuses what can't be."""
        check_slots(slots, self.slots)
        count = check_controls(controls, (len(slots),))
        check_instruments(controls, self.config)
        out = np.empty((len(slots), count * self.config.network.hop), dtype=np.float32)
        controls = np.ascontiguousarray(at_own_temperature(controls, self._own_temperatures))
        return np.asarray(slots, dtype=np.int64), controls, out

    def probe(self, slot: int, controls: NDArray[np.float32], forced: NDArray[np.float32]) -> NDArray[np.float32]:
        """Advance one slot along given samples: -> head parameters [frames * hop, P]."""
        check_density(self.config)
        check_slots([slot], self.slots)
        samples = check_controls(controls, ()) * self.config.network.hop
        check_forced(forced, samples)
        check_instruments(controls, self.config)
        parameters = np.empty((samples, self.config.network.head.parameters), dtype=np.float32)
        heard = np.empty(samples, dtype=np.float32)
        self._pool.probe(slot, np.ascontiguousarray(controls), np.ascontiguousarray(forced), heard, parameters)
        return parameters

    def snapshot(self, slot: int) -> Snapshot:
        """A copy of a slot's state, the same bytes for every instruction set."""
        check_slots([slot], self.slots)
        state = np.empty(self._pool.state_bytes, dtype=np.uint8)
        self._pool.save(slot, state)
        return Snapshot("native", {"state": state})

    def restore(self, slot: int, state: Snapshot) -> None:
        """Put a state into a slot. Refuses one of another model's shape."""
        check_slots([slot], self.slots)
        check_snapshot(state, "native", {"state": (self._pool.state_bytes,)})
        try:
            self._pool.restore(slot, np.ascontiguousarray(state.arrays["state"]))
        except (TypeError, ValueError) as error:
            raise SamplerError(f"state: {error}") from error


def blocks_shape(network: BlocksConfig) -> _kernel.BlocksShape:
    """What a transformer over blocks has of its own."""
    shape = _kernel.BlocksShape()
    shape.block, shape.before, shape.units = network.block, network.before, network.units
    shape.width, shape.heads, shape.kv_heads = network.width, network.heads, network.kv_heads
    shape.feed_forward, shape.layers, shape.window = network.feed_forward, network.layers, network.window
    shape.taps, shape.inside = network.taps, network.inside
    return shape


def kernel_shape(config: ModelConfig, window: int = 0) -> _kernel.Shape:
    """A model's network as the kernel wants it: plain numbers, 0 or an empty list for what it lacks."""
    network = config.network
    shape, head = _kernel.Shape(), network.head
    shape.strategy = config.strategy
    shape.sample_rate, shape.hop = network.sample_rate, network.hop
    shape.bias, shape.pre_emphasis, shape.amplitude = network.bias, network.pre_emphasis, network.amplitude
    if isinstance(network, HybridConfig):
        shape.latents, shape.decoder_units = network.latents, network.decoder_units
        shape.cepstrum, shape.taps = network.cepstrum, network.taps
    shape.head, shape.parameters = head.kind, head.parameters
    if isinstance(network, StackConfig):
        shape.residual, shape.skip = network.residual_channels, network.skip_channels
        shape.kernel_size, shape.dilations = network.kernel_size, list(network.dilations)
        shape.units = network.units if isinstance(network, NadeConfig) else 0
        shape.head_widths = [*network.head_widths, *([shape.units] if shape.units else [])]
    if isinstance(network, BlocksConfig):
        shape.residual, shape.blocks = network.width, blocks_shape(network)
    if isinstance(network, FlowConfig):
        _flow_shape(shape, network)
    shape.log_scale_min = head.log_scale_min if isinstance(head, LogisticsHead | GaussianHead) else 0.0
    shape.harmonics = network.excitation.harmonics if network.excitation else 0
    shape.tone_harmonics = network.tone.harmonics if network.tone else 0
    shape.local_widths = [*network.local.hidden, network.local.channels] if network.local else []
    shape.global_entries = network.global_.entries if network.global_ else 0
    shape.global_channels = network.global_.channels if network.global_ else 0
    shape.window = window
    return shape


def _flow_shape(shape: _kernel.Shape, network: FlowConfig) -> None:
    shape.kernel_size = network.kernel_size
    shape.bits = [split.bit for split in network.splits]
    shape.moves_set = [int(split.moves_set) for split in network.splits]
    shape.coupling_units, shape.coupling_lines = network.units, network.lines
