"""Training: it learns, it goes on where it was interrupted, and it refuses what can't work."""

import io
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ostinato.models.config import Instrument, ModelConfig, SteeredConfig
from ostinato.models.registry import random_checkpoint, random_config
from ostinato.models.training.budget import Budget, learning_rate
from ostinato.models.training.crops import CropPlan
from ostinato.models.training.dataset import Recording
from ostinato.models.training.loop import MOST_SKIPPED, Settings, Trainer, TrainingError, draw_noise
from ostinato.models.training.recipe import instrument_config
from tests.models.training.tones import recordings

SETTINGS = Settings(crops=CropPlan(count=2, samples=1024), hops=64, warm_up=5)
OF_FRAMES = replace(SETTINGS, crops=CropPlan(count=2, samples=2048))  # longer than the past that a frame hears
PLAIN = replace(SETTINGS, noise=(-4.5, -2.5))  # of samples, where no tone is taken off


def tiny_nade() -> ModelConfig:
    """As `tiny`, over frames."""
    plain = random_config("tiny").model_dump()
    return ModelConfig.model_validate({**plain, "strategy": "nade", "network": {**plain["network"], "units": 12}})


def tiny_blocks(inside: str) -> ModelConfig:
    """As `tiny`, over blocks of a quarter of a hop."""
    plain = random_config("tiny").model_dump(by_alias=True)
    steered = {n: v for n, v in plain["network"].items() if n in {*SteeredConfig.model_fields, "global"}}
    own = {
        "block": 16, "before": 16, "width": 16, "heads": 2, "kv_heads": 1, "feed_forward": 16, "layers": 1, "window": 8,
        "inside": inside, "units": 12, "taps": 8,
    }  # fmt: skip
    return ModelConfig.model_validate({**plain, "strategy": "blocks", "network": {**steered, **own}})


def tiny(*, tone: bool = True) -> ModelConfig:
    config = random_config("tiny")
    if tone:
        return config
    return config.model_copy(update={"network": config.network.model_copy(update={"tone": None})})


@pytest.fixture(scope="module")
def toy() -> list[Recording]:
    return recordings()


def trainer(toy: list[Recording], steps: int, *, tone: bool = True, settings: Settings | None = None) -> Trainer:
    return Trainer(tiny(tone=tone), toy, Budget(steps=steps), settings or (SETTINGS if tone else PLAIN))


@pytest.mark.parametrize("tone", [True, False])
def test_loss_falls_on_a_toy_set(toy: list[Recording], tone: bool) -> None:
    run = trainer(toy, 60, tone=tone)
    losses = [run.step() for _ in range(60)]
    assert np.mean(losses[-15:]) < np.mean(losses[:15]) - 0.5
    assert run.done == 1
    assert run.progress.losses == losses
    assert run.progress.samples == 60 * 2 * 1024


def test_a_nade_learns_and_goes_on_where_it_was_interrupted(toy: list[Recording], tmp_path: Path) -> None:
    settings = replace(OF_FRAMES, learning_rate=4e-3)
    whole, first, second = (Trainer(tiny_nade(), toy, Budget(steps=60), settings) for _ in range(3))
    losses = [whole.step() for _ in range(60)]
    assert np.mean(losses[-15:]) < np.mean(losses[:15]) - 0.5
    for _ in range(2):
        first.step()
    first.save(tmp_path / "state.pt")
    second.resume(tmp_path / "state.pt")
    assert [second.step() for _ in range(3)] == losses[2:5]


@pytest.mark.parametrize("inside", ["parallel", "nade"])
def test_blocks_learn(toy: list[Recording], inside: str) -> None:
    run = Trainer(tiny_blocks(inside), toy, Budget(steps=40), replace(SETTINGS, learning_rate=4e-3))
    losses = [run.step() for _ in range(40)]
    assert np.mean(losses[-10:]) < np.mean(losses[:10]) - 0.5
    assert run.network.state_dict()["taps.weight"].any()


def test_a_nades_past_is_lightened_when_played(toy: list[Recording]) -> None:
    run = Trainer(tiny_nade(), toy, Budget(steps=1), replace(OF_FRAMES, past_weight=0.5))
    for name, tensor in run.checkpoint().tensors.items():
        expected = run.average[name].numpy().copy()
        if name in ("input.weight", "nade.weight"):
            expected *= 0.5
        if name == "nade.context.weight":
            expected[:, -64:] *= 0.5  # the frame before
        np.testing.assert_array_equal(tensor, expected, err_msg=name)


