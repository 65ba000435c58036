"""What pydantic found wrong, as one sentence: which field, what was expected, what value there was."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pydantic_core import ErrorDetails

from ostinato.server.protocol.errors import ProtocolError

CODES: Final = {
    "json_invalid": "malformed_json",
    "union_tag_invalid": "unknown_type",
    "union_tag_not_found": "unknown_type",
    "missing": "missing_field",
    "extra_forbidden": "unknown_field",
}
UNION_MEMBERS: Final = frozenset({"float", "int", "str", "constrained-str"})  # pydantic names these in a location


def code_of(fault: ErrorDetails) -> str:
    """The code of the error that a fault is told by."""
    return CODES.get(fault["type"], "invalid_value")


def explain(
    fault: ErrorDetails, location: Sequence[int | str], whole: str, event_id: str | None = None
) -> ProtocolError:
    """The fault at a location within `whole`, the name of what was being read."""
    code, text = code_of(fault), fault["msg"].removeprefix("Value error, ")
    if code == "malformed_json":
        return ProtocolError(code, f"not JSON: {text.removeprefix('Invalid JSON: ')}")
    param = _path(location) or None
    value = "" if code == "missing_field" or not param else f" (value: {shown(fault['input'])})"
    return ProtocolError(code, f"{param or whole}: {text}{value}", param=param, event_id=event_id)


def _path(location: Sequence[int | str]) -> str:
    """A location as people write it: `notes[0].note`."""
    parts = (part for part in location if part not in UNION_MEMBERS)
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts).removeprefix(".")


def shown(value: object) -> str:
    """A value as a message quotes it, cut where it is long."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
