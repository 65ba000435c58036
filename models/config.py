"""What a model is, as data: frozen, strict configs with their derived sizes.

Free of torch, so that a server on the native sampler can read a checkpoint without it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ostinato.models.controls import FEATURES


class ConfigError(ValueError):
    """A config that can't work. The message names each key with its value."""


class _Frozen(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, validate_by_name=True, serialize_by_alias=True
    )


class MuLawHead(_Frozen):
    """Categorical over mu-law companded levels (van den Oord et al. 2016, section 2.2)."""

    kind: Literal["mu_law"] = "mu_law"
    levels: int = Field(default=256, ge=2, le=65536)

    @property
    def parameters(self) -> int:
        """Head parameters per sample: one logit a level."""
        return self.levels

    @property
    def draws(self) -> int:
        """Uniforms consumed per sample."""
        return 1


class LogisticsHead(_Frozen):
    """Mixture of logistics, discretised to 16 bits (Salimans et al. 2017, equation 2)."""

    kind: Literal["logistics"] = "logistics"
    components: int = Field(default=2, ge=1, le=64)
    log_scale_min: float = Field(default=-9.5, ge=-14.0, le=0.0)

    @property
    def parameters(self) -> int:
        """Head parameters per sample: logits, means, log-scales."""
        return 3 * self.components

    @property
    def draws(self) -> int:
        """Uniforms consumed per sample: which component, and where in it."""
        return 2


class GaussianHead(_Frozen):
    """One Gaussian (Ping et al. 2019, section 3.1)."""

    kind: Literal["gaussian"] = "gaussian"
    log_scale_min: float = Field(default=-9.5, ge=-14.0, le=0.0)

    @property
    def parameters(self) -> int:
        """Head parameters per sample: mean, log standard deviation."""
        return 2

    @property
    def draws(self) -> int:
        """Uniforms consumed per sample: the two of Box and Muller."""
        return 2


HeadConfig = Annotated[MuLawHead | LogisticsHead | GaussianHead, Field(discriminator="kind")]


class LocalConditioning(_Frozen):
    """A tanh network from the control features of a hop (and the instrument's vector) to `channels`."""

    hidden: tuple[Annotated[int, Field(ge=1, le=1024)], ...] = Field(default=(16,), min_length=1)
    channels: int = Field(default=16, ge=1, le=1024)


class GlobalConditioning(_Frozen):
    """One learnt vector of `channels` for each of `entries` instruments."""

    entries: int = Field(ge=1, le=4096)
    channels: int = Field(default=8, ge=1, le=1024)


class ExcitationConfig(_Frozen):
    """sin and cos of k times the running phase, k = 1..`harmonics`, at the input."""

    harmonics: int = Field(default=8, ge=1, le=64)


class ToneConfig(_Frozen):
    """Levels and phases of `harmonics` that the control network states each hop; what is left is drawn."""

    harmonics: int = Field(default=32, ge=1, le=128)