def test_a_run_begins_with_another_models_steering(toy: list[Recording]) -> None:
    other = random_checkpoint(tiny(), seed=5)
    run = Trainer(tiny_nade(), toy, Budget(steps=4), OF_FRAMES)
    before = {name: tensor.clone() for name, tensor in run.network.state_dict().items()}
    run.take_steering(other)
    for weights in (run.network.state_dict(), run.average):
        for name, tensor in weights.items():
            steers = name in tiny().network.steering_shapes()
            expected = torch.from_numpy(other.tensors[name].copy()) if steers else before[name]
            assert torch.equal(tensor, expected), name
    run.step()


def test_steering_of_another_shape_or_of_other_instruments_is_refused(toy: list[Recording]) -> None:
    run = Trainer(tiny_nade(), toy, Budget(steps=1), OF_FRAMES)
    with pytest.raises(TrainingError, match="tiny: steered by a network of another shape"):
        run.take_steering(random_checkpoint(tiny(tone=False)))
    renamed = tiny().model_copy(update={"instruments": (Instrument(name="another"),)})
    with pytest.raises(TrainingError, match="tiny: plays other instruments"):
        run.take_steering(random_checkpoint(renamed))


def test_the_tone_comes_nearer_to_what_is_heard(toy: list[Recording]) -> None:
    run = trainer(toy, 80, settings=replace(SETTINGS, learning_rate=4e-3))
    for _ in range(80):
        run.step()
    before, after = np.mean(run.progress.tone_losses[:10]), np.mean(run.progress.tone_losses[-10:])
    assert after < before - 1


@pytest.mark.parametrize("tone", [True, False])
def test_an_interrupted_run_goes_on_to_the_same_numbers(toy: list[Recording], tmp_path: Path, tone: bool) -> None:
    whole, first, second = (trainer(toy, 6, tone=tone) for _ in range(3))
    for _ in range(6):
        whole.step()
    for _ in range(3):
        first.step()
    first.save(tmp_path / "state.pt")
    second.resume(tmp_path / "state.pt")
    for _ in range(3):
        second.step()
    assert second.progress.losses == whole.progress.losses
    assert second.progress.tone_losses == whole.progress.tone_losses
    for name, tensor in whole.checkpoint().tensors.items():
        np.testing.assert_array_equal(second.checkpoint().tensors[name], tensor, err_msg=name)
    assert {path.name for path in tmp_path.iterdir()} == {"state.pt"}


def test_another_seed_gives_another_run(toy: list[Recording]) -> None:
    one, same, other = (trainer(toy, 2, settings=replace(SETTINGS, seed=seed)) for seed in (1, 1, 2))
    losses = [run.step() for run in (one, same, other)]
    assert losses[0] == losses[1] != losses[2]


def test_resuming_another_network_is_refused(toy: list[Recording], tmp_path: Path) -> None:
    run = trainer(toy, 1)
    run.save(tmp_path / "state.pt")
    other = Trainer(instrument_config(tiny().instruments, name="other"), toy, Budget(steps=1), SETTINGS)
    with pytest.raises(TrainingError, match=r"state\.pt: a run of another network"):
        other.resume(tmp_path / "state.pt")


def test_a_resumed_run_takes_the_learning_rates_it_is_given(toy: list[Recording], tmp_path: Path) -> None:
    first = trainer(toy, 4)
    first.step()
    first.save(tmp_path / "state.pt")
    same, other = trainer(toy, 4), trainer(toy, 4, settings=replace(SETTINGS, learning_rate=3e-4, tone_rate=2e-4))
    rates = []
    for run in (same, other):
        run.resume(tmp_path / "state.pt")
        run.step()
        rates.append([group["lr"] for group in run.optimiser.param_groups])
    assert rates[1][0] / rates[0][0] == pytest.approx(3e-4 / SETTINGS.learning_rate)
    assert rates[1][1] / rates[0][1] == pytest.approx(2e-4 / SETTINGS.tone_rate)


