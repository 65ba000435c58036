"""`ostinato bench`: what a sample costs on this machine."""

from __future__ import annotations

import json as json_format
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ostinato.clients.cli.faults import ExitCode, Fault, bad_input, needs
from ostinato.clients.cli.options import Json, within

if TYPE_CHECKING:
    from ostinato.models.benching.interference import Watch
    from ostinato.models.benching.limits import Limits
    from ostinato.models.benching.report import Report
    from ostinato.models.benching.rows import Plan, Row


def bench(
    model: Annotated[
        list[str] | None, typer.Option("--model", "-m", help="May be repeated. Default: default, tiny, r16, r32, r64.")
    ] = None,
    engine: Annotated[
        Literal["naive", "torch", "native", "fused"] | None, typer.Option(help="Default: all of the device.")
    ] = None,
    precision: Annotated[
        Literal["float32", "int8"] | None, typer.Option(help="Of the native engine. Default: both.")
    ] = None,
    streams: Annotated[
        list[int] | None, typer.Option(callback=within(1, 1024), help="At once; may be repeated. Default: 1, 8, 16.")
    ] = None,
    threads: Annotated[int, typer.Option(callback=within(1, 256), help="Of each sampler.")] = 1,
    seconds: Annotated[float, typer.Option(callback=within(0.001, 3600), help="For each row, about.")] = 1.0,
    device: Annotated[Literal["cpu", "cuda"], typer.Option(help="What the samplers run on.")] = "cpu",
    json: Json = False,
    check: Annotated[bool, typer.Option("--check", help="Fail, with exit code 5, where a bar is missed.")] = False,
    table: Annotated[
        Path | None, typer.Option(help="Also write a table between the markers <!-- bench --> of this file.")
    ] = None,
    streams_picture: Annotated[
        Path | None, typer.Option(help="Also measure and draw RTF against streams, into this .png or .svg.")
    ] = None,
    picture: Annotated[
        Path | None, typer.Option(help="Also measure and draw time against length, into this .png or .svg.")
    ] = None,
) -> None:
    """Measure the time of one sample, for every sampler and model, and how near it is to the machine's limits."""
    from ostinato.models.benching.interference import Watch
    from ostinato.models.benching.markers import MarkerError, check_markers, write_between_markers
    from ostinato.models.benching.report import report_of
    from ostinato.models.benching.rows import Plan
    from ostinato.models.benching.table import markdown
    from ostinato.models.checkpoint import CheckpointError
    from ostinato.models.config import ConfigError
    from ostinato.models.registry import UnknownModelError, load_name_or_folder
    from ostinato.models.sampling.contract import SamplerError

    plan = Plan(
        models=tuple(model) if model else Plan.models,
        engines=(engine,) if engine else None,
        precisions=(precision,) if precision else Plan.precisions,
        streams=tuple(streams) if streams else Plan.streams,
        threads=threads,
        device=device,
        seconds=seconds,
    )
    faults = UnknownModelError, ConfigError, CheckpointError, SamplerError, MarkerError
    with needs("torch", "matplotlib"), bad_input(*faults):
        for name in plan.models:  # what is wrong with the input is told before minutes of measuring
            load_name_or_folder(name)
        if picture or streams_picture:
            import_module("matplotlib")
        if table and "native" not in plan.measured_engines:
            raise Fault("--table: it shows the native engine, which would not be measured")
        if table:
            check_markers(table)
        watch = Watch()
        watch.wait_and_look()
        _warn_if_busy(watch)
        limits = _limits_of(plan)
        rows = _measured(plan, limits, watch, quiet=json)
        if streams_picture:
            _draw_streams(streams_picture, tuple(model) if model else ("default", "r64"), watch, seconds)
        if picture:
            from ostinato.models.benching.bottleneck import draw

            draw(plan.models[0], picture)
        report = report_of(rows, limits, watch)
        if table:
            write_between_markers(table, markdown(report))
    _tell(report, json=json)
    _warn_if_busy(watch)
    if check:
        _check(report)


def _limits_of(plan: Plan) -> Limits | None:
    """Of the instruction set that the native kernel will take; None where the plan is without it."""
    if "native" not in plan.measured_engines:
        return None
    from ostinato.models.benching.limits import measured_limits

    return measured_limits()


def _measured(plan: Plan, limits: Limits | None, watch: Watch, *, quiet: bool) -> list[Row]:
    """All rows, each shown as it comes unless only programs listen."""
    from ostinato.models.benching.rows import measure
    from ostinato.models.benching.table import headings, line

    if not quiet:
        print(headings())
    rows = []
    for row in measure(plan, limits, watch):
        rows.append(row)
        if not quiet:
            print(line(row), flush=True)
    return rows


def _draw_streams(path: Path, models: tuple[str, ...], watch: Watch, seconds: float) -> None:
    from ostinato.models.benching.machine import this_machine
    from ostinato.models.benching.streams import draw, measure_streams

    rows = measure_streams(models, watch, seconds)
    draw(rows, this_machine(), path, busy=watch.busy)


def _tell(report: Report, *, json: bool) -> None:
    from ostinato.models.benching.table import limits_line, verdict_line

    if json:
        print(json_format.dumps(report.as_dict(), indent=1))
        return
    print()
    for line in (limits_line(report), *map(verdict_line, report.bars)):
        print(line)


def _warn_if_busy(watch: Watch) -> None:
    if watch.busy:
        print(f"ostinato: the machine is busy: others took {watch.share:.0%} of its CPU time", file=sys.stderr)


def _check(report: Report) -> None:
    from ostinato.models.benching.table import verdict_line

    if not report.bars:
        models = ", ".join(dict.fromkeys(row.model for row in report.rows))
        raise Fault(f"--check: there is no bar for {models}")
    missed = [verdict_line(verdict) for verdict in report.bars if not verdict.met]
    if missed:
        raise Fault(f"--check: {'; '.join(missed)}", ExitCode.MISSED)
