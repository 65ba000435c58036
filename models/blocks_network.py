"""Blocks of samples: a causal transformer runs once a block, and a cheap head draws the samples inside.

    t_b = A (u_{s-m} .. u_{s-1}) + C c + a          what was drawn before block b, as it is, and the hop's condition
    h <- h + O attention(norm h),  h <- h + D (x * sigmoid(g)),  (x, g) = U norm h        in each layer
    z_b = (norm h_b, u_{s-m} .. u_{s-1})

(Vaswani et al. 2017, norms first and of root mean square; feed-forward gated after Dauphin et al. 2017 and Shazeer
2020.) Inside, given z_b, either every sample by itself (`independent.py`), or each given those before it (`nade.py`).
To both means a linear prediction is added whose taps z_b states (`prediction.py`): what the tone leaves is coloured
noise, which the last few samples tell better than any unit that squashes. u is in the tone's scale.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ostinato.models.attention import Band, attend_ring, attend_whole, rotated, rotation
from ostinato.models.autoregressive import AutoregressiveNetwork
from ostinato.models.blocks_config import BlocksConfig
from ostinato.models.excitation import lowest
from ostinato.models.independent import Independent
from ostinato.models.nade import Nade, at_once
from ostinato.models.prediction import moved, of_drawn, rolled_out
from ostinato.models.steered import Steering, remember

EPSILON: Final = 1e-5  # of the norms


@dataclass(frozen=True)
class BlocksState:
    """What the streams of a pool remember between samples; written in place."""

    keys: Tensor  # float32 [slots, layers, window, kv_heads, head width]: block p's at p mod window
    values: Tensor  # the same
    recent: Tensor  # float32 [slots, before + block]: the last samples before the block, and what was drawn of it
    clock: Tensor  # int64 [slots]: samples since reset

    def tensors(self) -> dict[str, Tensor]:
        """Every tensor by name, each with the slots first."""
        return {"clock": self.clock, "recent": self.recent, "keys": self.keys, "values": self.values}


@dataclass
class Running:
    """What holds for the hop, and for the block that is being drawn."""

    token: Tensor | None  # [slots, D]: the condition's share
    activation: Tensor | None = None  # [slots, units], of the head inside
    taps: Tensor | None = None  # [slots, K]
    predicted: Tensor | None = None  # [slots, n], where it is known for all of the block


class BlockLayer(nn.Module):
    """Attention, then a gated feed-forward, each after a norm and beside what it adds to."""

    def __init__(self, config: BlocksConfig) -> None:
        super().__init__()
        width = config.width
        self.band = Band(config.heads, config.kv_heads, config.window)
        self.attention_norm = nn.RMSNorm(width, eps=EPSILON)
        self.heard = nn.Linear(width, width + 2 * config.kv_width, bias=False)  # queries, keys, values
        self.said = nn.Linear(width, width, bias=False)
        self.forward_norm = nn.RMSNorm(width, eps=EPSILON)
        self.up = nn.Linear(width, 2 * config.feed_forward, bias=config.bias)
        self.down = nn.Linear(config.feed_forward, width, bias=config.bias)

    def forward(self, hidden: Tensor) -> Tensor:
        """Whole sequences of blocks: hidden [B, S, D] -> [B, S, D]."""
        queries, keys, values = self.hear(hidden, torch.arange(hidden.shape[1], device=hidden.device))
        return self.say(hidden, attend_whole(queries, keys, values, self.band.window))

    def step(self, hidden: Tensor, keys: Tensor, values: Tensor, position: Tensor, active: Tensor) -> Tensor:
        """One block of every slot: hidden [slots, D], rings [slots, W, G, d] -> [slots, D]."""
        query, key, value = self.hear(hidden, position)
        rows, here = torch.arange(len(hidden), device=hidden.device), position % self.band.window
        for ring, new in ((keys, key), (values, value)):
            ring[rows, here] = torch.where(active[:, None, None], new, ring[rows, here])
        return self.say(hidden, attend_ring(query, keys, values, position))

    def hear(self, hidden: Tensor, position: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries and keys, turned by where they stand, and values."""
        width = hidden.shape[-1]
        queries, keys, values = self.band.split(self.heard(self.attention_norm(hidden)), width)
        turn = rotation(position, width // self.band.heads, self.band.window)
        return rotated(queries, turn), rotated(keys, turn), values

    def say(self, hidden: Tensor, attended: Tensor) -> Tensor:
        """What was attended to, and the feed-forward, added to hidden [..., D]."""
        hidden = hidden + self.said(attended)
        value, gate = self.up(self.forward_norm(hidden)).chunk(2, dim=-1)
        result: Tensor = hidden + self.down(value * gate.sigmoid())
        return result


class BlocksNetwork(AutoregressiveNetwork):
    """Head parameters of every sample given all before it, the controls and the phase."""

    config: BlocksConfig

    def __init__(self, config: BlocksConfig) -> None:
        super().__init__(config)
        channels = config.condition_channels
        self.input = nn.Linear(config.before, config.width, bias=config.bias)
        self.condition = nn.Linear(channels, config.width, bias=False) if channels else None
        self.layers = nn.ModuleList(BlockLayer(config) for _ in range(config.layers))
        self.norm = nn.RMSNorm(config.width, eps=EPSILON)
        self.taps = nn.Linear(config.width, config.taps) if config.taps else None
        inside = Nade if config.inside == "nade" else Independent
        self.inside = inside(
            config.block, config.units, config.head.parameters, config.context_channels, config.known_channels
        )

    def known(self, waves: Tensor) -> Tensor | None:
        """Waves [..., 2 waves] -> what a sample's conditional sees of its own time [..., 2K]."""
        return lowest(waves, self.config.excitation.harmonics) if self.config.excitation else None

    def token(self, steering: Steering) -> Tensor | None:
        """The condition's share of a block's token: [..., D]."""
        if self.condition is None or steering.condition is None:
            return None
        share: Tensor = self.condition(steering.condition)
        return share

    def continuation(self, left: Tensor, waves: Tensor, steering: Steering) -> Tensor:
        """Head parameters of what the tone leaves: left [B, T], waves [B, T, 2 waves] -> [B, T, P]."""
        n, before = self.config.block, self.config.before
        past = nn.functional.pad(left, (before, 0))
        recent = past[:, : left.shape[1] + before - n].unfold(1, before, n)  # [B, S, before]
        hidden = self.input(recent)
        token = self.token(steering)
        if token is not None:
            hidden = hidden + token.repeat_interleave(self.config.hop // n, dim=1)
        for layer in self.layers:
            hidden = layer(hidden)
        hidden = self.norm(hidden)
        context = torch.cat((hidden, recent), dim=-1)
        known = self.known(waves)
        if known is not None:
            known = known.unflatten(1, (-1, n))  # type: ignore[no-untyped-call]
        parameters = self._inside_whole(left.unflatten(1, (-1, n)), context, known)  # type: ignore[no-untyped-call]
        if self.taps is not None:
            drawn = past.unfold(1, before + n, n)  # [B, S, before + n]
            parameters = moved(parameters, self._predicted_whole(self.taps(hidden), drawn), self._means)
        return parameters.flatten(1, 2)

    def _inside_whole(self, blocks: Tensor, context: Tensor, known: Tensor | None) -> Tensor:
        """Parameters [B, S, n, P] of blocks [B, S, n]."""
        if isinstance(self.inside, Nade):
            return at_once(self.inside, blocks, context, known)
        return self.inside.at_once(context, known)

    def _predicted_whole(self, taps: Tensor, drawn: Tensor) -> Tensor:
        """Taps [..., K], drawn [..., before + n] -> what is predicted of each block [..., n]."""
        n = self.config.block
        if isinstance(self.inside, Nade):
            return of_drawn(taps, drawn[..., -n - self.config.taps :])
        return rolled_out(taps, drawn[..., -n - self.config.taps : -n], n)

    @property
    def _means(self) -> int:
        """How many of the head parameters are means."""
        return self.config.head.parameters // (3 if self.config.head.kind == "logistics" else 2)

    def lighten_past(self, tensors: Mapping[str, NDArray[np.float32]], weight: float) -> None:
        """The samples before a block, those in it, and the prediction from both."""
        tensors["input.weight"][...] *= weight
        tensors["inside.context.weight"][:, -self.config.before :] *= weight
        if isinstance(self.inside, Nade):
            tensors["inside.weight"][...] *= weight
        if self.taps is not None:
            tensors["taps.weight"][...] *= weight
            tensors["taps.bias"][...] *= weight

    def silence(self, slots: int, device: torch.device) -> BlocksState:
        """The state of so many streams that have drawn nothing."""
        config = self.config
        ring = (slots, config.layers, config.window, config.kv_heads, config.head_width)
        return BlocksState(
            keys=torch.zeros(ring, device=device),
            values=torch.zeros(ring, device=device),
            recent=torch.zeros(slots, config.before + config.block, device=device),
            clock=torch.zeros(slots, dtype=torch.int64, device=device),
        )

    def begin_hop(self, state: BlocksState, active: Tensor, previous: Tensor, steering: Steering) -> Running:
        """The condition's share of the tokens of a hop's blocks."""
        del state, active, previous
        return Running(self.token(steering))

    def step_sample(
        self, state: BlocksState, active: Tensor, place: int, previous: Tensor, waves: Tensor, hop: Running
    ) -> Tensor:
        """Head parameters [slots, P] of the sample at `place` in its hop; where it begins a block, that of the block.

        Active bool [slots], previous [slots], waves [slots, 2 waves]. Inactive slots keep their state.
        """
        before, at = self.config.before, place % self.config.block
        remember(state.recent[:, before + (at or self.config.block) - 1], active, previous)
        if not at:
            self._begin_block(state, active, hop)
        assert hop.activation is not None
        if at and isinstance(self.inside, Nade):
            hop.activation = self.inside.add(hop.activation, at - 1, previous)
        state.clock.add_(active)
        parameters: Tensor = self.inside.conditional(hop.activation, at, self.known(waves))
        if hop.taps is None:
            return parameters
        if hop.predicted is not None:
            return moved(parameters, hop.predicted[:, at], self._means)
        past = state.recent[:, before + at - self.config.taps : before + at]
        return moved(parameters, (past * hop.taps).sum(dim=-1), self._means)

    def _begin_block(self, state: BlocksState, active: Tensor, hop: Running) -> None:
        """Run the transformer on what was drawn, and the head inside on what it says."""
        config = self.config
        moved_on = torch.where(active[:, None], state.recent[:, config.block :], state.recent[:, : config.before])
        state.recent[:, : config.before] = moved_on
        hidden = self.input(moved_on)
        if hop.token is not None:
            hidden = hidden + hop.token
        position = state.clock // config.block
        for i, layer in enumerate(cast("list[BlockLayer]", self.layers)):
            hidden = layer.step(hidden, state.keys[:, i], state.values[:, i], position, active)
        hidden = self.norm(hidden)
        hop.activation = self.inside.begin(torch.cat((hidden, moved_on), dim=-1))
        if self.taps is not None:
            hop.taps = self.taps(hidden)
            if not isinstance(self.inside, Nade):
                hop.predicted = rolled_out(hop.taps, moved_on[:, -config.taps :], config.block)
