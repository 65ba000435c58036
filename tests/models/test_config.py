"""A config that can't work is refused with the key and the value."""

from pathlib import Path
from typing import Any

import pytest

from ostinato.models import registry
from ostinato.models.config import ConfigError, WaveNetConfig, parse_config, read_config


def plain() -> dict[str, Any]:
    return {
        "name": "plain",
        "network": {
            "residual_channels": 4,
            "skip_channels": 8,
            "layers": 5,
            "dilation_cycle": [1, 3],
            "kernel_size": 3,
            "head": {"kind": "gaussian"},
        },
    }


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("residual_channels", 0),
        ("skip_channels", -1),
        ("layers", 0),
        ("dilation_cycle", [1, 0]),
        ("dilation_cycle", []),
        ("kernel_size", 1),
        ("pre_emphasis", 1.5),
        ("pre_emphasis", float("nan")),
        ("head", {"kind": "cauchy"}),
        ("head", {"kind": "mu_law", "levels": 1}),
        ("excitation", {"harmonics": 0}),
        ("local", {"hidden": []}),
        ("residual_chanels", 32),
    ],
)
def test_what_cannot_work_is_refused_with_its_key_and_value(key: str, value: object) -> None:
    data = plain()
    data["network"][key] = value
    with pytest.raises(ConfigError, match=f"network.*{key}") as error:
        parse_config(data)
    innermost = value[-1] if isinstance(value, list) and value else value
    innermost = next(iter(innermost.values())) if isinstance(innermost, dict) else innermost
    assert str(innermost) in str(error.value)


def test_a_missing_key_is_named() -> None:
    data = plain()
    del data["network"]["layers"]
    with pytest.raises(ConfigError, match=r"network\.layers: missing"):
        parse_config(data)


def test_pre_emphasis_does_not_go_with_mu_law() -> None:
    data = plain()
    data["network"] |= {"head": {"kind": "mu_law"}, "pre_emphasis": 0.85}
    with pytest.raises(ConfigError, match=r"pre_emphasis: 0\.85"):
        parse_config(data)


def test_a_tone_needs_a_control_network_and_a_head_with_means() -> None:
    data = plain()
    data["network"]["tone"] = {"harmonics": 2}
    with pytest.raises(ConfigError, match=r"tone: .*local is null"):
        parse_config(data)
    data["network"] |= {"local": {}, "head": {"kind": "mu_law"}}
    with pytest.raises(ConfigError, match=r"tone: .*mu_law"):
        parse_config(data)


def test_instruments_must_match_the_global_entries() -> None:
    data = plain()
    data["network"]["global"] = {"entries": 3}
    with pytest.raises(ConfigError, match=r"^config: config: instruments: 1 named.*entries is 3"):
        parse_config(data)


def test_a_config_survives_its_json() -> None:
    data = plain()
    data["network"]["global"] = {"entries": 1}
    config = parse_config(data)
    assert parse_config(config.model_dump(mode="json")) == config


def test_a_faulty_item_does_not_make_its_list_too_short() -> None:
    data = plain()
    data["network"]["dilation_cycle"] = [0]
    with pytest.raises(ConfigError) as error:
        parse_config(data)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("content", [b"{", b"[]", b"3", b"\xff\xfe", b"[" * 100_000])
def test_a_file_that_is_not_a_json_object_is_refused_by_name(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"config\.json"):
        read_config(path)


def test_the_receptive_field_counts_every_tap_of_every_layer() -> None:
    network = parse_config(plain()).wavenet
    assert network.dilations == (1, 3, 1, 3, 1)
    assert network.receptive_field == 1 + 2 * (1 + 3 + 1 + 3 + 1)


def test_macs_count_every_weight_of_the_sample_path_once() -> None:
    for name in registry.RANDOM:
        network: WaveNetConfig = registry.random_config(name).wavenet
        weights = {k: v for k, v in network.shapes.items() if k.endswith("weight")}
        per_hop = [k for k in weights if k.startswith(("local", "global", "tone")) or ".condition." in k]
        sizes = {k: _size(v) for k, v in weights.items() if k not in per_hop}
        waves = 2 * network.tone.harmonics if network.tone else 0  # one multiply-add for each amplitude of the tone
        assert network.macs_per_sample == sum(sizes.values()) + waves


def _size(shape: tuple[int, ...]) -> int:
    size = 1
    for n in shape:
        size *= n
    return size
