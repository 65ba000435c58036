"""The report: every split and instrument that is there, each note against the bars that it is subject to."""

from dataclasses import replace

import pytest

from ostinato.models.training import bars
from ostinato.models.training.figures import Results, make_report, pitch_bar
from ostinato.models.training.notes import Split
from ostinato.models.training.steadiness import Bent, Held
from tests.models.training.cases import FLUTE, GUITAR, PERFECT, VIOLINS, measured

NOTES = [
    measured(0),
    measured(1, replace(PERFECT, pitch_cents=-12.0, level_db=-3.0, hnr_db=20.0), split=Split.PITCH, key=64),
]


def test_a_report_covers_the_splits_and_instruments_that_are_there() -> None:
    results = Results(NOTES, [], [], {("flute", "train"): {"bits_per_sample": 5.0}}, [FLUTE, GUITAR])
    report = make_report(results)
    assert set(report["splits"]) == {"train", "held-out pitch"}
    assert set(report["instruments"]) == {"flute"}
    splits = report["instruments"]["flute"]["splits"]
    assert splits["train"]["bits_per_sample"] == 5.0
    assert splits["held-out pitch"]["level_error_db"]["worst"] == 3
    assert splits["held-out pitch"]["level_difference_db"] == -3
    assert splits["held-out pitch"]["hnr_short_db"]["mean"] == 10
    assert splits["held-out pitch"]["in_tune"] == 0
    assert splits["held-out pitch"]["baseline"]["in_tune"] == 1
    assert len(report["notes"]) == 2


def test_each_note_names_the_bars_that_it_misses() -> None:
    good, bad = (note.to_json() for note in NOTES)
    assert good["missed"] == []
    assert good["badness"] < 0
    assert bad["missed"] == [bars.PITCH.name, bars.NOISE.name, bars.NOISE_EITHER.name, bars.LEVEL.name]
    assert bad["name"] == "flute, key 64, velocity 100"
    assert bad["badness"] == pytest.approx((10 - 6) / 6)


def test_a_section_may_be_further_off() -> None:
    assert [pitch_bar(kind) for kind in (FLUTE, VIOLINS, GUITAR)] == [
        bars.PITCH, bars.SECTION_PITCH, bars.DECAYING_PITCH,
    ]  # fmt: skip
    assert bars.SECTION_PITCH.limit == 15


def test_bent_and_held_notes_are_judged_too() -> None:
    note = NOTES[0].note
    bent = [Bent(note, -200.0, 1.0), Bent(note, 200.0, -11.0)]
    held = [Held(note, 3.5, 1.0, 0.2, (-20.0, -16.5))]
    report = make_report(Results(NOTES, bent, held, {}, [FLUTE]))
    rows = {row["name"]: row for row in report["bars"]}
    assert rows[bars.BENT_PITCH.name]["passed"] == 1
    assert rows[bars.BENT_PITCH.name]["worst_note"] == "flute, key 60, velocity 100, +200"
    assert rows[bars.STEADY_LEVEL.name]["passed"] == 0
    assert rows[bars.STEADY_PITCH.name]["passed"] == 1
    assert report["bends"]["pitch_error_cents"]["worst"] == 11
    assert report["held"][0]["levels_dbfs"] == (-20.0, -16.5)


def test_a_note_too_short_to_tell_its_pitch_is_not_judged_by_it() -> None:
    short = replace(NOTES[1], note=replace(NOTES[1].note, held_s=0.2))
    assert {r.bar for r in short.readings()}.isdisjoint({bars.PITCH, bars.NOISE})
    assert bars.LEVEL in {r.bar for r in short.readings()}
