"""`/openapi.json`, what `/docs` shows: everything that a route takes, and every shape that it answers in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.server.serving import Serving


@pytest.fixture(scope="session")
def document(server: Serving) -> dict[str, Any]:
    told: dict[str, Any] = httpx.get(f"{server.url}/openapi.json").json()
    return told


def references(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref":
                yield value
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    found = set(references(document))
    assert "#/components/schemas/SynthesizeNote" in found
    for reference in found:
        node = document
        for part in reference.removeprefix("#/").split("/"):
            node = node[part]


def test_synthesize_tells_its_query_bodies_and_errors(document: dict[str, Any]) -> None:
    route = document["paths"]["/v1/audio/synthesize"]["post"]
    names = [parameter["name"] for parameter in route["parameters"]]
    assert names == ["model", "seed", "format", "sample_format", "sample_rate", "controls"]
    assert set(route["requestBody"]["content"]) == {"application/json", "audio/midi"}
    assert {"audio/wav", "audio/flac", "audio/mpeg"} <= set(route["responses"]["200"]["content"])
    for status in ("400", "401", "404", "406", "413", "415", "429", "503"):
        schema = route["responses"][status]["content"]["application/json"]["schema"]
        assert schema == {"$ref": "#/components/schemas/HttpError"}
    assert "422" not in route["responses"]
