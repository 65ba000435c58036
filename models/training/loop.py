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
from torch.nn import functional

from ostinato.models.checkpoint import Checkpoint
from ostinato.models.config import ModelConfig, WaveNetConfig, parse_config
from ostinato.models.controls import FRAME
from ostinato.models.excitation import AUDIBLE, emphasise, frequency
from ostinato.models.heads import STEP
from ostinato.models.tone import tone_samples
from ostinato.models.training.budget import LONGEST_STEP_S, Budget, learning_rate
from ostinato.models.training.crops import Corpus, CropPlan, Crops, Hops
from ostinato.models.training.dataset import Recording
from ostinato.models.training.demodulation import SILENT
from ostinato.models.training.initial import initialise
from ostinato.models.wavenet import Steering, WaveNet

MOST_SKIPPED: Final = 20
LEVEL_TOLERANCE: Final = 0.2  # nepers; errors beyond it count linearly, so that noisy hops do not lead
CLEARLY_HEARD: Final = 4.0  # nepers above silence
TOGETHER: Final = 3.0  # weight of the difference as a whole
SMALLEST_SHARE: Final = 1e-4  # of power, below which it is not pressed further


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
        torch.manual_seed(self.settings.seed)
        network = WaveNet(config.network)
        initialise(network, config.instruments)
        self.network = network.to(self.device)
        self.average = {name: weight.detach().clone() for name, weight in self.network.state_dict().items()}
        groups = [{"params": some, "rate": rate} for some, rate in zip(*self._groups(), strict=True)]
        self.optimiser = torch.optim.AdamW(groups, weight_decay=self.settings.weight_decay, fused=True)
        # on a GPU a step of this small a network is mostly launches, unless they are fused
        self._losses = losses if self.device.type == "cpu" else torch.compile(losses, dynamic=False)

    def _groups(self) -> tuple[list[list[Tensor]], list[float]]:
        """The parameters of the stack and of what steers it, and the learning rate of each."""
        steering = ("local.", "tone.", "global.")
        named = list(self.network.named_parameters())
        stack: list[Tensor] = [weight for name, weight in named if not name.startswith(steering)]
        rest: list[Tensor] = [weight for name, weight in named if name.startswith(steering)]
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
        loss, left_loss, tone_loss = self._losses(self.network, crops, hops, noise)
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


def draw_noise(rng: np.random.Generator, decades: tuple[float, float], like: Tensor) -> Tensor:
    """White noise [B, T] on the device of `like` [B, T], the log10 of its deviation uniform in `decades` per row."""
    deviation = 10.0 ** rng.uniform(*decades, size=(len(like), 1))
    generator = torch.Generator(device=like.device).manual_seed(int(rng.integers(2**62)))
    white = torch.randn(like.shape, generator=generator, device=like.device)
    return white * torch.from_numpy(deviation.astype(np.float32)).to(like.device)


def emphasised(crops: Crops, config: WaveNetConfig) -> Tensor:
    """The crops' samples in the model's own domain: [B, T]."""
    return emphasise(crops.audio, config.pre_emphasis)[:, 1:]


def losses(network: WaveNet, crops: Crops, hops: Hops, noise: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """What is to be made small: bits per counted sample, those of the tone alone, and the tone's distance.

    The bits are of the model, its past with `noise` [B, T] added; and of white Gaussian noise of the tone's scale
    about it. The tone itself is fitted to the harmonics of `hops`, not to likelihoods: while its phase is still
    wrong, a tone is likeliest where it is silent, and would never find out.
    """
    clean, net = emphasised(crops, network.config), network.config
    steering = network.steer(crops.frames)
    note = crops.frames[..., FRAME.index("note"), None]
    waves = network.waves(crops.phase.reshape(*crops.frames.shape[:2], net.hop), note).flatten(1, 2)
    nothing = clean.new_zeros(())
    if steering.tone is None:
        parameters = continuation(network, clean + noise, waves, steering)
        return mean_bits(network.distribution.log_prob(parameters, clean), crops.counted), nothing, nothing
    tone = tone_samples(steering.tone.amplitudes.detach(), waves, net.hop)
    log_scale = steering.tone.log_scale.repeat_interleave(net.hop, dim=1)
    left = (clean - tone) * torch.exp(-log_scale)
    left_bits = mean_bits(gaussian_log_prob(left, log_scale), crops.counted)
    log_scale, left = log_scale.detach(), left.detach()
    parameters = network.place(continuation(network, left + noise, waves, steering), tone, log_scale)
    bits = mean_bits(network.distribution.log_prob(parameters, clean), crops.counted)
    return bits, left_bits, tone_distance(network, hops)


def tone_distance(network: WaveNet, hops: Hops) -> Tensor:
    """How far the stated harmonics are from those heard, the audible ones.

    Of each harmonic alike, nepers of level and 1 - cos of phase, the more the further it is above silence; and of all
    together, the amplitude of their difference against that of what is heard, in which the strong ones lead.
    """
    tone = network.steer(hops.frames).tone
    assert tone is not None
    pitch = frequency(hops.frames[:, FRAME.index("note")], network.config.sample_rate)
    k = torch.arange(1, tone.phases.shape[-1] + 1, device=pitch.device)
    audible = (k * pitch[:, None] <= AUDIBLE * network.config.sample_rate).float()
    level = functional.huber_loss(tone.log_levels, hops.log_levels, reduction="none", delta=LEVEL_TOLERANCE)
    heard = ((hops.log_levels - SILENT) / CLEARLY_HEARD).clamp(0, 1)
    off = 1 - torch.cos(tone.phases - hops.phases)  # [N, K]
    apart = ((level / LEVEL_TOLERANCE + heard * off) * audible).sum() / audible.sum()
    stated, there = tone.log_levels.exp() * audible, hops.log_levels.exp() * audible
    difference = ((stated - there).square() + 2 * stated * there * off).sum(dim=1)
    share = difference / there.square().sum(dim=1).clamp(min=math.exp(2 * SILENT))
    return apart + TOGETHER * (share + SMALLEST_SHARE).sqrt().clamp(max=2.0).mean()


def continuation(network: WaveNet, past: Tensor, waves: Tensor, steering: Steering) -> Tensor:
    """The stack's head parameters [B, T, P]; on a GPU in bfloat16, whose error is far below the noise on the past."""
    with torch.autocast("cuda", torch.bfloat16, enabled=past.is_cuda):
        return network.continuation(past, waves, steering).float()


def gaussian_log_prob(left: Tensor, log_scale: Tensor) -> Tensor:
    """Natural log of the probability of a 16-bit level whose deviation from its mean is `left` scales: [...]."""
    return -0.5 * left**2 - log_scale + math.log(STEP / math.sqrt(2 * math.pi))


def mean_bits(log_prob: Tensor, counted: Tensor) -> Tensor:
    """Mean negative log2 over the samples that count."""
    return -(log_prob * counted).sum() / (counted.sum() * math.log(2))
