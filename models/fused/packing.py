"""A checkpoint's weights as the fused kernel reads them: [inputs, outputs], zero-padded, one tensor of each kind."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate

import torch
from torch import Tensor

from ostinato.models.checkpoint import Checkpoint
from ostinato.models.fused.shape import Padded, Precision, ring_rows

DTYPES: dict[Precision, torch.dtype] = {"float16": torch.float16, "float32": torch.float32}


@dataclass(frozen=True)
class Packed:
    """Weights of products in the kernel's precision, everything added to a sum in float32.

    L layers, k taps, R, S, W and P the padded widths, H the head's hidden layers, G its parts.
    """

    previous: Tensor  # float32 [R]: of the last sample
    sines: Tensor  # [W, R]
    cosines: Tensor  # [W, R]
    input_bias: Tensor  # float32 [R]
    taps: Tensor  # [L, k, 2, R, R]: oldest first; filter, then gate
    condition: Tensor  # float32 [C, L * 2 * R]
    bias: Tensor  # float32 [L * 2 * R]: of filters and gates
    residual: Tensor  # [L, R, R], zero in the last layer
    residual_bias: Tensor  # float32 [L, R]
    skip: Tensor  # [L, R, S]
    skip_bias: Tensor  # float32 [S], of all layers together
    hidden: Tensor  # [H, S, S]
    hidden_bias: Tensor  # float32 [H, S]
    last: Tensor  # [G, S, P]
    last_bias: Tensor  # float32 [G, P]
    rings: Tensor  # int32 [L, 3]: first row, rows, dilation

    @property
    def nbytes(self) -> int:
        """Memory held."""
        return sum(tensor.nbytes for tensor in vars(self).values())


def pack(checkpoint: Checkpoint, precision: Precision, device: torch.device) -> Packed:
    """The weights of a checkpoint, on the device.

    Raises:
        SamplerError: where the network is too large for the kernel.
    """
    network = checkpoint.config.network
    shape = Padded.of(network, precision)
    weights = _Weights(checkpoint, DTYPES[precision], device)
    r, s, layers = shape.residual, shape.skip, range(network.layers)
    harmonics = network.excitation.harmonics if network.excitation else 0
    inputs = weights.matrix("input")  # [1 + 2K, residual_channels]
    dilated = [weights.tensor(f"layers.{i}.dilated.weight") for i in layers]  # each [2 channels, channels, k]
    halves = [tap.T for i in layers for tap_of in dilated[i].unbind(-1) for tap in tap_of.chunk(2)]
    conditions = [half for i in layers for half in weights.matrix(f"layers.{i}.condition").chunk(2, dim=1)]
    biases = [half for i in layers for half in weights.bias(f"layers.{i}.dilated").chunk(2)]
    rows = ring_rows(network)
    starts = accumulate(rows, initial=0)
    hidden = [f"head.{i}" for i in range(len(network.head_hidden))]
    last = f"head.{len(hidden)}"
    return Packed(
        previous=weights.vectors([inputs[0]], r)[0],
        sines=weights.matrices([inputs[1 : 1 + harmonics]], shape.waves, r)[0],
        cosines=weights.matrices([inputs[1 + harmonics :]], shape.waves, r)[0],
        input_bias=weights.vectors([weights.bias("input")], r)[0],
        taps=weights.matrices(halves, r, r).reshape(network.layers, network.kernel_size, 2, r, r),
        condition=torch.cat([_pad(half, half.shape[0], r) for half in conditions], dim=1).contiguous(),
        bias=weights.vectors(biases, r).flatten(),
        residual=weights.matrices([weights.matrix(f"layers.{i}.residual") for i in layers], r, r),
        residual_bias=weights.vectors([weights.bias(f"layers.{i}.residual") for i in layers], r),
        skip=weights.matrices([weights.matrix(f"layers.{i}.skip") for i in layers], r, s),
        skip_bias=weights.vectors([weights.bias(f"layers.{i}.skip") for i in layers], s).sum(0),
        hidden=weights.matrices([weights.matrix(name) for name in hidden], s, s),
        hidden_bias=weights.vectors([weights.bias(name) for name in hidden], s),
        last=weights.matrices(list(weights.matrix(last).chunk(shape.parts, dim=1)), s, shape.part),
        last_bias=weights.vectors(list(weights.bias(last).chunk(shape.parts)), shape.part),
        rings=torch.tensor(list(zip(starts, rows, network.dilations, strict=False)), dtype=torch.int32, device=device),
    )


@dataclass(frozen=True)
class _Weights:
    """The tensors of a checkpoint, zeros for those that its network has not."""

    checkpoint: Checkpoint
    dtype: torch.dtype  # of the products
    device: torch.device

    def tensor(self, name: str) -> Tensor:
        return torch.from_numpy(self.checkpoint.tensors[name].copy()).to(self.device)

    def matrix(self, layer: str) -> Tensor:
        """A layer's weight as [inputs, outputs]; [0, 0] where there is none."""
        name = f"{layer}.weight"
        return self.tensor(name).T if name in self.checkpoint.tensors else torch.zeros(0, 0, device=self.device)

    def bias(self, layer: str) -> Tensor:
        """A layer's bias [outputs]; [0] where there is none."""
        name = f"{layer}.bias"
        return self.tensor(name) if name in self.checkpoint.tensors else torch.zeros(0, device=self.device)

    def matrices(self, parts: list[Tensor], rows: int, columns: int) -> Tensor:
        """Padded and stacked: [parts, rows, columns] in the dtype of the products."""
        empty = torch.zeros(0, rows, columns, device=self.device)
        stacked = torch.stack([_pad(part, rows, columns) for part in parts]) if parts else empty
        return stacked.to(self.dtype).contiguous()

    def vectors(self, parts: list[Tensor], width: int) -> Tensor:
        """Padded and stacked: float32 [parts, width]."""
        empty = torch.zeros(0, width, device=self.device)
        return torch.stack([_pad(part[None], 1, width)[0] for part in parts]).contiguous() if parts else empty


def _pad(matrix: Tensor, rows: int, columns: int) -> Tensor:
    padded = torch.zeros(rows, columns, device=matrix.device)
    padded[: matrix.shape[0], : matrix.shape[1]] = matrix
    return padded
