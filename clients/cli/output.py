"""Where the command's audio goes: a file of the kind its suffix names, or raw samples to stdout."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final, TypeAlias

import numpy as np
import soundfile  # type: ignore[import-untyped]

from ostinato.clients.cli.faults import Fault
from ostinato.server.protocol import Encoding

STDOUT: Final = "-"
RAW: Final = (".raw", ".pcm")
FORMATS: Final[dict[str, tuple[str, dict[Encoding, str]]]] = {
    ".wav": ("WAV", {"pcm_s16le": "PCM_16", "pcm_f32le": "FLOAT"}),
    ".flac": ("FLAC", {"pcm_s16le": "PCM_16", "pcm_f32le": "PCM_24"}),
    ".ogg": ("OGG", {"pcm_s16le": "VORBIS", "pcm_f32le": "VORBIS"}),
}
SUFFIXES: Final = (*FORMATS, *RAW)  # of what is written here
DTYPES: Final[dict[Encoding, str]] = {"pcm_s16le": "<i2", "pcm_f32le": "<f4"}

Write: TypeAlias = Callable[[bytes], object]
"""Takes the next samples, as PCM."""


def check_output(where: str, suffixes: Sequence[str] = SUFFIXES) -> None:
    """Refuse, before any work is done, what could not be written in the end.

    Args:
        where: a file, or `-`.
        suffixes: that a file may have, lower case.

    Raises:
        Fault: naming the place and what is wrong with it.
    """
    if where == STDOUT:
        if sys.stdout.isatty():
            raise Fault("--output: raw samples are not for a terminal; pipe them")
        return
    path = Path(where)
    if path.suffix.lower() not in suffixes:
        raise Fault(f"--output: {where!r} ends in none of {', '.join(suffixes)}")
    if not path.parent.is_dir():
        raise Fault(f"--output: {str(path.parent)!r} is no folder")
    if path.is_dir():
        raise Fault(f"--output: {where!r} is a folder")


@contextmanager
def open_output(where: str, *, sample_rate: int, encoding: Encoding) -> Iterator[Write]:
    """What takes PCM of one channel; a file was checked, and appears whole, under its name, or not at all.

    Raises:
        Fault: where it can't be written.
    """
    with open_bytes(where) as file:
        if where == STDOUT:
            yield _flushed(file)
        else:
            yield from _write_to(file, Path(where).suffix.lower(), sample_rate, encoding)


@contextmanager
def open_bytes(where: str) -> Iterator[BinaryIO]:
    """A file that was checked, or stdout, for bytes in their format. A file appears whole, or not at all.

    Raises:
        Fault: where it can't be written.
    """
    if where == STDOUT:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    path = Path(where)
    staged = path.with_name(f".{path.name}.part")
    try:
        with staged.open("wb+") as file:
            yield file
        staged.replace(path)
    except OSError as error:
        raise Fault(f"--output: {where!r}: {error.strerror or error}") from error
    finally:
        staged.unlink(missing_ok=True)


def _flushed(file: BinaryIO) -> Write:
    """Writes at once: whoever listens at the other end of a pipe listens live."""

    def write(pcm: bytes) -> None:
        file.write(pcm)
        file.flush()

    return write


def _write_to(file: BinaryIO, suffix: str, sample_rate: int, encoding: Encoding) -> Iterator[Write]:
    if suffix in RAW:
        yield file.write
        return
    format_, subtypes = FORMATS[suffix]
    options = {"format": format_, "subtype": subtypes[encoding], "samplerate": sample_rate, "channels": 1}
    with soundfile.SoundFile(file, "w", **options) as sound:
        yield lambda pcm: sound.write(np.frombuffer(pcm, dtype=DTYPES[encoding]))
