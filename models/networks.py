"""The torch module of a config, by its strategy."""

from __future__ import annotations

from ostinato.models.config import ModelConfig, NadeConfig
from ostinato.models.nade_network import NadeNetwork
from ostinato.models.steered import SteeredNetwork
from ostinato.models.wavenet import WaveNet


def make_network(config: ModelConfig) -> SteeredNetwork:
    """A module with weights still to be set."""
    return NadeNetwork(config.network) if isinstance(config.network, NadeConfig) else WaveNet(config.wavenet)
