"""The training loop: likelihood of crops, teacher-forced through noise.

Noise on the past samples, with a clean target, makes the sampling loop contract: what the model draws slightly wrong
it learns to forget rather than to amplify. Each step's randomness is a function of (seed, step), so that a run that
was interrupted goes on to the same numbers; a budget in minutes follows the clock and is exact only up to that.
"""

from __future__ import annotations

import math
import pickle
import struct
import time
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
import torch
from torch import Tensor

from ostinato.models.autoregressive import AutoregressiveNetwork
from ostinato.models.checkpoint import Checkpoint
from ostinato.models.config import ModelConfig, parse_config
from ostinato.models.hybrid_network import HybridNetwork
from ostinato.models.networks import make_network
from ostinato.models.training.autoencoding import bound
from ostinato.models.training.budget import LONGEST_STEP_S, Budget, learning_rate
from ostinato.models.training.crops import Corpus, CropPlan, Crops, Hops
from ostinato.models.training.dataset import Recording
from ostinato.models.training.gaps import GapHops, Gaps
from ostinato.models.training.initial import initialise
from ostinato.models.training.losses import losses

MadeSmall: TypeAlias = Callable[[Any, Crops, Hops, GapHops, Tensor], tuple[Tensor, Tensor, Tensor]]

MOST_SKIPPED: Final = 20
UNREADABLE: Final = (  # what reading a file that is no saved run, or a broken one, ends in
    OSError, RuntimeError, EOFError, LookupError, TypeError, ValueError, AttributeError, struct.error,
    pickle.UnpicklingError, zipfile.BadZipFile,
)  # fmt: skip


class TrainingError(RuntimeError):
    """Training can't go on; the message says at which step and why."""


@dataclass(frozen=True)
class Settings:
    """Everything that decides the result besides the data and the budget."""

    seed: int = 0
    crops: CropPlan = field(default_factory=CropPlan)
    hops: int = 2048  # per step, that the tone is fitted to
    learning_rate: float = 1e-3
    tone_rate: float = 5e-3  # the learning rate of the control network and the tone, which bear more
    warm_up: int = 100  # steps
    weight_decay: float = 1e-4
    clip: float = 1.0  # norm of the gradient
    average: float = 0.999  # per step, of the averaged weights
    past_weight: float = 0.85  # of what was drawn before when played, against that in training
    latent_spread: float = 0.2  # of a hybrid's latents when played, against that in training
    noise: tuple[float, float] = (-0.7, 1.0)  # log10 of its standard deviation in the scale, drawn per crop


