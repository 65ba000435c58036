"""`/` and `/web/…`: the browser instrument, as plain files that the application was given.

The server knows nothing of what is in them, only that they ask for nothing from elsewhere, and holds them to it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fastapi import APIRouter, HTTPException, Request, Response

INDEX: Final = "index.html"
MEDIA_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
CONTENT_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",  # the worklet's, too
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS: Final = {
    "Content-Security-Policy": CONTENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "midi=(self), camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-cache",  # kept, and asked about: a new version shows at once
}


@dataclass(frozen=True)
class Asset:
    """A file as it is sent."""

    body: bytes
    media_type: str
    tag: str

    def answer(self, request: Request) -> Response:
        """The file, or that it has not changed."""
        headers = {**HEADERS, "ETag": self.tag}
        if self.tag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(self.body, headers=headers, media_type=self.media_type)


def page_routes(folder: Path) -> APIRouter:
    """Routes for a folder, whose files are read once, so that no request names a path. Raises OSError."""
    assets = dict(_read(folder))
    router = APIRouter(include_in_schema=False)

    @router.api_route("/", methods=["GET", "HEAD"])
    async def index(request: Request) -> Response:
        return assets[INDEX].answer(request)

    @router.api_route("/web/{name}", methods=["GET", "HEAD"])
    async def asset(name: str, request: Request) -> Response:
        if name not in assets or name == INDEX:  # whose addresses hold at / alone
            raise HTTPException(404, "there is no such file")
        return assets[name].answer(request)

    return router


def _read(folder: Path) -> Iterator[tuple[str, Asset]]:
    names = sorted(path.name for path in folder.iterdir() if path.suffix in MEDIA_TYPES)
    for name in {INDEX, *names}:
        body = (folder / name).read_bytes()
        tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        yield name, Asset(body, MEDIA_TYPES[Path(name).suffix], tag)
