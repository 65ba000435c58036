"""What a listener may steer, with ranges and units, and the control frames a sampler is driven by.

A control frame is one hop of one voice: float32 [channels] in the order of `FRAME`. Events land on hop
boundaries, so a frame holds for all of its hop; what changes smoothly (a ramp) is read at the hop's start.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

FRAME: Final = ("note", "velocity", "gate", "since_onset", "since_release", "instrument", "temperature")
"""Channels of a control frame: MIDI note with bend, 0..1, 0 or 1, seconds, seconds, index, scale."""

ONSET_TIMES_S: Final = (0.005, 0.02, 0.08, 0.32, 1.28)
RELEASE_TIMES_S: Final = (0.01, 0.04, 0.16)

FEATURES: Final = (
    "pitch", "pitch_squared", "velocity", "gate",
    *(f"onset_{1000 * t:g}_ms" for t in ONSET_TIMES_S),
    *(f"release_{1000 * t:g}_ms" for t in RELEASE_TIMES_S),
)  # fmt: skip
"""What a model's control network sees of a frame: p = (note - 69) / 12, p^2, velocity, gate,
exp(-since_onset / time) for each of `ONSET_TIMES_S`, (1 - gate) exp(-since_release / time) for `RELEASE_TIMES_S`."""


class ControlError(ValueError):
    """A control that does not exist or a value outside its range; `param` names it."""

    def __init__(self, param: str, message: str) -> None:
        super().__init__(f"{param}: {message}")
        self.param = param


@dataclass(frozen=True, slots=True)
class ControlSpec:
    """One thing a listener may steer."""

    name: str
    unit: str
    low: float
    high: float
    default: float
    description: str
    per_voice: bool = True  # may be given for one voice_id
    ramped: bool = True  # follows ramp_ms; else it switches

    def check(self, value: float) -> float:
        """The value, or a ControlError that names this control and its range."""
        if not self.low <= value <= self.high:  # NaN fails too
            unit = f" {self.unit}" if self.unit else ""
            raise ControlError(self.name, f"{value} is outside {self.low:g}..{self.high:g}{unit}")
        return float(value)


def control_specs(*, temperature: float, instruments: int) -> tuple[ControlSpec, ...]:
    """The controls of a model with this default temperature and number of instruments."""
    return (
        ControlSpec("temperature", "", 0.0, 2.0, temperature, "spread of every draw; 0 takes the likeliest"),
        ControlSpec("gain", "dB", -60.0, 12.0, 0.0, "level of the voice in the mix"),
        ControlSpec("bend", "cents", -2400.0, 2400.0, 0.0, "pitch against the note"),
        ControlSpec(
            "instrument", "index", 0.0, float(instruments - 1), 0.0,
            "by name or index; taken up by the next note.on", per_voice=False, ramped=False,
        ),
        ControlSpec(
            "sustain", "", 0.0, 1.0, 0.0, "from 0.5 up a note.off waits for its release",
            per_voice=False, ramped=False,
        ),
    )  # fmt: skip


@dataclass(slots=True)
class Trajectory:
    """A control over time: at its target, or on a straight line towards it."""

    value: float  # where the line starts
    target: float
    start: int = 0  # sample
    end: int = 0  # sample at which the target is reached

    @classmethod
    def constant(cls, value: float) -> Trajectory:
        """A control that stays where it is."""
        return cls(value, value)

    def steer(self, at: int, target: float, ramp: int = 0) -> None:
        """From sample `at`, move to `target` over `ramp` samples, from wherever the value is then."""
        self.value = float(self.at(np.asarray([at]))[0])
        self.target, self.start, self.end = target, at, at + ramp

    @property
    def steady(self) -> bool:
        """Whether it switched to its target, and so has one value from the last `steer` on."""
        return self.end <= self.start

    def at(self, samples: NDArray[np.int64]) -> NDArray[np.float64]:
        """The value at each of these samples, none earlier than the last `steer`."""
        if self.steady:
            return np.full(samples.shape, self.target)
        done = np.clip((samples - self.start) / (self.end - self.start), 0.0, 1.0)
        return np.asarray(self.value + done * (self.target - self.value))


@dataclass(slots=True)
class VoiceTimeline:
    """What a voice was told: its note, and when it began and was let go. Samples are the session's."""

    note: float
    velocity: float
    instrument: int
    onset: int  # sample, a multiple of the hop
    release: int | None = None  # sample, a multiple of the hop

    def frames(
        self,
        first: int,
        count: int,
        *,
        hop: int,
        sample_rate: int,
        bend: NDArray[np.float64] | float,
        temperature: NDArray[np.float64] | float,
    ) -> NDArray[np.float32]:
        """`count` control frames from sample `first` on: float32 [count, len(FRAME)].

        `bend` (cents) and `temperature` hold one value a hop, float64 [count], or one for all.
        """
        samples = first + hop * np.arange(count)
        frames = np.empty((count, len(FRAME)), dtype=np.float32)
        frames[:, 0] = self.note + bend / 100.0
        frames[:, 1] = self.velocity
        frames[:, 2] = 1.0
        frames[:, 3] = (samples - self.onset) / sample_rate
        frames[:, 4] = 0.0
        frames[:, 5] = self.instrument
        frames[:, 6] = temperature
        if self.release is not None:
            released = samples - self.release
            frames[:, 2] = released < 0
            frames[:, 4] = np.maximum(released, 0) / sample_rate
        return frames


def next_hop(sample: int, hop: int) -> int:
    """The hop boundary at or after a sample."""
    return -(-sample // hop) * hop
