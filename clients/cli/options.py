"""Options that several commands take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, TypeAlias

import typer

Engine: TypeAlias = Literal["auto", "native", "torch", "naive"]
Device: TypeAlias = Literal["auto", "cpu", "cuda"]
Encoding: TypeAlias = Literal["pcm_s16le", "pcm_f32le"]

Song = Annotated[Path | None, typer.Argument(exists=True, dir_okay=False, help="A MIDI file.")]
Notes = Annotated[
    list[float] | None, typer.Option("--note", min=0, max=127, help="A MIDI note, fractions allowed; several: a chord.")
]
Seconds = Annotated[float, typer.Option(min=0.001, max=3600, help="How long the notes are held.")]
Velocity = Annotated[float, typer.Option(min=0, max=1, help="Of the notes.")]
InstrumentName = Annotated[str | None, typer.Option("--instrument", help="Of the notes, by name.")]
Voices = Annotated[int, typer.Option(min=1, max=64, help="At most so many at once; further ones are stolen.")]
Temperature = Annotated[float | None, typer.Option(min=0, max=2, help="Default: the model's own.")]

Output = Annotated[str, typer.Option("--output", "-o", help=".wav, .flac, .ogg, .raw, or - for raw samples to stdout.")]
PcmEncoding = Annotated[Encoding, typer.Option("--encoding", help="Of raw samples; how deep a file is.")]
Json = Annotated[bool, typer.Option("--json", help="For programs.")]

LocalModel = Annotated[str, typer.Option("--model", "-m", help="A name (see `ostinato models`) or a folder.")]
EngineOption = Annotated[Engine, typer.Option("--engine", envvar="OSTINATO_ENGINE", help="auto: the fastest there is.")]
DeviceOption = Annotated[Device, typer.Option("--device", envvar="OSTINATO_DEVICE")]
