"""The bound that a hybrid is trained on: least where what is decoded is what is heard, and felt by every weight."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ostinato.models.config import HybridConfig, Instrument, ModelConfig
from ostinato.models.hybrid_network import Decoded, HybridNetwork
from ostinato.models.shaped_noise import impulse_response
from ostinato.models.tone import Tone
from ostinato.models.training import autoencoding
from ostinato.models.training.autoencoding import FREE_NATS, bound, harmonic_nats, hop_spectra, whittle_nats
from ostinato.models.training.budget import Budget
from ostinato.models.training.crops import Corpus, CropPlan, Crops
from ostinato.models.training.gaps import Gaps
from ostinato.models.training.loop import Settings, Trainer
from tests.models.training.tones import HOP, RATE, recordings

CONFIG = HybridConfig.model_validate(
    {
        "hop": HOP, "latents": 4, "decoder_units": 12, "cepstrum": 8, "taps": 16, "residual_channels": 8,
        "skip_channels": 12, "layers": 2, "dilation_cycle": (1, 2), "head": {"kind": "gaussian"},
        "local": {"hidden": (12,), "channels": 8}, "tone": {"harmonics": 4}, "pre_emphasis": 0.85,
    }
)  # fmt: skip


def drawn() -> tuple[Corpus, Crops]:
    corpus = Corpus(recordings(), CONFIG, torch.device("cpu"))
    return corpus, corpus.draw(CropPlan(count=3, samples=2048), CONFIG.receptive_field, np.random.default_rng(0))


def test_the_bound_is_finite_and_every_weight_of_the_autoencoder_feels_it() -> None:
    torch.manual_seed(0)
    network = HybridNetwork(CONFIG)
    corpus, crops = drawn()
    hops = corpus.draw_hops(16, np.random.default_rng(1))
    gaps = Gaps([r.note for r in recordings()]).fill(hops.frames, np.random.default_rng(2))
    bits, left, apart = bound(network, crops, hops, gaps, torch.randn(crops.phase.shape))
    assert bits.isfinite()
    assert left > 0
    assert apart > 0
    bits.backward()  # type: ignore[no-untyped-call]
    deaf = [name for name, w in network.named_parameters() if w.grad is None or not w.grad.abs().sum() > 0]
    assert all(name.startswith(("tone.",)) for name in deaf), deaf  # stated, and taught by the other two alone


@settings(max_examples=15, deadline=None)
@given(st.floats(-1, 1), st.floats(-1, 1), st.integers(0, 3))
def test_harmonics_are_likeliest_as_they_were_heard(gain: float, turn: float, k: int) -> None:
    _, crops = drawn()
    heard = Tone(crops.log_levels, crops.phases, torch.zeros_like(crops.phases[..., 0]))
    off = torch.zeros_like(crops.phases)
    off[..., k] = 1
    there = harmonic_nats(heard, crops, RATE)
    elsewhere = harmonic_nats(heard.moved(gain * off, turn * off, off[..., 0]), crops, RATE)
    assert there.abs().max() < 1e-3
    assert (elsewhere >= there - 1e-6).all()


@settings(max_examples=15, deadline=None)
@given(st.lists(st.floats(-0.3, 0.3), min_size=3, max_size=3), st.integers(0, 3), st.sampled_from([-0.3, 0.3]))
def test_noise_is_likeliest_under_its_own_spectrum(values: list[float], place: int, error: float) -> None:
    """In the mean over many hops: of each coefficient, and of the level."""
    generator, cepstrum = torch.Generator().manual_seed(1), torch.tensor(values)
    white = torch.randn(1, 1, 64 * 400 + 63, generator=generator)
    noise = torch.nn.functional.conv1d(white, impulse_response(cepstrum, 64).flip(0)[None, None])[0]
    power = hop_spectra(0.01 * noise, 64)

    def nats(moved: torch.Tensor, level: float) -> float:
        hops = power.shape[1]
        tone = Tone(torch.zeros(1, hops, 1), torch.zeros(1, hops, 1), torch.full((1, hops), np.log(0.01) + level))
        return float(whittle_nats(Decoded(tone, moved.expand(1, hops, -1)), power, 64).mean())

    step = torch.eye(4)[place] * error
    assert nats(cepstrum, 0.0) < nats(cepstrum + step[:3], float(step[3]))


def test_training_tightens_the_bound_and_plays_on_from_a_checkpoint() -> None:
    instruments = (Instrument(name="tone", low=60, high=71),)
    config = ModelConfig(name="toy", strategy="hybrid", network=CONFIG, instruments=instruments)
    settings_ = Settings(
        crops=CropPlan(count=4, samples=2048), hops=64, learning_rate=1e-2, warm_up=1, noise=(0.0, 0.0)
    )
    trainer = Trainer(config, recordings(), Budget(steps=40), settings_)
    bits = [trainer.step() for _ in range(40)]
    assert np.mean(bits[-8:]) < np.mean(bits[:8]) - 0.5
    tensors, kept = trainer.checkpoint().tensors, trainer.average
    assert all(np.array_equal(tensors[name], w.numpy()) for name, w in kept.items() if name != "prior.bias")
    narrower = kept["prior.bias"].numpy() - tensors["prior.bias"]
    np.testing.assert_allclose(narrower, [0.0] * 4 + [-math.log(settings_.latent_spread)] * 4, atol=1e-6)


def test_latents_that_tell_less_than_they_may_for_nothing_are_counted_as_if_they_told_it() -> None:
    """The posterior is the prior itself: what is left of the bound is what is decoded, and the free nats."""
    torch.manual_seed(0)
    network = HybridNetwork(CONFIG)
    corpus, crops = drawn()
    hops = corpus.draw_hops(16, np.random.default_rng(1))
    gaps = Gaps([r.note for r in recordings()]).fill(hops.frames, np.random.default_rng(2))
    noise = torch.randn(crops.phase.shape)
    found = {}
    for told in (0.0, FREE_NATS / 2, FREE_NATS, 2 * FREE_NATS):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(autoencoding, "divergence", lambda mean, *_, told=told, **__: torch.full_like(mean, told))
            found[told] = float(bound(network, crops, hops, gaps, noise)[0].detach())
    assert found[0.0] == found[FREE_NATS / 2] == pytest.approx(found[FREE_NATS], abs=1e-5)
    more = CONFIG.latents * FREE_NATS / HOP / math.log(2)  # bits a sample
    assert found[2 * FREE_NATS] - found[FREE_NATS] == pytest.approx(more, rel=0.01)
