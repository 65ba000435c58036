"""One's own recordings: a file read, cut into notes, and each note judged."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import soundfile  # type: ignore[import-untyped]
from numpy.typing import NDArray

from ostinato.models.training.alignment import track_drift
from ostinato.models.training.filenames import named_key, named_velocity
from ostinato.models.training.pitch import PitchTrack, track_pitch
from ostinato.models.training.releases import TAIL_S
from ostinato.models.training.resampling import resample
from ostinato.models.training.stretches import QUIET_DB, Stretch, find_stretches

SHORTEST_S: Final = 0.1  # held
UNHEARD_S: Final = 0.1  # what has no pitch and is shorter is not worth a word
TAIL_NEEDED_S: Final = 0.28  # of a note's own sound after its release, where another note follows
ONSET_LEVEL: Final = 0.01  # of a note's first peak: it begins where it passes this,
LEAD_S: Final = 0.001  # less so much
FADE_IN_S: Final = 0.003
FADE_OUT_S: Final = 0.02
LOWEST_KEY, HIGHEST_KEY = 27.5, 108.5
STEADY: Final = 0.6  # least share of a note's time near its pitch
CLIPPED_LEVEL: Final = 0.98  # of full scale
CLIPPED_RUN: Final = 4  # so many samples alike

Audio = NDArray[np.float32]


@dataclass(frozen=True)
class Take:
    """One note of one's own: not yet balanced, its release not yet shaped."""

    file: str
    start_s: float
    audio: Audio  # [T], a multiple of the hop
    release: int  # sample, a multiple of the hop
    pitch: float  # MIDI note with its fraction
    level_db: float  # of its loudest moment
    named_key: int | None
    named_velocity: int | None

    @property
    def key(self) -> int:
        """The MIDI note: what the file's name says, where that is within a semitone of the pitch."""
        if self.named_key is not None and abs(self.named_key - self.pitch) < 1.0:
            return self.named_key
        return round(self.pitch)

    @property
    def remark(self) -> str:
        """Where the name and the pitch contradict each other."""
        if self.named_key in (None, self.key):
            return ""
        return f"the name says MIDI note {self.named_key}"


@dataclass(frozen=True)
class Refusal:
    """What was left out, and why."""

    file: str
    start_s: float
    seconds: float
    reason: str


def read_takes(path: Path, name: str, *, sample_rate: int, hop: int) -> Iterator[Take | Refusal]:
    """The notes of a file, called `name` in what is told of it, and what of it can't be used."""
    try:
        audio, clipped = read_audio(path, sample_rate)
    except (soundfile.LibsndfileError, ValueError) as error:
        yield Refusal(name, 0.0, 0.0, f"unreadable: {error}")
        return
    seconds = len(audio) / sample_rate
    track = track_pitch(audio, sample_rate)
    if track.level_db.max() < QUIET_DB:
        yield Refusal(name, 0.0, seconds, f"silent: never above {QUIET_DB:g} dBFS")
        return
    stretches = find_stretches(track, len(audio))
    notes = sum(stretch.hertz is not None for stretch in stretches)
    for stretch in stretches:
        start, length = stretch.onset / sample_rate, (stretch.end - stretch.onset) / sample_rate
        release = playable(stretch, sample_rate)
        reason = fault(stretch, release, clipped, sample_rate)
        if reason and (stretch.hertz or length > UNHEARD_S):
            yield Refusal(name, start, length, reason)
        elif not reason:
            yield make_take(audio, track, stretch, release, name, sample_rate, hop, alone=notes == 1)


def read_audio(path: Path, sample_rate: int) -> tuple[Audio, NDArray[np.float64]]:
    """A file's louder channel at a sample rate, float32 [T], and the seconds at which it is clipped.

    Raises:
        ValueError: where it is empty or holds what is no number.
    """
    channels, rate = soundfile.read(path, dtype="float64", always_2d=True)
    if not channels.size:
        raise ValueError("no samples")
    if not np.isfinite(channels).all():
        raise ValueError("samples that are no numbers")
    audio = channels[:, int(np.argmax(np.sum(channels**2, axis=0)))]
    clipped = clipped_samples(audio) / rate
    return resample(audio, rate, sample_rate), clipped


