"""What NADE's running activation gains: `python -m ostinato.models.benching.nade`.

Times the likelihood of a batch at n = 512 .. 8192 inputs, with every activation summed anew and with the running one,
and fits the slopes of log time over log n, 2 and 1 by the counts. What is timed is a whole pass over the n conditionals
of a binary NADE, sigmoids and outputs included, one call to torch for each step and place: over d units and a batch so
wide that a step's arithmetic outweighs the interpreter's share of it. It is CPU time, so that what else the machine
does counts little. The multiply-adds beside the times are counted as torch is asked for them.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor

from ostinato.models import nade
from ostinato.models.benching.operations import MultiplyAdds
from ostinato.models.conditionals import Bernoulli

INPUTS: Final = (512, 1024, 2048, 4096, 8192)
UNITS: Final = 32
BATCH: Final = 512
ROUNDS: Final = 3
SECONDS: Final = 2.0  # a way that is quicker is timed again until it has had so long in a round
Way = Callable[[nade.Nade, Tensor], Tensor]
WAYS: Final[dict[str, Way]] = {"direct": nade.direct, "running": nade.running}


@dataclass(frozen=True)
class Measured:
    """One way at one n."""

    way: str
    inputs: int
    seconds: float  # CPU time of a batch, the least of the rounds
    multiply_adds: int  # with W, of one sample of the batch, counted


@dataclass(frozen=True)
class Report:
    """All that was measured, and the slopes of log seconds over log n."""

    units: int
    batch: int
    rows: tuple[Measured, ...]
    slopes: dict[str, float]


@torch.no_grad()
def measure(
    inputs: Sequence[int] = INPUTS,
    units: int = UNITS,
    batch: int = BATCH,
    rounds: int = ROUNDS,
    seconds: float = SECONDS,
) -> Report:
    """Time both ways at each n, in turn, so that what slows a round slows both."""
    rows = []
    for n in inputs:
        torch.manual_seed(n)
        model = nade.Nade(n, units, Bernoulli().parameters)
        samples = (torch.rand(n, batch) < 0.5).float().t()  # so that what one step reads of the batch lies together
        took: dict[str, list[float]] = {way: [] for way in WAYS}
        for _ in range(rounds):
            for way, run in WAYS.items():
                took[way] += timed(run, model, samples, seconds)
        rows += [
            Measured(way, n, min(took[way]), counted(run, model, samples[0].contiguous())) for way, run in WAYS.items()
        ]
    slopes = {way: slope([r for r in rows if r.way == way]) for way in WAYS}
    return Report(units, batch, tuple(rows), slopes)


def timed(way: Way, model: nade.Nade, samples: Tensor, seconds: float) -> list[float]:
    """CPU seconds of each likelihood of a batch, at least one, and as many as fit into so long."""
    took: list[float] = []
    while not took or sum(took) + took[-1] < seconds:
        began = time.process_time()
        nade.log_prob(way(model, samples), Bernoulli(), samples)
        took.append(time.process_time() - began)
    return took


def counted(way: Way, model: nade.Nade, sample: Tensor) -> int:
    """Multiply-adds with W of one likelihood of one sample [n]."""
    with MultiplyAdds(model.weight) as operations:
        way(model, sample[None])
    return int(operations.count)


def slope(rows: Sequence[Measured]) -> float:
    """Of the line through log seconds over log n, by least squares."""
    return float(np.polyfit(np.log([r.inputs for r in rows]), np.log([r.seconds for r in rows]), 1)[0])


def main() -> None:
    """Measure and tell."""
    parser = argparse.ArgumentParser(description="Time NADE's likelihood, directly and by the running activation.")
    parser.add_argument("--inputs", type=int, nargs="+", default=list(INPUTS))
    parser.add_argument("--units", type=int, default=UNITS)
    parser.add_argument("--batch", type=int, default=BATCH)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    report = measure(asked.inputs, asked.units, asked.batch, asked.rounds)
    if asked.json:
        print(json.dumps(asdict(report)))
        return
    print(f"likelihoods of {report.batch} samples, {report.units} hidden units, {asked.threads} thread(s)")
    for row in report.rows:
        print(f"{row.way:8} n {row.inputs:5}  {row.seconds:9.3f} s  {row.multiply_adds:13,} multiply-adds a sample")
    for way, found in report.slopes.items():
        print(f"{way:8} slope {found:.3f}")


if __name__ == "__main__":
    main()
