"""Training: it learns, it goes on where it was interrupted, and it refuses what can't work."""

from pathlib import Path

import numpy as np
import pytest
import torch

from ostinato.models.checkpoint import load_checkpoint
from ostinato.models.config import ModelConfig
from ostinato.models.registry import random_config
from ostinato.models.training import running
from ostinato.models.training.budget import Budget, learning_rate
from ostinato.models.training.crops import CropPlan
from ostinato.models.training.loop import Settings, Trainer, TrainingError
from ostinato.models.training.recipe import default_config
from tests.models.training.tones import recordings, write_recordings

SETTINGS = Settings(crops=CropPlan(count=2, samples=1024), warm_up=5)


def tiny(name: str = "tiny") -> ModelConfig:
    return random_config(name)


def trainer(steps: int) -> Trainer:
    return Trainer(tiny(), recordings(), Budget(steps=steps), SETTINGS)


def test_loss_falls_on_a_toy_set() -> None:
    run = trainer(60)
    losses = [run.step() for _ in range(60)]
    assert np.mean(losses[-15:]) < np.mean(losses[:15]) - 0.5
    assert run.done == 1


def test_interrupted_run_goes_on_to_the_same_numbers(tmp_path: Path) -> None:
    whole, first, second = trainer(6), trainer(6), trainer(6)
    for _ in range(6):
        whole.step()
    for _ in range(3):
        first.step()
    first.save(tmp_path / "state.pt")
    second.resume(tmp_path / "state.pt")
    for _ in range(3):
        second.step()
    assert second.progress.losses == whole.progress.losses
    for name, tensor in whole.checkpoint().tensors.items():
        np.testing.assert_array_equal(second.checkpoint().tensors[name], tensor, err_msg=name)


def test_resuming_another_network_is_refused(tmp_path: Path) -> None:
    trainer(1).save(tmp_path / "state.pt")
    other = Trainer(default_config(), recordings(), Budget(steps=1), SETTINGS)
    with pytest.raises(TrainingError, match="another network"):
        other.resume(tmp_path / "state.pt")


def test_update_without_a_finite_gradient_is_left_out() -> None:
    run = trainer(10)
    before = {name: w.clone() for name, w in run.network.state_dict().items()}
    for parameter in run.network.parameters():
        parameter.grad = torch.full_like(parameter, torch.nan)
    run._update()
    assert run.progress.skipped == 1
    assert all(torch.equal(before[name], w) for name, w in run.network.state_dict().items())


def test_no_recordings_are_refused() -> None:
    with pytest.raises(TrainingError, match="no recordings"):
        Trainer(tiny(), [], Budget(steps=1))


@pytest.mark.parametrize(("steps", "minutes"), [(None, None), (5, 1.0)])
def test_budget_is_steps_or_minutes(steps: int | None, minutes: float | None) -> None:
    with pytest.raises(ValueError, match="steps or minutes"):
        Budget(steps=steps, minutes=minutes)


def test_learning_rate_warms_up_and_falls() -> None:
    rates = [learning_rate(1.0, step, 10, step / 100) for step in range(101)]
    assert rates[0] == pytest.approx(0.1, rel=0.01)
    assert max(rates) > 0.95
    assert rates[-1] == pytest.approx(0.01)
    assert rates[10:] == sorted(rates[10:], reverse=True)


def test_command_leaves_a_checkpoint_a_state_and_a_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, out = tmp_path / "data", tmp_path / "run"
    write_recordings(data)
    running.train(data=data, out=out, minutes=None, steps=2, config=tiny())
    assert load_checkpoint(out).config == tiny()
    assert {p.name for p in out.iterdir()} == {"config.json", "weights.safetensors", "state.pt", "loss.png"}
    assert "bits per sample" in capsys.readouterr().out
    running.train(data=data, out=out, minutes=None, steps=3, config=tiny(), resume=True)
    with pytest.raises(TrainingError, match="nothing to resume"):
        running.train(data=data, out=tmp_path / "none", steps=1, config=tiny(), resume=True)