@dataclass
class Progress:
    """Where a run stands, and how the loss went."""

    step: int = 0
    seconds: float = 0.0
    samples: int = 0
    skipped: int = 0  # updates left out in a row because the gradient was not finite
    losses: list[float] = field(default_factory=list)  # bits per sample, one a step
    tone_losses: list[float] = field(default_factory=list)  # the same with the tone and its scale alone


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
        self.progress, self.device = Progress(), torch.device(device)
        self.corpus = Corpus(recordings, config.network, self.device)
        self.gaps = Gaps([r.note for r in recordings])
        torch.manual_seed(self.settings.seed)
        network = make_network(config)
        initialise(network, config.instruments)
        self.network = network.to(self.device)
        self.average = {name: weight.detach().clone() for name, weight in self.network.state_dict().items()}
        groups = [{"params": some, "rate": rate} for some, rate in zip(*self._groups(), strict=True)]
        self.optimiser = torch.optim.AdamW(groups, weight_decay=self.settings.weight_decay, fused=True)
        made_small: Callable[..., tuple[Tensor, Tensor, Tensor]] = (
            bound if isinstance(network, HybridNetwork) else losses
        )
        # on a GPU a step of this small a network is mostly launches, unless they are fused
        self._losses = made_small if self.device.type == "cpu" else torch.compile(made_small, dynamic=False)

    def take_steering(self, other: Checkpoint) -> None:
        """Begin with the control network, tone and instruments of another model, whatever it draws its samples by.

        Raises:
            TrainingError: where it has others.
        """
        own = self.config.network.steering_shapes()
        if other.config.network.steering_shapes() != own:
            raise TrainingError(f"{other.config.name}: steered by a network of another shape")
        if [i.name for i in other.config.instruments] != [i.name for i in self.config.instruments]:
            raise TrainingError(f"{other.config.name}: plays other instruments")
        weights = self.network.state_dict()
        for name in own:
            taken = torch.from_numpy(other.tensors[name].copy())
            weights[name].copy_(taken)
            self.average[name].copy_(taken)

    def _groups(self) -> tuple[list[list[Tensor]], list[float]]:
        """The parameters of the stack and of what steers it, and the learning rate of each."""
        steering, named = self.config.network.steering_shapes(), list(self.network.named_parameters())
        stack: list[Tensor] = [weight for name, weight in named if name not in steering]
        rest: list[Tensor] = [weight for name, weight in named if name in steering]
        return [stack, rest], [self.settings.learning_rate, self.settings.tone_rate]

    @property
    def done(self) -> float:
        """The share of the budget that is spent, 0..1."""
        return self.budget.done(self.progress.step, self.progress.seconds)

    def step(self) -> float:
        """One update; returns the loss in bits per sample."""
        started, net, progress, settings = time.monotonic(), self.config.network, self.progress, self.settings
        rng = np.random.default_rng((settings.seed, progress.step))
        crops = self.corpus.draw(settings.crops, net.receptive_field, rng)
        noise = draw_noise(rng, settings.noise, crops.phase)
        hops = self.corpus.draw_hops(settings.hops, rng)
        gaps = self.gaps.fill(hops.frames, rng)
        loss, left_loss, tone_loss = self._losses(self.network, crops, hops, gaps, noise)
        self.optimiser.zero_grad(set_to_none=True)
        (loss + left_loss + tone_loss).backward()  # type: ignore[no-untyped-call]
        norm = torch.nn.utils.clip_grad_norm_(self.network.parameters(), settings.clip)
        size, bits, tone_bits = torch.stack((norm, loss.detach(), left_loss.detach())).tolist()
        self._update(finite=math.isfinite(size))
        progress.step += 1
        progress.samples += crops.phase.numel()
        progress.losses.append(bits)
        progress.tone_losses.append(tone_bits)
        progress.seconds += min(time.monotonic() - started, LONGEST_STEP_S)
        return progress.losses[-1]

    def _update(self, *, finite: bool) -> None:
        settings, progress = self.settings, self.progress
        progress.skipped = 0 if finite else progress.skipped + 1
        if progress.skipped > MOST_SKIPPED:
            raise TrainingError(f"step {progress.step}: {MOST_SKIPPED} updates in a row had no finite gradient")
        if finite:
            for group in self.optimiser.param_groups:
                group["lr"] = learning_rate(group["rate"], progress.step, settings.warm_up, self.done)
            self.optimiser.step()
        # the average reaches back over a tenth of the run so far, then over its full length
        keep = min(settings.average, (1 + progress.step) / (10 + progress.step))
        weights = self.network.state_dict()
        torch._foreach_lerp_([self.average[name] for name in weights], list(weights.values()), 1 - keep)

    def checkpoint(self) -> Checkpoint:
        """The averaged weights, as they are played: with a past that weighs a little less than it did in training.

        Where training left a loop that barely dies out, or met none like it, this one forgets. A hybrid's latents are
        drawn nearer to what is expected of them: in training they bear the encoder's uncertainty too.
        """
        tensors = {name: w.cpu().numpy().copy() for name, w in self.average.items()}
        if isinstance(self.network, AutoregressiveNetwork):
            self.network.lighten_past(tensors, self.settings.past_weight)
        elif isinstance(self.network, HybridNetwork):
            self.network.narrow_prior(tensors, self.settings.latent_spread)
        return Checkpoint(self.config, tensors)

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
        """Go on from where `save` left off, at this run's learning rates.

        Raises:
            TrainingError: where the file is no saved run, or of another network.
        """
        try:
            state: dict[str, Any] = torch.load(path, map_location=self.device, weights_only=True)
            found = parse_config(state["config"], source=str(path))
            if found.network != self.config.network:
                raise TrainingError(f"{path}: a run of another network; resume it with its own, or begin elsewhere")
            self.network.load_state_dict(state["network"])
            self.average = state["average"]
            self.optimiser.load_state_dict(state["optimiser"])
            for group, rate in zip(self.optimiser.param_groups, self._groups()[1], strict=True):
                group["rate"] = rate
            self.progress = Progress(**state["progress"])
        except TrainingError:
            raise
        except UNREADABLE as error:
            raise TrainingError(f"{path}: not a saved run: {error}") from error


def draw_noise(rng: np.random.Generator, decades: tuple[float, float], like: Tensor) -> Tensor:
    """White noise [B, T] on the device of `like` [B, T], the log10 of its deviation uniform in `decades` per row."""
    deviation = 10.0 ** rng.uniform(*decades, size=(len(like), 1))
    generator = torch.Generator(device=like.device).manual_seed(int(rng.integers(2**62)))
    white = torch.randn(like.shape, generator=generator, device=like.device)
    return white * torch.from_numpy(deviation.astype(np.float32)).to(like.device)
