"""A student learnt from what a random model plays."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from ostinato.clients.cli import app
from ostinato.models.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from ostinato.models.controls import FRAME
from ostinato.models.heads import STEP
from ostinato.models.sampling.choose import open_sampler
from ostinato.models.training import distilling, student
from ostinato.models.training.budget import Budget
from ostinato.models.training.distilling import measure
from ostinato.models.training.likelihood import dequantised
from ostinato.models.training.loop import TrainingError
from ostinato.models.training.student import Distiller, Lesson, Settings, at_temperature_1, bits_of_samples, crop_of
from ostinato.models.training.teaching import play
from tests.models.sampling.test_contract import small, small_flow

QUICK = Settings(notes=3, longest_s=0.1, crops=2, hops=24, steps_a_playing=15, warm_up=2)


@pytest.fixture(scope="module")
def model() -> Checkpoint:
    return small(hop=64)


@pytest.fixture(scope="module")
def taught(model: Checkpoint) -> Distiller:
    distiller = Distiller(model, "student", Budget(steps=30), QUICK)
    while distiller.done < 1:
        distiller.step()
    return distiller


def test_a_student_comes_nearer_to_its_model(model: Checkpoint, taught: Distiller) -> None:
    untaught = Distiller(model, "student", Budget(steps=1), QUICK).checkpoint()
    before, after = (measure(model, checkpoint, QUICK) for checkpoint in (untaught, taught.checkpoint()))
    assert after.divergence < before.divergence
    assert after.divergence > -3 * after.divergence_error  # no density is nearer to p than p itself
    assert after.entropy == before.entropy
    assert after.cross_entropy - after.entropy == pytest.approx(after.divergence)


def test_it_has_its_models_tone_and_reads_controls_anew(model: Checkpoint, taught: Distiller) -> None:
    found, last = taught.checkpoint().tensors, "local.2."
    kept = [name for name in model.config.network.steering_shapes() if not name.startswith(last)]
    assert len(kept) > 4
    assert all(np.array_equal(found[name], model.tensors[name]) for name in kept)
    assert not np.array_equal(found[f"{last}weight"], model.tensors[f"{last}weight"])


def test_a_run_that_was_interrupted_goes_on_to_the_same_weights(model: Checkpoint, tmp_path: Path) -> None:
    whole, first, second = (Distiller(model, "student", Budget(steps=4), QUICK) for _ in range(3))
    for _ in range(4):
        whole.step()
    for _ in range(2):
        first.step()
    first.save(tmp_path / "state.pt")
    second.resume(tmp_path / "state.pt")
    for _ in range(2):
        second.step()
    a, b = whole.checkpoint().tensors, second.checkpoint().tensors
    assert all(np.array_equal(a[name], b[name]) for name in a)
    weights = {**model.tensors, "input.bias": model.tensors["input.bias"] + 1}
    longer = model.config.model_copy(update={"release_s": 0.5})
    for other in (replace(model, tensors=weights), replace(model, config=longer)):
        with pytest.raises(TrainingError, match="model: 'small' is not the run's"):
            Distiller(other, "student", Budget(steps=4), QUICK).resume(tmp_path / "state.pt")
    seeded = Distiller(model, "student", Budget(steps=4), replace(QUICK, seed=5))
    with pytest.raises(TrainingError, match="seed: 5, and the run has 0"):
        seeded.resume(tmp_path / "state.pt")
    (tmp_path / "state.pt").write_bytes(b"nothing")
    with pytest.raises(TrainingError, match="not a saved run"):
        second.resume(tmp_path / "state.pt")


@pytest.mark.parametrize("head", [{"kind": "gaussian"}, {"kind": "mu_law", "levels": 16}])
def test_a_teacher_whose_levels_have_no_logistic_probabilities_is_refused(head: dict[str, object]) -> None:
    model = small(hop=64, head=head, tone=None, pre_emphasis=0.0)
    with pytest.raises(TrainingError, match=f"head.kind: '{head['kind']}' of model 'small', expected 'logistics'"):
        Distiller(model, "student", Budget(steps=1), QUICK)


def test_a_teacher_that_cannot_be_weighed_is_refused_before_it_teaches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(distilling, "run", lambda *_: pytest.fail("it was taught from"))
    save_checkpoint(small_flow(head={"kind": "logistics", "components": 1}), tmp_path / "flow")
    with pytest.raises(TrainingError, match="model: 'small-flow' can't be weighed as a teacher: strategy: 'flow'"):
        distilling.distill(model=str(tmp_path / "flow"), out=tmp_path / "student", steps=1, settings=QUICK)


def test_a_crop_counts_what_lies_past_the_reach_or_all_from_an_onset_on(taught: Distiller) -> None:
    lesson = Lesson(torch.zeros(3, 64 * 60), torch.zeros(3, 64 * 60), torch.zeros(3, 60, len(FRAME)))
    rng, seen = np.random.default_rng(0), set()
    for _ in range(20):
        crop, counted = crop_of(lesson, taught.network, QUICK, rng)
        assert crop.left.shape == counted.shape == (2, 24 * 64)
        seen |= {int(row.sum()) for row in counted}
    assert seen == {24 * 64, 12 * 64}  # twelve couplings of one frame before


@torch.no_grad()
def test_bits_are_of_levels_whatever_the_tones_scale(taught: Distiller) -> None:
    left, frames = torch.randn(1, 128), torch.zeros(1, 2, len(FRAME))
    bits = [bits_of_samples(taught.network, Lesson(left, torch.full((1, 128), s), frames)).mean() for s in (-4.0, -5.0)]
    assert float(bits[0] - bits[1]) == pytest.approx(1 / np.log(2), abs=1e-4)


def test_dequantised_samples_stay_within_their_level() -> None:
    levels = torch.arange(-1000, 1000) * STEP
    spread = dequantised(levels, np.random.default_rng(0))
    assert torch.equal((spread / STEP).round() * STEP, levels)
    assert float((spread - levels).std()) == pytest.approx(STEP / 12**0.5, rel=0.05)


def test_a_model_is_drawn_at_temperature_1_whatever_it_is_played_at(model: Checkpoint) -> None:
    played = replace(model, config=model.config.model_copy(update={"temperature": 0.3}))
    assert torch.equal(
        play(at_temperature_1(played), QUICK, 0).samples, play(at_temperature_1(model), QUICK, 0).samples
    )
    assert not torch.equal(play(played, QUICK, 0).samples, play(at_temperature_1(model), QUICK, 0).samples)


def test_the_command_writes_a_student_that_plays(
    model: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_checkpoint(model, tmp_path / "small")
    monkeypatch.setattr(student, "Settings", lambda seed: replace(QUICK, seed=seed))
    out = tmp_path / "Young Student"
    asked = ["distill", "--model", str(tmp_path / "small"), "--steps", "2", "-o", str(out), "--json"]
    told = CliRunner().invoke(app, asked)
    assert told.exit_code == 0, told.output
    found = json.loads(told.stdout)
    assert found == json.loads((out / distilling.REPORT).read_text())
    assert (found["steps"], found["recordings"]) == (2, 0)
    sampler, _ = open_sampler(load_checkpoint(out), slots=1)
    assert (sampler.config.name, sampler.config.strategy, sampler.build.engine) == ("young-student", "flow", "native")
    assert CliRunner().invoke(app, asked).exit_code == 2  # a run is there already
