"""One launch of the kernel over prepared blocks: the one place that knows its arguments."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ostinato.models.config import MuLawHead, WaveNetConfig
from ostinato.models.fused.kernel import INTERPRETED, draw_block
from ostinato.models.fused.packing import Packed
from ostinato.models.fused.shape import LANES, Padded, head_parts


@dataclass(frozen=True)
class State:
    """All that the slots of a pool remember; written in place. W the padded harmonics, R the padded channels."""

    key: Tensor  # int64 [pool]
    clock: Tensor  # int64 [pool]
    phase: Tensor  # int64 [pool], 2^64 a turn
    previous: Tensor  # float32 [pool]: last sample in the model's domain, less its tone, in its scale
    output: Tensor  # float32 [pool]: last sample heard
    amplitudes: Tensor  # float32 [pool, 2, W]: the tone's at the last hop's end
    rings: Tensor  # [pool, rows of all layers, R] in the precision of the products

    def tensors(self) -> dict[str, Tensor]:
        """Every tensor by name, each with the slots first."""
        return dict(vars(self))


@dataclass(frozen=True)
class Frames:
    """What the controls say of each hop of each slot, F hops at once."""

    conditions: Tensor  # float32 [F, pool, L * 2 * R], biases included; strides of 0 where all are the same
    amplitudes: Tensor  # float32 [F + 1, pool, 2, W]: of the hop before the first, then of each
    log_scales: Tensor  # float32 [F, pool]
    temperatures: Tensor  # float32 [F, pool]
    steps: Tensor  # int64 [F, pool]: of the phase, each sample
    audibles: Tensor  # int32 [F, pool]: harmonics below the limit


@dataclass(frozen=True)
class Outputs:
    """What a launch reads of a probe, and writes. b the streams, T samples."""

    heard: Tensor  # float32 [b, T]
    forced: Tensor | None = None  # float32 [b, T]
    parameters: Tensor | None = None  # float32 [b, T, head parameters]


def launch(
    network: WaveNetConfig, shape: Padded, packed: Packed, state: State, frames: Frames, slots: Tensor, out: Outputs
) -> None:
    """Advance the streams in slots, int32 [b] and then -1 to a multiple of `LANES`, by the hops of `frames`.

    A probe, where `out` has `forced`, takes those samples and writes the head parameters; else samples are drawn.
    """
    head = network.head
    constants: dict[str, Any] = {
        "LANES": LANES,
        "R": shape.residual,
        "S": shape.skip,
        "W": shape.waves,
        "P": shape.part,
        "PARTS": shape.parts,
        "LAYERS": network.layers,
        "TAPS": network.kernel_size,
        "HIDDEN": len(network.head_hidden),
        "HEAD": head.kind,
        "COUNT": head.parameters // head_parts(network),
        "AMPLITUDE": network.amplitude,
        "LEAST": 0.0 if isinstance(head, MuLawHead) else head.log_scale_min,
        "LOG_LEVELS": math.log(head.levels) if isinstance(head, MuLawHead) else 0.0,
        "PRE_EMPHASIS": network.pre_emphasis,
        "WAVES": network.waves > 0,
        "TONE": network.tone is not None,
        "PROBE": out.forced is not None,
        "WARPS": shape.warps,
        "FAST": shape.precision == "float16" and not INTERPRETED,
    }
    draw_block[(len(slots) // LANES,)](
        slots, state.key, state.clock, state.phase, state.previous, state.output,
        state.amplitudes, state.rings, state.rings.shape[1],
        frames.conditions, frames.conditions.stride(0), frames.conditions.stride(1), frames.amplitudes,
        frames.log_scales, frames.temperatures, frames.steps, frames.audibles,
        out.heard if out.forced is None else out.forced, out.heard,
        out.heard if out.parameters is None else out.parameters,
        len(frames.steps), network.hop, state.key.shape[0],
        packed.previous, packed.sines, packed.cosines, packed.input_bias, packed.rings, packed.taps, packed.residual,
        packed.residual_bias, packed.skip, packed.skip_bias, packed.hidden, packed.hidden_bias, packed.last,
        packed.last_bias, **constants, num_warps=shape.warps,
    )  # fmt: skip
