"""The recursion gives what summing anew gives, what it gives is a distribution, and draws follow it."""

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from ostinato.models import nade
from ostinato.models.conditionals import Bernoulli, Gaussians
from ostinato.models.nade import Nade

Way = Callable[[Nade, Tensor, Tensor | None, Tensor | None], Tensor]
WAYS: list[Way] = [nade.direct, nade.running, nade.at_once]
PRECISIONS = {torch.float64: 1e-12, torch.float32: 2e-5}


def make(seed: int, inputs: int, units: int, parameters: int, context: int = 0, known: int = 0) -> Nade:
    torch.manual_seed(seed)
    model = Nade(inputs, units, parameters, context, known)
    for weight in model.parameters():
        weight.data.copy_(torch.randn(weight.shape) / (weight.shape[-1] ** 0.5 if weight.dim() > 1 else 1.0))
    return model


def of_both(seed: int, shape: tuple[int, ...], binary: bool) -> Tensor:
    torch.manual_seed(seed)
    return (torch.rand(shape) < 0.5).float() if binary else torch.randn(shape)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    inputs=st.integers(1, 70),
    units=st.integers(1, 33),
    components=st.integers(1, 4),
    context=st.integers(0, 5),
    known=st.integers(0, 3),
    batch=st.integers(1, 3),
    binary=st.booleans(),
    precision=st.sampled_from(list(PRECISIONS)),
)
def test_all_ways_agree_to_rounding(
    seed: int,
    inputs: int,
    units: int,
    components: int,
    context: int,
    known: int,
    batch: int,
    binary: bool,
    precision: torch.dtype,
) -> None:
    head = Bernoulli() if binary else Gaussians(components)
    model = make(seed, inputs, units, head.parameters, context, known).to(precision)
    samples = of_both(seed, (batch, inputs), binary).to(precision)
    z = torch.randn(batch, context, dtype=precision) if context else None
    e = torch.randn(batch, inputs, known, dtype=precision) if known else None
    found = [way(model, samples, z, e) for way in WAYS]
    assert found[0].shape == (batch, inputs, head.parameters)
    size = max(1.0, float(found[0].detach().abs().max()))
    for other in found[1:]:
        assert float((other - found[0]).detach().abs().max()) <= PRECISIONS[precision] * size


def test_each_hidden_activation_is_the_papers_sum() -> None:
    model = make(0, 5, 4, 1).double()
    samples = torch.tensor([1.0, 0.0, 1.0, 1.0, 0.0], dtype=torch.float64)
    found = nade.running(model, samples[None])[0, :, 0]
    for i in range(5):
        activation = model.bias.clone()
        for j in range(i):
            activation = activation + model.weight[j] * samples[j]
        hidden = 1 / (1 + torch.exp(-activation))
        logit = (model.output["weight"][i, 0] * hidden).sum() + model.output["bias"][i, 0]
        assert float(found[i].detach()) == pytest.approx(float(logit.detach()), abs=1e-12)


@pytest.mark.parametrize("way", WAYS)
def test_a_conditional_depends_on_what_stands_before_it_alone(way: Way) -> None:
    model, samples = make(1, 9, 6, 3).double(), of_both(1, (1, 9), binary=False).double()
    changed = samples.clone()
    changed[0, 4] += 1.0
    before, after = way(model, samples, None, None)[0], way(model, changed, None, None)[0]
    assert torch.equal(before[:5], after[:5])
    assert all(not torch.equal(before[i], after[i]) for i in range(5, 9))


@pytest.mark.parametrize("inputs", [1, 4, 10])
@pytest.mark.parametrize("way", WAYS)
def test_probabilities_of_all_bit_strings_sum_to_one(way: Way, inputs: int) -> None:
    model = make(inputs, inputs, 7, 1, context=3).double()
    every = torch.tensor(list(itertools.product((0.0, 1.0), repeat=inputs)), dtype=torch.float64)
    z = torch.randn(3, dtype=torch.float64).expand(len(every), -1)
    log_prob = nade.log_prob(way(model, every, z, None), Bernoulli(), every)
    assert float(log_prob.exp().sum().detach()) == pytest.approx(1.0, abs=1e-12)