def broken(whole: bytes) -> list[bytes]:
    """Files that are no saved run, or were one."""
    flipped = bytearray(whole)
    flipped[150:190] = bytes(255 - b for b in flipped[150:190])
    objects = []
    state = torch.load(io.BytesIO(whole), weights_only=True)
    less = {key: value for key, value in state.items() if key != "optimiser"}
    for thing in ([1], {}, {"config": 1}, less, {**state, "progress": {"lesson": 1}}, {**state, "network": {}}):
        file = io.BytesIO()
        torch.save(thing, file)
        objects.append(file.getvalue())
    return [b"", b"not a run\n", b"{}", whole[: len(whole) // 2], whole[:-1], bytes(flipped), *objects]


def test_what_is_no_saved_run_is_refused_by_name(toy: list[Recording], tmp_path: Path) -> None:
    run, path = trainer(toy, 1), tmp_path / "state.pt"
    run.save(path)
    for content in broken(path.read_bytes()):
        path.write_bytes(content)
        with pytest.raises(TrainingError, match=r"state\.pt: not a saved run: "):
            run.resume(path)
    with pytest.raises(TrainingError, match=r"none\.pt: not a saved run: "):
        run.resume(tmp_path / "none.pt")


def test_what_is_played_is_the_average_of_the_weights_with_a_lighter_past(toy: list[Recording]) -> None:
    assert 0 < SETTINGS.past_weight < 1
    run = trainer(toy, 20)
    name = "input.weight"
    mean = run.network.state_dict()[name].clone()
    for step in range(20):
        run.step()
        keep = min(SETTINGS.average, (1 + step) / (10 + step))
        mean = keep * mean + (1 - keep) * run.network.state_dict()[name]
    mean[:, 0] *= SETTINGS.past_weight  # the last sample; the others are the excitation
    run.checkpoint()
    played = run.checkpoint().tensors[name]  # again: the run itself keeps the weights of training
    np.testing.assert_allclose(played, mean, rtol=0, atol=1e-6)
    assert not np.array_equal(played, run.network.state_dict()[name])


def test_an_update_without_a_finite_gradient_is_left_out(toy: list[Recording]) -> None:
    run = trainer(toy, 10)
    before = {name: w.clone() for name, w in run.network.state_dict().items()}
    run._losses = lambda network, *_: (network.input.weight.sum() * math.nan,) * 3
    run.step()
    assert run.progress.skipped == 1
    assert run.progress.step == 1
    assert all(torch.equal(before[name], w) for name, w in run.network.state_dict().items())
    assert all(np.isfinite(w).all() for w in run.checkpoint().tensors.values())
    for _ in range(MOST_SKIPPED - 1):
        run.step()
    with pytest.raises(TrainingError, match=f"step {MOST_SKIPPED}: {MOST_SKIPPED} updates in a row"):
        run.step()


def test_what_steers_has_a_learning_rate_of_its_own(toy: list[Recording]) -> None:
    run = trainer(toy, 10)
    run.step()
    stack, steering = run.optimiser.param_groups
    assert steering["lr"] / stack["lr"] == pytest.approx(SETTINGS.tone_rate / SETTINGS.learning_rate)
    network = run.network
    assert network.local is not None
    assert network.tone is not None
    assert {id(w) for w in steering["params"]} == {
        id(w) for part in (network.local, network.tone) for w in part.parameters()
    }
    assert len(stack["params"]) + len(steering["params"]) == len(list(network.parameters()))


def test_no_recordings_are_refused() -> None:
    with pytest.raises(TrainingError, match="no recordings"):
        Trainer(tiny(), [], Budget(steps=1))


@pytest.mark.parametrize(("steps", "minutes"), [(None, None), (5, 1.0)])
def test_a_budget_is_steps_or_minutes(steps: int | None, minutes: float | None) -> None:
    with pytest.raises(ValueError, match="steps or minutes"):
        Budget(steps=steps, minutes=minutes)


def test_the_learning_rate_warms_up_and_falls() -> None:
    rates = [learning_rate(1.0, step, 10, step / 100) for step in range(101)]
    assert rates[0] == pytest.approx(0.1, rel=0.01)
    assert max(rates) > 0.95
    assert rates[-1] == pytest.approx(0.01)
    assert rates[10:] == sorted(rates[10:], reverse=True)


def test_noise_is_of_one_size_a_crop_and_of_its_generator_alone() -> None:
    like = torch.zeros(40, 4000)
    noise, again = (draw_noise(np.random.default_rng(3), (-2.0, 1.0), like) for _ in range(2))
    assert torch.equal(noise, again)
    decades = noise.std(dim=1).log10()
    assert -2.1 < decades.min() < -1.5
    assert 0.5 < decades.max() < 1.1
    assert noise.mean(dim=1).abs().max() < 0.5
