"""One session's music: events in, control frames out, samples mixed. No clock, socket or thread.

The holder turns the crank, block after block:

    block = performance.begin_block()                    # what is due is applied; reset the slots it names
    frames = performance.frames_until_change(limit)      # nothing happens within so many hops
    slots, controls = zip(*performance.controls(frames)) # where voices sound
    audio = performance.mix(sampler.advance(slots, np.stack(controls)), frames)

Events are applied on hop boundaries and blocks never cross one, so the samples are a function of the seed and the
events alone, however they are cut.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ostinato.models.config import ModelConfig
from ostinato.models.controls import ControlSpec, Trajectory, VoiceTimeline, next_hop
from ostinato.models.noise import voice_key
from ostinato.server.protocol import AHEAD_S, ControlUpdate, Event, NoteOff, NoteOn, ProtocolError, Warned
from ostinato.server.steering import Steering
from ostinato.server.voice import Voice, amplitude

PENDING: Final = 8192  # events that may wait for their time

Mix = Callable[[NDArray[np.float32], NDArray[np.float32]], NDArray[np.float32]]
"""Voices [n, T] and their levels, [n, T] or [n], float32 -> [T]: summed in the order of rows, limited."""


def mix_natively(voices: NDArray[np.float32], levels: NDArray[np.float32]) -> NDArray[np.float32]:
    """The mix in the kernel."""
    from ostinato.models.native.mix import mix_voices

    return mix_voices(voices, levels)


@dataclass(frozen=True, slots=True)
class Applied:
    """An event, and the exact sample from which it is heard."""

    event_id: str
    sample: int


@dataclass(frozen=True, slots=True)
class BlockStart:
    """What happened at a hop boundary."""

    applied: tuple[Applied, ...]
    resets: tuple[tuple[int, int], ...]  # (slot, key) of the voices that begin here
    warnings: tuple[Warned, ...]


class Performance:
    """The voices of one session over its reserved slots, driven by events.

    The n-th note.on, by the sample it is due at and then by arrival, is the voice of ordinal n, whose noise is keyed
    by (seed, n). Where no slot is free, the earliest released voice, else the oldest, is stolen: it falls to 0 over
    one more hop, and the new note begins after it; what is stolen before it began is never heard. A released voice
    lives exactly the model's `release_s`, rounded up to hops. A voice steered by its voice_id no longer follows the
    session in that control.
    """

    def __init__(
        self,
        config: ModelConfig,
        controls: Sequence[ControlSpec],
        slots: Sequence[int],
        seed: int,
        initial: Mapping[str, float | str],
        *,
        mix: Mix = mix_natively,
    ) -> None:
        self.clock = 0  # the next sample to be drawn, a multiple of the hop
        self.hop: Final = config.network.hop
        self.sample_rate: Final = config.network.sample_rate
        self._life: Final = next_hop(math.ceil(config.release_s * self.sample_rate), self.hop)
        self._slots = tuple(slots)
        self._seed: Final = seed
        self._mix: Final = mix
        self._steering = Steering(controls, config.instruments, initial)
        self._pending: list[tuple[int, int, Event]] = []  # heap of (sample, arrival, event)
        self._arrivals, self._ordinals = count(), count()
        self._voices: list[Voice] = []  # in order of ordinal; at most two to a slot, a stolen one and its thief
        self._finishing = False

    @property
    def sounding(self) -> int:
        """Voices that are not at their end."""
        return len(self._voices)

    @property
    def idle(self) -> bool:
        """Whether nothing sounds and nothing is to come."""
        return not self._voices and not self._pending

    @property
    def due(self) -> bool:
        """Whether an event is to be applied at the clock."""
        return bool(self._pending) and self._pending[0][0] <= self.clock

    @property
    def drawn_slots(self) -> tuple[int, ...]:
        """The slots that hold the past of a voice: those whose voices began before the clock."""
        return tuple(v.slot for v in self._voices if v.timeline.onset < self.clock)

    def move(self, slots: Sequence[int]) -> dict[int, int]:
        """Take other slots, as many: where each of the former now is. Their pasts are to be restored there."""
        moved = dict(zip(self._slots, slots, strict=True))
        self._slots = tuple(slots)
        for voice in self._voices:
            voice.slot = moved[voice.slot]
        return moved

    @property
    def room(self) -> int:
        """Events that may still be submitted. Feeding a score that has to wait for it changes no sample.

        Blocks never cross the first event that waits, so what comes after it is in time a block later.
        """
        return PENDING - len(self._pending)

    def submit(self, event: Event) -> Warned | None:
        """Take an event, to be applied at the next hop boundary at or after its time. Late ones apply at once.

        Raises:
            ProtocolError: a value out of its range, too far ahead, or too many waiting; nothing is changed then.
        """
        if isinstance(event, ControlUpdate):
            self._steering.check(event.params, voice_id=event.voice_id, event_id=event.event_id)
        if self.room == 0:
            raise ProtocolError(
                "too_many_events", f"{PENDING} events wait already; send later ones later", event_id=event.event_id
            )
        at, late = self.clock, None
        if event.at_sample is not None:
            if event.at_sample > self.clock + AHEAD_S * self.sample_rate:
                message = f"at_sample: {event.at_sample} is more than {AHEAD_S:g} s after sample {self.clock}"
                raise ProtocolError("too_far_ahead", message, param="at_sample", event_id=event.event_id)
            at = next_hop(event.at_sample, self.hop)
            if at < self.clock:
                at = self.clock
                message = f"at_sample: {event.at_sample} has passed; applied at {self.clock}"
                late = Warned(code="late_event", message=message, event_id=event.event_id)
        heapq.heappush(self._pending, (at, next(self._arrivals), event))
        return late

    def begin_block(self) -> BlockStart:
        """Apply what is due now. The slots it names must be reset before anything is drawn."""
        applied: list[Applied] = []
        warnings: list[Warned] = []
        while self._pending and self._pending[0][0] <= self.clock:
            event = heapq.heappop(self._pending)[2]
            sample = self._apply(event)
            applied.append(Applied(event.event_id, self.clock if sample is None else sample))
            if sample is None:
                warnings.append(
                    Warned(code="no_such_voice", message="no voice that it names sounds", event_id=event.event_id)
                )
        if self._finishing:
            self._pending.clear()
            self._release(self._voices)
        resets = tuple(
            (v.slot, voice_key(self._seed, v.ordinal)) for v in self._voices if v.timeline.onset == self.clock
        )
        return BlockStart(tuple(applied), resets, tuple(warnings))

    def frames_until_change(self, limit: int) -> int:
        """Hops until the next event is due or a voice begins or ends: 1..limit. To be asked after `begin_block`."""
        changes = [at for at, _, _ in self._pending[:1]]
        changes += [v.timeline.onset for v in self._voices] + [v.end for v in self._voices if v.end is not None]
        ahead = [at - self.clock for at in changes if at > self.clock]
        return max(1, min(limit, min(ahead, default=limit * self.hop) // self.hop))

    def controls(self, frames: int) -> list[tuple[int, NDArray[np.float32]]]:
        """The slots that sound and their control frames, float32 [frames, len(FRAME)], in order of ordinal."""
        return [
            (
                voice.slot,
                voice.timeline.frames(
                    self.clock,
                    frames,
                    hop=self.hop,
                    sample_rate=self.sample_rate,
                    bend=self._values(voice, "bend", frames),
                    temperature=self._values(voice, "temperature", frames),
                ),
            )
            for voice in self._heard()
        ]

    def mix(self, blocks: NDArray[np.float32], frames: int) -> NDArray[np.float32]:
        """The session's next samples, float32 [frames * hop]; the clock moves on.

        `blocks` holds what was drawn for the slots of `controls`, in that order: float32 [voices, frames * hop].
        """
        heard = self._heard()
        audio = self._mix(blocks, self._levels(heard, frames)) if heard else np.zeros(frames * self.hop, np.float32)
        self.clock += frames * self.hop
        self._voices = [v for v in self._voices if v.end is None or v.end > self.clock]
        return audio

    def finish(self) -> int:
        """From the next block on, apply nothing more and let every voice go: the number of events given up."""
        self._finishing = True
        return sum(at > self.clock for at, _, _ in self._pending)

    def _apply(self, event: Event) -> int | None:
        """The sample from which an event is heard; None where it names a voice that isn't there."""
        match event:
            case NoteOn():
                return self._begin(event)
            case NoteOff():
                return self._let_go(event)
            case ControlUpdate():
                return self._steer(event)

    def _begin(self, event: NoteOn) -> int:
        onset, slot = self.clock, self._free_slot()
        if slot is None:
            onset, slot = self._steal()
        ordinal = next(self._ordinals)
        timeline = VoiceTimeline(event.note, event.velocity, self._steering.instrument, onset)
        self._voices.append(Voice(ordinal, slot, event.voice_id, timeline))
        return onset

    def _free_slot(self) -> int | None:
        taken = {v.slot for v in self._voices}
        return next((slot for slot in self._slots if slot not in taken), None)

    def _steal(self) -> tuple[int, int]:
        """Take the slot of the earliest released voice, else of the oldest: from which sample on, and which slot."""
        own = [v for v in self._voices if not v.stolen]  # the last of each slot
        released = [v for v in own if v.timeline.release is not None]
        victim = min(released, key=lambda v: (v.timeline.release, v.ordinal)) if released else own[0]
        if victim.timeline.onset > self.clock:
            self._voices.remove(victim)
            return victim.timeline.onset, victim.slot
        return victim.yield_slot(self.clock, self.hop), victim.slot

    def _let_go(self, event: NoteOff) -> int | None:
        named = (
            v
            for v in self._voices
            if v.playing
            and (event.voice_id is None or v.voice_id == event.voice_id)
            and (event.note is None or v.timeline.note == event.note)
        )
        voice = next(named, None)
        if voice is None:
            return None
        if self._steering.sustain:
            voice.held = True
        else:
            voice.release(self.clock, self._life)
        return max(self.clock, voice.timeline.onset)

    def _steer(self, event: ControlUpdate) -> int | None:
        ramp = round(event.ramp_ms / 1000.0 * self.sample_rate)
        voices = [v for v in self._voices if v.voice_id == event.voice_id and not v.stolen]
        if event.voice_id is not None and not voices:
            return None
        for name, target in self._steering.check(event.params, voice_id=event.voice_id).items():
            length = max(ramp, self.hop) if name == "gain" else ramp if self._steering.ramped(name) else 0
            if event.voice_id is None:
                self._steering[name].steer(self.clock, target, length)
            for voice in voices if event.voice_id is not None else ():
                voice.steer(name, self._steering[name], self.clock, target, length)
        if not self._steering.sustain:
            self._release(v for v in self._voices if v.held)
        return self.clock

    def _release(self, voices: Iterable[Voice]) -> None:
        for voice in voices:
            voice.release(self.clock, self._life)

    def _heard(self) -> list[Voice]:
        """The voices that sound at the clock: one to a slot."""
        return [v for v in self._voices if v.timeline.onset <= self.clock]

    def _boundaries(self, frames: int) -> NDArray[np.int64]:
        """The hop boundaries of a block, its end included: int64 [frames + 1]."""
        return self.clock + self.hop * np.arange(frames + 1, dtype=np.int64)

    def _values(self, voice: Voice, name: str, frames: int) -> NDArray[np.float64] | float:
        """A control at each hop of a block, float64 [frames]; or what it is throughout."""
        course = self._course(voice, name)
        return course.target if course.steady else course.at(self._boundaries(frames)[:-1])

    def _levels(self, voices: Sequence[Voice], frames: int) -> NDArray[np.float32]:
        """What the voices of a block are multiplied with: float32 [n, frames * hop], or [n] where none changes."""
        end, courses = self.clock + frames * self.hop, [self._course(voice, "gain") for voice in voices]
        if all(course.steady for course in courses) and all(v.end is None or v.end > end for v in voices):
            return amplitude(np.array([course.target for course in courses])).astype(np.float32)
        boundaries = self._boundaries(frames)
        levels = zip(voices, courses, strict=True)
        return np.stack([v.level(self.clock, frames, self.hop, course.at(boundaries)) for v, course in levels])

    def _course(self, voice: Voice, name: str) -> Trajectory:
        return voice.own.get(name, self._steering[name])
