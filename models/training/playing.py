"""Notes through the sampler contract, free-running: a model hears nothing but what it drew itself.

Many are played at once, each in a slot of its own; which slot, and beside which others, changes no bit of a note.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ostinato.models.noise import voice_key
from ostinato.models.sampling.contract import Sampler
from ostinato.models.training.dataset import Recording, note_frames

CHUNK_HOPS: Final = 32
LEAST_TAIL_S: Final = 0.4  # after a release, that is drawn even where a voice ends earlier


def draw_notes(
    sampler: Sampler, notes: Sequence[NDArray[np.float32]], seed: int
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Draw notes from their control frames [F, channels]: (index, audio [F * hop]) of each, the longest first.

    Notes of like length are drawn together, as many as there are slots. A note's randomness is of its index alone.
    """
    hop = sampler.config.network.hop
    order = sorted(range(len(notes)), key=lambda i: -len(notes[i]))
    for first in range(0, len(order), sampler.slots):
        some = order[first : first + sampler.slots]
        longest = len(notes[some[0]])
        controls = np.stack([np.pad(notes[i], ((0, longest - len(notes[i])), (0, 0)), mode="edge") for i in some])
        slots = list(range(len(some)))
        for slot, i in enumerate(some):
            sampler.reset(slot, voice_key(seed, i))
        blocks = [
            sampler.advance(slots, np.ascontiguousarray(controls[:, at : at + CHUNK_HOPS]))
            for at in range(0, longest, CHUNK_HOPS)
        ]
        for i, row in zip(some, np.concatenate(blocks, axis=1), strict=True):
            yield i, row[: len(notes[i]) * hop].copy()


def play_notes(sampler: Sampler, notes: Sequence[NDArray[np.float32]], seed: int) -> list[NDArray[np.float32]]:
    """Draw notes from their control frames [F, channels], in their order: [F * hop] each."""
    drawn = dict(draw_notes(sampler, notes, seed))
    return [drawn[i] for i in range(len(notes))]


def recording_frames(recording: Recording, sampler: Sampler, temperature: float) -> NDArray[np.float32]:
    """The control frames of a recording's note, as long as the recording or as the voice lives, whichever is longer."""
    net = sampler.config.network
    lives = recording.release + max(sampler.config.release_s, LEAST_TAIL_S) * net.sample_rate
    count = max(len(recording.frames), math.ceil(lives / net.hop))
    return note_frames(recording.note, count, hop=net.hop, sample_rate=net.sample_rate, temperature=temperature)
