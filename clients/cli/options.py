"""Options that several commands take, and how a number is held to its range."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeAlias

import typer

Engine: TypeAlias = Literal["auto", "native", "speculative", "torch", "fused", "naive"]
Device: TypeAlias = Literal["auto", "cpu", "cuda"]
Precision: TypeAlias = Literal["auto", "float32", "int8"]
Encoding: TypeAlias = Literal["pcm_s16le", "pcm_f32le"]
SampleFormat: TypeAlias = Literal["s16", "s24", "f32"]


def within(low: float, high: float) -> Callable[[Any], Any]:
    """A callback that refuses numbers outside low..high, by their value; NaN is outside."""

    def check(value: Any) -> Any:  # noqa: ANN401 (a number, a list of them, or None)
        for number in value if isinstance(value, list) else [value]:
            if number is not None and not low <= number <= high:
                raise typer.BadParameter(f"{number} is outside {low:.16g}..{high:.16g}")
        return value

    return check


SEED: Final = typer.Option("--seed", callback=within(0, 2**64 - 1), help="Same seed, same sound.")

Song = Annotated[Path | None, typer.Argument(exists=True, dir_okay=False, help="A MIDI file.")]
Notes = Annotated[
    list[float] | None,
    typer.Option("--note", callback=within(0, 127), help="A MIDI note, fractions allowed; several: a chord."),
]
Seconds = Annotated[float, typer.Option(callback=within(0.001, 3600), help="How long the notes are held.")]
Velocity = Annotated[float, typer.Option(callback=within(0, 1), help="Of the notes.")]
InstrumentName = Annotated[str | None, typer.Option("--instrument", help="Of the notes, by name.")]
Voices = Annotated[int, typer.Option(callback=within(1, 64), help="At most so many at once; further ones are stolen.")]
Temperature = Annotated[float | None, typer.Option(callback=within(0, 2), help="Default: the model's own.")]

ServerOption = Annotated[str, typer.Option("--server", envvar="OSTINATO_URL", help="Its address.")]
ApiKey = Annotated[str | None, typer.Option("--api-key", envvar="OSTINATO_API_KEY", help="Where the server wants one.")]
Output = Annotated[str, typer.Option("--output", "-o", help=".wav, .flac, .ogg, .raw, or - for raw samples to stdout.")]
PcmEncoding = Annotated[Encoding, typer.Option("--encoding", help="Of raw samples; how deep a file is.")]
Json = Annotated[bool, typer.Option("--json", help="For programs.")]

LocalModel = Annotated[str, typer.Option("--model", "-m", help="A name (see `ostinato models`) or a folder.")]
EngineOption = Annotated[Engine, typer.Option("--engine", envvar="OSTINATO_ENGINE", help="auto: the fastest there is.")]
PrecisionOption = Annotated[
    Precision,
    typer.Option("--precision", envvar="OSTINATO_PRECISION", help="auto: the fastest that keeps the model's quality."),
]
DeviceOption = Annotated[Device, typer.Option("--device", envvar="OSTINATO_DEVICE")]
