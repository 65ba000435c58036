"""`ostinato draft`: a small network that proposes what a WaveNet is about to draw, learnt from nothing but its playing.

The draft keeps the model's control network and tone, and learns a stack of its own: the histories are what the model
plays, the targets one more draw from its distribution at each sample, so that the loss is the cross-entropy of the
two, KL(p || q) and the model's own entropy. No data set is needed.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor

from ostinato.models.checkpoint import DRAFT, Checkpoint, load_uncalibrated, save_checkpoint
from ostinato.models.heads import Head
from ostinato.models.registry import folder_of
from ostinato.models.sampling.torch_sampler import build_wavenet
from ostinato.models.training.budget import LONGEST_STEP_S, Budget, learning_rate
from ostinato.models.training.likelihood import network_of
from ostinato.models.training.quantizing import reaching
from ostinato.models.training.recipe import draft_config
from ostinato.models.training.teaching import HELD_OUT, Divergence, Lessons, Playing, Progress, play
from ostinato.models.wavenet import WaveNet

STEERING: Final = ("local.", "tone.", "global.")


@dataclass(frozen=True)
class Settings(Lessons):
    """How a draft is learnt."""

    crops: int = 6  # a step
    hops: int = 64  # that count, of each crop
    steps_a_playing: int = 24  # before other notes are played
    learning_rate: float = 3e-3
    warm_up: int = 50  # steps


@dataclass(frozen=True)
class Drafted:
    """A finished draft, in bits a sample on notes it was not taught: KL(p || q) with its standard error."""

    checkpoint: Checkpoint
    steps: int
    minutes: float  # of the processor
    entropy: float
    cross_entropy: float
    divergence: float
    divergence_error: float


class Drafter:
    """A draft being learnt."""

    def __init__(self, model: Checkpoint, budget: Budget, settings: Settings | None = None) -> None:
        self.model, self.budget, self.settings = model, budget, settings or Settings()
        self.config, self.progress = draft_config(model.config), Progress()
        torch.manual_seed(self.settings.seed)
        self._teacher = network_of(model, "float32")
        self.network = WaveNet(self.config.wavenet)
        steering = {name: w for name, w in self._teacher.state_dict().items() if name.startswith(STEERING)}
        self.network.load_state_dict(steering, strict=False)
        own = [w for name, w in self.network.named_parameters() if not name.startswith(STEERING)]
        for name, weight in self.network.named_parameters():
            weight.requires_grad_(not name.startswith(STEERING))
        self.optimiser = torch.optim.AdamW(own, fused=True)
        self._playing = play(model, self.settings, 0)

    @property
    def done(self) -> float:
        """The share of the budget that is spent, 0..1."""
        return self.budget.done(self.progress.step, self.progress.seconds)

    def step(self) -> float:
        """One update; returns the loss in bits a sample."""
        started, progress, settings = time.monotonic(), self.progress, self.settings
        turn, since = divmod(progress.step, settings.steps_a_playing)
        if turn and not since:
            self._playing = play(self.model, settings, turn)
        rng = np.random.default_rng((settings.seed, 1, progress.step))
        crop, counted = self._crop(self._playing, rng)
        with torch.no_grad():
            target = draw(self._teacher.distribution, self._teacher(crop.samples, crop.frames, crop.phase), rng)
        parameters = self.network(crop.samples, crop.frames, crop.phase)
        loss = -self.network.distribution.log_prob(parameters, target)[:, counted:].mean() / math.log(2)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(settings.learning_rate, progress.step, settings.warm_up, self.done)
        self.optimiser.step()
        progress.step += 1
        progress.losses.append(float(loss.detach()))
        progress.seconds += min(time.monotonic() - started, LONGEST_STEP_S)
        return progress.losses[-1]

    def _crop(self, playing: Playing, rng: np.random.Generator) -> tuple[Playing, int]:
        """Crops whose first samples fill the model's receptive field, and how many do not count."""
        hop, settings = self.model.config.network.hop, self.settings
        before = context_hops(self.model)
        first = rng.integers(0, playing.frames.shape[1] - before - settings.hops, settings.crops)
        rows = rng.integers(0, len(playing.samples), settings.crops)
        return playing.crop(rows, first, before + settings.hops, hop), before * hop

    def checkpoint(self) -> Checkpoint:
        """The draft as it stands, uncalibrated."""
        return Checkpoint(self.config, {n: w.detach().numpy().copy() for n, w in self.network.state_dict().items()})


