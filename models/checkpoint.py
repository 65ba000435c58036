"""A model on disk: `config.json` beside `weights.safetensors`, and `int8.json` where it was calibrated; all strict.

Loading reads numpy arrays, so that a server on the native sampler needs no torch.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from ostinato.models.calibration import Calibration, CalibrationError, calibration_json, read_calibration
from ostinato.models.config import ModelConfig, read_config

CONFIG: Final = "config.json"
WEIGHTS: Final = "weights.safetensors"
CALIBRATION: Final = "int8.json"
DRAFT: Final = "draft"  # the folder, within a model's, of the draft that proposes to it
MOST_NAMED: Final = 10  # faults that one message lists


class CheckpointError(ValueError):
    """Weights or a calibration that do not fit their config. The message names every tensor or key concerned."""


@dataclass(frozen=True)
class Checkpoint:
    """A config, the float32 tensors that it names, and what int8 needs beside them; none changes once made."""

    config: ModelConfig
    tensors: dict[str, NDArray[np.float32]]
    calibration: Calibration | None = None
    draft: Checkpoint | None = None  # that proposes what this one judges

    def __post_init__(self) -> None:
        """Refuse tensors that are missing, extra, misshapen, not float32 or not finite, and another's calibration."""
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
        if self.calibration:
            faults += [f"{CALIBRATION}: {fault}" for fault in self.calibration.faults(self.config.wavenet)]
        if faults:
            raise CheckpointError(_listed(sorted(faults)))
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
        CheckpointError: where a file is missing or unreadable, or config, weights and calibration do not fit together.
    """
    checkpoint, path = load_uncalibrated(folder), folder / CALIBRATION
    if (folder / DRAFT / CONFIG).is_file():
        checkpoint = replace(checkpoint, draft=load_checkpoint(folder / DRAFT))
    if not path.is_file():
        return checkpoint
    try:
        return replace(checkpoint, calibration=read_calibration(path, checkpoint.tensors))
    except (CalibrationError, OSError) as error:
        raise CheckpointError(str(error)) from error


def load_uncalibrated(folder: Path) -> Checkpoint:
    """Read a checkpoint folder, whatever its calibration says. Raises as `load_checkpoint`."""
    for name in (CONFIG, WEIGHTS):
        if not (folder / name).is_file():
            raise CheckpointError(f"{folder}: no {name}")
    config = read_config(folder / CONFIG)
    try:
        return Checkpoint(config, _read_tensors(folder / WEIGHTS))
    except (CheckpointError, SafetensorError, OSError) as error:
        raise CheckpointError(f"{folder / WEIGHTS}:\n{error}") from error


def _read_tensors(path: Path) -> dict[str, NDArray[np.float32]]:
    """Every tensor of a file, refusing types that numpy may not even have a name for."""
    with safe_open(path, framework="numpy") as file:
        types = {name: file.get_slice(name).get_dtype() for name in file.keys()}  # noqa: SIM118 (no mapping)
        faults = [f"{name}: {kind}, expected F32" for name, kind in sorted(types.items()) if kind != "F32"]
        if faults:
            raise CheckpointError(_listed(faults))
        return {name: file.get_tensor(name) for name in types}


def _listed(faults: list[str]) -> str:
    more = len(faults) - MOST_NAMED
    return "\n".join(faults[:MOST_NAMED] + ([f"and {more} more"] if more > 0 else []))


def save_checkpoint(checkpoint: Checkpoint, folder: Path) -> None:
    """Write a checkpoint folder; each file appears whole or not at all, and no calibration beside other weights."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / CALIBRATION).unlink(missing_ok=True)
    config = json.dumps(checkpoint.config.model_dump(mode="json"), indent=2) + "\n"
    _write_whole(folder / CONFIG, config.encode())
    # not save_file, whose files only their owner may read
    _write_whole(folder / WEIGHTS, save({k: np.ascontiguousarray(v) for k, v in checkpoint.tensors.items()}))
    if checkpoint.calibration:
        save_calibration(checkpoint, folder)


def save_calibration(checkpoint: Checkpoint, folder: Path) -> None:
    """Write a checkpoint's calibration into the folder of its weights."""
    assert checkpoint.calibration
    _write_whole(folder / CALIBRATION, calibration_json(checkpoint.calibration, checkpoint.tensors).encode())


def _write_whole(path: Path, data: bytes) -> None:
    staged = path.with_name(f".{path.name}")
    staged.write_bytes(data)
    staged.replace(path)
