"""What the controls say of a block, computed by the reference's own modules, before the kernel runs.

Every frame is computed for the whole pool, so a stream meets the same matrix shapes whatever its neighbours do and
however it is cut into calls.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ostinato.models.controls import FRAME
from ostinato.models.excitation import AUDIBLE, frequency, increment
from ostinato.models.fused.launch import Frames
from ostinato.models.fused.packing import Packed
from ostinato.models.wavenet import WaveNet


@torch.no_grad()
def steer(network: WaveNet, packed: Packed, controls: Tensor, amplitudes: Tensor) -> Frames:
    """Controls [F, pool, len(FRAME)], the tone's amplitudes before them [pool, 2, W] -> what the kernel reads."""
    config = network.config
    count, pool = controls.shape[:2]
    note = controls[..., FRAME.index("note")]  # [F, pool]
    harmonic = torch.arange(1, config.waves + 1, device=controls.device)
    audible = harmonic * frequency(note, config.sample_rate)[..., None] <= AUDIBLE * config.sample_rate
    conditions = packed.bias.expand(count, pool, -1)
    if config.condition_channels:
        conditions = torch.empty(count, pool, len(packed.bias), device=controls.device)
    tones = torch.zeros(count + 1, *amplitudes.shape, device=controls.device)
    tones[0] = amplitudes
    log_scales = torch.zeros(count, pool, device=controls.device)
    for f in range(count):
        steering = network.steer(controls[f])
        if steering.condition is not None:
            conditions[f] = torch.addmm(packed.bias, steering.condition, packed.condition)
        if steering.tone is not None:
            stated = steering.tone.amplitudes.unflatten(-1, (2, -1))  # type: ignore[no-untyped-call]
            tones[f + 1, :, :, : stated.shape[-1]] = stated
            log_scales[f] = steering.tone.log_scale
    return Frames(
        conditions=conditions,
        amplitudes=tones,
        log_scales=log_scales,
        temperatures=controls[..., FRAME.index("temperature")].contiguous(),
        steps=increment(note, config.sample_rate),
        audibles=audible.sum(-1, dtype=torch.int32),
    )
