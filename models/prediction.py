"""Linear prediction inside a block, its taps stated once for all of the block.

    m(t) = sum over k = 1..K of c_k u(t - k)

(Atal and Hanauer 1971; taps stated by a network, after Valin and Skoglund 2019.) What u(t - k) is inside the block,
where it is not known yet, decides which of the two this is: `of_drawn` waits for each sample, `rolled_out` takes its
own prediction in its place, and so needs nothing but the samples before the block.
"""

from __future__ import annotations

import torch
from torch import Tensor


def of_drawn(taps: Tensor, samples: Tensor) -> Tensor:
    """Taps [..., K], oldest first, over what was drawn, the block last [..., K + n]: predictions [..., n].

    The last sample is nobody's past.
    """
    past = samples[..., :-1].unfold(-1, taps.shape[-1], 1)  # [..., n, K]
    predicted: Tensor = (past @ taps[..., None])[..., 0]
    return predicted


def rolled_out(taps: Tensor, before: Tensor, count: int) -> Tensor:
    """Taps [..., K] over the samples before a block [..., K] and then over predictions: [..., count]."""
    past = list(before.unbind(-1))
    for i in range(count):
        past.append((torch.stack(past[i:], dim=-1) * taps).sum(dim=-1))
    return torch.stack(past[-count:], dim=-1)


def moved(parameters: Tensor, by: Tensor, components: int) -> Tensor:
    """Head parameters [..., P] with every mean, of so many, moved by [...]."""
    logits, means = parameters[..., : -2 * components], parameters[..., -2 * components : -components]
    return torch.cat((logits, means + by[..., None], parameters[..., -components:]), dim=-1)
