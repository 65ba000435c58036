"""The int8 network's clean forward: near the float32 network, and level for level the kernel that serves."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from ostinato.models import registry
from ostinato.models.calibration import CalibrationError
from ostinato.models.checkpoint import Checkpoint
from ostinato.models.controls import FRAME
from ostinato.models.excitation import emphasise, running_phase
from ostinato.models.noise import as_int64, phase_start
from ostinato.models.quantized_wavenet import QuantizedWaveNet, levels
from ostinato.models.sampling.native import NativeSampler
from ostinato.models.sampling.torch_sampler import build_network

FRAMES = 12
KEY = 5


def heard(checkpoint: Checkpoint) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """A held note as the float32 kernel draws it: samples [1, T], frames [1, F, channels] and phase [1, T]."""
    network = checkpoint.config.network
    frame = dict.fromkeys(FRAME, 0.0) | {"note": 69.0, "gate": 1.0, "velocity": 0.6, "temperature": 1.0}
    frames = torch.tensor([list(frame.values())] * FRAMES)[None]
    sampler = NativeSampler(checkpoint, 1)
    sampler.reset(0, KEY)
    samples = torch.from_numpy(sampler.advance([0], frames.numpy()))
    start = torch.tensor([as_int64(phase_start(KEY))])
    return samples, frames, running_phase(start, frames[..., 0], network.hop, network.sample_rate)


def parameters(network: torch.nn.Module, checkpoint: Checkpoint) -> np.ndarray:
    samples, frames, phase = heard(checkpoint)
    with torch.no_grad():
        found: np.ndarray = network(emphasise(samples, checkpoint.config.network.pre_emphasis), frames, phase)[
            0
        ].numpy()
    return found


@pytest.mark.parametrize("name", ["default", "tiny", "r16", "r32"])
def test_it_stays_near_the_float32_network(name: str) -> None:
    """Each level is off by 0.4% of its reach at most, through 20 layers: a few percent of how the parameters move."""
    checkpoint = registry.load(name)
    float32 = parameters(build_network(checkpoint, torch.device("cpu")), checkpoint)
    int8 = parameters(QuantizedWaveNet(checkpoint), checkpoint)
    apart = float(np.sqrt(np.mean((int8 - float32) ** 2) / np.mean(float32.var(axis=0))))
    assert 0 < apart < 0.12


@pytest.mark.parametrize("name", ["default", "tiny", "r16"])
def test_the_kernel_that_serves_follows_it(name: str) -> None:
    """Sums are whole numbers in both; only an activation at the edge of two levels may tip into the other."""
    checkpoint = registry.load(name)
    samples, frames, _ = heard(checkpoint)
    sampler = NativeSampler(checkpoint, 1, precision="int8")
    sampler.reset(0, KEY)
    found = sampler.probe(0, frames[0].numpy(), samples[0].numpy())
    expected = parameters(QuantizedWaveNet(checkpoint), checkpoint)
    apart = np.abs(found - expected).max(axis=1) / np.abs(expected).max()
    assert (apart < 1e-5).mean() > 0.95
    assert apart.max() < 2e-3


def test_levels_round_ties_to_even_and_stop_at_the_top() -> None:
    found = levels(torch.tensor([-9.0, -0.75, -0.25, 0.25, 0.75, 1.25, 9.0]), torch.tensor(2.0), 5)
    assert found.tolist() == [-5.0, -2.0, 0.0, 0.0, 2.0, 2.0, 5.0]


def test_one_that_was_never_calibrated_is_refused() -> None:
    with pytest.raises(CalibrationError, match="ostinato quantize"):
        QuantizedWaveNet(replace(registry.load("tiny"), calibration=None))
