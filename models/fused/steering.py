"""What the controls say of a block, computed by the reference's own modules, before the kernel runs.

Every frame is computed for the whole pool, so a stream meets the same matrix shapes whatever its neighbours do and
however it is cut into calls.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ostinato.models.controls import FRAME
from ostinato.models.excitation import AUDIBLE, frequency, increment
from ostinato.models.fused.launch import Frames
from ostinato.models.fused.packing import Packed
from ostinato.models.sampling.capture import captured
from ostinato.models.wavenet import WaveNet


class Steering:
    """The frames of a pool, in place, up to `longest` hops at a time. On CUDA a hop is captured and replayed.

    Args:
        network: the reference.
        packed: the weights of its layers' conditions.
        amplitudes: the tone's before the first hop, [pool, 2, W]: read at every call.
        longest: hops of one call, at least 3: so many are steered before the capture.
    """

    def __init__(self, network: WaveNet, packed: Packed, amplitudes: Tensor, longest: int) -> None:
        self._network, self._packed, self._before = network, packed, amplitudes
        pool, width, device = amplitudes.shape[0], len(packed.bias), amplitudes.device
        conditions = packed.bias.expand(longest, pool, width)
        if network.config.condition_channels:
            conditions = torch.zeros(longest, pool, width, device=device)
        self._given = torch.zeros(longest, pool, len(FRAME), pin_memory=device.type == "cuda")
        self._controls = torch.zeros(longest, pool, len(FRAME), device=device)
        self._at = torch.zeros(1, dtype=torch.int64, device=device)  # the frame that is computed next
        self._frames = Frames(
            conditions=conditions,
            amplitudes=torch.zeros(longest + 1, *amplitudes.shape, device=device),
            log_scales=torch.zeros(longest, pool, device=device),
            temperatures=torch.zeros(longest, pool, device=device),
            steps=torch.zeros(longest, pool, dtype=torch.int64, device=device),
            audibles=torch.zeros(longest, pool, dtype=torch.int32, device=device),
        )
        self._steer_hop: Callable[[], None] = self._hop
        if device.type == "cuda":
            self._steer_hop = captured(self._hop, device)

    def __call__(self, slots: Sequence[int], controls: NDArray[np.float32]) -> Frames:
        """Controls [b, F, channels] of these slots, F at most `longest` -> what the kernel reads, until the next call.

        What is said of other slots means nothing.
        """
        count = controls.shape[1]
        self._given[:count].numpy()[:, slots] = controls.swapaxes(0, 1)
        self._controls[:count] = self._given[:count]
        self._frames.amplitudes[0] = self._before
        self._at.zero_()
        for _ in range(count):
            self._steer_hop()
        whole = vars(self._frames)
        return Frames(**{name: t[: count + (name == "amplitudes")] for name, t in whole.items()})

    @torch.no_grad()
    def _hop(self) -> None:
        """One frame of the whole pool, the one that `_at` names, which then names the next."""
        config, frames, at = self._network.config, self._frames, self._at
        controls = self._controls.index_select(0, at)[0]  # [pool, channels]
        note = controls[:, FRAME.index("note")]
        harmonic = torch.arange(1, config.waves + 1, device=note.device)
        audible = harmonic * frequency(note, config.sample_rate)[:, None] <= AUDIBLE * config.sample_rate
        steering = self._network.steer(controls)
        if steering.condition is not None:
            condition = torch.addmm(self._packed.bias, steering.condition, self._packed.condition)
            frames.conditions.index_copy_(0, at, condition[None])
        if steering.tone is not None:
            stated = steering.tone.amplitudes.unflatten(-1, (2, -1))  # type: ignore[no-untyped-call]
            frames.amplitudes[..., : stated.shape[-1]].index_copy_(0, at + 1, stated[None])
            frames.log_scales.index_copy_(0, at, steering.tone.log_scale[None])
        frames.temperatures.index_copy_(0, at, controls[None, :, FRAME.index("temperature")])
        frames.steps.index_copy_(0, at, increment(note, config.sample_rate)[None])
        frames.audibles.index_copy_(0, at, audible.sum(-1, dtype=torch.int32)[None])
        at.add_(1)
