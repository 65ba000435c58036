"""The parallel forward over frames: causal, strict about its tensors, and reaching as far back as it says."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ostinato.models.config import (
    ConfigError,
    ExcitationConfig,
    GaussianHead,
    GlobalConditioning,
    LocalConditioning,
    LogisticsHead,
    MuLawHead,
    NadeConfig,
    parse_config,
)
from ostinato.models.nade_network import NadeNetwork
from tests.models.test_wavenet import sequence

configs = st.builds(
    NadeConfig,
    hop=st.sampled_from([1, 4, 7]),
    units=st.integers(1, 9),
    residual_channels=st.integers(1, 6),
    skip_channels=st.integers(1, 7),
    layers=st.integers(1, 3),
    dilation_cycle=st.lists(st.integers(1, 3), min_size=1, max_size=3).map(tuple),
    kernel_size=st.integers(2, 3),
    bias=st.booleans(),
    head_hidden=st.lists(st.integers(1, 5), max_size=2).map(tuple),
    head=st.sampled_from([MuLawHead(levels=8), LogisticsHead(components=2), GaussianHead()]),
    local=st.none() | st.just(LocalConditioning(hidden=(3,), channels=2)),
    global_=st.none() | st.just(GlobalConditioning(entries=2, channels=3)),
    excitation=st.none() | st.just(ExcitationConfig(harmonics=2)),
)


def nade_of(**changes: object) -> NadeConfig:
    plain: dict[str, object] = {
        "hop": 4, "units": 5, "residual_channels": 4, "skip_channels": 4, "layers": 3, "dilation_cycle": (1, 3),
        "kernel_size": 3, "head": {"kind": "gaussian"},
    }  # fmt: skip
    return NadeConfig.model_validate({**plain, **changes})


@settings(max_examples=40, deadline=None)
@given(configs, st.integers(0, 2**32), st.data())
def test_no_row_depends_on_its_own_sample_or_on_later_ones(config: NadeConfig, seed: int, data: st.DataObject) -> None:
    torch.manual_seed(seed)
    network = NadeNetwork(config).requires_grad_(False)
    samples, controls, phase = sequence(config, 5, seed)
    before = network(samples, controls, phase)
    t = data.draw(st.integers(0, samples.shape[1] - 1))
    samples[:, t:] += 0.3
    controls[:, t // config.hop + 1 :, 1] += 0.3
    after = network(samples, controls, phase)
    torch.testing.assert_close(after[:, : t + 1], before[:, : t + 1], rtol=0, atol=1e-6)


def test_the_last_row_of_a_frame_reaches_back_exactly_the_receptive_field() -> None:
    config = nade_of()
    torch.manual_seed(3)
    network = NadeNetwork(config)
    samples, controls, phase = sequence(config, 20, 1)
    samples.requires_grad_()
    network(samples, controls, phase)[0, -1].sum().backward()
    assert samples.grad is not None
    heard = samples.grad[0].nonzero().flatten()
    assert heard.max().item() == 20 * 4 - 2
    assert heard.min().item() == 20 * 4 - 1 - config.receptive_field


@given(configs)
def test_a_config_names_every_tensor_of_the_module_with_its_shape(config: NadeConfig) -> None:
    found = {name: tuple(t.shape) for name, t in NadeNetwork(config).state_dict().items()}
    assert found == config.shapes


def test_macs_count_a_frames_weights_once_a_hop_and_one_conditional_a_sample() -> None:
    config = nade_of(head_hidden=(6,), excitation={"harmonics": 2}, hop=8)
    frame = 8 * 4 + 3 * (3 * 4 * 8 + 4 * 4 + 4 * 4) - 4 * 4 + 4 * 6 + (6 + 8) * 5
    assert config.macs_per_sample == 5 * (1 + 4 + 2) + -(-frame // 8)


@pytest.mark.parametrize(("key", "value"), [("units", 0), ("hop", 0), ("levels", 3), ("head", {"kind": "cauchy"})])
def test_what_cannot_work_is_refused_with_its_key_and_value(key: str, value: object) -> None:
    network = nade_of().model_dump(mode="json") | {key: value}
    with pytest.raises(ConfigError, match=rf"network\.{key}"):
        parse_config({"name": "plain", "strategy": "nade", "network": network})


def test_a_strategy_has_its_own_network() -> None:
    network = nade_of().model_dump(mode="json")
    config = parse_config({"name": "plain", "strategy": "nade", "network": network})
    assert config.network == nade_of()
    assert parse_config(config.model_dump(mode="json")) == config
    with pytest.raises(ConfigError, match=r"network\.units: Extra inputs"):
        parse_config({"name": "plain", "network": network})
    with pytest.raises(ConfigError, match=r"strategy: .*'diffusion'"):
        parse_config({"name": "plain", "strategy": "diffusion", "network": network})
    with pytest.raises(ConfigError, match="strategy: 'nade', and this is for a wavenet"):
        _ = config.wavenet
