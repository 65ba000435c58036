"""A checkpoint's weights as the fused kernel reads them: [inputs, outputs], zero-padded, one tensor of each kind."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate

import torch
from torch import Tensor

from ostinato.models.checkpoint import Checkpoint
from ostinato.models.config import WaveNetConfig
from ostinato.models.fused.shape import Padded, Precision, ring_rows

DTYPES: dict[Precision, torch.dtype] = {"float16": torch.float16, "float32": torch.float32}


@dataclass(frozen=True)
class Packed:
    """Weights of products in the kernel's precision, as `fragments`; everything added to a sum in float32.

    L layers, k taps, R, S, W and P the padded widths, H the head's hidden layers, G its parts.
    """

    previous: Tensor  # float32 [R]: of the last sample
    sines: Tensor  # [W * R]
    cosines: Tensor  # [W * R]
    input_bias: Tensor  # float32 [R]
    taps: Tensor  # [L, k, R * 2 R]: oldest first; columns of filter and gate in turns
    condition: Tensor  # float32 [C, L * R * 2], in the same turns
    bias: Tensor  # float32 [L * R * 2]
    residual: Tensor  # [L, R * R], zero in the last layer
    residual_bias: Tensor  # float32 [L, R]
    skip: Tensor  # [L, R * S]
    skip_bias: Tensor  # float32 [S], of all layers together
    hidden: Tensor  # [H, S * S]
    hidden_bias: Tensor  # float32 [H, S]
    last: Tensor  # [G, S * P]
    last_bias: Tensor  # float32 [G, P]
    rings: Tensor  # int64 [L + 4], as `described`; the last four are read ahead and lead nowhere

    @property
    def nbytes(self) -> int:
        """Memory held."""
        return sum(tensor.nbytes for tensor in vars(self).values())


def pack(checkpoint: Checkpoint, precision: Precision, device: torch.device) -> Packed:
    """The weights of a checkpoint, on the device.

    Raises:
        SamplerError: where the network is too large for the kernel.
    """
    network = checkpoint.config.wavenet
    shape = Padded.of(network, precision)
    weights = _Weights(checkpoint, DTYPES[precision], device, shape.warps)
    r, s, layers = shape.residual, shape.skip, range(network.layers)
    harmonics = network.excitation.harmonics if network.excitation else 0
    inputs = weights.matrix("input")  # [1 + 2K, residual_channels]
    dilated = [weights.tensor(f"layers.{i}.dilated.weight") for i in layers]  # each [2 channels, channels, k]
    halves = [tap.T for i in layers for tap_of in dilated[i].unbind(-1) for tap in tap_of.chunk(2)]
    conditions = [half for i in layers for half in weights.matrix(f"layers.{i}.condition").chunk(2, dim=1)]
    biases = [half for i in layers for half in weights.bias(f"layers.{i}.dilated").chunk(2)]
    hidden = [f"head.{i}" for i in range(len(network.head_hidden))]
    last = f"head.{len(hidden)}"
    return Packed(
        previous=weights.vectors([inputs[0]], r)[0],
        sines=weights.matrices([inputs[1 : 1 + harmonics]], shape.waves, r)[0],
        cosines=weights.matrices([inputs[1 + harmonics :]], shape.waves, r)[0],
        input_bias=weights.vectors([weights.bias("input")], r)[0],
        taps=weights.fragments(in_turns(weights.stacked(halves, r, r))).reshape(
            network.layers, network.kernel_size, -1
        ),
        condition=torch.cat(
            list(in_turns(torch.stack([_pad(half, half.shape[0], r) for half in conditions]))), dim=1
        ).contiguous(),
        bias=in_turns(weights.vectors(biases, r)).flatten(),
        residual=weights.matrices([weights.matrix(f"layers.{i}.residual") for i in layers], r, r),
        residual_bias=weights.vectors([weights.bias(f"layers.{i}.residual") for i in layers], r),
        skip=weights.matrices([weights.matrix(f"layers.{i}.skip") for i in layers], r, s),
        skip_bias=weights.vectors([weights.bias(f"layers.{i}.skip") for i in layers], s).sum(0),
        hidden=weights.matrices([weights.matrix(name) for name in hidden], s, s),
        hidden_bias=weights.vectors([weights.bias(name) for name in hidden], s),
        last=weights.matrices(list(weights.matrix(last).chunk(shape.parts, dim=1)), s, shape.part),
        last_bias=weights.vectors(list(weights.bias(last).chunk(shape.parts)), shape.part),
        rings=torch.tensor([*described(network), 0, 0, 0, 0], dtype=torch.int64, device=device),
    )


def described(network: WaveNetConfig) -> list[int]:
    """Each layer's ring in one number: its first row, the dilation from bit 32, the logarithm of its rows from 56."""
    rows = ring_rows(network)
    starts = accumulate(rows, initial=0)
    return [
        start | dilation << 32 | (count.bit_length() - 1) << 56
        for start, dilation, count in zip(starts, network.dilations, rows, strict=False)
    ]


