"""A filter stated by its log-spectrum: whatever is stated, it has that spectrum, and it glides."""

import math

import torch
from hypothesis import given
from hypothesis import strategies as st

from ostinato.models.shaped_noise import impulse_response, log_spectrum, shaped

cepstra = st.lists(st.floats(-0.4, 0.4), min_size=1, max_size=6)


@given(cepstra)
def test_the_filter_has_the_spectrum_that_states_it(values: list[float]) -> None:
    cepstrum = torch.tensor(values, dtype=torch.float64)
    response = impulse_response(cepstrum, 256)  # what 256 taps leave out is far below the bound
    found = torch.fft.rfft(response, 64 * 8).abs().square().log()[::8]
    torch.testing.assert_close(found, log_spectrum(cepstrum, 64), rtol=0, atol=1e-3)


@given(cepstra, st.integers(2, 40))
def test_taps_beyond_those_asked_for_change_none_of_them(values: list[float], taps: int) -> None:
    cepstrum = torch.tensor(values)
    assert torch.equal(impulse_response(cepstrum, taps), impulse_response(cepstrum, 64)[:taps])


def test_one_coefficient_makes_an_exponential_series() -> None:
    found = impulse_response(torch.tensor([0.5], dtype=torch.float64), 6)
    expected = torch.tensor([0.5**n / math.factorial(n) for n in range(6)], dtype=torch.float64)
    torch.testing.assert_close(found, expected)


def test_a_hop_ends_in_its_own_filter_and_begins_beside_the_one_before() -> None:
    torch.manual_seed(0)
    noise, before, now = torch.randn(2 + 8), torch.randn(3), torch.randn(3)
    found = shaped(noise, before, now)
    through = [[(h * noise[t : t + 3].flip(0)).sum() for t in range(8)] for h in (before, now)]
    there = (torch.arange(8) + 1) / 8
    expected = torch.stack(through[0]) * (1 - there) + torch.stack(through[1]) * there
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(found[-1], through[1][-1])


def test_the_same_filter_all_along_is_a_convolution() -> None:
    torch.manual_seed(1)
    noise, response = torch.randn(4 + 16), torch.randn(5)
    expected = torch.nn.functional.conv1d(noise[None, None], response.flip(0)[None, None])[0, 0]
    torch.testing.assert_close(shaped(noise, response, response), expected)
