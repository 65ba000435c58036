"""`/docs`, `/openapi.json` and `/asyncapi.json`: what the server answers to, for people and for programs.

The page is Swagger UI from the installed `fastapi-offline`, so that a browser asks no other host for it.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from fastapi import APIRouter, HTTPException, Request, Response

from ostinato.server.assets import MEDIA_TYPES, Asset, content_policy
from ostinato.server.asyncapi import describe

OPENAPI: Final = "/openapi.json"
ASYNCAPI: Final = "/asyncapi.json"
# Swagger UI sets styles on elements that it makes, and its arrows are images in its stylesheet
POLICY: Final = content_policy(styles="'self' 'unsafe-inline'", images="'self' data:")
PAGE: Final = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Ostinato: the routes</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/docs/swagger-ui.css">
</head>
<body>
<main id="routes"></main>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
"""
START: Final = f"""\
SwaggerUIBundle({{ url: "{OPENAPI}", dom_id: "#routes", deepLinking: true, tryItOutEnabled: true }});
"""
BUNDLED: Final = ("swagger-ui-bundle.js", "swagger-ui.css")


def docs_routes() -> APIRouter:
    """The page, and the document of the socket. Raises OSError where Swagger UI is not installed."""
    page = Asset(PAGE.encode(), MEDIA_TYPES[".html"], {"Content-Security-Policy": POLICY})
    parts = {"start.js": Asset(START.encode(), MEDIA_TYPES[".js"])}
    folder = Path(str(files("fastapi_offline"))) / "static"
    parts |= {name: Asset.read(folder / name) for name in BUNDLED}
    router = APIRouter(include_in_schema=False)

    @router.api_route("/docs", methods=["GET", "HEAD"])
    async def docs(request: Request) -> Response:
        return page.answer(request)

    @router.api_route("/docs/{name}", methods=["GET", "HEAD"])
    async def part(name: str, request: Request) -> Response:
        if name not in parts:
            raise HTTPException(404, "there is no such file")
        return parts[name].answer(request)

    @router.get(ASYNCAPI)
    async def asyncapi() -> dict[str, Any]:
        return describe()

    return router