def fragments(matrices: Tensor, warps: int) -> Tensor:
    """Matrices [..., rows, columns] in the order in which the threads of a program take them: [..., rows * columns].

    Of the 16 rows by 8 columns that a tensor core takes at once, a thread has the rows 2 i, 2 i + 1, 2 i + 8 and
    2 i + 9 of one column. Two such blocks, one below the other, are 16 bytes; then come the threads of a warp, the
    warps, each with other columns, and what remains.
    """
    rows, columns = matrices.shape[-2:]
    more, across = (2 if rows >= 32 else 1), min(warps, columns // 8)
    split = (rows // (16 * more), more, 2, 4, 2, columns // (8 * across), across, 8)
    parts = matrices.reshape(*matrices.shape[:-2], *split)
    first = matrices.ndim - 2
    order = [*range(first), *(first + place for place in (5, 0, 6, 7, 3, 1, 2, 4))]
    return parts.permute(order).flatten(first).contiguous()


def in_turns(halves: Tensor) -> Tensor:
    """Halves [2 n, ..., R], filter and gate one after the other: -> [n, ..., R * 2], their columns in turns."""
    return torch.stack((halves[0::2], halves[1::2]), dim=-1).flatten(-2)


@dataclass(frozen=True)
class _Weights:
    """The tensors of a checkpoint, zeros for those that its network has not."""

    checkpoint: Checkpoint
    dtype: torch.dtype  # of the products
    device: torch.device
    warps: int  # of a program

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

    def stacked(self, parts: list[Tensor], rows: int, columns: int) -> Tensor:
        """Padded: float32 [parts, rows, columns]."""
        empty = torch.zeros(0, rows, columns, device=self.device)
        return torch.stack([_pad(part, rows, columns) for part in parts]) if parts else empty

    def fragments(self, matrices: Tensor) -> Tensor:
        """Matrices [..., rows, columns] in the dtype of the products, as `fragments`."""
        return fragments(matrices.to(self.dtype), self.warps)

    def matrices(self, parts: list[Tensor], rows: int, columns: int) -> Tensor:
        """Padded and stacked, [parts, rows * columns] in the dtype of the products, as `fragments`."""
        return self.fragments(self.stacked(parts, rows, columns))

    def vectors(self, parts: list[Tensor], width: int) -> Tensor:
        """Padded and stacked: float32 [parts, width]."""
        empty = torch.zeros(0, width, device=self.device)
        return torch.stack([_pad(part[None], 1, width)[0] for part in parts]).contiguous() if parts else empty


def _pad(matrix: Tensor, rows: int, columns: int) -> Tensor:
    padded = torch.zeros(rows, columns, device=matrix.device)
    padded[: matrix.shape[0], : matrix.shape[1]] = matrix
    return padded
