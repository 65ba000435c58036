"""All sounds of a batch as one zip, made as it is sent: they are compressed or noise, so they are stored."""

from __future__ import annotations

import io
import time
import zipfile
from collections.abc import Generator, Iterable
from pathlib import Path
from typing import Final

CHUNK_BYTES: Final = 256 * 1024
LONG_BYTES: Final = 2**31 - 2**20  # from which on an entry is written as zip64


def zipped(paths: Iterable[Path], name: str, text: Iterable[str], made_at: float) -> Generator[bytes, None, None]:
    """The archive, piece by piece: a text, then files by their names. Blocking.

    Args:
        paths: of the files.
        name: of the text.
        text: what is told beside them, piece by piece.
        made_at: seconds since 1970, the time that every entry bears.

    Raises:
        OSError: where a file can't be read.
    """
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as archive:
        with archive.open(_entry(name, made_at), "w") as entry:
            for piece in text:
                entry.write(piece.encode())
                yield sink.taken()
        for path in paths:
            large = path.stat().st_size > LONG_BYTES
            with path.open("rb") as file, archive.open(_entry(path.name, made_at), "w", force_zip64=large) as entry:
                while chunk := file.read(CHUNK_BYTES):
                    entry.write(chunk)
                    yield sink.taken()
    yield sink.taken()


class _Sink(io.RawIOBase):
    """A stream that can't go back, so that nothing is written twice; holds what was not taken yet."""

    def __init__(self) -> None:
        self._waiting = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        piece = bytes(data)  # type: ignore[call-overload]
        self._waiting += piece
        return len(piece)

    def taken(self) -> bytes:
        piece = bytes(self._waiting)
        self._waiting.clear()
        return piece


def _entry(name: str, made_at: float) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, time.gmtime(made_at)[:6])
    info.external_attr = 0o644 << 16
    return info
