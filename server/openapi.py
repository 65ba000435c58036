"""What FastAPI can't see of routes that read their own bodies and queries, for the document at `/openapi.json`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from ostinato.server.protocol import HttpError
from ostinato.server.sound.formats import CONTAINERS

REFERENCE: Final = "#/components/schemas/{model}"
BINARY: Final[Mapping[str, Any]] = {"type": "string", "format": "binary"}
MEANINGS: Final[Mapping[int, str]] = {
    400: "Something in the request can't be; `param` names the field, `message` its value.",
    401: "An API key is needed.",
    403: "The key may not read the monitor.",
    404: "There is no such thing, or it is not the caller's.",
    406: "Nothing that `Accept` names can be had.",
    408: "The body did not come.",
    409: "It is not there yet, or no more.",
    413: "It is more than a request may ask for.",
    415: "The body is of a type that is not taken.",
    422: "The Idempotency-Key came before, with another request.",
    429: "Too many; `Retry-After` tells when to try again.",
    503: "There is no room, or the server is about to stop; `Retry-After` tells when to try again.",
    507: "The disk has no room for what is asked for.",
}
SOUND: Final[Mapping[str, Any]] = {
    "description": "The sound file.",
    "content": {container.media_type: {"schema": BINARY} for container in CONTAINERS.values()},
    "headers": {
        "Ostinato-Model": {"schema": {"type": "string"}},
        "Ostinato-Seed": {"schema": {"type": "integer"}},
        "Ostinato-Warnings": {"schema": {"type": "string"}, "description": "A JSON list of sentences."},
    },
}


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route that answers with these, each in the one shape of errors."""
    return {status: {"model": HttpError, "description": MEANINGS[status]} for status in statuses}


def reference(model: type[BaseModel]) -> dict[str, str]:
    """A model's place in the document."""
    return {"$ref": REFERENCE.format(model=model.__name__)}


def query(model: type[BaseModel]) -> list[dict[str, Any]]:
    """The parameters of a query that a model describes; a field that holds names of its own is spread out."""
    schema = model.model_json_schema(ref_template=REFERENCE)
    return [_parameter(name, field) for name, field in schema["properties"].items()]


def add_models(document: dict[str, Any], models: Iterable[type[BaseModel]]) -> None:
    """Put models that bodies refer to into a document, and all that they are made of."""
    _, found = models_json_schema([(model, "validation") for model in models], ref_template=REFERENCE)
    there = document.setdefault("components", {}).setdefault("schemas", {})
    for name, schema in found["$defs"].items():
        there.setdefault(name, schema)


def drop_invented(document: dict[str, Any]) -> None:
    """Take out the shape of errors that FastAPI supposes wherever there are parameters: nothing answers in it."""
    for methods in document["paths"].values():
        for route in methods.values():
            route["responses"] = {s: r for s, r in route["responses"].items() if "HTTPValidationError" not in str(r)}
    for name in ("HTTPValidationError", "ValidationError"):
        document["components"]["schemas"].pop(name, None)


def summarise(document: dict[str, Any]) -> None:
    """Let each route be called by the first sentence of what it is described by, not by its function's name."""
    for methods in document["paths"].values():
        for route in methods.values():
            route["summary"] = route.get("description", route["summary"]).partition("\n")[0].rstrip(".")


def _parameter(name: str, field: Mapping[str, Any]) -> dict[str, Any]:
    parameter = {"name": name, "in": "query", "required": False, "schema": dict(field)}
    if field.get("type") == "object":
        parameter |= {"style": "form", "explode": True, "description": "Every other name is a control.", "example": {}}
    return parameter
