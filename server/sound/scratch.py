"""Room on the disk for sounds that are files before they are sent: promised before one is begun, or refused."""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import BinaryIO, cast

from ostinato.server.aside import aside
from ostinato.server.protocol import ProtocolError

log = logging.getLogger(__name__)


class Scratch:
    """Belongs to the event loop.

    Args:
        folder: where the files are, which have no names there; made where it is missing.
        least_free_bytes: of its disk, that no file may take.
    """

    def __init__(self, folder: Path, least_free_bytes: int) -> None:
        self._folder, self._least_free_bytes = folder, least_free_bytes
        self._promised = 0

    @asynccontextmanager
    async def room(self, most_bytes: int) -> AsyncIterator[None]:
        """Room for a file of at most so many bytes. Raises ProtocolError where there is none."""
        self._promised += most_bytes
        try:
            try:
                free = await aside(lambda: shutil.disk_usage(self._made()).free)
            except (OSError, RuntimeError) as error:  # the latter where nobody is at home
                log.error("data: %r can't be used: %s", str(self._folder), error)
                raise _no_room("there is no folder for it; the log tells why") from error
            if free - self._promised < self._least_free_bytes:
                raise _no_room(
                    f"which may take {most_bytes} bytes; of {free} that are free, {self._promised - most_bytes} are for"
                    f" others, and {self._least_free_bytes} stay free"
                )
            yield
        finally:
            self._promised -= most_bytes

    def file(self) -> BinaryIO:
        """A file that is gone once it is closed. Blocking. Raises OSError."""
        return cast(BinaryIO, tempfile.TemporaryFile(dir=self._made()))

    def _made(self) -> Path:
        folder = self._folder.expanduser()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder


def _no_room(why: str) -> ProtocolError:
    message = f"format: what is no plain wav or pcm is a file on the server's disk first, {why}"
    return ProtocolError("no_space", message, param="format", kind="capacity")
