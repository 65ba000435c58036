"""Rendering without a server: `ostinato synth`."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from ostinato.clients.cli.faults import bad_input
from ostinato.clients.cli.options import Device, Encoding, Engine, Precision
from ostinato.clients.cli.output import open_output
from ostinato.clients.cli.scores import Piece, controls_of
from ostinato.clients.cli.status import Status
from ostinato.models.checkpoint import CheckpointError
from ostinato.models.config import ConfigError
from ostinato.models.registry import UnknownModelError, load_name_or_folder
from ostinato.models.sampling.choose import open_sampler
from ostinato.models.sampling.contract import SamplerError
from ostinato.server.cores import usable_cores
from ostinato.server.pcm import encode
from ostinato.server.protocol import ProtocolError
from ostinato.server.render import render


@dataclass(frozen=True, slots=True)
class Rendering:
    """By what a sound is drawn."""

    model: str
    engine: Engine
    device: Device
    precision: Precision
    voices: int
    encoding: Encoding
    seed: int
    temperature: float | None

    def render(self, piece: Piece, output: str) -> dict[str, Any]:
        """Draw a piece into a file or stdout: figures. Raises a Fault where that can't be."""
        with bad_input(UnknownModelError, ConfigError, CheckpointError, about="--model"):
            checkpoint = load_name_or_folder(self.model)
        score = piece.score(checkpoint.config, self.voices)
        engine = (self.engine, self.device, score.voices, self.precision, usable_cores())
        with bad_input(
            SamplerError, about=f"--engine {self.engine} --device {self.device} --precision {self.precision}"
        ):
            sampler, why = open_sampler(checkpoint, *engine)
        rate, status, done = checkpoint.config.network.sample_rate, Status(), 0
        began = time.perf_counter()
        with (
            bad_input(ProtocolError),
            open_output(output, sample_rate=rate, encoding=self.encoding) as write,
        ):
            for block in render(score, sampler, self.seed, controls_of(self.temperature)):
                write(encode(block, self.encoding))
                done += len(block)
                rtf = (time.perf_counter() - began) * rate / done
                seconds = f"{done / rate:7.2f} s of {score.samples / rate:.2f} s"
                status.show(f"{seconds}  RTF {rtf:.3f}", done / score.samples)
        spent, length, build = time.perf_counter() - began, score.samples / rate, sampler.build
        voices = "1 voice" if score.voices == 1 else f"{score.voices} voices"
        status.say(
            f"{length:.2f} s of sound in {spent:.2f} s: RTF {spent / length:.3f}, {voices}, "
            f"seed {self.seed}, {build.engine} on {build.isa} in {build.precision} ({why})"
        )
        return {
            "model": checkpoint.config.name,
            "seed": self.seed,
            "seconds": round(length, 3),
            "rtf": round(spent / length, 4),
            "voices": score.voices,
            "engine": build.engine,
            "isa": build.isa,
            "precision": build.precision,
            "warnings": list(score.warnings),
        }
