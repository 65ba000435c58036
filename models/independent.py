"""Conditionals that know nothing of each other: all places of a block at once, given its context.

    h_i = sigmoid(U z + p_i + E e_i),  parameters of x_i = V h_i + b

One output for all places, told apart by a vector p_i of each.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Independent(nn.Module):
    """The weights of n conditionals over d hidden units.

    Args:
        places: n, how many there are.
        units: d, hidden units.
        parameters: P, of each conditional.
        context: width of z.
        known: width of what is known of each place beside the past, such as an excitation; 0 for none.
    """

    def __init__(self, places: int, units: int, parameters: int, context: int, known: int = 0) -> None:
        super().__init__()
        self.places = nn.Parameter(torch.zeros(places, units))  # p
        self.output = nn.ParameterDict({
            "weight": torch.randn(parameters, units) / units**0.5,  # V
            "bias": torch.zeros(parameters),  # b
        })  # fmt: skip
        self.context = nn.Linear(context, units, bias=False)  # U
        self.known = nn.Linear(known, units, bias=False) if known else None  # E

    def begin(self, context: Tensor) -> Tensor:
        """U z of a context [..., C]: [..., d]."""
        moved: Tensor = self.context(context)
        return moved

    def conditional(self, activation: Tensor, place: int, known: Tensor | None = None) -> Tensor:
        """U z [..., d], what is known of place i [..., K] -> parameters [..., P]."""
        return self._stated(activation + self.places[place], known)

    def at_once(self, context: Tensor, known: Tensor | None = None) -> Tensor:
        """All places: context [..., C], known [..., n, K] -> parameters [..., n, P]."""
        return self._stated(self.begin(context)[..., None, :] + self.places, known)

    def _stated(self, activation: Tensor, known: Tensor | None) -> Tensor:
        if self.known is not None and known is not None:
            activation = activation + self.known(known)
        return nn.functional.linear(activation.sigmoid(), self.output["weight"], self.output["bias"])
