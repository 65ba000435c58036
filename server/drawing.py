"""From a plan to audio: events are applied, all voices drawn together, each session's mixed and handed on."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ostinato.models.sampling.contract import Sampler
from ostinato.server.capacity import Overhead
from ostinato.server.guarded import guarded
from ostinato.server.latency import Monitor
from ostinato.server.mailbox import announce
from ostinato.server.measurements import Step
from ostinato.server.pool import Pool
from ostinato.server.scheduler import Plan, Scheduler
from ostinato.server.session import Session


@dataclass(frozen=True)
class Block:
    """What was drawn for the sessions of a plan."""

    began: float
    hops: int
    step_s: float  # of it, drawing
    drawn: NDArray[np.float32]  # [voices of all, hops * hop]
    voices: dict[str, int]  # rows of each session, in order


class Drawing:
    """Draws what is planned. Belongs to the engine's thread.

    Args:
        pools: by the names of their models.
        sessions: that may be planned for, by id.
        scheduler: is told what each block cost.
        monitor: and so is this.
        overhead: and this, of what was no step.
    """

    def __init__(
        self,
        pools: Mapping[str, Pool],
        sessions: Mapping[str, Session],
        scheduler: Scheduler,
        monitor: Monitor,
        overhead: Overhead,
    ) -> None:
        self._pools, self._sessions = pools, sessions
        self._scheduler, self._monitor, self._overhead = scheduler, monitor, overhead

    def perform(self, plan: Plan, due: float) -> None:
        """Advance the plan's sessions by its hops; `due` is when the first live listener of all runs dry."""
        for part in self._parts(plan):
            self._deliver(part, self._advance(part), due)

    def _parts(self, plan: Plan) -> Iterator[Plan]:
        """The plan, cut where voices begin, change or end: most sessions in one step, the others from change to change.

        So the block of one for whom nothing changes is cut by nobody's notes.
        """
        left = dict.fromkeys(plan.sessions, plan.hops)
        while left:
            ahead = dict(left)
            for session_id in left:
                self._begin(session_id, ahead)
            whole = [session_id for session_id, hops in ahead.items() if hops == plan.hops]
            sessions = tuple(whole or left)
            part = replace(plan, sessions=sessions, hops=min(ahead[i] for i in sessions))
            yield part
            for session_id in sessions:
                left[session_id] -= part.hops
            left = {i: hops for i, hops in left.items() if hops > 0 and self._sessions[i].goes_on}

    def _begin(self, session_id: str, ahead: dict[str, int]) -> None:
        """Apply what is due in a session, and hold its hops `ahead` to those before something changes."""
        session = self._sessions[session_id]
        with guarded(session):
            for slot, key in session.begin_block().resets:
                self._pools[session.model].sampler.reset(slot, key)
            ahead[session_id] = session.performance.frames_until_change(ahead[session_id])

    def _advance(self, plan: Plan) -> Block:
        """Draw the next hops of every voice of the plan's sessions, all together."""
        began, sampler = time.perf_counter(), self._pools[plan.model].sampler
        sessions, hops = [self._sessions[i] for i in plan.sessions], plan.hops
        slots: list[int] = []
        frames: list[NDArray[np.float32]] = []
        voices: dict[str, int] = {}
        for session in sessions:
            with guarded(session):
                sounding = [] if session.over else session.performance.controls(hops)
                slots += [slot for slot, _ in sounding]
                frames += [controls for _, controls in sounding]
                voices[session.id] = len(sounding)
        samples = hops * sampler.config.network.hop
        if not frames:
            return Block(began, hops, 0.0, np.zeros((0, samples), dtype=np.float32), voices)
        stepping = time.perf_counter()
        drawn = self._step(plan, sampler, slots, np.stack(frames), voices)
        return Block(began, hops, time.perf_counter() - stepping, drawn, voices)

    def _step(
        self,
        plan: Plan,
        sampler: Sampler,
        slots: list[int],
        controls: NDArray[np.float32],
        voices: Mapping[str, int],
    ) -> NDArray[np.float32]:
        """One call of the sampler, timed for whom it draws. Where it fails, the sessions that it was for end."""
        began = time.perf_counter()
        try:
            drawn = sampler.advance(slots, controls)
        except Exception as error:
            for session in (self._sessions[i] for i in plan.sessions):
                with guarded(session):
                    raise error
            return np.zeros((len(slots), controls.shape[1] * sampler.config.network.hop), dtype=np.float32)
        step = Step(time.monotonic(), time.perf_counter() - began, drawn.shape[1], len(slots))
        self._monitor.stepped(plan.model, step, voices)
        audio_s = step.samples / sampler.config.network.sample_rate
        self._pools[plan.model].cost.drawn(step.streams, step.seconds, audio_s, step.at)
        return drawn

    def _deliver(self, plan: Plan, block: Block, due: float) -> None:
        """Mix each session's voices and hand the audio to its connection."""
        row, now = 0, time.monotonic()
        for session_id, voices in block.voices.items():
            session = self._sessions[session_id]
            if not session.over:
                with guarded(session):
                    session.deliver(session.performance.mix(block.drawn[row : row + voices], block.hops), now)
            row += voices
        seconds = time.perf_counter() - block.began
        due = due if plan.live else math.inf
        self._monitor.block(now, plan.model, len(block.voices), row, block.hops, seconds, due)
        self._overhead.delivered(time.perf_counter(), block.step_s, len(block.voices) * block.hops / plan.usual)
        self._scheduler.charge(replace(plan, voices=len(block.drawn)), seconds)
        announce(session.mailbox for session in self._sessions.values())
