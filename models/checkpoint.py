"""A model on disk: `config.json` beside `weights.safetensors`, strict both ways.

Loading reads numpy arrays, so that a server on the native sampler needs no torch.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from ostinato.models.config import ModelConfig, read_config
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

CONFIG: Final = "config.json"
WEIGHTS: Final = "weights.safetensors"


class CheckpointError(ValueError):
    """Weights that do not fit their config. The message names every tensor concerned."""


@dataclass(frozen=True)
class Checkpoint:
    """A config and the float32 tensors that it names; neither changes once made."""

    config: ModelConfig
    tensors: dict[str, NDArray[np.float32]]

    def __post_init__(self) -> None:
        """Refuse tensors that are missing, extra, misshapen, not float32 or not finite."""
        expected = self.config.network.shapes
        faults = [f"{name}: missing" for name in expected if name not in self.tensors]
        faults += [f"{name}: not a tensor of this model" for name in self.tensors if name not in expected]
        for name in expected.keys() & self.tensors.keys():
            tensor = self.tensors[name]
            if tensor.shape != expected[name]:
                faults.append(f"{name}: shape {tensor.shape}, expected {expected[name]}")
            elif tensor.dtype != np.float32:
                faults.append(f"{name}: {tensor.dtype}, expected float32")
            elif not np.isfinite(tensor).all():
                faults.append(f"{name}: holds a value that is not finite")
        if faults:
            raise CheckpointError("\n".join(sorted(faults)))
        for tensor in self.tensors.values():
            tensor.flags.writeable = False

    @property
    def parameters(self) -> int:
        """Number of weights."""
        return sum(t.size for t in self.tensors.values())


def load_checkpoint(folder: Path) -> Checkpoint:
    """Read a checkpoint folder.

    Raises:
        ConfigError: where the config is wrong.
        CheckpointError: where a file is missing or unreadable, or weights and config differ.
    """
    for name in (CONFIG, WEIGHTS):
        if not (folder / name).is_file():
            raise CheckpointError(f"{folder}: no {name}")
    config = read_config(folder / CONFIG)
    try:
        tensors = load_file(folder / WEIGHTS)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{folder / WEIGHTS}: {error}") from error
    try:
        return Checkpoint(config, tensors)
    except CheckpointError as error:
        raise CheckpointError(f"{folder / WEIGHTS}:\n{error}") from error


def save_checkpoint(checkpoint: Checkpoint, folder: Path) -> None:
    """Write a checkpoint folder; each file appears whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    config = json.dumps(checkpoint.config.model_dump(mode="json"), indent=2) + "\n"
    staged = folder / f".{CONFIG}"
    staged.write_text(config, encoding="utf-8")
    staged.replace(folder / CONFIG)
    staged = folder / f".{WEIGHTS}"
    save_file({k: np.ascontiguousarray(v) for k, v in checkpoint.tensors.items()}, staged)
    staged.replace(folder / WEIGHTS)
