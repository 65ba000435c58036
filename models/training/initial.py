"""Where training starts from: near the answer in the three places that gradient descent is slow to reach."""

from __future__ import annotations

import math
from typing import Final

import torch
from torch import Tensor, nn

from ostinato.models.blocks_network import BlocksNetwork
from ostinato.models.config import HeadConfig, Instrument
from ostinato.models.controls import FEATURES
from ostinato.models.flow_network import FlowNetwork
from ostinato.models.nade import Nade
from ostinato.models.nade_network import NadeNetwork
from ostinato.models.steered import SteeredNetwork
from ostinato.models.wavenet import WaveNet

QUIET: Final = -5.0  # first log-scale: about the size of a soft note's samples
FAINT: Final = -6.0  # first log-level of a harmonic
STEPS: Final = 0.75  # share of the control network's units that begin as steps along the pitch axis


@torch.no_grad()
def initialise(network: SteeredNetwork, instruments: tuple[Instrument, ...]) -> None:
    """Set the scales of the head and of the tone, and the steps of the control network."""
    if isinstance(network, NadeNetwork):
        start_alike(network.nade)
    if isinstance(network, BlocksNetwork):
        if isinstance(network.inside, Nade):
            start_alike(network.inside)
        if network.taps is not None:
            start_unpredicted(network.taps)
    start_quiet(network)
    if network.tone is not None:
        start_faint(network.tone)
    if network.local is not None:
        first = network.local[0]
        assert isinstance(first, nn.Linear)
        spread_over_pitch(first, min(i.low for i in instruments), max(i.high for i in instruments))


def start_alike(nade: Nade) -> None:
    """Begin with one conditional for all places of a frame.

    Each place has its own, learnt from few samples; where they differ by chance, a hum at the rate of hops is heard.
    """
    for weight in nade.output.values():
        weight[:] = weight[:1].clone()


@torch.no_grad()
def start_near_identity(network: FlowNetwork) -> None:
    """Begin with couplings that hardly move or scale anything, so that many may follow each other."""
    for name, weight in network.named_parameters():
        if name.endswith(("output.weight", "shift.weight", "direct.weight", ".condition.weight")):
            weight.mul_(0.1)
        elif name.endswith("output.bias"):
            weight.zero_()


def start_unpredicted(taps: nn.Linear) -> None:
    """Begin with no linear prediction: one by chance, rolled out over a block, would grow with every sample of it."""
    taps.weight.zero_()
    taps.bias.zero_()


def start_quiet(network: SteeredNetwork) -> None:
    """Begin with small log-scales, since from a scale of 1 the first thousand steps would only shrink it.

    With a tone, what is drawn is of the size of its scale, and 1 is right.
    """
    count = scales(network.config.head)
    if count:
        weight, bias = last_layer(network)
        weight *= 0.1
        bias[..., -count:] = -1.0 if network.config.tone else QUIET


def scales(head: HeadConfig) -> int:
    """How many of the head parameters, the last ones, are log-scales."""
    return {"logistics": head.parameters // 3, "gaussian": 1}.get(head.kind, 0)


def last_layer(network: SteeredNetwork) -> tuple[Tensor, Tensor]:
    """Weight and bias [..., P] of what states the head parameters."""
    if isinstance(network, NadeNetwork):
        return network.nade.output["weight"], network.nade.output["bias"]
    if isinstance(network, BlocksNetwork):
        return network.inside.output["weight"], network.inside.output["bias"]
    assert isinstance(network, WaveNet)
    last = network.head[-1]
    assert isinstance(last, nn.Linear)
    return last.weight, last.bias


def start_faint(tone: nn.Linear) -> None:
    """Begin with faint harmonics, and with what they leave about as large as a soft note."""
    count = tone.out_features // 2
    tone.weight *= 0.1
    tone.bias[:count] = FAINT
    tone.bias[-1] = QUIET


def spread_over_pitch(first: nn.Linear, low: float, high: float) -> None:
    """Make most units soft steps, evenly spaced from `low` to `high` (MIDI notes), each as wide as its spacing.

    A sampled instrument changes its colour from one recorded root to the next; a network of smooth functions of the
    pitch alone would blur those borders. Each instrument has its own, so it meets the steps shifted by about an octave.
    """
    count = int(first.out_features * STEPS)
    if not count or high <= low:
        return
    spacing = (high - low) / count
    centres = low + spacing * (torch.arange(count) + 0.5)
    slope = 12.0 / spacing * 2.0  # the pitch feature counts octaves from note 69
    first.weight[:count, FEATURES.index("pitch")] = slope
    first.weight[:count, FEATURES.index("pitch_squared")] = 0.0
    first.bias[:count] = -slope * (centres - 69.0) / 12.0
    instrument = first.weight[:count, len(FEATURES) :]
    if instrument.shape[1]:
        octaves = torch.randn(instrument.shape) / math.sqrt(instrument.shape[1])
        instrument.copy_(slope * octaves)
