"""What is trained: the shape that every instrument's network has, whosever recordings it learns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from ostinato.models.config import (
    BlocksConfig,
    ExcitationConfig,
    FlowConfig,
    GlobalConditioning,
    Instrument,
    LocalConditioning,
    LogisticsHead,
    ModelConfig,
    NadeConfig,
    SteeredConfig,
    ToneConfig,
    WaveNetConfig,
)

Strategy: TypeAlias = Literal["wavenet", "nade", "blocks"]

TEMPERATURES: Final[dict[Strategy, float]] = {"wavenet": 0.6, "nade": 0.4, "blocks": 0.6}
"""About where the default instruments are as noisy as their recordings, in the mean."""
RELEASE_S: Final = 0.3
QUIETEST: Final = -12.0  # natural log of the narrowest scale: a fifth of a 16-bit level, so that silence is silent
STEERED: Final = ("global", *(name for name in SteeredConfig.model_fields if name != "global_"))
SAMPLE_RATE: Final = 44100
HOP: Final = 64  # samples per control frame


@dataclass(frozen=True)
class BlockPlan:
    """What a model of blocks is asked for: samples a block, and what draws them inside it."""

    block: int = 16
    inside: Literal["parallel", "nade"] = "nade"


def instrument_config(
    instruments: Sequence[Instrument],
    *,
    name: str,
    licence: str = "unstated",
    description: str = "",
    strategy: Strategy = "wavenet",
    plan: BlockPlan | None = None,
) -> ModelConfig:
    """A model of these instruments: small enough for real time on one core. A plan is for blocks alone."""
    return ModelConfig(
        name=name,
        strategy=strategy,
        licence=licence,
        description=description,
        release_s=RELEASE_S,
        temperature=TEMPERATURES[strategy],
        instruments=tuple(instruments),
        network=_network(strategy, len(instruments), plan or BlockPlan()),
    )


def _network(strategy: Strategy, instruments: int, plan: BlockPlan) -> WaveNetConfig | NadeConfig | BlocksConfig:
    match strategy:
        case "wavenet":
            return wavenet(instruments)
        case "nade":
            return nade(instruments)
        case "blocks":
            return blocks(instruments, plan)


def wavenet(instruments: int) -> WaveNetConfig:
    """Two turns of dilations to 256 reach back 1,022 samples; with the phase given, a longer field brings nothing."""
    return WaveNetConfig(
        sample_rate=SAMPLE_RATE,
        hop=HOP,
        residual_channels=32,
        skip_channels=64,
        layers=18,
        dilation_cycle=(1, 2, 4, 8, 16, 32, 64, 128, 256),
        head_hidden=(64,),
        head=LogisticsHead(components=2, log_scale_min=QUIETEST),
        local=LocalConditioning(hidden=(256, 256), channels=32),
        global_=voices(instruments),
        tone=ToneConfig(harmonics=64),
        pre_emphasis=0.85,
    )


def nade(instruments: int) -> NadeConfig:
    """Frames of one hop; the stack before them reaches back 15 frames, about as far as the WaveNet's."""
    return NadeConfig(
        sample_rate=SAMPLE_RATE,
        hop=HOP,
        residual_channels=40,
        skip_channels=64,
        layers=4,
        dilation_cycle=(1, 2, 4, 8),
        units=128,
        head=LogisticsHead(components=2, log_scale_min=QUIETEST),
        local=LocalConditioning(hidden=(256, 256), channels=32),
        global_=voices(instruments),
        excitation=ExcitationConfig(harmonics=16),
        tone=ToneConfig(harmonics=64),
        pre_emphasis=0.85,
    )


def blocks(instruments: int, plan: BlockPlan) -> BlocksConfig:
    """The shorter the blocks the narrower the transformer, which then runs the more often."""
    small = plan.block < 8
    return BlocksConfig(
        sample_rate=SAMPLE_RATE,
        hop=HOP,
        block=plan.block,
        before=max(plan.block, 32),
        width=32 if small else 64,
        heads=2 if small else 4,
        kv_heads=1 if small else 2,
        feed_forward=64 if small else 128,
        layers=2,
        window=16 if plan.block > 16 else 32,
        inside=plan.inside,
        units=64,
        taps=32,
        head=LogisticsHead(components=2, log_scale_min=QUIETEST),
        local=LocalConditioning(hidden=(256, 256), channels=32),
        global_=voices(instruments),
        tone=ToneConfig(harmonics=64),
        pre_emphasis=0.85,
    )


def voices(instruments: int) -> GlobalConditioning | None:
    """A vector for each of several instruments."""
    return GlobalConditioning(entries=instruments, channels=16) if instruments > 1 else None


def draft_config(model: ModelConfig) -> ModelConfig:
    """A draft of a model: its controls, tone and head, and a stack of a tenth of the default's cost.

    It only has to propose; what it reaches back, 64 samples, is where most of what the past tells lies.
    """
    stack = {"residual_channels": 16, "skip_channels": 32, "layers": 6, "dilation_cycle": (1, 2, 4, 8, 16, 32)}
    network = WaveNetConfig.model_validate({**model.wavenet.model_dump(), **stack, "head_hidden": (32,)})
    name, description = f"{model.name}-draft", f"proposes what {model.name} judges"
    return model.model_copy(update={"name": name, "description": description, "network": network})


def student_config(model: ModelConfig, name: str) -> ModelConfig:
    """A flow with a model's controls and tone.

    Twelve couplings: two turns through the six bits of a place in a hop. The noise is logistic as the model's own; with
    a Gaussian the divergence was a fifth greater.
    """
    steering = {key: value for key, value in model.network.model_dump().items() if key in STEERED}
    head = LogisticsHead(components=1, log_scale_min=QUIETEST)
    own = {"head": head.model_dump(), "excitation": None, "couplings": 12, "kernel_size": 2, "units": 32, "lines": 64}
    network = FlowConfig.model_validate({**steering, **own})
    what = {
        "name": name,
        "strategy": "flow",
        "description": f"{model.name}'s orchestra by a flow, learnt from its playing",
    }
    return ModelConfig.model_validate({**model.model_dump(), **what, "network": network})
