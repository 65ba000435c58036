"""A whole score, offline: the same performance over the same sampler as a live session, without a server.

What is rendered equals what is streamed, sample for sample, for the same sampler, seed, voices and events.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ostinato.models.controls import control_specs
from ostinato.models.sampling.contract import Sampler
from ostinato.server.performance import Mix, Performance, mix_natively
from ostinato.server.score import Score

BLOCK_HOPS: Final = 16  # the longest block; its length changes no sample
NO_CONTROLS: Final[Mapping[str, float | str]] = {}


def render(
    score: Score,
    sampler: Sampler,
    seed: int,
    controls: Mapping[str, float | str] = NO_CONTROLS,
    *,
    block_hops: int = BLOCK_HOPS,
    mix: Mix = mix_natively,
) -> Iterator[NDArray[np.float32]]:
    """Blocks of float32 in [-1, 1], up to `block_hops` long, `score.samples` in all.

    The first `score.voices` slots of the sampler are played; `controls` is what a session starts with.

    Raises:
        ValueError: where the sampler has fewer slots than the score takes voices.
        ProtocolError: where a control does not exist or is out of its range.
    """
    if sampler.slots < score.voices:
        raise ValueError(f"voices: {score.voices} do not fit into {sampler.slots} slots")
    config = sampler.config
    specs = control_specs(temperature=config.temperature, instruments=len(config.instruments))
    performance = Performance(config, specs, range(score.voices), seed, controls, mix=mix)
    return _play(score, performance, sampler, block_hops)


def _play(score: Score, performance: Performance, sampler: Sampler, block_hops: int) -> Iterator[NDArray[np.float32]]:
    events = deque(score.events)
    while performance.clock < score.samples:
        horizon = performance.clock + block_hops * performance.hop
        while events and performance.room and (events[0].at_sample or 0) < horizon:
            performance.submit(events.popleft())
        yield draw(performance, sampler, min(block_hops, (score.samples - performance.clock) // performance.hop))


def draw(performance: Performance, sampler: Sampler, limit: int) -> NDArray[np.float32]:
    """The next block of one performance, at most `limit` hops: float32 [samples]."""
    for slot, key in performance.begin_block().resets:
        sampler.reset(slot, key)
    frames = performance.frames_until_change(limit)
    sounding = performance.controls(frames)
    if not sounding:
        return performance.mix(np.zeros((0, frames * performance.hop), dtype=np.float32), frames)
    slots, controls = zip(*sounding, strict=True)
    return performance.mix(sampler.advance(slots, np.stack(controls)), frames)
