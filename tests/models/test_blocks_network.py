"""The parallel forward over blocks: causal, strict about its tensors, and reaching as far back as it says."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ostinato.models.blocks_config import BlocksConfig
from ostinato.models.blocks_network import BlocksNetwork
from ostinato.models.config import (
    ConfigError,
    ExcitationConfig,
    GaussianHead,
    GlobalConditioning,
    HeadConfig,
    LocalConditioning,
    LogisticsHead,
    MuLawHead,
    parse_config,
)
from tests.models.test_wavenet import sequence


@st.composite
def configs(draw: st.DrawFn) -> BlocksConfig:
    block, kv_heads = draw(st.sampled_from([1, 2, 4, 8])), draw(st.integers(1, 2))
    heads = kv_heads * draw(st.integers(1, 2))
    before = draw(st.integers(block, 9))
    heads_of: list[HeadConfig] = [MuLawHead(levels=8), LogisticsHead(components=2), GaussianHead()]
    head = draw(st.sampled_from(heads_of))
    return BlocksConfig(
        hop=8,
        block=block,
        before=before,
        width=heads * draw(st.sampled_from([2, 6])),
        heads=heads,
        kv_heads=kv_heads,
        feed_forward=draw(st.integers(1, 7)),
        layers=draw(st.integers(1, 2)),
        window=draw(st.integers(1, 5)),
        inside=draw(st.sampled_from(["parallel", "nade"])),
        units=draw(st.integers(1, 6)),
        taps=0 if head.kind == "mu_law" else draw(st.integers(0, before)),
        bias=draw(st.booleans()),
        head=head,
        local=draw(st.none() | st.just(LocalConditioning(hidden=(3,), channels=2))),
        global_=draw(st.none() | st.just(GlobalConditioning(entries=2, channels=3))),
        excitation=draw(st.none() | st.just(ExcitationConfig(harmonics=2))),
    )


def blocks_of(**changes: object) -> BlocksConfig:
    plain: dict[str, object] = {
        "hop": 8, "block": 4, "before": 6, "width": 8, "heads": 2, "kv_heads": 1, "feed_forward": 5, "layers": 2,
        "window": 3, "inside": "nade", "units": 5, "taps": 3, "head": {"kind": "gaussian"},
    }  # fmt: skip
    return BlocksConfig.model_validate({**plain, **changes})


@settings(max_examples=30, deadline=None)
@given(configs(), st.integers(0, 2**32), st.data())
def test_no_row_depends_on_its_own_sample_or_on_later_ones(
    config: BlocksConfig, seed: int, data: st.DataObject
) -> None:
    torch.manual_seed(seed)
    network = BlocksNetwork(config).requires_grad_(False)
    samples, controls, phase = sequence(config, 4, seed)
    before = network(samples, controls, phase)
    t = data.draw(st.integers(0, samples.shape[1] - 1))
    samples[:, t:] += 0.3
    controls[:, t // config.hop + 1 :, 1] += 0.3
    after = network(samples, controls, phase)
    torch.testing.assert_close(after[:, : t + 1], before[:, : t + 1], rtol=0, atol=1e-5)


@pytest.mark.parametrize("inside", ["parallel", "nade"])
def test_the_last_row_of_a_block_reaches_back_exactly_the_receptive_field(inside: str) -> None:
    config = blocks_of(inside=inside)
    torch.manual_seed(3)
    network = BlocksNetwork(config).double()
    samples, controls, phase = sequence(config, 10, 1)
    samples = samples.double().requires_grad_()
    network(samples, controls.double(), phase)[0, -1].sum().backward()
    assert samples.grad is not None
    heard = samples.grad[0].nonzero().flatten()
    assert heard.max().item() == 80 - (2 if inside == "nade" else 5)  # independent samples know none of their block
    assert heard.min().item() == 80 - 1 - config.receptive_field


@given(configs())
def test_a_config_names_every_tensor_of_the_module_with_its_shape(config: BlocksConfig) -> None:
    found = {name: tuple(t.shape) for name, t in BlocksNetwork(config).state_dict().items()}
    assert found == config.shapes


def test_macs_count_the_transformer_once_a_block_and_one_conditional_a_sample() -> None:
    config = blocks_of(excitation={"harmonics": 2})
    layer = 8 * (8 + 4 + 4 + 8) + 2 * 3 * 8 + 3 * 8 * 5
    block = 6 * 8 + 2 * layer + 8 * 3 + (8 + 6) * 5
    assert config.macs_per_sample == 5 * (1 + 4 + 2) + 3 + -(-block // 4)


def test_the_past_is_lightened_wherever_it_comes_in() -> None:
    """With none of its weight left, what was drawn before a sample tells nothing of it."""
    torch.manual_seed(0)
    network = BlocksNetwork(blocks_of())
    tensors = {name: weight.numpy().copy() for name, weight in network.state_dict().items()}
    network.lighten_past(tensors, 0.0)
    network.load_state_dict({name: torch.from_numpy(tensor) for name, tensor in tensors.items()})
    samples, controls, phase = sequence(network.config, 4, 1)
    torch.testing.assert_close(network(samples, controls, phase), network(0 * samples, controls, phase))


@pytest.mark.parametrize(
    ("key", "value"),
    [("block", 3), ("before", 3), ("before", 2), ("heads", 3), ("heads", 8), ("kv_heads", 3), ("units", 0), ("taps", 7),
     ("inside", "flow"), ("head", {"kind": "mu_law"})],
)  # fmt: skip
def test_what_cannot_work_is_refused_with_its_key_and_value(key: str, value: object) -> None:
    network = blocks_of().model_dump(mode="json") | {key: value}
    named = {"taps": "before", "head": "taps"}.get(key, key)
    with pytest.raises(ConfigError, match=rf"network.*{named}"):
        parse_config({"name": "plain", "strategy": "blocks", "network": network})
