"""A model's weights in whole numbers: what the int8 kernel multiplies, made from float32 weights and a calibration.

Weights take a step an output: the largest of a row becomes 127 (2047 in the head, which is small and counts). An
activation takes a step a layer, from the largest magnitude that its calibration saw. Products of both are summed
exactly, so that how sums are blocked changes no bit; a scale an output brings sums back to float32.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from ostinato.models.calibration import CalibrationError
from ostinato.models.checkpoint import Checkpoint

LEVEL_TOP: Final = 127  # of activations and weights of the stack
HEAD_WEIGHT_TOP: Final = 2047
HEAD_LEVEL_TOP: Final = 16383
SUM_TOP: Final = 2**31 - 1
OFFSET_TOP: Final = 2**22  # of a bias in units of its sum
SMALLEST_STEP: Final = 1e-20  # of a row of zeros

Array = NDArray[np.float64]
Integers = dict[str, NDArray[np.int8] | NDArray[np.int16] | NDArray[np.int32] | NDArray[np.float32]]


def integers(checkpoint: Checkpoint) -> Integers:
    """The arrays that the int8 kernel takes beside the checkpoint's float32 tensors.

    With R residual and S skip channels, kernel size k, L layers and H matrices of the head: int8
    `layers.{i}.dilated.levels` [2R, R, k], `.residual.levels` [R, R] but for the last layer, `.skip.levels` [S, R];
    int16 `head.{j}.levels` [out, in]; int32 `layers.{i}.residual.offset` [R] and `skip.offset` [S], biases in units
    of their sums; float32 the units of sums, `layers.{i}.dilated.scale` [2R], `.residual.scale` [R], `skip.scale` [S]
    (one for all layers), `head.{j}.scale` [out]; and levels a unit of each activation, `hidden.levels` [L],
    `gate.levels` [L] and `head.levels` [H], the head's held below `head.top` [H].

    Raises:
        CalibrationError: where the checkpoint has no calibration.
    """
    if checkpoint.calibration is None:
        raise CalibrationError("int8.json: this model has none; `ostinato quantize` makes it")
    network, calibration = checkpoint.config.wavenet, checkpoint.calibration
    tensors = {name: tensor.astype(np.float64) for name, tensor in checkpoint.tensors.items()}
    hidden, gate = (LEVEL_TOP / np.array(reach) for reach in (calibration.hidden, calibration.gate))
    top = np.array([head_top(inputs) for inputs in network.head_widths[:-1]])
    head = top / np.array(calibration.head)
    out: Integers = {
        "hidden.levels": hidden.astype(np.float32),
        "gate.levels": gate.astype(np.float32),
        "head.levels": head.astype(np.float32),
        "head.top": top.astype(np.float32),
    }
    for i in range(network.layers):
        name = f"layers.{i}"
        weight = tensors[f"{name}.dilated.weight"] / hidden[i]
        scale = _steps(weight, LEVEL_TOP)
        out[f"{name}.dilated.levels"] = _levels(weight, scale).astype(np.int8)
        out[f"{name}.dilated.scale"] = scale.astype(np.float32)
        if f"{name}.residual.weight" in tensors:
            weight = tensors[f"{name}.residual.weight"] / gate[i]
            bias = tensors.get(f"{name}.residual.bias", np.zeros(len(weight)))
            scale = _steps(weight, LEVEL_TOP, bias)
            out[f"{name}.residual.levels"] = _levels(weight, scale).astype(np.int8)
            out[f"{name}.residual.offset"] = np.rint(bias / scale).astype(np.int32)
            out[f"{name}.residual.scale"] = scale.astype(np.float32)
    out |= _skip(network.layers, tensors, gate)
    for j in range(len(top)):
        weight = tensors[f"head.{j}.weight"] / head[j]
        scale = _steps(weight, HEAD_WEIGHT_TOP)
        out[f"head.{j}.levels"] = _levels(weight, scale).astype(np.int16)
        out[f"head.{j}.scale"] = scale.astype(np.float32)
    return out


def _skip(layers: int, tensors: dict[str, Array], gate: Array) -> Integers:
    """One product over the gates of all layers side by side, so that one scale an output serves them all."""
    weights = [tensors[f"layers.{i}.skip.weight"] / gate[i] for i in range(layers)]
    biases = [tensors.get(f"layers.{i}.skip.bias", np.zeros(len(weights[0]))) for i in range(layers)]
    bias = np.sum(biases, axis=0)
    beside = np.concatenate(weights, axis=1)
    scale = _steps(beside, skip_top(beside.shape[1]), bias)
    levels: Integers = {f"layers.{i}.skip.levels": _levels(w, scale).astype(np.int8) for i, w in enumerate(weights)}
    return levels | {"skip.offset": np.rint(bias / scale).astype(np.int32), "skip.scale": scale.astype(np.float32)}


def skip_top(inputs: int) -> int:
    """The largest level of a weight of the skip sum over so many gates, so that no sum and offset leave 32 bits."""
    return min(LEVEL_TOP, (SUM_TOP - OFFSET_TOP) // (LEVEL_TOP * inputs))


def head_top(inputs: int) -> int:
    """The largest level of what enters a matrix of the head, so that no sum leaves 32 bits."""
    return min(HEAD_LEVEL_TOP, SUM_TOP // (HEAD_WEIGHT_TOP * inputs))


def _steps(weight: Array, top: int, bias: Array | None = None) -> Array:
    """The step of each output [out] of weights [out, ...]: its largest becomes `top`, and its bias fits beside it."""
    step: Array = np.abs(weight).reshape(len(weight), -1).max(axis=1) / top
    least = SMALLEST_STEP if bias is None else np.maximum(np.abs(bias) / OFFSET_TOP, SMALLEST_STEP)
    return np.maximum(step, least)


def _levels(weight: Array, step: Array) -> Array:
    levels: Array = np.rint(weight / step.reshape(-1, *[1] * (weight.ndim - 1)))
    return levels
