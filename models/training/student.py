"""A flow that learns to play as a model does, from nothing but the model's playing.

Probability density distillation the way that has no mode to miss (the opposite of van den Oord et al. 2018): the model
p draws, at temperature 1, and the student q is fitted to

    KL(p || q) = E_{x ~ p}[log p(x) - log q(x)]

of which only the cross-entropy depends on the student. p gives probabilities of 16-bit levels and q a density, so each
draw is spread evenly over its level: the divergence is then exactly that between the densities of the two. The
student keeps the model's controls and tone; it learns its couplings, and its own reading of the controls.
"""

from __future__ import annotations

import hashlib
import math
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from ostinato.models.calibration import digest
from ostinato.models.checkpoint import Checkpoint
from ostinato.models.config import ConfigError, ModelConfig, parse_config
from ostinato.models.controls import FRAME
from ostinato.models.flow_network import FlowNetwork
from ostinato.models.networks import make_network
from ostinato.models.tone import tone_samples
from ostinato.models.training.budget import Budget, learning_rate
from ostinato.models.training.initial import start_near_identity
from ostinato.models.training.likelihood import dequantised
from ostinato.models.training.loop import UNREADABLE, TrainingError
from ostinato.models.training.recipe import student_config
from ostinato.models.training.teaching import Lessons, Playing, Progress, play

MOST_BITS: Final = 1e6  # a sample; a loss beyond it is none


@dataclass(frozen=True)
class Settings(Lessons):
    """How a student is taught."""

    crops: int = 4  # a step
    hops: int = 200  # of each crop
    steps_a_playing: int = 48  # before other notes are played
    learning_rate: float = 3e-3
    warm_up: int = 50  # steps


@dataclass(frozen=True)
class Lesson:
    """Notes that a model played, less its tone and in its scale, and the scale itself."""

    left: Tensor  # [B, T]
    log_scale: Tensor  # [B, T], natural
    frames: Tensor  # [B, F, channels]


