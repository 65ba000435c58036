"""Scores with more events than may wait at once."""

from __future__ import annotations

import asyncio
from typing import Literal

import httpx
import mido  # type: ignore[import-untyped]
import numpy as np
import pytest
from numpy.typing import NDArray

from ostinato.clients import async_stream
from ostinato.clients.stream import connect
from ostinato.models import registry
from ostinato.models.sampling.native import NativeSampler
from ostinato.server.midi import from_midi
from ostinato.server.pcm import encode
from ostinato.server.performance import PENDING, BlockStart, Performance
from ostinato.server.protocol import SessionStart
from ostinato.server.render import render
from ostinato.server.score import PlacedNote, Score, compose
from tests.server.serving import Serving
from tests.songs import as_bytes

TINY = registry.load("tiny")
RATE = TINY.config.network.sample_rate
HOP = TINY.config.network.hop


def wheel(seconds: float = 1.3, notes: int = 20) -> bytes:
    """Held notes under a pitch wheel that moves at every hop."""
    file = mido.MidiFile(ticks_per_beat=480)  # 960 ticks a second
    track = mido.MidiTrack()
    file.tracks.append(track)
    track.extend(mido.Message("note_on", note=50 + i, velocity=80) for i in range(notes))
    track.extend(mido.Message("pitchwheel", pitch=100 + tick % 4000, time=1) for tick in range(round(960 * seconds)))
    track.extend(mido.Message("note_off", note=50 + i) for i in range(notes))
    return as_bytes(file)


def crowd(hops: int = 16, notes: int = 800) -> Score:
    """So many notes begin at each hop."""
    placed = [PlacedNote(60, 0.5, hop * HOP, (hop + 40) * HOP) for hop in range(hops) for _ in range(notes)]
    return compose(placed, TINY.config)


def rendered(score: Score, block_hops: int = 16) -> NDArray[np.float32]:
    return np.concatenate(list(render(score, NativeSampler(TINY, score.voices), 7, block_hops=block_hops)))


def test_what_is_fed_late_is_not_applied_late(monkeypatch: pytest.MonkeyPatch) -> None:
    score = crowd()
    assert len(score.events) > PENDING
    applied: dict[str, int | None] = {}
    begin_block = Performance.begin_block

    def noted(performance: Performance) -> BlockStart:
        block = begin_block(performance)
        applied.update({a.event_id: performance.clock for a in block.applied})
        return block

    monkeypatch.setattr(Performance, "begin_block", noted)
    audio = rendered(score)
    assert applied == {event.event_id: event.at_sample for event in score.events}
    assert np.array_equal(audio, rendered(score, block_hops=1))


def test_a_dense_file_is_served_whole(server: Serving) -> None:
    answer = httpx.post(
        f"{server.url}/v1/audio/synthesize",
        content=wheel(),
        params={"seed": 7, "format": "pcm"},
        headers={"content-type": "audio/midi"},
        timeout=30,
    )
    score = from_midi(wheel(), TINY.config)
    assert sum(event.at_sample < RATE for event in score.events if event.at_sample is not None) > PENDING
    assert answer.content == encode(rendered(score), "pcm_s16le")


@pytest.mark.parametrize("mode", ["live", "fast"])
def test_a_client_streams_a_dense_file_without_a_refusal(server: Serving, mode: Literal["live", "fast"]) -> None:
    score = from_midi(wheel(), TINY.config)
    start = SessionStart(
        model="tiny", voices=score.voices, seed=7, mode=mode, duration_s=score.samples / RATE, lead_ms=500.0
    )
    with connect(server.url, start) as stream:
        stream.perform(score.events)
        heard = sum(len(block.samples) for block in stream)
    assert stream.report.errors == []
    assert heard == score.samples


def test_an_asyncio_client_does_too(server: Serving) -> None:
    score = from_midi(wheel(), TINY.config)

    async def play() -> int:
        start = SessionStart(model="tiny", voices=score.voices, seed=7, mode="fast", duration_s=score.samples / RATE)
        async with await async_stream.connect(server.url, start) as stream:
            await stream.perform(score.events)
            heard = sum([len(block.samples) async for block in stream])
        assert stream.report.errors == []
        return heard

    assert asyncio.run(play()) == score.samples
