"""NADE: an ordered factorisation whose conditionals share their hidden weights, binary or real-valued.

    h_i = sigmoid(a_i),  a_i = c + U z + W_{.,<i} x_{<i}
    parameters of p(x_i | x_{<i}, z) = V_i h_i + b_i

(Larochelle and Murray 2011, equations 6 and 7; real-valued with mixtures after Uria, Murray and Larochelle 2013;
conditioned on a context z by a bias of the hidden units.) What each h_i needs is the sum that h_{i-1} had and one
term more, so a running activation

    a_1 = c + U z,  a_{i+1} = a_i + W_{.,i} x_i

makes all n conditionals cost O(nd), where summing anew for each costs O(n^2 d). Three ways to them stand here: `direct`
sums anew, `running` is the recursion as a sampler walks it, and `at_once` takes all sums as one product, for training.
They agree to rounding.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor, nn


class Conditional(Protocol):
    """The distribution of one x_i, given its parameters [..., P]."""

    def log_prob(self, parameters: Tensor, samples: Tensor) -> Tensor:
        """Natural log of the probability, or of the density, at `samples` [...]: [...]."""
        ...

    def sample(self, parameters: Tensor, uniforms: Tensor, temperature: Tensor) -> Tensor:
        """One draw: parameters [..., P], uniforms [..., draws] in (0, 1), temperature [...] -> [...]."""
        ...


class Nade(nn.Module):
    """The weights of n conditionals over d hidden units.

    Args:
        inputs: n, how many x_i there are.
        units: d, hidden units.
        parameters: P, of each conditional.
        context: width of z; 0 for none.
        known: width of what is known of each place i beside the past, such as an excitation; 0 for none. It moves the
            activation of its own place alone.
    """

    def __init__(self, inputs: int, units: int, parameters: int, context: int = 0, known: int = 0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(inputs, units) / inputs**0.5)  # W, a row for each input
        self.bias = nn.Parameter(torch.zeros(units))  # c
        self.output = nn.ParameterDict({
            "weight": torch.randn(inputs, parameters, units) / units**0.5,  # V
            "bias": torch.zeros(inputs, parameters),  # b
        })  # fmt: skip
        self.context = nn.Linear(context, units, bias=False) if context else None  # U
        self.known = nn.Linear(known, units, bias=False) if known else None

    def begin(self, context: Tensor | None, leading: tuple[int, ...] = ()) -> Tensor:
        """a_1: context [..., C], or `leading` where there is none -> [..., d]."""
        if self.context is not None:
            assert context is not None
            moved: Tensor = self.bias + self.context(context)
            return moved
        return self.bias.expand(*leading, -1)

    def add(self, activation: Tensor, place: int, sample: Tensor) -> Tensor:
        """a_{i+1} from a_i [..., d] and x_i [...]."""
        return torch.addcmul(activation, sample[..., None], self.weight[place])

    def conditional(self, activation: Tensor, place: int, known: Tensor | None = None) -> Tensor:
        """a_i [..., d], what is known of place i [..., K] -> parameters [..., P]."""
        if self.known is not None and known is not None:
            activation = activation + self.known(known)
        return nn.functional.linear(activation.sigmoid(), self.output["weight"][place], self.output["bias"][place])


def direct(nade: Nade, samples: Tensor, context: Tensor | None = None, known: Tensor | None = None) -> Tensor:
    """Parameters of every conditional, each activation summed anew: n (n - 1) / 2 times d multiply-adds.

    samples [..., n], context [..., C], known [..., n, K] -> [..., n, P].
    """
    start = nade.begin(context, samples.shape[:-1])
    rows = []
    for i in range(samples.shape[-1]):
        activation = start + samples[..., :i] @ nade.weight[:i] if i else start
        rows.append(nade.conditional(activation, i, None if known is None else known[..., i, :]))
    return torch.stack(rows).movedim(0, -2)


def running(nade: Nade, samples: Tensor, context: Tensor | None = None, known: Tensor | None = None) -> Tensor:
    """The same by the running activation: (n - 1) d multiply-adds."""
    activation = nade.begin(context, samples.shape[:-1])
    rows = []
    for i in range(samples.shape[-1]):
        if i:
            activation = nade.add(activation, i - 1, samples[..., i - 1])
        rows.append(nade.conditional(activation, i, None if known is None else known[..., i, :]))
    return torch.stack(rows).movedim(0, -2)


def at_once(nade: Nade, samples: Tensor, context: Tensor | None = None, known: Tensor | None = None) -> Tensor:
    """The same for all places together, as training wants it: each place's sum is a row of one product.

    More arithmetic than the recursion's where n is large, but matrix units do all of it at once. The batch lies last.
    """
    leading, n = samples.shape[:-1], samples.shape[-1]
    earlier = torch.ones(n, n, dtype=samples.dtype, device=samples.device).tril(-1)[..., None]
    past = earlier * samples.reshape(-1, n).t()  # [n, n, N]: row i holds x_{<i}, then zeros
    activations = nade.weight.t() @ past + nade.begin(context, leading).reshape(-1, nade.bias.shape[0]).t()  # [n, d, N]
    if nade.known is not None and known is not None:
        activations = activations + nade.known.weight @ known.reshape(-1, n, known.shape[-1]).permute(1, 2, 0)
    parameters: Tensor = nade.output["weight"] @ activations.sigmoid() + nade.output["bias"][..., None]  # [n, P, N]
    return parameters.permute(2, 0, 1).reshape(*leading, n, -1)


def log_prob(parameters: Tensor, conditional: Conditional, samples: Tensor) -> Tensor:
    """Natural log of the joint probability or density of samples [..., n], from their parameters [..., n, P]: [...]."""
    return conditional.log_prob(parameters, samples).sum(dim=-1)


def draw(
    nade: Nade,
    conditional: Conditional,
    uniforms: Tensor,
    context: Tensor | None = None,
    known: Tensor | None = None,
    temperature: float = 1.0,
) -> Tensor:
    """x_1 .. x_n, one after another, by the running activation: uniforms [..., n, draws] -> [..., n]."""
    activation = nade.begin(context, uniforms.shape[:-2])
    warmth = uniforms.new_tensor(temperature)
    drawn: list[Tensor] = []
    for i in range(uniforms.shape[-2]):
        if i:
            activation = nade.add(activation, i - 1, drawn[-1])
        parameters = nade.conditional(activation, i, None if known is None else known[..., i, :])
        drawn.append(conditional.sample(parameters, uniforms[..., i, :], warmth.expand(uniforms.shape[:-2])))
    return torch.stack(drawn).movedim(0, -1)
