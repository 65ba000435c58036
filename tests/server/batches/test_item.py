"""An item with thousands of notes is read and written some at a time, and is what it would be at once."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.server.batches.item import SLICE, parse_item, written
from ostinato.server.batches.pauses import Pauses
from ostinato.server.protocol import NOTES, BatchItem, ProtocolError

sizes = st.one_of(st.integers(1, 5), st.sampled_from([SLICE - 1, SLICE, SLICE + 1, 2 * SLICE, 3 * SLICE + 7]))
options = st.fixed_dictionaries(
    {}, optional={"seed": st.integers(0, 2**64 - 1), "model": st.just("tiny"), "controls": st.just({"gain": -3.0})}
)


class Counted(Pauses):
    """Tells how often there was a pause."""

    def __init__(self) -> None:
        super().__init__()
        self.taken = 0

    def take(self) -> None:
        self.taken += 1


def notes(count: int) -> list[dict[str, Any]]:
    return [{"note": n % 128, "duration_s": 0.1 + n, "instrument": n % 3 or None} for n in range(count)]


@given(options, sizes, st.sampled_from([{}, {"indent": 2}, {"separators": (",", ":")}]))
def test_it_is_what_it_is_read_at_once(own: dict[str, Any], count: int, layout: dict[str, Any]) -> None:
    text = json.dumps({**own, "notes": notes(count)}, **layout)
    whole = BatchItem.model_validate_json(text)
    assert parse_item(text, "items[0]", Pauses()) == whole
    again = "".join(written(whole))
    assert BatchItem.model_validate_json(again) == whole
    assert parse_item(again, "items[0]", Pauses()) == whole


def test_a_midi_file_is_written_as_it_was() -> None:
    item = BatchItem(midi="TVRoZA==", seed=3)
    assert parse_item("".join(written(item)), "items[0]", Pauses()) == item


def test_there_are_pauses_between_slices_of_notes() -> None:
    pauses = Counted()
    item = parse_item(json.dumps({"notes": notes(10 * SLICE)}), "items[0]", pauses)
    assert pauses.taken >= 10
    assert max(piece.count("duration_s") for piece in written(item)) == SLICE


@pytest.mark.parametrize("at", [0, SLICE - 1, SLICE, 2 * SLICE + 1])
def test_a_wrong_note_is_named_wherever_it_is(at: int) -> None:
    wrong = notes(3 * SLICE)
    wrong[at]["note"] = 128
    with pytest.raises(ProtocolError) as refused:
        parse_item(json.dumps({"notes": wrong}), "items[4]", Pauses())
    assert refused.value.detail.param == f"items[4].notes[{at}].note"
    assert "(value: 128)" in refused.value.detail.message


def test_so_many_notes_may_be_and_no_more() -> None:
    text = json.dumps({"notes": [{"note": 60, "duration_s": 1}] * NOTES})
    read = parse_item(text, "items[0]", Pauses())
    assert read.notes is not None
    assert len(read.notes) == NOTES
    with pytest.raises(ProtocolError, match=f"more than the {NOTES}"):
        parse_item(text.replace("[", '[{"note": 60, "duration_s": 1},'), "items[0]", Pauses())
