"""The files of batches: written whole or not at all, found by batch and item, removed with their batch. Blocking."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

PART: Final = ".part"  # the suffix of what is not whole yet


class Results:
    """A folder with one of each batch in it.

    Args:
        folder: made where it is missing.

    Raises:
        OSError: where it can't be, here and everywhere.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder

    @property
    def free_bytes(self) -> int:
        """What the disk has left."""
        return shutil.disk_usage(self._folder).free

    def path(self, batch: str, item: int, suffix: str) -> Path:
        """Where the file of an item is, once it is whole."""
        return self._folder / batch / f"{item:05d}.{suffix}"

    @contextmanager
    def writing(self, path: Path) -> Iterator[BinaryIO]:
        """A file that is there once this is left, on the disk too; not where something goes wrong."""
        part = path.with_name(path.name + PART)
        if not path.parent.exists():
            path.parent.mkdir(exist_ok=True)
            _sync(self._folder)
        try:
            with part.open("w+b") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
            _sync(path.parent)
        finally:
            part.unlink(missing_ok=True)

    def files(self, batch: str) -> dict[int, Path]:
        """The files of a batch that are whole, by item."""
        folder = self._folder / batch
        paths = folder.iterdir() if folder.exists() else ()
        return {int(path.name.partition(".")[0]): path for path in paths if path.suffix != PART}

    def remove(self, batch: str) -> None:
        """Remove the files of a batch."""
        shutil.rmtree(self._folder / batch, ignore_errors=True)

    def sweep(self, batches: Collection[str]) -> None:
        """Remove what belongs to none of these, and what a crash left half written."""
        for folder in self._folder.iterdir():
            if folder.name not in batches:
                shutil.rmtree(folder, ignore_errors=True)
        for part in self._folder.glob(f"*/*{PART}"):
            part.unlink(missing_ok=True)


def _sync(folder: Path) -> None:
    """Put a folder's entries on the disk, too."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
