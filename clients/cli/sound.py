"""`ostinato synth`: a whole sound, rendered here or, with --server, by a server."""

from __future__ import annotations

import json as json_format
import sys
from collections.abc import Iterable
from typing import Annotated

import typer

from ostinato.clients.cli.faults import Fault
from ostinato.clients.cli.options import (
    SEED,
    ApiKey,
    DeviceOption,
    EngineOption,
    InstrumentName,
    Json,
    LocalModel,
    Notes,
    PcmEncoding,
    PrecisionOption,
    SampleFormat,
    Seconds,
    Song,
    Temperature,
    Velocity,
    Voices,
    within,
)
from ostinato.clients.cli.scores import Piece

Output = Annotated[
    str,
    typer.Option(
        "--output",
        "-o",
        help=".wav, .flac, .ogg, .raw, with --server .opus and .mp3 too; or - for raw samples to stdout.",
    ),
]
SampleRate = Annotated[
    int | None,
    typer.Option(callback=within(8000, 96_000), help="Hz, with --server. Default: the model's, or the next there is."),
]
SampleFormatOption = Annotated[
    SampleFormat | None, typer.Option("--sample-format", help="With --server, of .wav, .flac and raw samples.")
]

THERE = ("sample_rate", "sample_format")  # which only a server can change
HERE = ("engine", "device", "precision", "voices", "encoding")  # which a server chooses by itself


def synth(
    context: typer.Context,
    output: Output,
    song: Song = None,
    note: Notes = None,
    seconds: Seconds = 1.0,
    velocity: Velocity = 0.8,
    instrument: InstrumentName = None,
    model: LocalModel = "default",
    engine: EngineOption = "auto",
    device: DeviceOption = "auto",
    precision: PrecisionOption = "auto",
    seed: Annotated[int, SEED] = 0,
    temperature: Temperature = None,
    voices: Voices = 16,
    encoding: PcmEncoding = "pcm_s16le",
    server: Annotated[str | None, typer.Option("--server", help="Have it rendered by this server.")] = None,
    api_key: ApiKey = None,
    sample_rate: SampleRate = None,
    sample_format: SampleFormatOption = None,
    json: Json = False,
) -> None:
    """Render a MIDI file or notes: without a server, or with --server by one, over HTTP."""
    from ostinato.clients.cli.output import STDOUT, check_output

    piece = Piece(song, note or (), seconds, velocity, instrument)
    piece.check()
    if server is None:
        from ostinato.clients.cli.rendering import Rendering

        check_output(output)
        _refuse(context, THERE, "without --server a sound has the model's rate, and --encoding")
        rendering = Rendering(model, engine, device, precision, voices, encoding, seed, temperature)
        figures = rendering.render(piece, output)
    else:
        from ostinato.clients.cli.synthesizing import FORMATS, Request

        check_output(output, tuple(FORMATS))
        _refuse(context, HERE, "with --server that is the server's to choose")
        named = model if _given(context, "model") else None
        request = Request(server, api_key, named, seed, temperature, sample_rate, sample_format)
        figures = request.synthesize(piece, output)
    if json:
        print(json_format.dumps(figures), file=sys.stderr if output == STDOUT else sys.stdout)


def _refuse(context: typer.Context, names: Iterable[str], why: str) -> None:
    """Raise a Fault where one of these options is given."""
    for name in names:
        if _given(context, name):
            raise Fault(f"--{name.replace('_', '-')}: {why}")


def _given(context: typer.Context, name: str) -> bool:
    """Whether an option stands on the command line."""
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"
