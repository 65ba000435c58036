"""Files that a browser asks for: read once, known by their hash, under a policy that keeps every other host out."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Final

from fastapi import Request, Response

MEDIA_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
}
HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",  # kept, and asked about: a new version shows at once
}


def content_policy(*, styles: str = "'self'", images: str = "'self'") -> str:
    """A Content-Security-Policy: scripts and requests of this server alone, and nothing that is not named."""
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",  # an AudioWorklet's too
            "connect-src 'self'",
            f"style-src {styles}",
            f"img-src {images}",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    )


@dataclass(frozen=True)
class Asset:
    """A file as it is sent."""

    body: bytes
    media_type: str
    headers: dict[str, str] = field(default_factory=dict)  # beside those of every asset

    @classmethod
    def read(cls, path: Path, **headers: str) -> Asset:
        """A file of a kind in MEDIA_TYPES. Raises OSError."""
        return cls(path.read_bytes(), MEDIA_TYPES[path.suffix], headers)

    @cached_property
    def tag(self) -> str:
        """What tells this body from others."""
        return f'"{hashlib.sha256(self.body).hexdigest()[:32]}"'

    def answer(self, request: Request) -> Response:
        """The file, or that it has not changed."""
        headers = {**HEADERS, **self.headers, "ETag": self.tag}
        if self.tag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(self.body, headers=headers, media_type=self.media_type)
