"""A model against its recordings, free-running: it hears nothing but what it drew itself.

Every note is played through the sampler contract, many at once, each in a slot of its own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from ostinato.models.checkpoint import Checkpoint
from ostinato.models.noise import voice_key
from ostinato.models.sampling.contract import Sampler
from ostinato.models.sampling.torch_sampler import build_network
from ostinato.models.training import measures
from ostinato.models.training.crops import Crops
from ostinato.models.training.dataset import Recording, note_frames
from ostinato.models.training.loop import emphasised
from ostinato.models.training.notes import Note

SUSTAIN_S: Final = (0.3, 1.5)  # from the onset: where a held note is steady
AFTER_RELEASE_S: Final = (0.3, 0.4)
BENDS_CENTS: Final = (-200.0, 200.0)
CHUNK_HOPS: Final = 32


@dataclass(frozen=True)
class NoteFigures:
    """How one note came out, beside its recording."""

    pitch_cents: float  # against what was asked for
    hnr_db: float
    recording_hnr_db: float
    level_db: float  # of the sustain, the model's less the recording's
    log_mel_db: float  # from the onset to the end of what follows the release
    after_release_dbfs: float
    after_release_db: float  # less the level of the sustain


def play_notes(sampler: Sampler, notes: Sequence[NDArray[np.float32]], seed: int) -> list[NDArray[np.float32]]:
    """Draw notes from their control frames [F, channels], as many at once as there are slots: [F * hop] each."""
    played: list[NDArray[np.float32]] = []
    for first in range(0, len(notes), sampler.slots):
        some = notes[first : first + sampler.slots]
        longest = max(len(frames) for frames in some)
        controls = np.stack([np.pad(f, ((0, longest - len(f)), (0, 0)), mode="edge") for f in some])
        slots = list(range(len(some)))
        for slot in slots:
            sampler.reset(slot, voice_key(seed, first + slot))
        blocks = [
            sampler.advance(slots, np.ascontiguousarray(controls[:, at : at + CHUNK_HOPS]))
            for at in range(0, longest, CHUNK_HOPS)
        ]
        hop = sampler.config.network.hop
        played += [row[: len(f) * hop] for row, f in zip(np.concatenate(blocks, axis=1), some, strict=True)]
    return played


def play_recordings(
    sampler: Sampler, recordings: Sequence[Recording], temperature: float, seed: int
) -> list[NDArray[np.float32]]:
    """Draw the note of each recording, as long as it is: [T] each."""
    net = sampler.config.network
    frames = [
        note_frames(r.note, len(r.frames), hop=net.hop, sample_rate=net.sample_rate, temperature=temperature)
        for r in recordings
    ]
    return play_notes(sampler, frames, seed)


def measure_note(recording: Recording, played: NDArray[np.float32], sample_rate: int) -> NoteFigures:
    """Compare a free-running note with its recording."""
    hertz, release = recording.note.hertz, recording.release
    sustain = steady(release, sample_rate)
    after = slice(*(release + int(s * sample_rate) for s in AFTER_RELEASE_S))
    level, silence = measures.level_db(played[sustain]), measures.level_db(played[after])
    return NoteFigures(
        pitch_cents=measures.pitch_cents(played[sustain], hertz, sample_rate),
        hnr_db=measures.harmonic_to_noise_db(played[sustain], hertz, sample_rate),
        recording_hnr_db=measures.harmonic_to_noise_db(recording.audio[sustain], hertz, sample_rate),
        level_db=level - measures.level_db(recording.audio[sustain]),
        log_mel_db=measures.log_mel_distance_db(recording.audio, played, sample_rate),
        after_release_dbfs=silence,
        after_release_db=silence - level,
    )


def steady(release: int, sample_rate: int) -> slice:
    """The samples of a held note that are measured: `SUSTAIN_S`, or the latter half of a shorter one."""
    start, stop = (int(s * sample_rate) for s in SUSTAIN_S)
    return slice(min(start, release // 2), min(stop, release))


def measure_bends(
    sampler: Sampler, notes: Sequence[Note], temperature: float, seed: int
) -> list[tuple[Note, float, float]]:
    """Play each note up and down by `BENDS_CENTS`: (note, asked for, how far the pitch is from that), in cents."""
    net = sampler.config.network
    count = math.ceil(SUSTAIN_S[1] * net.sample_rate / net.hop)
    asked = [(note, cents) for note in notes for cents in BENDS_CENTS]
    frames = [
        note_frames(n, count, hop=net.hop, sample_rate=net.sample_rate, temperature=temperature, cents=c)
        for n, c in asked
    ]
    played = play_notes(sampler, frames, seed)
    sustain = slice(*(int(s * net.sample_rate) for s in SUSTAIN_S))
    return [
        (n, c, measures.pitch_cents(audio[sustain], n.hertz * 2 ** (c / 1200), net.sample_rate))
        for (n, c), audio in zip(asked, played, strict=True)
    ]


@torch.no_grad()
def likelihood(checkpoint: Checkpoint, recordings: Sequence[Recording]) -> tuple[float, float]:
    """Bits per sample, teacher-forced over whole notes: as trained, and with every past sample set to zero."""
    network = build_network(checkpoint, torch.device("cpu"))
    bits = np.zeros(2)
    for recording in recordings:
        audio = torch.from_numpy(np.concatenate((np.zeros(1, np.float32), recording.audio)))[None]
        frames, phase = torch.from_numpy(recording.frames)[None], torch.from_numpy(recording.phase)[None]
        clean = emphasised(Crops(audio, frames, phase, torch.ones_like(audio[:, 1:])), network.config)
        for i, past in enumerate((clean, torch.zeros_like(clean))):
            log_prob = network.distribution.log_prob(network(past, frames, phase), clean)
            bits[i] -= float(log_prob.mean()) / math.log(2)
    own, deaf = bits / max(len(recordings), 1)
    return float(own), float(deaf)
