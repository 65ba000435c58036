"""The training loop: likelihood of crops, teacher-forced through a little noise.

Noise on the past samples, with a clean target, makes the sampling loop contract: what the model draws slightly wrong
it learns to forget rather than to amplify. Each step's randomness is a function of (seed, step), so that a run that
was interrupted goes on to the same numbers; a budget in minutes follows the clock and is exact only up to that.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from ostinato.models.checkpoint import Checkpoint
from ostinato.models.config import ModelConfig, WaveNetConfig, parse_config
from ostinato.models.excitation import emphasise
from ostinato.models.training.budget import LONGEST_STEP_S, Budget, learning_rate
from ostinato.models.training.crops import CropPlan, Crops, draw_crops
from ostinato.models.training.dataset import Recording
from ostinato.models.training.initial import initialise
from ostinato.models.wavenet import WaveNet

MOST_SKIPPED: Final = 20


class TrainingError(RuntimeError):
    """Training can't go on; the message says at which step and why."""


@dataclass(frozen=True)
class Settings:
    """Everything that decides the result besides the data and the budget."""

    seed: int = 0
    crops: CropPlan = field(default_factory=CropPlan)
    learning_rate: float = 1e-3
    warm_up: int = 100  # steps
    weight_decay: float = 1e-4
    clip: float = 1.0  # norm of the gradient
    average: float = 0.999  # per step, of the averaged weights
    noise: tuple[float, float] = (-4.5, -2.5)  # log10 of its standard deviation, drawn per crop


@dataclass
class Progress:
    """Where a run stands, and how the loss went."""

    step: int = 0
    seconds: float = 0.0
    samples: int = 0
    skipped: int = 0  # updates left out in a row because the gradient was not finite
    losses: list[float] = field(default_factory=list)  # bits per sample, one a step


class Trainer:
    """A network, its averaged weights and its optimiser, trained step by step."""

    def __init__(
        self,
        config: ModelConfig,
        recordings: Sequence[Recording],
        budget: Budget,
        settings: Settings | None = None,
        device: str = "cpu",
    ) -> None:
        if not recordings:
            raise TrainingError("no recordings to learn from")
        self.config, self.budget, self.settings = config, budget, settings or Settings()
        self.recordings, self.progress = recordings, Progress()
        self.device = torch.device(device)
        torch.manual_seed(self.settings.seed)
        network = WaveNet(config.network)
        initialise(network, config.instruments)
        self.network = network.to(self.device)
        self.average = {name: weight.detach().clone() for name, weight in self.network.state_dict().items()}
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(), lr=self.settings.learning_rate, weight_decay=self.settings.weight_decay
        )

    @property
    def done(self) -> float:
        """The share of the budget that is spent, 0..1."""
        return self.budget.done(self.progress.step, self.progress.seconds)

    def step(self) -> float:
        """One update; returns the loss in bits per sample."""
        started, net, progress = time.monotonic(), self.config.network, self.progress
        rng = np.random.default_rng((self.settings.seed, progress.step))
        crops = draw_crops(self.recordings, self.settings.crops, net.receptive_field, net.hop, rng)
        noise = draw_noise(rng, self.settings.noise, tuple(crops.phase.shape)).to(self.device)
        loss = bits_per_sample(self.network, crops.to(self.device), noise)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self._update()
        progress.step += 1
        progress.samples += crops.phase.numel()
        progress.losses.append(loss.item())
        progress.seconds += min(time.monotonic() - started, LONGEST_STEP_S)
        return progress.losses[-1]

    def _update(self) -> None:
        settings, progress = self.settings, self.progress
        norm = torch.nn.utils.clip_grad_norm_(self.network.parameters(), settings.clip)
        progress.skipped = 0 if norm.isfinite() else progress.skipped + 1
        if progress.skipped > MOST_SKIPPED:
            raise TrainingError(f"step {progress.step}: {MOST_SKIPPED} updates in a row had no finite gradient")
        if not progress.skipped:
            rate = learning_rate(settings.learning_rate, progress.step, settings.warm_up, self.done)
            self.optimiser.param_groups[0]["lr"] = rate
            self.optimiser.step()
        # the average reaches back over a tenth of the run so far, then over its full length
        keep = min(settings.average, (1 + progress.step) / (10 + progress.step))
        for name, weight in self.network.state_dict().items():
            self.average[name].lerp_(weight, 1 - keep)

    def checkpoint(self) -> Checkpoint:
        """The averaged weights, as they are played."""
        return Checkpoint(self.config, {name: w.cpu().numpy().copy() for name, w in self.average.items()})

    def save(self, path: Path) -> None:
        """Write all that `resume` needs; the file appears whole or not at all."""
        state = {
            "config": self.config.model_dump(mode="json"),
            "network": self.network.state_dict(),
            "average": self.average,
            "optimiser": self.optimiser.state_dict(),
            "progress": asdict(self.progress),
        }
        staged = path.with_suffix(".part")
        torch.save(state, staged)
        staged.replace(path)

    def resume(self, path: Path) -> None:
        """Go on from where `save` left off.

        Raises:
            TrainingError: where the file is of another network.
        """
        state: dict[str, Any] = torch.load(path, map_location=self.device, weights_only=True)
        found = parse_config(state["config"], source=str(path))
        if found.network != self.config.network:
            raise TrainingError(f"{path}: a run of another network; resume it with its own, or begin elsewhere")
        self.network.load_state_dict(state["network"])
        self.average = state["average"]
        self.optimiser.load_state_dict(state["optimiser"])
        self.progress = Progress(**state["progress"])


def draw_noise(rng: np.random.Generator, decades: tuple[float, float], shape: tuple[int, ...]) -> Tensor:
    """White noise [B, T], the log10 of its standard deviation uniform in `decades` and drawn per row."""
    deviation = 10.0 ** rng.uniform(*decades, size=(shape[0], 1))
    return torch.from_numpy((rng.standard_normal(shape) * deviation).astype(np.float32))


def emphasised(crops: Crops, config: WaveNetConfig) -> Tensor:
    """The crops' samples in the model's own domain: [B, T]."""
    return emphasise(crops.audio, config.pre_emphasis)[:, 1:]


def bits_per_sample(network: WaveNet, crops: Crops, noise: Tensor) -> Tensor:
    """Mean negative log2 likelihood of the counted samples, given their past with `noise` [B, T] added."""
    clean = emphasised(crops, network.config)
    parameters = network(clean + noise, crops.frames, crops.phase)
    surprise = -network.distribution.log_prob(parameters, clean) / math.log(2)  # [B, T]
    return (surprise * crops.counted).sum() / crops.counted.sum()
