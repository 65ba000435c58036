"""`ostinato bench`: what a sample costs on this machine."""

from __future__ import annotations

import json as json_format
from importlib import import_module
from pathlib import Path
from typing import Annotated, Literal

import typer

from ostinato.clients.cli.faults import bad_input, needs
from ostinato.clients.cli.options import Json


def bench(
    model: Annotated[
        list[str] | None, typer.Option("--model", "-m", help="May be repeated. Default: default, tiny, r32, r64.")
    ] = None,
    engine: Annotated[Literal["naive", "torch", "native"] | None, typer.Option(help="Default: all.")] = None,
    json: Json = False,
    picture: Annotated[
        Path | None, typer.Option(help="Also measure and draw time against length, into this .png or .svg.")
    ] = None,
) -> None:
    """Measure the time of one sample, for every sampler and model."""
    from ostinato.models import bench as measuring
    from ostinato.models.checkpoint import CheckpointError
    from ostinato.models.config import ConfigError
    from ostinato.models.registry import UnknownModelError
    from ostinato.models.sampling.contract import SamplerError

    chosen = model or ["default", "tiny", "r32", "r64"]
    if picture is not None:
        with needs("matplotlib"):
            import_module("matplotlib")  # before minutes of measuring
    faults = UnknownModelError, ConfigError, CheckpointError, SamplerError
    with needs("torch"), bad_input(*faults):
        rows = measuring.bench(chosen, (engine,) if engine else measuring.ENGINES)
        if json:
            print(json_format.dumps([row.as_dict() for row in rows], indent=1))
        else:
            print(_aligned(measuring.HEADINGS))
            for row in rows:
                print(_aligned(measuring.cells(row)), flush=True)
        if picture is not None:
            from ostinato.models.bench_picture import draw

            draw(chosen[0], picture)


def _aligned(cells: tuple[str, ...]) -> str:
    """A line of a table: names to the left, figures to the right."""
    names, figures = cells[:3], cells[3:]
    return "  ".join([*(f"{name:<9}" for name in names), *(f"{figure:>18}" for figure in figures)])
