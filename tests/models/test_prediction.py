"""Linear prediction inside a block, and conditionals that know nothing of each other."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ostinato.models.independent import Independent
from ostinato.models.prediction import moved, of_drawn, rolled_out


@given(taps=st.integers(1, 5), count=st.integers(1, 9), seed=st.integers(0, 99))
def test_prediction_from_what_was_drawn_is_a_filter(taps: int, count: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    weights, samples = torch.randn(3, taps, generator=generator), torch.randn(3, taps + count, generator=generator)
    found = of_drawn(weights, samples)
    for i in range(count):
        torch.testing.assert_close(found[:, i], (weights * samples[:, i : i + taps]).sum(dim=1))


@given(taps=st.integers(1, 5), count=st.integers(1, 9), seed=st.integers(0, 99))
def test_what_is_rolled_out_predicts_itself(taps: int, count: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    weights, before = torch.randn(3, taps, generator=generator) / taps, torch.randn(3, taps, generator=generator)
    found = rolled_out(weights, before, count)
    torch.testing.assert_close(found, of_drawn(weights, torch.cat((before, found), dim=1)))


@pytest.mark.parametrize(("components", "before"), [(2, [0.0, 1, 2, 3, 4, 5]), (1, [2.0, 3])])
def test_means_alone_are_moved(components: int, before: list[float]) -> None:
    found = moved(torch.tensor(before), torch.tensor(10.0), components).tolist()
    means = range(len(before) - 2 * components, len(before) - components)
    assert found == [value + 10 * (i in means) for i, value in enumerate(before)]


@given(places=st.integers(1, 5), known=st.sampled_from([0, 3]), seed=st.integers(0, 99))
def test_independent_places_are_the_same_at_once_and_one_by_one(places: int, known: int, seed: int) -> None:
    torch.manual_seed(seed)
    inside = Independent(places, 4, 2, context=3, known=known).requires_grad_(False)
    inside.places.normal_()
    context, beside = torch.randn(2, 3), torch.randn(2, places, known) if known else None
    whole = inside.at_once(context, beside)
    activation = inside.begin(context)
    for i in range(places):
        one = inside.conditional(activation, i, None if beside is None else beside[:, i])
        torch.testing.assert_close(whole[:, i], one)
