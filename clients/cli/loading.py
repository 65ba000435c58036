"""`ostinato load`: many listeners at once, and what they had of a server."""

from __future__ import annotations

import asyncio
import json as json_format
from typing import TYPE_CHECKING, Annotated

import typer

from ostinato.clients.cli.faults import ExitCode, Fault, bad_input
from ostinato.clients.cli.options import Json, within

if TYPE_CHECKING:
    from ostinato.clients.cli.status import Status
    from ostinato.clients.load_plan import LoadPlan
    from ostinato.clients.load_report import LoadReport

MOST_STREAMS = 1000  # ramp.MOST, which is not imported for --help


def load(
    url: Annotated[str, typer.Argument(envvar="OSTINATO_URL", help="The server's address.")] = "ws://127.0.0.1:8000",
    streams: Annotated[
        int | None,
        typer.Option(callback=within(1, MOST_STREAMS), help="At once; with --ramp, to begin with. Default: 10, or 1."),
    ] = None,
    seconds: Annotated[float, typer.Option(callback=within(0.1, 3000), help="That all play together.")] = 10.0,
    model: Annotated[str, typer.Option("--model", "-m", help="A name that the server knows.")] = "default",
    voices: Annotated[int, typer.Option(callback=within(1, 64), help="Of each stream, all sounding.")] = 1,
    lead_ms: Annotated[float, typer.Option(callback=within(20, 10_000), help="Of each stream.")] = 200.0,
    frame_ms: Annotated[float, typer.Option(callback=within(2, 1000), help="Of audio in a frame.")] = 20.0,
    control_every: Annotated[
        float, typer.Option(callback=within(0.01, 3600), help="Seconds between two control.update of a stream.")
    ] = 1.0,
    wait: Annotated[
        bool, typer.Option("--wait", help="For a place in the queue; else a queued stream leaves.")
    ] = False,
    ramp: Annotated[bool, typer.Option("--ramp", help="Find the most streams without a gap.")] = False,
    api_key: Annotated[str | None, typer.Option(envvar="OSTINATO_API_KEY", help="Where the server wants one.")] = None,
    json: Json = False,
    check: Annotated[
        bool, typer.Option("--check", help="Fail, with exit code 5, where a stream ran dry or broke off.")
    ] = False,
) -> None:
    """Let many streams play, each with notes, controls and a virtual sound card, and tell how they fared.

    With --ramp, find the most that play without a gap: each step lasts the seconds given, with twice as many streams
    until that is too many, then the middle.
    """
    from ostinato.clients.load_plan import LoadPlan

    if ramp and check:
        raise Fault("--check: a ramp goes on until a stream runs dry or is refused; check a load")
    with bad_input(ValueError):
        plan = LoadPlan(
            url=url,
            streams=streams or (1 if ramp else 10),
            seconds=seconds,
            model=model,
            voices=voices,
            lead_ms=lead_ms,
            frame_ms=frame_ms,
            control_every_s=control_every,
            wait=wait,
            api_key=api_key,
        )
    if ramp:
        _climb(plan, json=json)
    else:
        _play(plan, json=json, check=check)


def _play(plan: LoadPlan, *, json: bool, check: bool) -> None:
    from ostinato.clients.cli.status import Status
    from ostinato.clients.load import Load
    from ostinato.clients.load_report import line, table

    run, status = Load(plan), Status()
    try:
        asyncio.run(run.play(lambda report: status.show(line(report))))
    finally:  # interrupted, too
        report = run.report()
        print(json_format.dumps(report.as_dict()) if json else table(report))
        _warn(report, status)
    _refuse_nobody(report)
    if check and not report.gapless:
        raise Fault(f"--check: {line(report)}", ExitCode.MISSED)


def _climb(plan: LoadPlan, *, json: bool) -> None:
    from ostinato.clients.cli.status import Status
    from ostinato.clients.load_report import line
    from ostinato.clients.ramp import Ramp, climb

    ramp, status = Ramp(plan.streams), Status()

    def stepped(report: LoadReport) -> None:
        status.say(line(report))
        _warn(report, status)

    try:
        asyncio.run(climb(plan, ramp, stepped, lambda report: status.show(line(report))))
    finally:
        if json:
            print(json_format.dumps(ramp.as_dict()))
        else:
            print(f"most {ramp.most} streams without a gap for {plan.seconds:g} s at a lead of {plan.lead_ms:g} ms")
            print(f"limit {ramp.limit or '-'}")
    _refuse_nobody(ramp.steps[-1])


def _warn(report: LoadReport, status: Status) -> None:
    for warning in report.warnings:
        status.say(f"ostinato: {warning}")


def _refuse_nobody(report: LoadReport) -> None:
    """Fail where nobody joined, by what kept them out."""
    if report.joined:
        return
    why = next(iter(report.reasons), "no stream began")
    raise Fault(why, ExitCode.UNREACHABLE if report.unreachable else ExitCode.REFUSED)
