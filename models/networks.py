"""The torch module of a config, by its strategy."""

from __future__ import annotations

from ostinato.models.autoregressive import AutoregressiveNetwork
from ostinato.models.blocks_network import BlocksNetwork
from ostinato.models.config import PARALLEL, BlocksConfig, ConfigError, FlowConfig, ModelConfig, NadeConfig
from ostinato.models.flow_network import FlowNetwork
from ostinato.models.nade_network import NadeNetwork
from ostinato.models.parallel import ParallelNetwork
from ostinato.models.steered import SteeredNetwork
from ostinato.models.wavenet import WaveNet


def make_network(config: ModelConfig) -> SteeredNetwork:
    """A module with weights still to be set."""
    return make_parallel(config) if config.strategy in PARALLEL else make_autoregressive(config)


def make_autoregressive(config: ModelConfig) -> AutoregressiveNetwork:
    """One that draws sample by sample. Raises ConfigError where the strategy is another."""
    if isinstance(config.network, NadeConfig):
        return NadeNetwork(config.network)
    if isinstance(config.network, BlocksConfig):
        return BlocksNetwork(config.network)
    return WaveNet(config.wavenet)


def make_parallel(config: ModelConfig) -> ParallelNetwork:
    """One that draws a hop at once. Raises ConfigError where the strategy is another."""
    if isinstance(config.network, FlowConfig):
        return FlowNetwork(config.network)
    raise ConfigError(f"strategy: {config.strategy!r} draws one sample after another")
