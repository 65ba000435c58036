"""Counting multiply-adds as torch is asked for them, so that a cost is counted and not only claimed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

# torch's own operators have no types
Operator = Any


class MultiplyAdds(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the multiply-adds that meet one tensor, by operator, while it is entered.

    Only operations that read memory of `of` are counted: of its views too, such as a row of a matrix.
    """

    def __init__(self, of: Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._storage = of.untyped_storage().data_ptr()
        self.count: int = 0

    def __torch_dispatch__(
        self, func: Operator, types: Sequence[type], args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:  # noqa: ANN401 (whatever the operator returns)
        """Run the operator, and add what it multiplied."""
        out = func(*args, **(kwargs or {}))
        tensors = [a for a in args if isinstance(a, Tensor)]
        if any(t.untyped_storage().data_ptr() == self._storage for t in tensors):
            counter = COUNTERS.get(func)
            self.count += counter(tensors, out) if counter else 0
        return out


def _of_matrices(tensors: Sequence[Tensor], out: Tensor) -> int:
    """An output is a sum over the last dimension of the left factor, which stands second to last."""
    return out.numel() * tensors[-2].shape[-1]


def _of_elements(tensors: Sequence[Tensor], out: Tensor) -> int:
    del tensors
    return out.numel()


COUNTERS: Mapping[Operator, Callable[[Sequence[Tensor], Tensor], int]] = {
    torch.ops.aten.mm.default: _of_matrices,
    torch.ops.aten.mv.default: _of_matrices,
    torch.ops.aten.bmm.default: _of_matrices,
    torch.ops.aten.addmm.default: _of_matrices,
    torch.ops.aten.addmv.default: _of_matrices,
    torch.ops.aten.mul.Tensor: _of_elements,
    torch.ops.aten.addcmul.default: _of_elements,
}
