"""How a run reports itself: a bar on a terminal, plain lines where the output is piped."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field
from typing import Final, Never

from tqdm import tqdm

from ostinato.models.training.loop import Trainer

EVERY_S: Final = 20.0  # between plain lines
OVER: Final = 100  # steps that the reported loss is the mean of


@dataclass
class Reporter:
    """Reports a trainer's progress, as often as is useful."""

    bar: tqdm[Never] | None = field(init=False)
    _next: float = 0.0

    def __post_init__(self) -> None:
        """Take a bar where somebody is watching."""
        layout = "{desc} |{bar}| {percentage:3.0f}% {postfix}"
        self.bar = tqdm(total=1.0, desc="training", bar_format=layout) if sys.stderr.isatty() else None

    def update(self, trainer: Trainer) -> None:
        """Show where the run stands."""
        if self.bar is not None:
            self.bar.n = trainer.done
            self.bar.set_postfix_str(summary(trainer))
        elif time.monotonic() >= self._next:
            self._next = time.monotonic() + EVERY_S
            print(f"{trainer.done:6.1%}  step {trainer.progress.step}, {summary(trainer)}", flush=True)

    def close(self, trainer: Trainer) -> None:
        """Report the end."""
        self._next = 0.0
        self.update(trainer)
        if self.bar is not None:
            self.bar.close()


def summary(trainer: Trainer) -> str:
    """Speed, loss and time left."""
    progress = trainer.progress
    speed = progress.samples / progress.seconds if progress.seconds else 0.0
    recent = progress.losses[-OVER:]
    loss = sum(recent) / len(recent) if recent else float("nan")
    left = trainer.budget.left_s(progress.step, progress.seconds)
    clock = "?" if left != left else f"{int(left) // 60}:{int(left) % 60:02d}"
    return f"{speed:,.0f} samples/s, {loss:.3f} bits per sample, {clock} left"
