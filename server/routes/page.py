"""`/` and `/web/…`: the browser instrument, as plain files that the application was given.

The server knows nothing of what is in them, only that they ask for nothing from elsewhere, and holds them to it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from fastapi import APIRouter, HTTPException, Request, Response

from ostinato.server.assets import MEDIA_TYPES, Asset, content_policy

INDEX: Final = "index.html"
HEADERS: Final = {
    "Content-Security-Policy": content_policy(),
    "Permissions-Policy": "midi=(self), camera=(), geolocation=(), microphone=()",
}


def page_routes(folder: Path) -> APIRouter:
    """Routes for a folder, whose files are read once, so that no request names a path. Raises OSError."""
    names = {path.name for path in folder.iterdir() if path.suffix in MEDIA_TYPES}
    assets = {name: Asset.read(folder / name, **HEADERS) for name in {INDEX, *names}}
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
