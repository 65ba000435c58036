"""Models by name: the shipped instrument, and random-weight shapes for tests, load and the bench."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np

from ostinato.models.calibration import assumed
from ostinato.models.checkpoint import Checkpoint, load_checkpoint
from ostinato.models.config import (
    BlocksConfig,
    ExcitationConfig,
    FlowConfig,
    LocalConditioning,
    LogisticsHead,
    ModelConfig,
    MuLawHead,
    NadeConfig,
    ToneConfig,
    WaveNetConfig,
)

PRETRAINED: Final = Path(__file__).parent / "pretrained"
RANDOM: Final = ("tiny", "r16", "r32", "r64")


class UnknownModelError(ValueError):
    """A model that is neither a registered name nor a checkpoint folder."""


def names() -> tuple[str, ...]:
    """Every name that `load` takes: shipped checkpoints, then random-weight shapes."""
    shipped = sorted(path.parent.name for path in PRETRAINED.glob("*/config.json"))
    return (*shipped, *RANDOM)


def load(name: str) -> Checkpoint:
    """A model by registered name.

    Raises:
        UnknownModelError: naming what is known.
    """
    if name in RANDOM:
        return random_checkpoint(random_config(name))
    if name in names():
        return load_checkpoint(PRETRAINED / name)
    raise UnknownModelError(f"model: {name!r} is not known; known are {', '.join(names())}")


def load_name_or_folder(model: str) -> Checkpoint:
    """A model by registered name, or by the path of a checkpoint folder. For local commands, never the wire."""
    if model not in names() and Path(model).is_dir():
        return load_checkpoint(Path(model))
    if Path(model).name != model:
        raise UnknownModelError(f"model: {model!r}: there is no such folder")
    return load(model)


def folder_of(model: str) -> Path:
    """Where a model's checkpoint lies, by its registered name or as the path of its folder.

    Raises:
        UnknownModelError: where it has random weights, or is neither.
    """
    if model in RANDOM:
        raise UnknownModelError(f"model: {model!r} has random weights and no folder")
    folder = PRETRAINED / model if model in names() else Path(model)
    if not folder.is_dir() and folder.name != model:
        raise UnknownModelError(f"model: {model!r}: there is no such folder")
    if not folder.is_dir():
        raise UnknownModelError(f"model: {model!r} is not known; known are {', '.join(names())}")
    return folder


def random_config(name: str) -> ModelConfig:
    """The config of a random-weight shape: `tiny`, or `r16`, `r32` and `r64` after nv-wavenet's R, S and A."""
    if name == "tiny":
        network = WaveNetConfig(
            residual_channels=8,
            skip_channels=16,
            layers=4,
            dilation_cycle=(1, 2, 4, 8),
            head=LogisticsHead(),
            local=LocalConditioning(hidden=(8,), channels=8),
            excitation=ExcitationConfig(harmonics=4),
            tone=ToneConfig(harmonics=6),
            pre_emphasis=0.85,
        )
    else:
        residual, skip, levels = {"r16": (16, 32, 32), "r32": (32, 64, 256), "r64": (64, 128, 256)}[name]
        network = WaveNetConfig(
            residual_channels=residual,
            skip_channels=skip,
            layers=20,
            dilation_cycle=(1, 2, 4, 8, 16, 32, 64, 128, 256, 512),
            head=MuLawHead(levels=levels),
        )
    return ModelConfig(name=name, description="random weights, for tests and measurement", network=network)


def random_checkpoint(config: ModelConfig, seed: int = 0) -> Checkpoint:
    """Weights that depend on config and seed alone, scaled to keep every layer's output of order one.

    The head's last layer is scaled down and the tone made faint, so that what free-runs stays well within full scale.
    """
    generator = np.random.default_rng(seed)
    tensors = {}
    for name, shape in config.network.shapes.items():
        fan_in = int(np.prod(shape[1:])) if len(shape) > 1 else 16
        tensors[name] = (generator.standard_normal(shape) / np.sqrt(fan_in)).astype(np.float32)
    network = config.network
    if isinstance(network, FlowConfig):
        for name in tensors:
            if name.endswith(("output.weight", "direct.weight", "shift.weight")):
                tensors[name] *= np.float32(0.3)
    elif network.head.kind != "mu_law":
        last = _last_layer(network)
        tensors[f"{last}.weight"] *= np.float32(0.02)
        tensors[f"{last}.bias"] *= np.float32(0.02)
        scales = network.head.parameters // (3 if network.head.kind == "logistics" else 2)
        tensors[f"{last}.bias"][..., -scales:] -= np.float32(5.0)
    if config.network.tone:
        tensors["tone.weight"] *= np.float32(0.1)
        tensors["tone.bias"][: config.network.tone.harmonics] -= np.float32(5.0)
    if isinstance(network, BlocksConfig) and network.taps:  # a prediction that grows from sample to sample is no sound
        tensors["taps.weight"] *= np.float32(0.1)
        tensors["taps.bias"] *= np.float32(0.1)
    return Checkpoint(config, tensors, assumed(network) if isinstance(network, WaveNetConfig) else None)


def _last_layer(network: WaveNetConfig | NadeConfig | BlocksConfig) -> str:
    """What states the head parameters, by the name of its tensors."""
    match network:
        case WaveNetConfig():
            return f"head.{len(network.head_widths) - 2}"
        case NadeConfig():
            return "nade.output"
        case BlocksConfig():
            return "inside.output"
