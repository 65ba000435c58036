"""Likelihood: what a model owes to its own past."""

from dataclasses import replace

import pytest
import torch

from ostinato.models.checkpoint import Checkpoint
from ostinato.models.config import (
    ExcitationConfig,
    LocalConditioning,
    LogisticsHead,
    ModelConfig,
    ToneConfig,
    WaveNetConfig,
)
from ostinato.models.registry import random_checkpoint
from ostinato.models.sampling.torch_sampler import build_network
from ostinato.models.training import likelihood as module
from ostinato.models.training.likelihood import batch_of_one, likelihood, network_of, nothing_drawn, weigher_of
from ostinato.models.training.recipe import student_config
from tests.models.training.tones import recordings


def checkpoint_of(tone: ToneConfig | None) -> Checkpoint:
    network = WaveNetConfig(
        residual_channels=4, skip_channels=4, layers=2, dilation_cycle=(1, 2), head=LogisticsHead(),
        local=LocalConditioning(), excitation=ExcitationConfig(harmonics=2), tone=tone, pre_emphasis=0.85,
    )  # fmt: skip
    return random_checkpoint(ModelConfig(name="random", network=network), 0)


@pytest.mark.parametrize("precision", ["float32", "int8"])
@pytest.mark.parametrize("tone", [None, ToneConfig(harmonics=4)])
def test_only_a_model_that_hears_its_past_loses_by_its_absence(tone: ToneConfig | None, precision: str) -> None:
    checkpoint = checkpoint_of(tone)
    own, zeroed = likelihood(network_of(checkpoint, precision), recordings()[:1])
    assert own != zeroed
    deaf = {name: tensor.copy() for name, tensor in checkpoint.tensors.items()}
    deaf["input.weight"][:, 0] = 0
    own, zeroed = likelihood(network_of(replace(checkpoint, tensors=deaf), precision), recordings()[:1])
    assert own == pytest.approx(zeroed, abs=1e-6)


@pytest.mark.parametrize("precision", ["float32", "int8"])
@pytest.mark.parametrize("tone", [None, ToneConfig(harmonics=4)])
def test_piece_by_piece_it_is_what_it_is_in_one(
    tone: ToneConfig | None, precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, some = network_of(checkpoint_of(tone), precision), recordings()[:2]
    whole = likelihood(network, some)
    monkeypatch.setattr(module, "PIECE_HOPS", 7)
    assert likelihood(network, some) == pytest.approx(whole, abs=1e-5)


def test_a_model_that_has_drawn_nothing_has_played_its_tone() -> None:
    network = build_network(checkpoint_of(ToneConfig(harmonics=4)), torch.device("cpu"))
    one = recordings()[0]
    past = nothing_drawn(network, torch.from_numpy(one.frames)[None], torch.from_numpy(one.phase)[None])
    assert past.shape == (1, len(one.audio))
    assert past.abs().max() > 0
    silent = build_network(checkpoint_of(None), torch.device("cpu"))
    assert nothing_drawn(silent, torch.from_numpy(one.frames)[None], torch.from_numpy(one.phase)[None]).abs().max() == 0


def flow() -> Checkpoint:
    return random_checkpoint(student_config(checkpoint_of(ToneConfig(harmonics=4)).config, "flow"), 0)


def test_a_flow_is_weighed_piece_by_piece_as_in_one(monkeypatch: pytest.MonkeyPatch) -> None:
    network, some = weigher_of(flow(), "float32"), recordings()[:1]
    whole = likelihood(network, some)
    assert whole[0] != whole[1]
    monkeypatch.setattr(module, "PIECE_HOPS", 7)
    assert likelihood(network, some) == pytest.approx(whole, abs=1e-4)


def test_a_density_is_asked_of_levels_spread_over_their_width() -> None:
    one = recordings()[0]
    _, _, levels = batch_of_one(network_of(checkpoint_of(None), "float32"), one)
    _, _, spread = batch_of_one(weigher_of(flow(), "float32"), one)
    _, _, again = batch_of_one(weigher_of(flow(), "float32"), one)
    assert torch.equal(spread, again)
    assert 0 < float((spread - levels).abs().max()) < 2.0**-15