def context_hops(model: Checkpoint) -> int:
    """Hops that a model's distribution depends on before the present one, and the one that its tone glides from."""
    return math.ceil(model.config.wavenet.receptive_field / model.config.network.hop) + 1


def draw(head: Head, parameters: Tensor, rng: np.random.Generator) -> Tensor:
    """One draw at temperature 1: parameters [B, T, P] -> [B, T]."""
    uniforms = torch.from_numpy(rng.random((*parameters.shape[:2], 2), dtype=np.float32)).clamp(2.0**-24, 1 - 2.0**-24)
    return head.sample(parameters, uniforms, torch.ones(parameters.shape[:2]))


@torch.no_grad()
def measure(model: Checkpoint, draft: Checkpoint, precision: str, settings: Settings) -> Divergence:
    """How far a draft is from its model, on draws from the model over notes that no draft was taught."""
    playing, hop = play(model, settings, HELD_OUT), model.config.network.hop
    teacher, student = network_of(model, "float32"), network_of(draft, precision)
    rng, counted = np.random.default_rng(settings.seed), context_hops(model) * hop
    own: list[float] = []
    other: list[float] = []
    for row in range(settings.notes):
        note = Playing(playing.samples[row, None], playing.frames[row, None], playing.phase[row, None])
        p = teacher(note.samples, note.frames, note.phase)
        target = draw(teacher.distribution, p, rng)
        q = student(note.samples, note.frames, note.phase)
        for network, parameters, bits in ((teacher, p, own), (student, q, other)):
            log_prob = network.distribution.log_prob(parameters, target)[:, counted:]
            bits.append(-float(log_prob.mean()) / math.log(2))
    return Divergence.between(own, other)


def calibrate(model: Checkpoint, draft: Checkpoint, bits_float32: float, settings: Settings) -> Checkpoint:
    """The draft with what int8 needs, from the model's playing; what int8 costs is measured on other notes."""
    playing = play(model, settings, HELD_OUT + 1)
    network = build_wavenet(draft, torch.device("cpu"))
    with torch.no_grad(), reaching(network) as reached:
        network(playing.samples, playing.frames, playing.phase)
    calibrated = replace(draft, calibration=reached())
    bits = {"bits_float32": bits_float32, "bits_int8": measure(model, calibrated, "int8", settings).cross_entropy}
    return replace(draft, calibration=reached().model_copy(update=bits))


def drafting(drafter: Drafter) -> Iterator[float]:
    """Every step's loss, until the budget is spent."""
    while drafter.done < 1:
        yield drafter.step()


def make_draft(
    *, model: str, minutes: float | None, steps: int | None, threads: int = 1, settings: Settings | None = None
) -> Drafted:
    """Learn a draft of a model and write it beside the model's weights, where the speculative engine finds it.

    Raises:
        UnknownModelError: where the model has no folder.
    """
    from tqdm import tqdm

    torch.set_num_threads(threads)
    settings = settings or Settings()
    folder: Path = folder_of(model)
    checkpoint, began = load_uncalibrated(folder), time.process_time()
    budget = Budget(steps=steps) if steps is not None else Budget(minutes=minutes)
    drafter = Drafter(checkpoint, budget, settings)
    with tqdm(drafting(drafter), unit="step", disable=None) as shown:
        for loss in shown:
            shown.set_postfix(bits=f"{loss:.3f}", refresh=False)
    measured = measure(checkpoint, drafter.checkpoint(), "float32", settings)
    draft = calibrate(checkpoint, drafter.checkpoint(), measured.cross_entropy, settings)
    spent = (time.process_time() - began) / 60
    save_checkpoint(draft, folder / DRAFT)
    return Drafted(draft, drafter.progress.step, spent, **asdict(measured))
