"""Cutting a recording into notes: voiced stretches, split where the pitch jumps or the note is struck again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ostinato.models.training.pitch import HOP_S, PitchTrack

APERIODIC: Final = 0.3  # above it there is no pitch,
SURE: Final = 0.15  # and above this one none to be sure of
QUIET_DB: Final = -60.0  # against full scale: below it there is nothing
BELOW_PEAK_DB: Final = -45.0  # against the recording's loudest
GAP_S: Final = 0.02  # shorter losses of pitch within a note are bridged
JUMP_CENTS: Final = 80.0  # against the note's own median: another note
JUMP_S: Final = 0.05  # for at least so long, so that neither vibrato nor a stray frame is one
OCTAVE_CENTS: Final = 60.0  # a jump so near to octaves, and no louder, is an error of the tracking
JUMP_LATE_S: Final = 0.02  # a jump is seen about so late: the window must hold more of the new pitch than of the old
SHORTEST_S: Final = 0.1  # what is shorter, or of no sure pitch, is the attack of what follows at once
STRIKE_DB: Final = 9.0  # a rise by so much ...
STRIKE_S: Final = 0.05  # ... within so long is a new attack
BROKEN: Final = 0.1  # if the sound between is less periodic than this,
GAP_DB: Final = 14.0  # or if it rises by so much,
STRIKE_AFTER_S: Final = 0.1  # once the note has lasted so long
ATTACK_S: Final = 0.15  # an attack's noise reaches at most so far before the pitch
FALL_DB_S: Final = 60.0  # a faster fall at a note's end is its release


@dataclass(frozen=True)
class Stretch:
    """A part of a recording, in samples: one note where it has a pitch, else something heard that has none."""

    onset: int
    release: int  # the note is held until here
    end: int  # it is no longer heard, or `limit`
    limit: int  # the next note or the recording's end
    hertz: float | None  # median pitch
    steady: float  # share of its time within half a semitone of that pitch

    @property
    def cut(self) -> bool:
        """Whether it still sounds when the next note begins or the recording ends."""
        return self.end >= self.limit


def find_stretches(track: PitchTrack, samples: int) -> list[Stretch]:
    """The notes of a recording of so many samples, and what has no pitch between them, in order."""
    heard = track.level_db > max(QUIET_DB, float(track.level_db.max()) + BELOW_PEAK_DB)
    voiced = bridge(heard & (track.aperiodicity < APERIODIC), frames(GAP_S))
    notes = [note for first, last in runs(voiced) for note in split(track, first, last)]
    onsets = [attack(heard, first, before) for (first, _), (_, before) in zip(notes, [(0, 0), *notes], strict=False)]
    found = []
    for (first, last), onset, after in zip(notes, onsets, [*onsets, len(heard)][1:], strict=True):
        end = ending(heard, last, after)
        release = release_frame(track, first, end)
        found.append(_note(track, first, last, (onset, release, end, after), samples))
    covered = np.zeros(len(heard), dtype=bool)
    for stretch in found:
        covered[track.frame(stretch.onset) : track.frame(stretch.end) + 1] = True
    for first, last in runs(heard & ~covered):
        found.append(Stretch(first * track.hop, last * track.hop, last * track.hop, last * track.hop, None, 0.0))
    return sorted(found, key=lambda stretch: stretch.onset)


def split(track: PitchTrack, first: int, last: int) -> list[tuple[int, int]]:
    """The notes of a voiced run of frames."""
    cents = 1200 * np.log2(track.hertz)
    notes, start, settled = [], first, first
    for frame in range(first + 1, last):
        jump = jumps(track, cents, settled, frame, last)
        if jump or struck(track, settled, frame):
            if frame - settled >= frames(SHORTEST_S) and np.median(track.aperiodicity[settled:frame]) < SURE:
                border = frame - frames(JUMP_LATE_S) if jump else frame
                notes.append((start, border))
                start = border
            settled = frame
    return [*notes, (start, last)]


def jumps(track: PitchTrack, cents: NDArray[np.float64], start: int, frame: int, last: int) -> bool:
    """Whether from this frame on the pitch is another than the note's so far."""
    if frame - start < frames(JUMP_S) or last - frame < frames(JUMP_S):
        return False
    ahead = cents[frame : frame + frames(JUMP_S)] - np.median(cents[start:frame])
    if not (np.all(ahead > JUMP_CENTS) or np.all(ahead < -JUMP_CENTS)):
        return False
    step = float(np.median(ahead))
    octaves = round(step / 1200) * 1200
    louder = track.level_db[frame : frame + frames(JUMP_S)].max() - track.level_db[frame - 1]
    return abs(step - octaves) > OCTAVE_CENTS or louder > STRIKE_DB / 2


def struck(track: PitchTrack, start: int, frame: int) -> bool:
    """Whether a new attack begins at this frame: the lowest level about it, a steep rise after it, a break between.

    Without the break it is vibrato, which lets single harmonics, and so all of a high note, come and go.
    """
    if frame - start < frames(STRIKE_AFTER_S):
        return False
    near = slice(frame - frames(STRIKE_S) // 2, frame + frames(STRIKE_S) + 1)
    about, here = track.level_db[near], track.level_db[frame]
    rises = here <= about.min() and about.max() > here + STRIKE_DB and about[-1] > here + STRIKE_DB / 2
    return bool(rises and (track.aperiodicity[near].max() > BROKEN or about.max() > here + GAP_DB))


def attack(heard: NDArray[np.bool_], first: int, before: int) -> int:
    """The frame at which a note's sound begins: what is heard at once before its pitch is its attack."""
    frame = first
    while frame > max(before, first - frames(ATTACK_S), 0) and heard[frame - 1]:
        frame -= 1
    return frame


def ending(heard: NDArray[np.bool_], last: int, after: int) -> int:
    """The frame at which a note is no longer heard: it may ring on when its pitch is lost."""
    silent = np.flatnonzero(~heard[last:after])
    return min(after, last + int(silent[0])) if silent.size else after


def release_frame(track: PitchTrack, first: int, end: int) -> int:
    """The frame from which a note falls faster than anything that is still played."""
    step = frames(STRIKE_S)
    fall = FALL_DB_S * step * HOP_S
    frame = min(end, len(track.level_db) - 1)
    while frame - step > first and track.level_db[frame - step] - track.level_db[frame] > fall:
        frame -= 1
    return max(frame - step // 2, first) if frame < end else frame


def frames(seconds: float) -> int:
    """So many frames of a pitch track."""
    return max(1, round(seconds / HOP_S))


def runs(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First and one past the last of each run of what is true."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], mask, [False])).astype(np.int8)))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def bridge(mask: NDArray[np.bool_], longest: int) -> NDArray[np.bool_]:
    """The mask with its inner gaps of at most `longest` closed."""
    closed = mask.copy()
    for first, last in runs(~mask):
        if first > 0 and last < len(mask) and last - first <= longest:
            closed[first:last] = True
    return closed


def _note(track: PitchTrack, first: int, last: int, places: tuple[int, int, int, int], samples: int) -> Stretch:
    """The stretch of a note whose pitch is heard from frame `first` to `last`."""
    onset, release, end, limit = (min(frame * track.hop, samples) for frame in places)
    pitches = 12 * np.log2(track.hertz[first:last])
    middle = float(np.median(pitches))
    steady = float(np.mean(np.abs(pitches - middle) < 0.5))
    return Stretch(onset, release, end, limit, 2.0 ** (middle / 12), steady)
