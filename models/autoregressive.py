"""Networks that draw one sample after another, each from a distribution over all before it.

A network says how its distribution of each sample follows from what was drawn before, in two ways: `continuation` for
whole sequences, and for sampling a state, what is taken once a hop, and one sample's step.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ostinato.models.controls import FRAME
from ostinato.models.heads import Head
from ostinato.models.steered import NetworkState, SteeredNetwork, Steering
from ostinato.models.tone import tone_samples


class AutoregressiveNetwork(SteeredNetwork):
    """Head parameters of every sample given all before it, the controls and the phase."""

    distribution: Head

    @abstractmethod
    def continuation(self, left: Tensor, waves: Tensor, steering: Steering) -> Tensor:
        """Head parameters of what the tone leaves: left [B, T], waves [B, T, 2 waves] -> [B, T, P]."""

    @abstractmethod
    def lighten_past(self, tensors: Mapping[str, NDArray[np.float32]], weight: float) -> None:
        """Multiply by `weight`, in place, the weights of a checkpoint that what was drawn before comes in by."""

    @abstractmethod
    def silence(self, slots: int, device: torch.device) -> NetworkState:
        """The state of so many streams that have drawn nothing."""

    # a hop's own values, and the state, are whatever the network makes of them
    @abstractmethod
    def begin_hop(self, state: Any, active: Tensor, previous: Tensor, steering: Steering) -> Any:  # noqa: ANN401
        """What is taken once a hop, for every slot: active bool [slots], previous [slots] as in `step_sample`."""

    @abstractmethod
    def step_sample(
        self,
        state: Any,  # noqa: ANN401
        active: Tensor,
        place: int,
        previous: Tensor,
        waves: Tensor,
        hop: Any,  # noqa: ANN401
    ) -> Tensor:
        """Head parameters [slots, P] of the sample at `place` in its hop.

        Active bool [slots], previous [slots] (the last sample less its tone, in its scale), waves [slots, 2 waves].
        Inactive slots keep their state; their rows of the result mean nothing.
        """

    def forward(self, samples: Tensor, frames: Tensor, phase: Tensor) -> Tensor:
        """Teacher-forced head parameters of a whole sequence, silence before it.

        samples [B, T] in the model's domain (pre-emphasised where it is), frames [B, T / hop, len(FRAME)],
        phase int64 [B, T] -> [B, T, P]; row t depends on samples before t alone.
        """
        hop = self.config.hop
        steering = self.steer(frames)
        note = frames[..., FRAME.index("note"), None]  # [B, F, 1]
        waves = self.waves(phase.reshape(*frames.shape[:2], hop), note).flatten(1, 2)
        if steering.tone is None:
            return self.continuation(samples, waves, steering)
        tone = tone_samples(steering.tone.amplitudes, waves, hop)
        log_scale = steering.tone.log_scale.repeat_interleave(hop, dim=1)
        left = (samples - tone) * torch.exp(-log_scale)
        return self.place(self.continuation(left, waves, steering), tone, log_scale)
