"""Those who listen: the Python client and the `ostinato` command.

Names are imported when they are first asked for: the command starts without what it may not need.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from ostinato.clients.async_stream import AsyncStream
    from ostinato.clients.async_stream import connect as connect_async
    from ostinato.clients.connection import Timeouts
    from ostinato.clients.errors import (
        CorruptError,
        LostError,
        PlaybackError,
        RefusedError,
        SilentError,
        StreamError,
        UnreachableError,
    )
    from ostinato.clients.incoming import Block
    from ostinato.clients.playback import play
    from ostinato.clients.stream import Stream, connect
    from ostinato.clients.synthesis import Sound, synthesize, synthesize_async
    from ostinato.server.protocol import AudioFormat, SessionStart, SynthesizeNote, SynthesizeOptions

WHERE: Final = {
    "AsyncStream": "ostinato.clients.async_stream",
    "AudioFormat": "ostinato.server.protocol",
    "Block": "ostinato.clients.incoming",
    "CorruptError": "ostinato.clients.errors",
    "LostError": "ostinato.clients.errors",
    "PlaybackError": "ostinato.clients.errors",
    "RefusedError": "ostinato.clients.errors",
    "SessionStart": "ostinato.server.protocol",
    "SilentError": "ostinato.clients.errors",
    "Sound": "ostinato.clients.synthesis",
    "Stream": "ostinato.clients.stream",
    "StreamError": "ostinato.clients.errors",
    "SynthesizeNote": "ostinato.server.protocol",
    "SynthesizeOptions": "ostinato.server.protocol",
    "Timeouts": "ostinato.clients.connection",
    "UnreachableError": "ostinato.clients.errors",
    "connect": "ostinato.clients.stream",
    "connect_async": "ostinato.clients.async_stream:connect",
    "play": "ostinato.clients.playback",
    "synthesize": "ostinato.clients.synthesis",
    "synthesize_async": "ostinato.clients.synthesis",
}

__all__ = [
    "AsyncStream",
    "AudioFormat",
    "Block",
    "CorruptError",
    "LostError",
    "PlaybackError",
    "RefusedError",
    "SessionStart",
    "SilentError",
    "Sound",
    "Stream",
    "StreamError",
    "SynthesizeNote",
    "SynthesizeOptions",
    "Timeouts",
    "UnreachableError",
    "connect",
    "connect_async",
    "play",
    "synthesize",
    "synthesize_async",
]


def __getattr__(name: str) -> object:
    if name not in WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, _, there = WHERE[name].partition(":")
    value: object = getattr(import_module(module), there or name)
    globals()[name] = value
    return value