def clipped_samples(audio: NDArray[np.float64]) -> NDArray[np.int64]:
    """Where `CLIPPED_RUN` samples near full scale are alike: the first of each such run."""
    flat = (np.diff(audio) == 0) & (np.abs(audio[1:]) > CLIPPED_LEVEL)
    if len(flat) < CLIPPED_RUN:
        return np.zeros(0, dtype=np.int64)
    runs = np.convolve(flat, np.ones(CLIPPED_RUN - 1), mode="valid") >= CLIPPED_RUN - 1
    return np.flatnonzero(runs)


def playable(stretch: Stretch, sample_rate: int) -> int:
    """The sample at which a note is let go: earlier than it was where the next note would sound into its release."""
    if not stretch.cut:
        return stretch.release
    return min(stretch.release, stretch.limit - round(TAIL_NEEDED_S * sample_rate))


def fault(stretch: Stretch, release: int, clipped: NDArray[np.float64], sample_rate: int) -> str:
    """Why a stretch can't be used; nothing where it can."""
    if stretch.hertz is None:
        return "no pitch"
    pitch = 69 + 12 * np.log2(stretch.hertz / 440)
    if not LOWEST_KEY <= pitch <= HIGHEST_KEY:
        return f"out of range: MIDI note {pitch:.1f}"
    if np.any((clipped >= stretch.onset / sample_rate) & (clipped < stretch.end / sample_rate)):
        return "clipped"
    held = (release - stretch.onset) / sample_rate
    if held < SHORTEST_S:
        return f"too short: {max(held, 0):.2f} s before its release"
    if stretch.steady < STEADY:
        return "its pitch is not steady"
    return ""


def make_take(
    audio: Audio, track: PitchTrack, stretch: Stretch, release: int, name: str, sample_rate: int, hop: int, *,
    alone: bool,
) -> Take:  # fmt: skip
    """Cut a sound stretch out of its file. A name tells the key of a file's one note, the velocity of all."""
    assert stretch.hertz is not None
    onset = find_onset(audio, stretch, sample_rate)
    held = max((release - onset) // hop, 1) * hop
    cut = cut_note(audio, onset, held, stretch.limit, sample_rate, hop)
    level = float(track.level_db[track.frame(onset) : track.frame(release) + 1].max())
    pitch = fine_pitch(cut[:held], stretch.hertz, sample_rate, hop)
    stem = Path(name).stem
    key = named_key(stem) if alone else None
    return Take(name, onset / sample_rate, cut, held, pitch, level, key, named_velocity(stem))


def find_onset(audio: Audio, stretch: Stretch, sample_rate: int) -> int:
    """The sample at which a note begins, where its stretch is known to a few milliseconds."""
    start = np.abs(audio[stretch.onset : stretch.onset + round(SHORTEST_S * sample_rate)])
    first = int(np.argmax(start > ONSET_LEVEL * start.max()))
    return max(stretch.onset + first - round(LEAD_S * sample_rate), 0)


def cut_note(audio: Audio, onset: int, held: int, limit: int, sample_rate: int, hop: int) -> Audio:
    """A note from its onset to `TAIL_S` after its release; what follows `limit` is silence, and no edge clicks."""
    length = held + -(-round(TAIL_S * sample_rate) // hop) * hop
    sound = audio[onset : min(onset + length, limit)].copy()
    rise, fall = (min(round(s * sample_rate), len(sound)) for s in (FADE_IN_S, FADE_OUT_S))
    sound[:rise] *= np.sin(np.linspace(0, np.pi / 2, rise)).astype(np.float32) ** 2
    sound[len(sound) - fall :] *= np.cos(np.linspace(0, np.pi / 2, fall)).astype(np.float32) ** 2
    return np.pad(sound, (0, length - len(sound)))


def fine_pitch(held: Audio, hertz: float, sample_rate: int, hop: int) -> float:
    """The pitch of a note's held part as a MIDI note, from how fast its phase runs."""
    drift = track_drift(held, hertz, sample_rate, hop).astype(np.float64)
    inner = drift[len(drift) // 5 : max(len(drift) - 2, len(drift) // 5 + 2)]
    slope = float(np.polyfit(np.arange(len(inner)) * hop / sample_rate, inner, 1)[0]) if len(inner) > 2 else 0.0
    mended = hertz + slope if abs(slope) < 0.05 * hertz else hertz  # YIN is never so far off
    return float(69 + 12 * np.log2(mended / 440))
