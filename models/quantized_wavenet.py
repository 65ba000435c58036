"""The int8 network as a parallel forward: what the native kernel's int8 stack is held against, slow and clean.

Everything but the stack and the head is the float32 network's. Whole numbers lie in floating-point tensors wide
enough to hold every sum of their products exactly.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from ostinato.models.checkpoint import Checkpoint
from ostinato.models.quantization import LEVEL_TOP, integers
from ostinato.models.wavenet import Layer, WaveNet, delayed, gate


class QuantizedWaveNet(WaveNet):
    """Head parameters of a calibrated checkpoint's int8 network; called as a WaveNet is.

    Raises:
        CalibrationError: where the checkpoint has no calibration.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        super().__init__(checkpoint.config.wavenet)
        self.load_state_dict({name: torch.from_numpy(tensor.copy()) for name, tensor in checkpoint.tensors.items()})
        self.requires_grad_(False)
        self.integers = {name: torch.from_numpy(array) for name, array in integers(checkpoint).items()}

    def stack(self, inputs: Tensor, condition: Tensor | None, hop: int) -> Tensor:
        """Skip sums of a whole sequence: inputs [B, T, 1 + 2K], condition [B, T / hop, C] -> [B, T, S]."""
        hidden: Tensor = self.input(inputs)  # [B, T, R]
        skip = self.integers["skip.offset"].double()  # [S], then [B, T, S]
        for i, layer in enumerate(self.layers):
            assert isinstance(layer, Layer)
            z = self._before_gate(layer, f"layers.{i}.dilated", levels(hidden, self.integers["hidden.levels"][i]))
            z = (z.reshape(len(z), -1, hop, z.shape[-1]) + self._held(layer, condition)).flatten(1, 2)
            a = levels(gate(z, dim=-1), self.integers["gate.levels"][i])  # [B, T, R]
            skip = skip + self._product(a, f"layers.{i}.skip")
            if layer.residual is not None:
                name = f"layers.{i}.residual"
                more = self._product(a, name) + self.integers[f"{name}.offset"]
                hidden = hidden + more.float() * self.integers[f"{name}.scale"]
        return skip.float() * self.integers["skip.scale"]

    def read_out(self, skip: Tensor) -> Tensor:
        """Skip sum [..., S] -> head parameters [..., P]."""
        for j, matrix in enumerate(self.head):
            step, top = self.integers["head.levels"][j], self.integers["head.top"][j]
            x = levels(skip.relu(), step, float(top))
            skip = self._product(x, f"head.{j}").float() * self.integers[f"head.{j}.scale"] + matrix.get_parameter(
                "bias"
            )
        return skip

    def _before_gate(self, layer: Layer, name: str, hidden: Tensor) -> Tensor:
        """Levels [B, T, R] through every tap -> [B, T, 2R]."""
        taps = self.integers[f"{name}.levels"].double().unbind(-1)
        rows = [delayed(hidden, layer.dilation * (len(taps) - 1 - i)) for i in range(len(taps))]
        total = torch.stack([functional.linear(x, tap) for x, tap in zip(rows, taps, strict=True)]).sum(0)
        return total.float() * self.integers[f"{name}.scale"]

    def _held(self, layer: Layer, condition: Tensor | None) -> Tensor:
        """What is added before the gate through a hop: condition [B, F, C] -> [B, F, 1, 2R], or [2R]."""
        bias = torch.zeros(()) if layer.dilated.bias is None else layer.dilated.bias
        if layer.condition is None or condition is None:
            return bias
        held: Tensor = layer.condition(condition)
        return (held + bias)[:, :, None]

    def _product(self, x: Tensor, name: str) -> Tensor:
        return functional.linear(x, self.integers[f"{name}.levels"].double())


def levels(x: Tensor, a_unit: Tensor, top: float = LEVEL_TOP) -> Tensor:
    """The nearest levels, ties to even, held to +-top: float32 [...] -> float64 [...] of whole numbers."""
    return (x * a_unit).clamp(-top, top).round().double()