def test_the_density_integrates_to_one() -> None:
    """Over two real numbers, by the trapezium rule on a grid that reaches 12 deviations beyond every mean."""
    model, head = make(5, 2, 4, 9).double(), Gaussians(3)
    model.output["bias"].data[:, 6:] = model.output["bias"].data[:, 6:].clamp(-1.0, 0.5)
    with torch.no_grad():
        line = torch.linspace(-40, 40, 3001, dtype=torch.float64)
        grid = torch.stack(torch.meshgrid(line, line, indexing="ij"), dim=-1).reshape(-1, 2)
        density = nade.log_prob(nade.at_once(model, grid), head, grid).exp().reshape(len(line), -1)
        total = torch.trapezoid(torch.trapezoid(density, line), line)
    assert float(total) == pytest.approx(1.0, abs=1e-6)


def test_bit_strings_are_drawn_as_often_as_they_are_likely() -> None:
    """Chi-squared over all 16 strings of 4 bits; 0.999 quantile of 15 degrees of freedom."""
    model = make(3, 4, 5, 1).double()
    every = torch.tensor(list(itertools.product((0.0, 1.0), repeat=4)), dtype=torch.float64)
    with torch.no_grad():
        expected = nade.log_prob(nade.direct(model, every), Bernoulli(), every).exp().numpy()
        generator = torch.Generator().manual_seed(7)
        uniforms = torch.rand(40_000, 4, 1, generator=generator, dtype=torch.float64)
        drawn = nade.draw(model, Bernoulli(), uniforms).numpy()
    counts = np.bincount((drawn @ [8, 4, 2, 1]).astype(int), minlength=16)
    chi_squared = float(((counts - 40_000 * expected) ** 2 / (40_000 * expected)).sum())
    assert chi_squared < 37.7


def test_real_draws_follow_their_own_distribution_functions() -> None:
    """Each conditional's distribution function at what was drawn is uniform (Kolmogorov and Smirnov, 0.999)."""
    model, head = make(4, 6, 5, 6, context=2).double(), Gaussians(2)
    count = 20_000
    generator = torch.Generator().manual_seed(11)
    with torch.no_grad():
        z = torch.randn(1, 2, dtype=torch.float64).expand(count, -1)
        uniforms = torch.rand(count, 6, head.draws, generator=generator, dtype=torch.float64)
        drawn = nade.draw(model, head, uniforms, z)
        logits, means, log_deviations = nade.direct(model, drawn, z).chunk(3, dim=-1)
        each = torch.special.ndtr((drawn[..., None] - means) * torch.exp(-log_deviations))
        ranks = (logits.softmax(-1) * each).sum(-1).sort(dim=0).values  # [count, 6]
    steps = torch.arange(1, count + 1, dtype=torch.float64)[:, None] / count
    apart = float((ranks - steps).abs().max())
    assert apart < 1.95 / math.sqrt(count)


def test_a_draw_was_made_from_the_parameters_that_the_likelihood_sees() -> None:
    model, head = make(8, 12, 6, 6, context=3, known=2).double(), Gaussians(2)
    z, e = torch.randn(2, 3, dtype=torch.float64), torch.randn(2, 12, 2, dtype=torch.float64)
    uniforms = torch.rand(2, 12, 2, dtype=torch.float64)
    with torch.no_grad():
        drawn = nade.draw(model, head, uniforms, z, e, temperature=0.7)
        parameters = nade.direct(model, drawn, z, e)
        again = head.sample(parameters, uniforms, uniforms.new_tensor(0.7).expand(2, 12))
    assert float((again - drawn).abs().max()) < 1e-9


def test_gradients_agree() -> None:
    gradients = []
    for way in WAYS:
        model = make(9, 20, 7, 6, context=3, known=2).double()
        samples = of_both(9, (4, 20), binary=False).double()
        torch.manual_seed(1)
        z, e = torch.randn(4, 3, dtype=torch.float64), torch.randn(4, 20, 2, dtype=torch.float64)
        nade.log_prob(way(model, samples, z, e), Gaussians(2), samples).sum().backward()  # type: ignore[no-untyped-call]
        gradients.append({name: weight.grad for name, weight in model.named_parameters()})
    for name, expected in gradients[0].items():
        assert expected is not None
        assert float(expected.abs().max()) > 0, name
        for other in gradients[1:]:
            torch.testing.assert_close(other[name], expected, rtol=1e-9, atol=1e-11)


def test_no_temperature_takes_the_likeliest_bit_and_the_centre() -> None:
    parameters, cold = torch.tensor([[0.3], [-0.3]]), torch.zeros(2)
    assert Bernoulli().sample(parameters, torch.full((2, 1), 0.5), cold).tolist() == [1.0, 0.0]
    mixture = torch.tensor([[0.0, 1.0, 5.0, -3.0, 0.0, 0.0]])
    assert Gaussians(2).sample(mixture, torch.tensor([[0.9, 0.99]]), torch.zeros(1)).tolist() == [-3.0]
