"""An observer who sees nothing of a session but when its audio arrives: can it tell what is played, and who else plays?

    python -m tests.server.observer [--sessions 40] [--seconds 1.5] [--case content]

Fails where an unpaced session does not show as a whole what it is said to (then this observer proves nothing), or
shows what it is not, and where a paced one shows its content, as a whole or in what follows its beginning. What an
unpaced one shows after its beginning, that a neighbour plays, and pitch under the native engine before the pacing, are
measured and not claimed. A machine that others keep busy measures them instead.

Two contents whose acceptance differs are played to a real server in a process of its own, one session at a time, in a
random order: as fast as they are drawn, live without the pacing (OSTINATO_PACED=false), and live as it is served. Of
each half of the sessions a classifier learns what it tells of the other half (`telling_apart.py`).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Final, Literal

import numpy as np

from ostinato.models.controls import control_specs
from ostinato.models.registry import load
from ostinato.models.sampling.speculative import SpeculativeSampler
from ostinato.server.performance import Performance
from ostinato.server.protocol import NoteOn
from ostinato.server.render import draw
from tests.server.processes import process
from tests.server.serving import Listener, Served
from tests.server.telling_apart import Seen, Verdict, features, tell_apart

RATE: Final = 44100
MOST_P: Final = 0.01  # below it the observer is believed to tell
BEGINNING_S: Final = 0.4


@dataclass(frozen=True)
class Content:
    """What is played: one held note, and what sounds beside it."""

    name: str
    instrument: str
    temperature: float
    note: float
    velocity: float
    neighbour: bool = False

    @property
    def controls(self) -> dict[str, float | str]:
        return {"instrument": self.instrument, "temperature": self.temperature}

    @property
    def on(self) -> NoteOn:
        return NoteOn(event_id="on", note=self.note, velocity=self.velocity)


@dataclass(frozen=True)
class Case:
    """Two contents, the engine that plays them, and what is claimed of whether one can tell."""

    engine: str
    contents: tuple[Content, Content]
    shows: bool | None  # before the pacing; None: nothing is claimed
    hidden: bool = True  # and that one can't, after it
    modes: tuple[Literal["fast", "live"], ...] = field(default=("fast", "live"))

    def holds(self, part: str, paced: bool, p: float) -> bool:
        """Whether what is claimed of a part of a session, "whole" or "later", agrees with how likely chance is."""
        if paced:
            return not self.hidden or p >= MOST_P
        return part == "later" or self.shows is None or (p < MOST_P) == self.shows


RARELY: Final = Content("guitar, cold", "nylon guitar", 0.2, 50, 0.9)
OFTEN: Final = Content("flute", "flute", 0.8, 84, 0.3)
SAME_NOTE: Final = Content("guitar, cold", "nylon guitar", 0.2, 84, 0.9)  # as the flute: as many audible harmonics
LOW: Final = Content("note 40", "cello", 0.8, 40, 0.8)
HIGH: Final = Content("note 96", "cello", 0.8, 96, 0.8)
ALONE: Final = Content("alone", "flute", 0.8, 84, 0.3)
BESIDE: Final = Content("beside four voices", "flute", 0.8, 84, 0.3, neighbour=True)
CASES: Final = {
    "content": Case("speculative", (RARELY, OFTEN), shows=True),
    "native": Case("native", (SAME_NOTE, OFTEN), shows=False),
    "pitch": Case("native", (LOW, HIGH), shows=None),
    "neighbour": Case("native", (ALONE, BESIDE), shows=True, hidden=False, modes=("live",)),
}


def acceptance(content: Content, seconds: float = 1.5) -> float:
    """The share of the draft's proposals that the model takes."""
    checkpoint = load("default")
    assert checkpoint.draft
    sampler = SpeculativeSampler(checkpoint, checkpoint.draft, 1, precision="int8")
    config = checkpoint.config
    specs = control_specs(temperature=config.temperature, instruments=len(config.instruments))
    performance = Performance(config, specs, range(1), 0, content.controls)
    performance.submit(content.on)
    while performance.clock < seconds * RATE:
        draw(performance, sampler, 26)
    return sampler.tally.acceptance


def listen(server: Served, content: Content, mode: str, seconds: float, seed: int) -> Seen:
    """One session, as it looks from outside."""
    with Listener(server) as listener:
        asked_at = time.monotonic()
        listener.start(model="default", mode=mode, seed=seed, duration_s=seconds, controls=content.controls)
        heard = listener.say(content.on).hear_out()
    assert heard.close_code == 1000, heard.messages
    times = np.array([at for at, _ in heard.arrivals])
    positions = np.array([frame.first_sample for frame in heard.frames]) / RATE
    return Seen(asked_at, times, positions)


@contextmanager
def neighbour(server: Served) -> Iterator[None]:
    """Four voices that sound as long as this is open."""
    chord = [NoteOn(event_id=str(note), note=note) for note in (48, 55, 64, 72)]
    with Listener(server) as listener:
        listener.start(model="default", voices=4).say(*chord)
        while not listener.heard.frames:  # until it is heard
            listener.hear_one()
        yield


def observe(case: Case, mode: str, sessions: int, seconds: float, paced: bool) -> tuple[Verdict, Verdict]:
    """What can be told of so many sessions of each content: by all of them, and by what follows their beginnings."""
    random = Random(0)
    order = [kind for _ in range(sessions) for kind in random.sample((False, True), 2)]
    seen = []
    environment = {"OSTINATO_MODELS": "default", "OSTINATO_ENGINE": case.engine, "OSTINATO_PACED": str(paced)}
    with process(**environment, OSTINATO_THREADS="1") as server:
        for seed, kind in enumerate((False, True, *order)):
            content = case.contents[kind]
            with ExitStack() as beside:
                if content.neighbour:
                    beside.enter_context(neighbour(server))
                seen.append(listen(server, content, mode, seconds, seed))
    kinds, measured = np.array(order), seen[2:]  # the first two warmed up
    whole = tell_apart(np.array([features(each) for each in measured]), kinds)
    return whole, tell_apart(np.array([features(each.after(BEGINNING_S)) for each in measured]), kinds)


def run(name: str, sessions: int, seconds: float) -> int:
    """Print a case's figures; how many of its claims don't hold."""
    case, faults = CASES[name], 0
    told = [
        f"{c.name}, acceptance {acceptance(c):.2f}" if case.engine == "speculative" else c.name for c in case.contents
    ]
    print(f"{name}: {case.engine}, {' / '.join(told)}", flush=True)
    for mode in case.modes:
        for paced in (False, True) if mode == "live" else (False,):
            label = mode + (", paced" if paced else "")
            for part, verdict in zip(("whole", "later"), observe(case, mode, sessions, seconds, paced), strict=True):
                fault = not case.holds(part, paced, verdict.p)
                faults += fault
                print(f"  {label:<11} {part}  {verdict}{'  NOT AS CLAIMED' * fault}", flush=True)
    return faults


def main(arguments: Sequence[str] | None = None) -> None:
    """Run it."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--sessions", type=int, default=40, help="of each content")
    options.add_argument("--seconds", type=float, default=1.5)
    options.add_argument("--case", action="append", choices=CASES)
    chosen = options.parse_args(arguments)
    if sum(run(name, chosen.sessions, chosen.seconds) for name in chosen.case or CASES):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