class WaveNetConfig(_Frozen):
    """A gated causal dilated stack (van den Oord et al. 2016)."""

    sample_rate: int = Field(default=44100, ge=8000, le=192000)
    hop: int = Field(default=64, ge=1, le=4096)  # samples per control frame
    residual_channels: int = Field(ge=1, le=1024)
    skip_channels: int = Field(ge=1, le=4096)
    layers: int = Field(ge=1, le=256)
    dilation_cycle: tuple[Annotated[int, Field(ge=1, le=65536)], ...] = Field(min_length=1)
    kernel_size: int = Field(default=2, ge=2, le=16)
    bias: bool = True
    head_hidden: tuple[Annotated[int, Field(ge=1, le=4096)], ...] = ()
    head: HeadConfig
    local: LocalConditioning | None = None
    global_: GlobalConditioning | None = Field(default=None, alias="global")
    excitation: ExcitationConfig | None = None
    tone: ToneConfig | None = None
    pre_emphasis: float = Field(default=0.0, ge=0.0, le=0.99)

    @model_validator(mode="after")
    def _refuse_what_cannot_sound(self) -> WaveNetConfig:
        if self.pre_emphasis and self.head.kind == "mu_law":
            raise ValueError(
                f"pre_emphasis: {self.pre_emphasis} does not go with a mu_law head: its levels are of the plain signal"
            )
        if self.tone and self.local is None:
            raise ValueError("tone: it is stated by the control network, and local is null")
        if self.tone and self.head.kind == "mu_law":
            raise ValueError("tone: it moves means and scales, which a mu_law head has not")
        return self

    @cached_property
    def dilations(self) -> tuple[int, ...]:
        """The dilation of each layer, the cycle repeated."""
        return tuple(self.dilation_cycle[i % len(self.dilation_cycle)] for i in range(self.layers))

    @property
    def receptive_field(self) -> int:
        """Past samples that the distribution of the next one depends on."""
        return 1 + (self.kernel_size - 1) * sum(self.dilations)

    @property
    def input_channels(self) -> int:
        """The last sample, then sin(k phi), k = 1..K, then cos(k phi)."""
        return 1 + (2 * self.excitation.harmonics if self.excitation else 0)

    @property
    def waves(self) -> int:
        """Harmonics computed at each sample: what the excitation and the tone need."""
        return max(self.excitation.harmonics if self.excitation else 0, self.tone.harmonics if self.tone else 0)

    @property
    def control_channels(self) -> int:
        """What the control network sees of a hop: the features, then the instrument's vector."""
        return len(FEATURES) + (self.global_.channels if self.global_ else 0)

    @property
    def condition_channels(self) -> int:
        """Width of the per-hop conditioning vector: the control network's, else the instrument's."""
        if self.local:
            return self.local.channels
        return self.global_.channels if self.global_ else 0

    @property
    def head_widths(self) -> tuple[int, ...]:
        """Widths from the skip sum to the head parameters, both included."""
        return (self.skip_channels, *self.head_hidden, self.head.parameters)

    @property
    def amplitude(self) -> float:
        """Largest magnitude of a sample in the model's own domain: 2 where pre-emphasised, else 1."""
        return 2.0 if self.pre_emphasis else 1.0

    @property
    def macs_per_sample(self) -> int:
        """Multiply-adds of one sample of one stream, without the per-hop conditioning."""
        r, s = self.residual_channels, self.skip_channels
        layer = self.kernel_size * r * 2 * r + r * s + r * r
        head = sum(a * b for a, b in pairwise(self.head_widths))
        tone = 2 * self.tone.harmonics if self.tone else 0
        return tone + self.input_channels * r + self.layers * layer - r * r + head

    @cached_property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Every tensor of a checkpoint, by name, with its shape."""
        r, s, k = self.residual_channels, self.skip_channels, self.kernel_size
        shapes: dict[str, tuple[int, ...]] = {}

        def linear(name: str, outputs: int, *inputs: int, bias: bool = self.bias) -> None:
            shapes[f"{name}.weight"] = (outputs, *inputs)
            if bias:
                shapes[f"{name}.bias"] = (outputs,)

        if self.local:
            widths = (self.control_channels, *self.local.hidden, self.local.channels)
            for i, (inputs, outputs) in enumerate(pairwise(widths)):
                linear(f"local.{i}", outputs, inputs, bias=True)
            if self.tone:
                linear("tone", 2 * self.tone.harmonics + 1, self.local.hidden[-1], bias=True)
        if self.global_:
            shapes["global.weight"] = (self.global_.entries, self.global_.channels)
        linear("input", r, self.input_channels)
        for i in range(self.layers):
            linear(f"layers.{i}.dilated", 2 * r, r, k)
            if self.condition_channels:
                linear(f"layers.{i}.condition", 2 * r, self.condition_channels, bias=False)
            linear(f"layers.{i}.skip", s, r)
            if i + 1 < self.layers:  # the last residual output would be read by nobody
                linear(f"layers.{i}.residual", r, r)
        for i, (inputs, outputs) in enumerate(pairwise(self.head_widths)):
            linear(f"head.{i}", outputs, inputs, bias=True)
        return shapes


class Instrument(_Frozen):
    """What one entry of a model plays: its name, natural range, General MIDI programs, and how lively it draws."""

    name: str = Field(min_length=1, max_length=64)
    low: float = Field(default=0.0, ge=0.0, le=127.0)  # MIDI note
    high: float = Field(default=127.0, ge=0.0, le=127.0)  # MIDI note
    programs: tuple[Annotated[int, Field(ge=0, le=127)], ...] = ()  # General MIDI, from 0
    temperature: float = Field(default=1.0, ge=0.0, le=4.0)  # times the control's, so that one default suits them all


class ModelConfig(_Frozen):
    """A servable model: the network, and what a listener needs to know of it."""

    name: str = Field(min_length=1, max_length=64, pattern=r"^[a-z0-9][a-z0-9._-]*$")
    strategy: Literal["wavenet"] = "wavenet"
    licence: str = "Apache-2.0"
    description: str = ""
    release_s: float = Field(default=0.3, gt=0.0, le=10.0)  # how long a voice lives after note.off
    temperature: float = Field(default=1.0, ge=0.0, le=2.0)  # the default
    instruments: tuple[Instrument, ...] = (Instrument(name="default"),)
    network: WaveNetConfig

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
        yield f"{key}: missing" if fault["type"] == "missing" else f"{key}: {fault['msg']} (value: {fault['input']!r})"


def read_config(path: Path) -> ModelConfig:
    """Read `config.json`. Raises ConfigError when it is not JSON or not a config."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: not JSON: {error}") from error
    if not isinstance(data, dict):
        raise ConfigError(f"{path}: a config is a JSON object, not {type(data).__name__}")
    return parse_config(data, source=str(path))
