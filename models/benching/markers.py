"""The place of a generated text in a file that people write: between two markers."""

from __future__ import annotations

from pathlib import Path
from typing import Final

BENCH: Final = "bench"


class MarkerError(ValueError):
    """A file that has no place for the text; the message names it and the marker."""


def check_markers(path: Path, name: str = BENCH) -> None:
    """Refuse, before any work is done, a file that `write_between_markers` would refuse."""
    _between_markers(path, name, "")


def write_between_markers(path: Path, text: str, name: str = BENCH) -> None:
    """Put a text in place of what stands between the markers of a name in a file: <!-- name -->, <!-- /name -->.

    Raises:
        MarkerError: where the file can't be read, or does not have each marker once, in order.
    """
    path.write_text(_between_markers(path, name, text), encoding="utf-8")


def _between_markers(path: Path, name: str, text: str) -> str:
    """The file's content with the text in its place."""
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    try:
        whole = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise MarkerError(f"{path}: {error}") from error
    for marker in (begin, end):
        if whole.count(marker) != 1:
            raise MarkerError(f"{path}: {marker!r} stands there {whole.count(marker)} times, expected once")
    head, _, rest = whole.partition(begin)
    if end not in rest:
        raise MarkerError(f"{path}: {end!r} stands before {begin!r}")
    return f"{head}{begin}\n{text.strip()}\n{end}{rest.partition(end)[2]}"
