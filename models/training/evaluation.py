"""One note beside its recording, in figures; its baseline too, by the same measures.

What is measured of a note is told by its `Kind`: a held note from 0.3 to 1.5 s after its onset, a decaying one from
0.05 s on, each over the same stretch of the recording.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ostinato.models.training.baseline import resynthesise
from ostinato.models.training.clicks import Clicks, find_clicks
from ostinato.models.training.dataset import Recording
from ostinato.models.training.kinds import Kind
from ostinato.models.training.measures import (
    Audio,
    harmonic_to_noise_db,
    level_db,
    log_mel_distance_db,
    pitch_cents,
)
from ostinato.models.training.straightening import straighten

AFTER_RELEASE_S: Final = 0.3
LEAST_SILENCE_S: Final = 0.1  # that is measured, where a voice ends earlier


@dataclass(frozen=True)
class NoteFigures:
    """How one note came out, beside its recording."""

    pitch_cents: float  # against what was asked for
    recording_pitch_cents: float
    hnr_db: float
    recording_hnr_db: float  # its vibrato taken out
    level_db: float  # of the measured stretch, less the recording's
    log_mel_db: float  # from the onset to the end of the recording
    after_release_dbfs: float  # from 300 ms after the release to the end
    after_release_db: float  # less the level of the measured stretch
    onset_click_db: float  # beyond the recording's, or beyond 0 where that has none; so too below
    release_click_db: float
    end_click_db: float
    border_click_db: float

    @property
    def hnr_short_db(self) -> float:
        """How much noisier than the recording; negative where it is purer."""
        return self.recording_hnr_db - self.hnr_db


@dataclass(frozen=True)
class Sound:
    """The figures of one signal by itself."""

    pitch_cents: float
    hnr_db: float
    level_dbfs: float
    after_release_dbfs: float
    clicks: Clicks


@dataclass(frozen=True)
class Case:
    """A note to measure: its recording, what its instrument is like, and how a model plays it."""

    recording: Recording
    kind: Kind
    hop: int
    sample_rate: int
    release_s: float  # how long a voice lives after its release

    @property
    def stretch(self) -> slice:
        """The samples whose pitch, noise and level are measured."""
        return self.kind.stretch(self.recording.release, self.sample_rate)

    @property
    def end(self) -> int:
        """The sample at which a voice is cut off."""
        return self.recording.release + int(self.release_s * self.sample_rate)


def measure_case(case: Case, played: Audio) -> tuple[NoteFigures, NoteFigures]:
    """What was played, then the baseline, each against the recording."""
    phase = case.recording.phase
    recording, base = measure_sound(case, case.recording.audio, phase), baseline(case)
    model = compare(case, played, measure_sound(case, played), recording)
    return model, compare(case, base, measure_sound(case, base, phase), recording)


def measure_note(case: Case, played: Audio) -> NoteFigures:
    """What was played against the recording."""
    recording = measure_sound(case, case.recording.audio, case.recording.phase)
    return compare(case, played, measure_sound(case, played), recording)


def baseline(case: Case) -> Audio:
    """The recording, resynthesised by its phase and envelope alone."""
    recording = case.recording
    return resynthesise(recording.audio, recording.phase, recording.note.hertz, case.stretch, case.sample_rate)


def measure_sound(case: Case, audio: Audio, phase: NDArray[np.int64] | None = None) -> Sound:
    """The figures of one signal, a model's, or a recording's or its like with its phase."""
    hertz, release = case.recording.note.hertz, case.recording.release
    steady = audio[case.stretch]
    # the harmonics of a recording are where its own pitch is, at each moment; a model's are where they were asked for
    straight, pitch = (steady, hertz) if phase is None else straighten(steady, phase[case.stretch], case.sample_rate)
    signals = (steady,) if phase is None else (steady, straight)
    quiet = release + int(AFTER_RELEASE_S * case.sample_rate)
    until = max(case.end, quiet + int(LEAST_SILENCE_S * case.sample_rate))
    return Sound(
        pitch_cents=pitch_cents(straight, hertz, case.sample_rate),
        # each is a bound from below: vibrato spreads harmonics, and so does a phase that was tracked through noise
        hnr_db=max(harmonic_to_noise_db(signal, pitch, case.sample_rate) for signal in signals),
        level_dbfs=level_db(steady),
        after_release_dbfs=level_db(audio[quiet:until]),
        clicks=find_clicks(
            audio,
            hertz=hertz,
            stretch=case.stretch,
            release=release,
            end=min(case.end, len(audio)),
            hop=case.hop,
            sample_rate=case.sample_rate,
        ),
    )


def compare(case: Case, audio: Audio, own: Sound, recording: Sound) -> NoteFigures:
    """A signal and its figures against those of the recording, and against its spectrum over time."""
    return NoteFigures(
        pitch_cents=own.pitch_cents,
        recording_pitch_cents=recording.pitch_cents,
        hnr_db=own.hnr_db,
        recording_hnr_db=recording.hnr_db,
        level_db=own.level_dbfs - recording.level_dbfs,
        log_mel_db=log_mel_distance_db(case.recording.audio, np.asarray(audio), case.sample_rate),
        after_release_dbfs=own.after_release_dbfs,
        after_release_db=own.after_release_dbfs - own.level_dbfs,
        onset_click_db=own.clicks.onset_db - max(recording.clicks.onset_db, 0.0),
        release_click_db=own.clicks.release_db - max(recording.clicks.release_db, 0.0),
        end_click_db=own.clicks.end_db,  # a recording isn't cut off
        border_click_db=own.clicks.border_db - max(recording.clicks.border_db, 0.0),
    )
