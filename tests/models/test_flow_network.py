"""A flow: noise to samples and back, its density, and what a stream of it remembers."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from ostinato.models.config import ConfigError, FlowConfig, parse_config
from ostinato.models.coupling import Coupling
from ostinato.models.flow_network import FlowNetwork
from ostinato.models.steered import Steering

configs = st.builds(
    FlowConfig.model_validate,
    st.fixed_dictionaries(
        {
            "hop": st.sampled_from([2, 4, 8]),
            "head": st.sampled_from([{"kind": "gaussian"}, {"kind": "logistics", "components": 1}]),
            "global": st.sampled_from([None, {"entries": 2, "channels": 3}]),
            "couplings": st.integers(1, 7),
            "kernel_size": st.integers(1, 3),
            "units": st.integers(1, 5),
            "lines": st.integers(1, 4),
        }
    ),
)


def network_of(config: FlowConfig, seed: int = 0) -> FlowNetwork:
    """One in double precision, whose weights are neither small nor large."""
    torch.manual_seed(seed)
    network = FlowNetwork(config).double().requires_grad_(False)
    for weight in network.parameters():
        weight.copy_(0.4 * torch.randn(weight.shape))
    return network


def steering_for(config: FlowConfig, *shape: int) -> Steering:
    """A random condition of so many hops."""
    channels = config.condition_channels
    return Steering(torch.randn(*shape, channels, dtype=torch.float64).tanh() if channels else None, None)


def noise_given(parameters: Tensor, left: Tensor) -> Tensor:
    return (left - parameters[..., -2]) * torch.exp(-parameters[..., -1])


@settings(max_examples=25, deadline=None)
@given(config=configs, seed=st.integers(0, 99))
def test_what_noise_becomes_is_that_noise_again(config: FlowConfig, seed: int) -> None:
    network, steering = network_of(config, seed), steering_for(config, 2, 5)
    noise = torch.randn(2, 5 * config.hop, dtype=torch.float64)
    left = network.draw_whole(steering, noise).left
    torch.testing.assert_close(noise_given(network.given_whole(steering, left), left), noise)


@settings(max_examples=15, deadline=None)
@given(config=configs, seed=st.integers(0, 99))
def test_log_scales_add_up_to_the_volume_that_the_flow_takes(config: FlowConfig, seed: int) -> None:
    network, steering = network_of(config, seed), steering_for(config, 1, 3)
    left = torch.randn(1, 3 * config.hop, dtype=torch.float64)
    jacobian = torch.autograd.functional.jacobian(  # type: ignore[no-untyped-call]
        lambda given: noise_given(network.given_whole(steering, given), given)[0], left
    )
    _, volume = torch.linalg.slogdet(jacobian[:, 0])
    torch.testing.assert_close(volume, -network.given_whole(steering, left)[..., -1].sum())


@settings(max_examples=15, deadline=None)
@given(config=configs, seed=st.integers(0, 99))
def test_hop_by_hop_both_ways_are_as_all_at_once(config: FlowConfig, seed: int) -> None:
    network, steering, hop = network_of(config, seed), steering_for(config, 2, 4), config.hop
    noise, active = torch.randn(2, 4 * hop, dtype=torch.float64), torch.tensor([True, True])
    left = network.draw_whole(steering, noise).left
    parameters = network.given_whole(steering, left)
    drawing, weighing = network.silence(2, torch.device("cpu")), network.silence(2, torch.device("cpu"))
    for state in (drawing, weighing):
        for past in state.past:
            past.data = past.double()
    for f in range(4):
        here = slice(f * hop, (f + 1) * hop)
        now = Steering(None if steering.condition is None else steering.condition[:, f], None)
        torch.testing.assert_close(network.draw_hop(drawing, active, now, noise[:, here]).left, left[:, here])
        torch.testing.assert_close(network.given_hop(weighing, active, now, left[:, here]), parameters[:, here])


@settings(max_examples=15, deadline=None)
@given(config=configs, seed=st.integers(0, 99))
def test_noise_is_heard_from_its_own_hop_until_the_reach_of_the_flow(config: FlowConfig, seed: int) -> None:
    network, hops = network_of(config, seed), config.couplings * (config.kernel_size - 1) + 3
    steering, noise = steering_for(config, 1, hops), torch.randn(1, hops * config.hop, dtype=torch.float64)
    other = noise.clone()
    other[:, config.hop : 2 * config.hop] += 1
    apart = (network.draw_whole(steering, noise).left - network.draw_whole(steering, other).left).abs()
    heard = apart.reshape(hops, config.hop).amax(dim=1) > 1e-12
    assert not heard[0]
    assert heard[1]
    assert not heard[-1]


def test_linear_couplings_by_every_bit_whiten_any_gaussian_frame() -> None:
    hop = 16
    config = FlowConfig.model_validate(
        {"hop": hop, "head": {"kind": "gaussian"}, "couplings": 4, "units": 1, "lines": 1}
    )
    network = network_of(config)
    for weight in network.parameters():
        weight.zero_()
    mixing = torch.randn(hop, hop, dtype=torch.float64)
    covariance = mixing @ mixing.T
    whitening = torch.eye(hop, dtype=torch.float64)
    for coupling in network.couplings:
        assert isinstance(coupling, Coupling)
        read, moved = coupling.halves(torch.arange(hop))
        now = whitening @ covariance @ whitening.T
        best = torch.linalg.solve(now[read][:, read], now[read][:, moved]).T
        coupling.direct.weight[..., -1] = best
        whitening[moved] -= best @ whitening[read]
    left = torch.eye(hop, dtype=torch.float64)[:, None].flatten(1)  # each a recording of one frame
    steering = Steering(None, None)
    found = noise_given(network.given_whole(steering, left), left).T
    torch.testing.assert_close(found, whitening)
    white = found @ covariance @ found.T
    torch.testing.assert_close(white, torch.diag(white.diagonal()))


def test_a_logistic_density_is_normalised() -> None:
    head = {"kind": "logistics", "components": 1}
    network = network_of(FlowConfig.model_validate({"head": head, "couplings": 1, "units": 1, "lines": 1}))
    samples = torch.linspace(-2, 2, 200_001, dtype=torch.float64)
    parameters = torch.tensor([0.0, 0.1, math.log(0.02)], dtype=torch.float64).expand(len(samples), 3)
    levels = network.distribution.log_prob(parameters, samples).exp()  # probability of a 16-bit level at each
    assert float(torch.trapezoid(levels, samples)) * 2**15 == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"hop": 24}, "hop: 24 is not a power of two"),
        ({"head": {"kind": "mu_law"}}, "head: mu_law"),
        ({"head": {"kind": "logistics", "components": 2}}, "head: logistics with 6 parameters"),
        ({"excitation": {"harmonics": 3}}, "excitation: 3 harmonics"),
        ({"residual_channels": 3}, "residual_channels"),
    ],
)
def test_a_config_that_no_flow_can_have_is_refused_by_key(changed: dict[str, object], fault: str) -> None:
    network = {"head": {"kind": "gaussian"}, "couplings": 2, "units": 2, "lines": 2}
    with pytest.raises(ConfigError, match=fault):
        parse_config({"name": "a", "strategy": "flow", "network": {**network, **changed}})
