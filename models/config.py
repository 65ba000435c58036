"""What a model is, as data: frozen, strict configs with their derived sizes.

Free of torch, so that a server on the native sampler can read a checkpoint without it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import Field, ValidationError, ValidationInfo, field_validator, model_validator

from ostinato.models.blocks_config import BlocksConfig
from ostinato.models.flow_config import FlowConfig
from ostinato.models.hybrid_config import HybridConfig
from ostinato.models.nade_config import NadeConfig
from ostinato.models.network import (
    ExcitationConfig,
    Frozen,
    GaussianHead,
    GlobalConditioning,
    HeadConfig,
    LocalConditioning,
    LogisticsHead,
    MuLawHead,
    Shapes,
    StackConfig,
    SteeredConfig,
    ToneConfig,
    linear,
)

__all__ = [
    "PARALLEL", "WITHOUT_DENSITY", "BlocksConfig", "ConfigError", "ExcitationConfig", "FlowConfig", "GaussianHead",
    "GlobalConditioning", "HeadConfig", "HybridConfig",
    "Instrument", "LocalConditioning", "LogisticsHead", "ModelConfig", "MuLawHead", "NadeConfig", "StackConfig",
    "SteeredConfig", "ToneConfig",
    "WaveNetConfig", "parse_config", "read_config",
]  # fmt: skip


class ConfigError(ValueError):
    """A config that can't work. The message names each key with its value."""


class WaveNetConfig(StackConfig):
    """A stack whose step is one sample (van den Oord et al. 2016)."""

    @property
    def receptive_field(self) -> int:
        """Past samples that the distribution of the next one depends on."""
        return 1 + (self.kernel_size - 1) * sum(self.dilations)

    @property
    def input_channels(self) -> int:
        """The last sample, then sin(k phi), k = 1..K, then cos(k phi)."""
        return 1 + (2 * self.excitation.harmonics if self.excitation else 0)

    @property
    def head_widths(self) -> tuple[int, ...]:
        """Widths from the skip sum to the head parameters, both included."""
        return (self.skip_channels, *self.head_hidden, self.head.parameters)

    @property
    def macs_per_sample(self) -> int:
        """Multiply-adds of one sample of one stream, without the per-hop conditioning."""
        head = sum(a * b for a, b in pairwise(self.head_widths))
        tone = 2 * self.tone.harmonics if self.tone else 0
        return tone + self.input_channels * self.residual_channels + self.stack_macs + head

    @cached_property
    def shapes(self) -> Shapes:
        """Every tensor of a checkpoint, by name, with its shape."""
        shapes = self.steering_shapes() | self.stack_shapes(self.input_channels)
        for i, (inputs, outputs) in enumerate(pairwise(self.head_widths)):
            shapes |= linear(f"head.{i}", outputs, inputs)
        return shapes


NetworkConfig: TypeAlias = WaveNetConfig | NadeConfig | BlocksConfig | FlowConfig | HybridConfig

NETWORKS: Final[dict[str, type[NetworkConfig]]] = {
    "wavenet": WaveNetConfig,
    "nade": NadeConfig,
    "blocks": BlocksConfig,
    "flow": FlowConfig,
    "hybrid": HybridConfig,
}
"""The network of each strategy."""

PARALLEL: Final[tuple[str, ...]] = ("flow", "hybrid")
"""Strategies that draw a hop at once; the others draw one sample after another."""

WITHOUT_DENSITY: Final[tuple[str, ...]] = ("hybrid",)
"""Strategies that can't tell how likely given samples are: what they draw hangs on more than the samples tell."""


class Instrument(Frozen):
    """What one entry of a model plays: its name, natural range, General MIDI programs, and how lively it draws."""

    name: str = Field(min_length=1, max_length=64)
    low: float = Field(default=0.0, ge=0.0, le=127.0)  # MIDI note
    high: float = Field(default=127.0, ge=0.0, le=127.0)  # MIDI note
    programs: tuple[Annotated[int, Field(ge=0, le=127)], ...] = ()  # General MIDI, from 0
    temperature: float = Field(default=1.0, ge=0.0, le=4.0)  # times the control's, so that one default suits them all


class ModelConfig(Frozen):
    """A servable model: the network, and what a listener needs to know of it."""

    name: str = Field(min_length=1, max_length=64, pattern=r"^[a-z0-9][a-z0-9._-]*$")
    strategy: Literal["wavenet", "nade", "blocks", "flow", "hybrid"] = "wavenet"
    licence: str = "Apache-2.0"
    description: str = ""
    release_s: float = Field(default=0.3, gt=0.0, le=10.0)  # how long a voice lives after note.off
    temperature: float = Field(default=1.0, ge=0.0, le=2.0)  # the default
    instruments: tuple[Instrument, ...] = (Instrument(name="default"),)
    network: NetworkConfig

    @field_validator("network", mode="before")
    @classmethod
    def _of_its_strategy(cls, network: object, info: ValidationInfo) -> object:
        """Only the strategy's own network is tried, so that faults are told of its keys alone."""
        kind = NETWORKS.get(info.data.get("strategy", ""))
        return network if kind is None else kind.model_validate(network)

    @property
    def wavenet(self) -> WaveNetConfig:
        """The network, for what works on a WaveNet alone.

        Raises:
            ConfigError: where the strategy is another.
        """
        if not isinstance(self.network, WaveNetConfig):
            raise ConfigError(f"strategy: {self.strategy!r}, and this is for a wavenet")
        return self.network

    @model_validator(mode="after")
    def _one_entry_an_instrument(self) -> ModelConfig:
        entries = self.network.global_.entries if self.network.global_ else 1
        if len(self.instruments) != entries:
            raise ValueError(f"instruments: {len(self.instruments)} named, but network.global.entries is {entries}")
        return self


def parse_config(data: dict[str, Any], *, source: str = "config") -> ModelConfig:
    """Check a config strictly.

    Raises:
        ConfigError: with one line for each key that is wrong, unknown or missing, and its value.
    """
    try:
        return ModelConfig.model_validate(data)
    except ValidationError as error:
        raise ConfigError("\n".join(f"{source}: {line}" for line in _explained(error))) from error


def _explained(error: ValidationError) -> Iterator[str]:
    """A line for each fault: its key, what is wrong, the value."""
    faults = error.errors()
    for fault in faults:
        # pydantic counts only the sound items of a list, and calls it too short where one is faulty
        inside = any(other["loc"][:-1] == fault["loc"] for other in faults)
        if fault["type"] == "too_short" and inside:
            continue
        key = ".".join(map(str, fault["loc"])) or "config"
        message = fault["msg"].removeprefix("Value error, ")
        yield f"{key}: missing" if fault["type"] == "missing" else f"{key}: {message} (value: {fault['input']!r})"


def read_config(path: Path) -> ModelConfig:
    """Read `config.json`. Raises ConfigError when it is not JSON or not a config."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: not JSON: {error}") from error
    if not isinstance(data, dict):
        raise ConfigError(f"{path}: a config is a JSON object, not {type(data).__name__}")
    return parse_config(data, source=str(path))
