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


def test_batches_tell_their_bodies_headers_pages_and_errors(document: dict[str, Any]) -> None:
    paths = document["paths"]
    route = paths["/v1/batches"]["post"]
    assert set(route["requestBody"]["content"]) == {"application/json", "multipart/form-data"}
    assert route["requestBody"]["content"]["application/json"]["schema"]["$ref"].endswith("/BatchRequest")
    assert [p["name"] for p in route["parameters"]] == ["Idempotency-Key"]
    assert route["responses"]["202"]["content"]["application/json"]["schema"]["$ref"].endswith("/BatchStatus")
    assert {"400", "401", "404", "413", "415", "422", "429", "503", "507"} <= set(route["responses"])
    page = paths["/v1/batches/{batch}/items"]["get"]
    assert {p["name"] for p in page["parameters"]} == {"batch", "first", "limit"}
    audio = paths["/v1/batches/{batch}/items/{item}/audio"]["get"]["responses"]
    assert {"audio/wav", "audio/flac", "audio/mpeg"} <= set(audio["200"]["content"])
    assert set(paths["/v1/batches/{batch}/audio.zip"]["get"]["responses"]["200"]["content"]) == {"application/zip"}


def test_every_error_has_the_one_shape_that_errors_have(document: dict[str, Any]) -> None:
    for path, methods in document["paths"].items():
        for method, route in methods.items():
            for status, response in route["responses"].items():
                if status >= "400" and path not in ("/readyz",):
                    schema = response["content"]["application/json"]["schema"]
                    assert schema == {"$ref": "#/components/schemas/HttpError"}, (path, method, status)


def test_every_route_that_wants_a_key_says_so_and_has_its_place(document: dict[str, Any]) -> None:
    assert document["components"]["securitySchemes"]["key"]["scheme"] == "bearer"
    for path, methods in document["paths"].items():
        for route in methods.values():
            assert len(route["tags"]) == 1, path
            assert route.get("security", []) == ([] if path in ("/healthz", "/readyz") else [{"key": []}]), path


def test_every_route_is_called_by_what_it_does(document: dict[str, Any]) -> None:
    summaries = [route["summary"] for methods in document["paths"].values() for route in methods.values()]
    assert all(" " in summary for summary in summaries), summaries
    assert len(set(summaries)) == len(summaries)


def test_the_examples_of_bodies_are_taken(server: Serving, document: dict[str, Any]) -> None:
    for path, status in (("/v1/audio/synthesize", 200), ("/v1/batches", 202)):
        content = document["paths"][path]["post"]["requestBody"]["content"]
        answer = httpx.post(server.url + path, json=content["application/json"]["example"])
        assert answer.status_code == status, answer.text
