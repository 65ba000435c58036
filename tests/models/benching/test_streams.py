"""The picture shows what was measured."""

from dataclasses import replace
from pathlib import Path

import pytest

from ostinato.models.benching.interference import Watch
from ostinato.models.benching.machine import this_machine
from ostinato.models.benching.streams import STREAMS, draw, measure_streams
from tests.models.benching.rows import ROW


def test_every_number_of_streams_is_measured() -> None:
    rows = measure_streams(("tiny",), Watch(), seconds=0.001)
    assert {row.slots for row in rows} == set(STREAMS)


def test_the_picture_names_models_precisions_and_the_machine(tmp_path: Path) -> None:
    rows = [
        replace(ROW, model=model, precision=precision, slots=slots, rtf=slots / 10)
        for model in ("default", "r64")
        for precision in ("float32", "int8")
        for slots in STREAMS
    ]
    path = tmp_path / "streams.svg"
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(__import__("matplotlib").rcParams, "svg.fonttype", "none")
        draw(rows, this_machine(), path, busy=True)
    text = path.read_text(encoding="utf-8")
    for shown in ("default", "r64", "float32", "int8", "real time", "others used the machine", this_machine().cpu):
        assert shown in text
