"""Bodies are read item by item, and are what they would be if they were read whole."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.server.batches.body import read_json
from ostinato.server.protocol import BatchRequest, ProtocolError

notes = st.builds(
    lambda note, velocity: {"note": note, "duration_s": 0.1, "velocity": velocity}, st.floats(0, 127), st.floats(0, 1)
)
options = st.fixed_dictionaries(
    {},
    optional={
        "seed": st.integers(0, 2**64 - 1),
        "format": st.sampled_from(["wav", "flac", "mp3"]),
        "controls": st.dictionaries(st.sampled_from(["gain", "bend"]), st.floats(-1, 1)),
    },
)
items = st.builds(lambda own, played: {**own, "notes": played}, options, st.lists(notes, min_size=1, max_size=4))
layouts = st.sampled_from([{}, {"indent": 3}, {"separators": (",", ":")}])


@given(st.lists(items, min_size=1, max_size=5), options, layouts, st.booleans())
def test_a_body_is_what_it_is_read_whole(
    asked: list[dict[str, Any]], defaults: dict[str, Any], layout: dict[str, Any], first: bool
) -> None:
    members = {"defaults": defaults, "items": asked} if first else {"items": asked, "defaults": defaults}
    body = json.dumps(members, **layout)
    whole = BatchRequest.model_validate_json(body)
    read = read_json(body.encode(), 10)
    assert list(read.items()) == [item.with_defaults(whole.defaults) for item in whole.items]
    again = read_json(json.dumps(members, indent=1, sort_keys=True).encode(), 10)
    assert again.digest == read.digest
    assert read_json(json.dumps({**members, "items": [*asked, asked[0]]}).encode(), 10).digest != read.digest


NOTE = '{"notes": [{"note": 60, "duration_s": 1}]}'


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ("", "malformed_json", None),
        ("[]", "malformed_json", None),
        ("{", "malformed_json", None),
        ("{1: 2}", "malformed_json", None),
        ('{"items": [' + NOTE, "malformed_json", None),
        ('{"items": [' + NOTE + ",]}", "malformed_json", "items[1]"),
        ('{"items": [' + NOTE + "]} more", "malformed_json", None),
        ('{"items": [' + "[" * 100_000, "malformed_json", "items[0]"),
        ('{"items": ["' + "\\ud800" + '"]}', "malformed_json", "items[0]"),
        ('{"items": [' + NOTE + ', {"midi": "' + "\\x" + '"}]}', "malformed_json", "items[1]"),
        ('{"items": [' + NOTE + ', {"notes": [{"note": 1, "duration_s": 1, "instrument": "' + "\\ud800" + '"}]}]}',
         "malformed_json", "items[1]"),
        ('{"items": [{"seed": ' + "1" * 5000 + ', "midi": ""}]}', "malformed_json", "items[0]"),
        ('{"seed": ' + "1" * 5000 + "}", "malformed_json", None),
        ('{"items": [{"seed": 1, "seed": 2, "midi": ""}]}', "invalid_value", "items[0].seed"),
        ('{"items": [{"notes": [' + ",".join(['{"note": 1, "duration_s": 1}'] * 300) + ', {"note": 1}]}]}',
         "missing_field", "items[0].notes[300].duration_s"),
        ('{"items": [{"notes": [' + ",".join(["{}"] * 20_001) + "]}]}", "invalid_value", "items[0].notes"),
        ("{}", "missing_field", "items"),
        ('{"items": []}', "missing_field", "items"),
        ('{"items": 3}', "invalid_value", "items"),
        ('{"items": [' + NOTE + '], "items": [' + NOTE + "]}", "invalid_value", "items"),
        ('{"items": [' + NOTE + '], "colour": "red"}', "unknown_field", "colour"),
        ('{"items": [' + NOTE + '], "defaults": {"seed": -1}}', "invalid_value", "defaults.seed"),
        ('{"items": [' + NOTE + ', {"notes": [{"note": 1, "duration_s": 1}, {"note": 128, "duration_s": 1}]}]}',
         "invalid_value", "items[1].notes[1].note"),
        ('{"items": [{"notes": [{"note": NaN, "duration_s": 1}]}]}', "invalid_value", "items[0].notes[0].note"),
        ('{"items": [{"midi": "?"}]}', "invalid_value", "items[0].midi"),
        ('{"items": [{}]}', "invalid_value", "items[0]"),
        ('{"items": [' + ",".join([NOTE] * 4) + "]}", "over_limit", "items"),
    ],
)  # fmt: skip
def test_a_wrong_body_is_refused_by_item_and_field(body: str, code: str, param: str | None) -> None:
    with pytest.raises(ProtocolError) as refused:
        read_json(body.encode(), 3)
    assert (refused.value.detail.code, refused.value.detail.param) == (code, param)


def test_what_is_no_text_is_no_json() -> None:
    with pytest.raises(ProtocolError, match="not JSON"):
        read_json(b"\xff\xfe{", 3)