class Distiller:
    """A student being taught.

    Raises:
        TrainingError: where the model's head is not a mixture of logistics, whose levels alone have the probabilities
            that the divergence is of.
    """

    def __init__(self, model: Checkpoint, name: str, budget: Budget, settings: Settings | None = None) -> None:
        if model.config.network.head.kind != "logistics":
            raise TrainingError(
                f"head.kind: {model.config.network.head.kind!r} of model {model.config.name!r}, expected 'logistics'"
            )
        self.model, self.budget, self.settings = at_temperature_1(model), budget, settings or Settings()
        self.config, self.progress = student_config(model.config, name), Progress()
        torch.manual_seed(self.settings.seed)
        network = make_network(self.config)
        assert isinstance(network, FlowNetwork)
        start_near_identity(network)
        self.network = network
        steering = self.config.network.steering_shapes()
        weights = {key: torch.from_numpy(model.tensors[key].copy()) for key in steering}
        self.network.load_state_dict(weights, strict=False)
        reading = f"local.{len(self.config.network.local.hidden)}." if self.config.network.local else None
        for key, weight in self.network.named_parameters():
            weight.requires_grad_(key not in steering or (reading is not None and key.startswith(reading)))
        self.optimiser = torch.optim.AdamW([w for w in self.network.parameters() if w.requires_grad], fused=True)
        self._lesson: tuple[int, Lesson] | None = None

    @property
    def done(self) -> float:
        """The share of the budget that is spent, 0..1."""
        return self.budget.done(self.progress.step, self.progress.seconds)

    def step(self) -> float:
        """One update; returns the loss in bits a sample."""
        started, progress, settings = time.monotonic(), self.progress, self.settings
        rng = np.random.default_rng((settings.seed, 1, progress.step))
        crop, counted = crop_of(self._lesson_at(progress.step // settings.steps_a_playing), self.network, settings, rng)
        loss = (bits_of_samples(self.network, crop) * counted).sum() / counted.sum()
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(settings.learning_rate, progress.step, settings.warm_up, self.done)
        bits = float(loss.detach())
        if not abs(bits) < MOST_BITS:
            raise TrainingError(f"step {progress.step}: a loss of {bits} bits a sample")
        self.optimiser.step()
        progress.step += 1
        progress.losses.append(bits)
        progress.seconds += time.monotonic() - started
        return bits

    def _lesson_at(self, turn: int) -> Lesson:
        if self._lesson is None or self._lesson[0] != turn:
            playing = play(self.model, self.settings, turn)
            rng = np.random.default_rng((self.settings.seed, 2, turn))
            self._lesson = turn, lesson_of(playing, self.network, rng)
        return self._lesson[1]

    def checkpoint(self) -> Checkpoint:
        """The student as it stands."""
        return Checkpoint(self.config, {n: w.detach().numpy().copy() for n, w in self.network.state_dict().items()})

    def save(self, path: Path) -> None:
        """Write all that `resume` needs; the file appears whole or not at all."""
        state = {
            "config": self.config.model_dump(mode="json"),
            "teacher": fingerprint(self.model),
            "settings": asdict(self.settings),
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "progress": asdict(self.progress),
        }
        staged = path.with_suffix(".part")
        torch.save(state, staged)
        staged.replace(path)

    def resume(self, path: Path) -> None:
        """Go on from where `save` left off.

        Raises:
            TrainingError: where the file is no saved run, or of another network, teacher or settings.
        """
        try:
            state: dict[str, Any] = torch.load(path, weights_only=True)
            found = parse_config(state["config"], source=str(path))
            if found.network != self.config.network:
                raise TrainingError(f"{path}: a run of another network; begin elsewhere")
            if fingerprint(self.model) != state["teacher"]:
                raise TrainingError(f"{path}: model: {self.model.config.name!r} is not the run's; begin elsewhere")
            for name, value in asdict(self.settings).items():
                if value != state["settings"][name]:
                    raise TrainingError(
                        f"{path}: {name}: {value}, and the run has {state['settings'][name]}; begin elsewhere"
                    )
            self.network.load_state_dict(state["network"])
            self.optimiser.load_state_dict(state["optimiser"])
            self.progress = Progress(**state["progress"])
        except (*UNREADABLE, ConfigError) as error:
            raise TrainingError(f"{path}: not a saved run: {error}") from error


def fingerprint(model: Checkpoint) -> str:
    """Of all that decides what a model plays at temperature 1: its weights, network and instruments, in hexadecimal."""
    plain = at_temperature_1(model)
    played = plain.config.model_dump_json(include={"strategy", "release_s", "instruments", "network"})
    return hashlib.sha256(played.encode() + digest(plain.tensors).encode()).hexdigest()


def at_temperature_1(model: Checkpoint) -> Checkpoint:
    """The model itself, drawn from as it is and not as it is played."""
    config = model.config
    instruments = tuple(i.model_copy(update={"temperature": 1.0}) for i in config.instruments)
    plain: ModelConfig = config.model_copy(update={"temperature": 1.0, "instruments": instruments})
    return replace(model, config=plain, draft=None, calibration=None)


@torch.no_grad()
def lesson_of(playing: Playing, network: FlowNetwork, rng: np.random.Generator) -> Lesson:
    """What the tone leaves of a playing, spread over its levels; note by note, since harmonics take room."""
    samples, hop = dequantised(playing.samples, rng), network.config.hop
    left, log_scales = torch.empty_like(samples), torch.zeros_like(samples)
    for row in range(len(samples)):
        frames = playing.frames[row, None]
        steering = network.steer(frames)
        if steering.tone is None:
            left[row] = samples[row]
            continue
        note = frames[..., FRAME.index("note"), None]
        waves = network.waves(playing.phase[row].reshape(1, -1, hop), note).flatten(1, 2)
        tone = tone_samples(steering.tone.amplitudes, waves, hop)[0]
        log_scales[row] = steering.tone.log_scale[0].repeat_interleave(hop)
        left[row] = (samples[row] - tone) * torch.exp(-log_scales[row])
    return Lesson(left, log_scales, playing.frames)


def crop_of(
    lesson: Lesson, network: FlowNetwork, settings: Settings, rng: np.random.Generator
) -> tuple[Lesson, Tensor]:
    """Some hops of some notes, and which samples count [B, T]: those past the flow's reach, or all from an onset on."""
    config = network.config
    hop, before = config.hop, config.couplings * (config.kernel_size - 1)
    count = min(settings.hops, lesson.frames.shape[1])
    first = np.maximum(rng.integers(-before, lesson.frames.shape[1] - count + 1, settings.crops), 0)
    pairs = list(zip(rng.integers(0, len(lesson.left), settings.crops).tolist(), first.tolist(), strict=True))
    samples = [(row, slice(at * hop, (at + count) * hop)) for row, at in pairs]
    counted = torch.ones(settings.crops, count * hop)
    counted[torch.from_numpy(first) > 0, : before * hop] = 0
    frames = torch.stack([lesson.frames[row, at : at + count] for row, at in pairs])
    left, log_scale = (torch.stack([some[i] for i in samples]) for some in (lesson.left, lesson.log_scale))
    return Lesson(left, log_scale, frames), counted


def bits_of_samples(network: FlowNetwork, lesson: Lesson) -> Tensor:
    """Bits of each sample's 16-bit level [B, T], by the density."""
    parameters = network.given_whole(network.steer(lesson.frames), lesson.left)
    return (lesson.log_scale - network.distribution.log_prob(parameters, lesson.left)) / math.log(2)
