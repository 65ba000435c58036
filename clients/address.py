"""Where a server is: one base address, and the addresses of its parts."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

STREAM_PATH = "/v1/audio/stream"
SECURE = {"ws": "ws", "wss": "wss", "http": "ws", "https": "wss"}


def stream_address(url: str) -> str:
    """The WebSocket address of a server given by its base address or by the stream's own, ws(s) or http(s).

    Raises:
        ValueError: naming what is wrong with it.
    """
    parts = urlsplit(url)
    if parts.scheme not in SECURE:
        raise ValueError(f"{url!r} does not begin with ws://, wss://, http:// or https://")
    if not parts.hostname:
        raise ValueError(f"{url!r} names no host")
    path = parts.path.rstrip("/")
    path = path if path.endswith(STREAM_PATH) else path + STREAM_PATH
    return urlunsplit((SECURE[parts.scheme], parts.netloc, path, parts.query, ""))


def http_address(url: str, path: str) -> str:
    """The HTTP address of a path of the same server."""
    parts = urlsplit(stream_address(url))
    base = parts.path.removesuffix(STREAM_PATH)
    return urlunsplit(("https" if parts.scheme == "wss" else "http", parts.netloc, base + path, "", ""))
