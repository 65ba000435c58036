"""The parallel forward: causal, strict about its tensors, and the same as one step after another."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ostinato.models import registry
from ostinato.models.config import (
    ExcitationConfig,
    GaussianHead,
    GlobalConditioning,
    LocalConditioning,
    LogisticsHead,
    MuLawHead,
    SteeredConfig,
    WaveNetConfig,
)
from ostinato.models.controls import FRAME
from ostinato.models.wavenet import WaveNet, WaveNetState

configs = st.builds(
    WaveNetConfig,
    hop=st.just(4),
    residual_channels=st.integers(1, 6),
    skip_channels=st.integers(1, 7),
    layers=st.integers(1, 5),
    dilation_cycle=st.lists(st.integers(1, 5), min_size=1, max_size=3).map(tuple),
    kernel_size=st.integers(2, 4),
    bias=st.booleans(),
    head_hidden=st.lists(st.integers(1, 5), max_size=2).map(tuple),
    head=st.sampled_from([MuLawHead(levels=8), LogisticsHead(components=2), GaussianHead()]),
    local=st.none() | st.just(LocalConditioning(hidden=(3,), channels=2)),
    global_=st.none() | st.just(GlobalConditioning(entries=2, channels=3)),
    excitation=st.none() | st.just(ExcitationConfig(harmonics=2)),
)  # without a tone: what that adds to a step is the samplers', and the contract suite's


def sequence(config: SteeredConfig, frames: int, seed: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Random samples [2, T], control frames [2, F, channels] and phases [2, T]."""
    generator = torch.Generator().manual_seed(seed)
    length = frames * config.hop
    samples = torch.rand(2, length, generator=generator) - 0.5
    controls = torch.rand(2, frames, len(FRAME), generator=generator)
    controls[..., 0] = 60 + 12 * controls[..., 0]
    controls[..., FRAME.index("instrument")] = torch.tensor([[0.0], [1.0]])
    phase = torch.randint(-(2**62), 2**62, (2, length), generator=generator)
    return samples, controls, phase


@settings(max_examples=40)
@given(configs, st.integers(0, 2**32))
def test_cached_steps_give_the_parameters_of_the_parallel_forward(config: WaveNetConfig, seed: int) -> None:
    torch.manual_seed(seed)
    network = WaveNet(config).requires_grad_(False)
    samples, controls, phase = sequence(config, 5, seed)
    expected = network(samples, controls, phase)
    state = WaveNetState.empty(config, 2, torch.device("cpu"))
    previous = torch.zeros(2)
    for t in range(samples.shape[1]):
        frame = controls[:, t // config.hop]
        inputs = network.inputs(previous, network.waves(phase[:, t], frame[:, 0]))
        conditions = network.layer_conditions(network.steer(frame).condition)
        found = network.step(state, torch.ones(2, dtype=torch.bool), inputs, conditions)
        assert torch.allclose(found, expected[:, t], atol=1e-5)
        previous = samples[:, t]


@given(configs, st.integers(0, 2**32), st.integers(0, 19))
def test_no_row_depends_on_its_own_sample_or_on_later_ones(config: WaveNetConfig, seed: int, t: int) -> None:
    torch.manual_seed(seed)
    network = WaveNet(config).requires_grad_(False)
    samples, controls, phase = sequence(config, 5, seed)
    before = network(samples, controls, phase)
    samples[:, t:] += 0.3
    controls[:, t // config.hop + 1 :, 1] += 0.3
    after = network(samples, controls, phase)
    assert torch.equal(after[:, : t + 1], before[:, : t + 1])


def test_a_row_reaches_back_exactly_the_receptive_field() -> None:
    config = WaveNetConfig(
        hop=1, residual_channels=4, skip_channels=4, layers=3, dilation_cycle=(1, 3), kernel_size=3, head=GaussianHead()
    )
    torch.manual_seed(0)  # some weights let nothing through that float32 can tell from 0
    network = WaveNet(config)
    samples, controls, phase = sequence(config, 40, 1)
    samples.requires_grad_()
    network(samples, controls, phase)[0, -1].sum().backward()
    assert samples.grad is not None
    heard = samples.grad[0].nonzero().flatten()
    assert heard.max().item() == 38
    assert heard.min().item() == 39 - config.receptive_field


@given(configs)
def test_a_config_names_every_tensor_of_the_module_with_its_shape(config: WaveNetConfig) -> None:
    found = {name: tuple(t.shape) for name, t in WaveNet(config).state_dict().items()}
    assert found == config.shapes


@pytest.mark.parametrize("name", registry.RANDOM)
def test_random_checkpoints_are_the_same_every_time(name: str) -> None:
    first, second = registry.load(name), registry.load(name)
    assert all((first.tensors[k] == second.tensors[k]).all() for k in first.tensors)
