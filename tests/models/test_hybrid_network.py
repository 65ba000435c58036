"""Latents once a hop: causal, bounded, the same step by step as all at once, and strict about tensors."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ostinato.models.config import (
    ConfigError,
    GaussianHead,
    GlobalConditioning,
    HybridConfig,
    LocalConditioning,
    ToneConfig,
    parse_config,
)
from ostinato.models.hybrid_network import HybridNetwork
from tests.models.test_wavenet import sequence

configs = st.builds(
    HybridConfig,
    hop=st.sampled_from([2, 4, 7]),
    latents=st.integers(1, 5),
    decoder_units=st.integers(1, 6),
    cepstrum=st.integers(1, 6),
    taps=st.integers(2, 12),
    residual_channels=st.integers(1, 6),
    skip_channels=st.integers(1, 7),
    layers=st.integers(1, 3),
    dilation_cycle=st.lists(st.integers(1, 3), min_size=1, max_size=3).map(tuple),
    kernel_size=st.integers(2, 3),
    bias=st.booleans(),
    head_hidden=st.lists(st.integers(1, 5), max_size=2).map(tuple),
    head=st.just(GaussianHead()),
    local=st.just(LocalConditioning(hidden=(3,), channels=2)),
    global_=st.none() | st.just(GlobalConditioning(entries=2, channels=3)),
    tone=st.builds(ToneConfig, harmonics=st.integers(1, 4)),
    pre_emphasis=st.sampled_from([0.0, 0.85]),
)


def hybrid_of(**changes: object) -> HybridConfig:
    plain: dict[str, object] = {
        "hop": 4, "latents": 3, "decoder_units": 5, "cepstrum": 4, "taps": 6, "residual_channels": 4,
        "skip_channels": 4, "layers": 3, "dilation_cycle": (1, 3), "kernel_size": 3, "head": {"kind": "gaussian"},
        "local": {"hidden": (3,), "channels": 2}, "tone": {"harmonics": 2},
    }  # fmt: skip
    return HybridConfig.model_validate({**plain, **changes})


def noise_of(config: HybridConfig, hops: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(2, hops * (config.hop + config.latents), generator=generator)


@settings(max_examples=25, deadline=None)
@given(configs, st.integers(0, 2**32), st.data())
def test_no_hop_depends_on_later_controls_or_noise(config: HybridConfig, seed: int, data: st.DataObject) -> None:
    torch.manual_seed(seed)
    network = HybridNetwork(config).requires_grad_(False)
    _, frames, phase = sequence(config, 5, seed)
    noise = noise_of(config, 5, seed)
    before = network(frames, phase, noise)
    hop = data.draw(st.integers(1, 4))
    frames[:, hop:, 1] += 0.3
    noise[:, hop * (config.hop + config.latents) :] += 1
    after = network(frames, phase, noise)
    torch.testing.assert_close(after[:, : hop * config.hop], before[:, : hop * config.hop], rtol=0, atol=1e-6)


@settings(max_examples=25, deadline=None)
@given(configs, st.integers(0, 2**32))
def test_a_step_a_hop_says_what_all_hops_at_once_say(config: HybridConfig, seed: int) -> None:
    torch.manual_seed(seed)
    network = HybridNetwork(config).requires_grad_(False)
    _, frames, _ = sequence(config, 6, seed)
    steering, noise = network.steer(frames), noise_of(config, 6, seed)
    whole, state = network.draw_whole(steering, noise), network.silence(2, torch.device("cpu"))
    assert whole.amplitudes is not None
    for f, part in enumerate(noise.reshape(2, 6, -1).unbind(1)):
        drawn = network.draw_hop(state, torch.tensor([True, True]), network.steer(frames[:, f]), part)
        here = slice(f * config.hop, (f + 1) * config.hop)
        torch.testing.assert_close(drawn.left, whole.left[:, here], rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(drawn.amplitudes, whole.amplitudes[:, f], rtol=1e-4, atol=1e-5)


@given(configs)
def test_a_config_names_every_tensor_of_the_module_with_its_shape(config: HybridConfig) -> None:
    found = {name: tuple(t.shape) for name, t in HybridNetwork(config).state_dict().items()}
    assert found == config.shapes


def test_no_weights_let_a_held_note_drift_away() -> None:
    torch.manual_seed(0)
    config = hybrid_of()
    network = HybridNetwork(config).requires_grad_(False)
    for name, weight in network.named_parameters():
        if not name.startswith(("local", "tone")):
            weight.mul_(8)  # far from anything that training leads to
    network.memory.fill_(3.0)  # 0.953: what enters adds up to 21 times itself at most
    _, frames, _ = sequence(config, 1, 0)
    steering = network.steer(frames[:, :1].expand(-1, 600, -1))
    normals = torch.randn(2, 600, config.latents, generator=torch.Generator().manual_seed(1))
    size = network.whole_latents(steering, normals).abs().amax(-1)[0]
    assert size[300:].max() < 1.5 * size[:300].max()


def test_macs_count_a_hops_weights_once_a_hop() -> None:
    config = hybrid_of(head_hidden=(6,), hop=8)
    stack = 3 * (3 * 4 * 8 + 4 * 4 + 4 * 4) - 4 * 4
    hop = 3 * 4 + stack + 4 * 6 + 6 * 6 + (6 + 3) * 5 + (5 + 3) * 9 + 4 * 6
    assert config.macs_per_sample == 2 * 2 + 2 * 6 + -(-hop // 8)


@pytest.mark.parametrize(
    ("key", "value"),
    [("latents", 0), ("latents", 65), ("taps", 1), ("tone", None), ("excitation", {"harmonics": 2}), ("levels", 3)],
)
def test_what_cannot_work_is_refused_with_its_key(key: str, value: object) -> None:
    network = hybrid_of().model_dump(mode="json") | {key: value}
    with pytest.raises(ConfigError, match=rf"network.*{key}"):
        parse_config({"name": "plain", "strategy": "hybrid", "network": network})


def test_noise_of_another_distribution_is_refused() -> None:
    network = hybrid_of().model_dump(mode="json") | {"head": {"kind": "logistics"}}
    with pytest.raises(ConfigError, match="head: 'logistics'"):
        parse_config({"name": "plain", "strategy": "hybrid", "network": network})
