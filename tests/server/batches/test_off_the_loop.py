"""The disk is waited for off the event loop: whoever plays is served from it."""

from __future__ import annotations

import os
import threading

import pytest

from ostinato.server.sound.writing import SoundWriter
from tests.server.batches.posting import FORMATS, done, item, posted
from tests.server.serving import serving


def test_the_thread_of_the_loop_never_waits_for_the_disk_nor_encodes(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: dict[str, set[str]] = {"sync": set(), "close": set()}
    fsync = os.fsync

    def watched(handle: int) -> None:
        threads["sync"].add(threading.current_thread().name)
        fsync(handle)

    def closed(self: SoundWriter) -> None:
        threads["close"].add(threading.current_thread().name)
        close(self)

    close = SoundWriter.close
    monkeypatch.setattr(os, "fsync", watched)
    monkeypatch.setattr(SoundWriter, "close", closed)
    with serving() as server:
        told = done(server, posted(server, [item(n, format=f) for n, f in enumerate(FORMATS)]))
        assert told["counts"]["done"] == len(FORMATS)
    for names in threads.values():
        assert names
        assert all(name.startswith("asyncio_") for name in names), threads  # the loop's own pool
