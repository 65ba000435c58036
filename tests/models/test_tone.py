"""What the control network states of a hop sounds as cosines of the phase, gliding from hop to hop."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ostinato.models.tone import LOUDEST, QUIETEST_SCALE, WIDEST_SCALE, Tone, glide, tone_samples

TURNS = np.linspace(0, 1, 64, endpoint=False)


def waves_of(turns: torch.Tensor, count: int) -> torch.Tensor:
    """Sines, then cosines, of the harmonics of these turns: [..., 2 count]."""
    angle = 2 * torch.pi * turns[..., None] * torch.arange(1, count + 1)
    return torch.cat((angle.sin(), angle.cos()), dim=-1)


@given(st.integers(1, 6), st.integers(0, 99))
def test_amplitudes_match_levels_and_phases(count: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    levels = generator.uniform(-8, 1.5, count)
    phases = generator.uniform(-40, 40, count)  # radians, any number of turns
    tone = Tone.stated(torch.from_numpy(np.concatenate((levels, phases, [-1.0]))))
    amplitudes = tone.amplitudes.numpy()
    k = np.arange(1, count + 1)[:, None]
    found = amplitudes[:count] @ np.sin(2 * np.pi * k * TURNS) + amplitudes[count:] @ np.cos(2 * np.pi * k * TURNS)
    loud = np.exp(np.minimum(levels, LOUDEST))
    np.testing.assert_allclose(found, loud @ np.cos(2 * np.pi * k * TURNS + phases[:, None]), rtol=0, atol=1e-12)


def test_no_level_is_above_the_loudest() -> None:
    stated = Tone.stated(torch.tensor([-40.0, LOUDEST - 0.1, LOUDEST + 0.1, 30.0, 0, 0, 0, 0, -1.0]))
    held = torch.tensor([-40.0, LOUDEST - 0.1, LOUDEST, LOUDEST])
    torch.testing.assert_close(stated.log_levels, held, rtol=0, atol=1e-5)


@given(st.floats(-60, 60), st.sampled_from([-1.0, 1.0]))
def test_a_level_above_the_loudest_keeps_its_gradient(level: float, wanted: float) -> None:
    outputs = torch.tensor([level, 0.0, -1.0], requires_grad=True)
    (gradient,) = torch.autograd.grad(wanted * Tone.stated(outputs).log_levels.sum(), outputs)
    assert gradient.tolist() == [wanted, 0.0, 0.0]


def test_the_scale_is_held_within_its_range() -> None:
    stated = Tone.stated(torch.tensor([[0.0, 0.0, -50.0], [0.0, 0.0, -3.0], [0.0, 0.0, 9.0]]))
    held = torch.tensor([QUIETEST_SCALE, -3.0, WIDEST_SCALE])
    torch.testing.assert_close(stated.log_scale, held, rtol=0, atol=1e-5)


@given(st.floats(-60, 60), st.sampled_from([-1.0, 1.0]))
def test_a_scale_outside_its_range_keeps_its_gradient(log_scale: float, wanted: float) -> None:
    """A held value that nothing moved any more would never come back."""
    outputs = torch.tensor([0.0, 0.0, log_scale], requires_grad=True)
    (gradient,) = torch.autograd.grad(wanted * Tone.stated(outputs).log_scale, outputs)
    assert gradient.tolist() == [0.0, 0.0, wanted]


def test_descent_brings_a_scale_back_into_its_range() -> None:
    for start, target in ((-40.0, -5.0), (6.0, -3.0)):
        outputs = torch.tensor([0.0, 0.0, start], requires_grad=True)
        for _ in range(60):
            error = (Tone.stated(outputs).log_scale - target).square()
            (gradient,) = torch.autograd.grad(error, outputs)
            outputs = (outputs - 0.3 * gradient).detach().requires_grad_()
        assert abs(outputs[-1].item() - target) < 0.1


@settings(max_examples=40)
@given(
    harmonics=st.integers(1, 9), more=st.integers(0, 4), hop=st.integers(1, 9), hops=st.integers(1, 5),
    seed=st.integers(0, 99),
)  # fmt: skip
def test_the_tone_is_a_sum_of_cosines(harmonics: int, more: int, hop: int, hops: int, seed: int) -> None:
    """Waves above the tone's harmonics, which the excitation may need, are no part of it."""
    generator = np.random.default_rng(seed)
    stated = generator.uniform(-2, 0.5, (2, hops, 2 * harmonics + 1)).astype(np.float32)
    turns = generator.random((2, hops * hop)).astype(np.float32)
    amplitudes = Tone.stated(torch.from_numpy(stated)).amplitudes
    found = tone_samples(amplitudes, waves_of(torch.from_numpy(turns), harmonics + more), hop)

    k = np.arange(1, harmonics + 1)
    exact = stated.astype(np.float64)
    levels, phases = np.exp(exact[..., :harmonics]), exact[..., harmonics:-1]
    for b in range(2):
        for t in range(hops * hop):
            hop_now, there = t // hop, (t % hop + 1) / hop
            angle = 2 * np.pi * k * turns[b, t].astype(np.float64)
            now = levels[b, hop_now] @ np.cos(angle + phases[b, hop_now])
            before = levels[b, hop_now - 1] @ np.cos(angle + phases[b, hop_now - 1]) if hop_now else 0.0
            assert abs(found[b, t] - (before + there * (now - before))) < 1e-5 * harmonics


def test_amplitudes_glide_from_silence_and_from_hop_to_hop() -> None:
    hop, heights = 8, [1.0, 0.25, 0.5]
    amplitudes = torch.tensor([[[0.0, height] for height in heights]])
    still = torch.tensor([0.0, 1.0]).expand(1, len(heights) * hop, 2)  # the phase at 0 throughout
    found = tone_samples(amplitudes, still, hop)[0].numpy()
    line = np.interp(np.arange(len(heights) * hop) + 1, np.arange(len(heights) + 1) * hop, [0.0, *heights])
    np.testing.assert_allclose(found, line, atol=1e-6)
    assert glide(hop, torch.device("cpu"))[-1] == 1
