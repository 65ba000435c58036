"""Instruments: what decays and what is a section is told by the recordings, the programs and the names."""

import numpy as np
import pytest

from ostinato.models.config import Instrument
from ostinato.models.training.dataset import Dataset, Source
from ostinato.models.training.kinds import kinds_of, slope_db_per_s
from tests.models.training.cases import recording
from tests.models.training.tones import HOP, RATE


def dataset(name: str, program: int | None, decay_db_per_s: float) -> Dataset:
    one = recording()
    one.audio[:] *= 10 ** (-decay_db_per_s * np.arange(len(one.audio)) / RATE / 20)
    source = Source(name, "computed", program, "CC0-1.0", 1.0)
    return Dataset(RATE, HOP, (Instrument(name=name),), (source,), (one,))


@pytest.mark.parametrize(("decay", "decays"), [(-3.0, False), (0.0, False), (2.0, False), (10.0, True), (60.0, True)])
def test_an_instrument_decays_where_its_notes_fall_by_themselves(decay: float, decays: bool) -> None:
    assert kinds_of(dataset("any", None, decay))[0].decays is decays


@pytest.mark.parametrize(
    ("name", "program", "section"),
    [("violin", 40, False), ("violins", 40, True), ("any", 48, True), ("any", 54, True), ("oboe", None, False)],
)
def test_sections_are_known_by_program_or_name(name: str, program: int | None, section: bool) -> None:
    assert kinds_of(dataset(name, program, 0.0))[0].section is section


def test_the_slope_of_what_falls_evenly_is_that() -> None:
    t = np.arange(RATE) / RATE
    falling = (np.sin(2 * np.pi * 440 * t) * 10 ** (-12 * t / 20)).astype(np.float32)
    assert slope_db_per_s(falling, RATE) == pytest.approx(-12, abs=0.1)
    assert slope_db_per_s(falling[:3000], RATE) == 0
