"""What int8 needs to know of a model beside its weights: how far its activations reach, and what it then costs.

It lies in `int8.json` beside the weights, written by `ostinato quantize`, and is bound to those weights by a digest.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ostinato.models.config import WaveNetConfig

KEEPS_QUALITY: Final = 0.02
"""Bits a sample that int8 may cost on held-out notes and still be taken by itself."""

WEIGHTS_KEY: Final = "weights"

SMALLEST_REACH: Final = 1e-6
"""Of an activation: what never left 0 still needs levels that are finite."""

LARGEST_REACH: Final = 1e30

Reach = Annotated[float, Field(ge=SMALLEST_REACH, le=LARGEST_REACH)]
Bits = Annotated[float, Field(allow_inf_nan=False)]


class CalibrationError(ValueError):
    """A calibration that can't be. The message names each key with its value."""


class Calibration(BaseModel):
    """The largest magnitudes that activations reach, and what int8 then costs.

    Attributes:
        hidden: of what enters each layer.
        gate: of what each layer's gate lets through.
        head: of what enters each matrix of the head, after its rectifier.
        bits_float32: negative log2-likelihood of held-out notes, bits a sample; None where it was not measured.
        bits_int8: the same, of the int8 kernel.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    hidden: tuple[Reach, ...]
    gate: tuple[Reach, ...]
    head: tuple[Reach, ...]
    bits_float32: Bits | None = None
    bits_int8: Bits | None = None

    @property
    def extra_bits(self) -> float | None:
        """Bits a sample that int8 costs; None where that was not measured."""
        if self.bits_float32 is None or self.bits_int8 is None:
            return None
        return self.bits_int8 - self.bits_float32

    @property
    def keeps_quality(self) -> bool:
        """Whether int8 was measured to cost no more than `KEEPS_QUALITY`."""
        return self.extra_bits is not None and self.extra_bits <= KEEPS_QUALITY

    def faults(self, network: WaveNetConfig) -> list[str]:
        """What does not fit a network, a line each."""
        expected = {"hidden": network.layers, "gate": network.layers, "head": len(network.head_widths) - 1}
        found = {"hidden": len(self.hidden), "gate": len(self.gate), "head": len(self.head)}
        return [
            f"{key}: {found[key]} values, expected {expected[key]}" for key in expected if found[key] != expected[key]
        ]


def assumed(network: WaveNetConfig) -> Calibration:
    """The ranges of random weights as `registry.random_checkpoint` draws them: a residual stream that grows."""
    return Calibration(
        hidden=tuple(4.0 * math.sqrt(1.0 + 0.25 * layer) for layer in range(network.layers)),
        gate=(1.0,) * network.layers,
        head=(12.0,) * (len(network.head_widths) - 1),
    )


def digest(tensors: Mapping[str, NDArray[np.float32]]) -> str:
    """Of weights, whatever file they lie in: SHA-256 over their names and values, in hexadecimal."""
    found = hashlib.sha256()
    for name in sorted(tensors):
        found.update(name.encode() + b"\0" + np.ascontiguousarray(tensors[name]).tobytes())
    return found.hexdigest()


def calibration_json(calibration: Calibration, tensors: Mapping[str, NDArray[np.float32]]) -> str:
    """The text of `int8.json`."""
    return json.dumps({WEIGHTS_KEY: digest(tensors)} | calibration.model_dump(mode="json"), indent=1) + "\n"


def read_calibration(path: Path, tensors: Mapping[str, NDArray[np.float32]]) -> Calibration:
    """Read `int8.json`, strictly.

    Raises:
        CalibrationError: naming each key that is wrong, unknown or missing, with its value; or that it was measured
            with other weights than these.
    """
    try:
        data: Any = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise CalibrationError(f"{path}: not JSON: {error}") from error
    if not isinstance(data, dict):
        raise CalibrationError(f"{path}: a calibration is a JSON object, not {type(data).__name__}")
    measured, own = data.pop(WEIGHTS_KEY, None), digest(tensors)
    if measured != own:
        raise CalibrationError(
            f"{path}: {WEIGHTS_KEY}: measured with {measured!r}, these are {own!r}; `ostinato quantize` measures again"
        )
    try:
        return Calibration.model_validate(data)
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, f['loc']))}: {f['msg']} (value: {f['input']!r})" for f in error.errors()]
        raise CalibrationError("\n".join(f"{path}: {fault}" for fault in faults)) from error
