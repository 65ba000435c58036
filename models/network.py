"""What networks have in common, as data: heads, steering, a gated causal stack and what follows from them.

Free of torch, so that a server on the native sampler can read a checkpoint without it.
"""

from __future__ import annotations

from abc import abstractmethod
from functools import cached_property
from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ostinato.models.controls import FEATURES

Shapes = dict[str, tuple[int, ...]]


class Frozen(BaseModel):
    """Strict, and never changed."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, validate_by_name=True, serialize_by_alias=True
    )


class MuLawHead(Frozen):
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


class LogisticsHead(Frozen):
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


class GaussianHead(Frozen):
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


class LocalConditioning(Frozen):
    """A tanh network from the control features of a hop (and the instrument's vector) to `channels`."""

    hidden: tuple[Annotated[int, Field(ge=1, le=1024)], ...] = Field(default=(16,), min_length=1)
    channels: int = Field(default=16, ge=1, le=1024)


class GlobalConditioning(Frozen):
    """One learnt vector of `channels` for each of `entries` instruments."""

    entries: int = Field(ge=1, le=4096)
    channels: int = Field(default=8, ge=1, le=1024)


class ExcitationConfig(Frozen):
    """sin and cos of k times the running phase, k = 1..`harmonics`, at the input."""

    harmonics: int = Field(default=8, ge=1, le=64)


class ToneConfig(Frozen):
    """Levels and phases of `harmonics` that the control network states each hop; what is left is drawn."""

    harmonics: int = Field(default=32, ge=1, le=128)


class SteeredConfig(Frozen):
    """What steers a network, and the distribution that its samples are drawn from.

    Once a hop the control network states a condition and, where there is one, the tone. What the network is that draws
    what the tone leaves is each strategy's own.
    """

    sample_rate: int = Field(default=44100, ge=8000, le=192000)
    hop: int = Field(default=64, ge=1, le=4096)  # samples per control frame
    bias: bool = True
    head: HeadConfig
    local: LocalConditioning | None = None
    global_: GlobalConditioning | None = Field(default=None, alias="global")
    excitation: ExcitationConfig | None = None
    tone: ToneConfig | None = None
    pre_emphasis: float = Field(default=0.0, ge=0.0, le=0.99)

    @model_validator(mode="after")
    def _refuse_what_cannot_sound(self) -> Self:
        if self.pre_emphasis and self.head.kind == "mu_law":
            raise ValueError(
                f"pre_emphasis: {self.pre_emphasis} does not go with a mu_law head: its levels are of the plain signal"
            )
        if self.tone and self.local is None:
            raise ValueError("tone: it is stated by the control network, and local is null")
        if self.tone and self.head.kind == "mu_law":
            raise ValueError("tone: it moves means and scales, which a mu_law head has not")
        return self

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
    def latent_draws(self) -> int:
        """Normals of a hop beside those of its samples: of a network that draws latents."""
        return 0

    @property
    def amplitude(self) -> float:
        """Largest magnitude of a sample in the model's own domain: 2 where pre-emphasised, else 1."""
        return 2.0 if self.pre_emphasis else 1.0

    @property
    @abstractmethod
    def receptive_field(self) -> int:
        """Past samples that the distribution of the next one depends on."""

    @property
    @abstractmethod
    def macs_per_sample(self) -> int:
        """Multiply-adds of one sample of one stream, without the per-hop conditioning."""

    @property
    @abstractmethod
    def shapes(self) -> Shapes:
        """Every tensor of a checkpoint, by name, with its shape."""

    def steering_shapes(self) -> Shapes:
        """The tensors of what steers, by name."""
        shapes: Shapes = {}
        if self.local:
            widths = (self.control_channels, *self.local.hidden, self.local.channels)
            for i, (inputs, outputs) in enumerate(pairwise(widths)):
                shapes |= linear(f"local.{i}", outputs, inputs)
            if self.tone:
                shapes |= linear("tone", 2 * self.tone.harmonics + 1, self.local.hidden[-1])
        if self.global_:
            shapes["global.weight"] = (self.global_.entries, self.global_.channels)
        return shapes


class StackConfig(SteeredConfig):
    """A gated causal dilated stack, steered. What a step of it is, and what its skip sum becomes, is each one's own."""

    residual_channels: int = Field(ge=1, le=1024)
    skip_channels: int = Field(ge=1, le=4096)
    layers: int = Field(ge=1, le=256)
    dilation_cycle: tuple[Annotated[int, Field(ge=1, le=65536)], ...] = Field(min_length=1)
    kernel_size: int = Field(default=2, ge=2, le=16)
    head_hidden: tuple[Annotated[int, Field(ge=1, le=4096)], ...] = ()

    @cached_property
    def dilations(self) -> tuple[int, ...]:
        """The dilation of each layer, the cycle repeated."""
        return tuple(self.dilation_cycle[i % len(self.dilation_cycle)] for i in range(self.layers))

    @property
    def stack_macs(self) -> int:
        """Multiply-adds of one step of the stack, without what enters it and without the per-hop conditioning."""
        r, s = self.residual_channels, self.skip_channels
        return self.layers * (self.kernel_size * r * 2 * r + r * s + r * r) - r * r

    def stack_shapes(self, inputs: int) -> Shapes:
        """The tensors of the stack and of the layer that lets so many inputs in, by name."""
        r, s = self.residual_channels, self.skip_channels
        shapes = linear("input", r, inputs, bias=self.bias)
        for i in range(self.layers):
            shapes |= linear(f"layers.{i}.dilated", 2 * r, r, self.kernel_size, bias=self.bias)
            if self.condition_channels:
                shapes |= linear(f"layers.{i}.condition", 2 * r, self.condition_channels, bias=False)
            shapes |= linear(f"layers.{i}.skip", s, r, bias=self.bias)
            if i + 1 < self.layers:  # the last residual output would be read by nobody
                shapes |= linear(f"layers.{i}.residual", r, r, bias=self.bias)
        return shapes


def linear(name: str, outputs: int, *inputs: int, bias: bool = True) -> Shapes:
    """The tensors of one affine layer."""
    shapes: Shapes = {f"{name}.weight": (outputs, *inputs)}
    return shapes | ({f"{name}.bias": (outputs,)} if bias else {})
