"""What a session hears depends on its seed and its events, and on nobody else."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from random import Random

import pytest

from ostinato.server.protocol import ControlUpdate, Event, NoteOff, NoteOn, StreamPause, StreamResume
from tests.server.serving import Heard, Listener, Serving, serving, whole

RATE = 44100
EVENTS: tuple[Event, ...] = (
    NoteOn(event_id="a", note=57, voice_id="a", at_sample=0),
    NoteOn(event_id="b", note=64.5, at_sample=3001),
    ControlUpdate(event_id="c", params={"bend": -150.0, "temperature": 0.4}, ramp_ms=80, at_sample=9000),
    NoteOff(event_id="d", voice_id="a", at_sample=15000),
    NoteOn(event_id="e", note=71, velocity=0.3, at_sample=21000),
)


def hear(server: Serving, seed: int, events: tuple[Event, ...], **fields: object) -> Heard:
    with Listener(server) as listener:
        listener.start(**{"voices": 2, "duration_s": 0.7, "seed": seed, **fields})
        return listener.say(StreamPause(), *events, StreamResume()).hear_out()


def stranger(random: Random) -> tuple[Event, ...]:
    """Events at any sample, so that blocks are cut anywhere."""
    times = sorted(random.randrange(0, 25000) for _ in range(12))
    notes = [NoteOn(event_id=f"n{i}", note=random.uniform(40, 90), at_sample=at) for i, at in enumerate(times)]
    bends = [
        ControlUpdate(event_id=f"c{i}", params={"bend": random.uniform(-200, 200)}, ramp_ms=7, at_sample=at + 64)
        for i, at in enumerate(times)
    ]
    return (*notes, *bends)


@pytest.fixture(scope="module")
def roomy() -> Iterator[Serving]:
    """A server in which those wait for whom there is no room."""
    with serving(queue=64) as running:
        yield running


@pytest.mark.parametrize("seed", [1, 2])
def test_the_same_seed_and_events_sound_the_same_alone_and_among_random_neighbours(roomy: Serving, seed: int) -> None:
    alone = whole(hear(roomy, 7, EVENTS, mode="fast")).sha256
    random, heard = Random(seed), list[Heard]()

    def own(mode: str, lead_ms: float) -> None:
        heard.append(hear(roomy, 7, EVENTS, mode=mode, lead_ms=lead_ms))

    leads = {"live": 20.0, "fast": 100.0}
    own_threads = [threading.Thread(target=own, args=(mode, leads[mode])) for mode in ("live", "live", "fast")]
    strangers = [
        threading.Thread(
            target=hear,
            args=(roomy, random.randrange(1000), stranger(random)),
            kwargs={
                "voices": random.randint(1, 3),
                "mode": random.choice(["live", "fast"]),
                "lead_ms": random.uniform(20.0, 500.0),
                "duration_s": random.uniform(0.2, 0.9),
                "format": {"frame_ms": random.uniform(2.0, 60.0)},
            },
        )
        for _ in range(8)
    ]
    for thread in (*own_threads, *strangers):
        thread.start()
    for thread in (*own_threads, *strangers):
        thread.join()
    assert [whole(each).sha256 for each in heard] == [alone] * 3
