"""A draft learnt from what a random model plays."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from ostinato.clients.cli import app
from ostinato.models.benching.speculation import notes
from ostinato.models.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from ostinato.models.registry import load
from ostinato.models.sampling.choose import open_sampler
from ostinato.models.sampling.contract import SamplerError
from ostinato.models.sampling.speculative import SpeculativeSampler
from ostinato.models.training import drafting
from ostinato.models.training.budget import Budget
from ostinato.models.training.drafting import STEERING, Drafter, Settings, measure
from ostinato.models.training.teaching import play
from tests.models.sampling.test_contract import small

QUICK = Settings(notes=4, longest_s=0.15, crops=2, hops=16, steps_a_playing=20)


@pytest.fixture(scope="module")
def model() -> Checkpoint:
    return small(hop=64)


@pytest.fixture(scope="module")
def drafter(model: Checkpoint) -> Drafter:
    drafter = Drafter(model, Budget(steps=60), QUICK)
    while drafter.done < 1:
        drafter.step()
    return drafter


def test_a_draft_comes_nearer_to_its_model(model: Checkpoint, drafter: Drafter) -> None:
    untaught = Drafter(model, Budget(steps=1), QUICK).checkpoint()
    before, after = (measure(model, draft, "float32", QUICK).divergence for draft in (untaught, drafter.checkpoint()))
    assert after < before


def test_it_has_its_models_controls_and_tone(model: Checkpoint, drafter: Drafter) -> None:
    draft = drafter.checkpoint()
    steering = [name for name in draft.tensors if name.startswith(STEERING)]
    assert len(steering) > 4
    assert all(np.array_equal(draft.tensors[name], model.tensors[name]) for name in steering)


def test_the_same_seed_and_step_play_the_same_notes(model: Checkpoint) -> None:
    first, second, other = play(model, QUICK, 1), play(model, QUICK, 1), play(model, QUICK, 2)
    assert np.array_equal(first.samples, second.samples)
    assert not np.array_equal(first.samples, other.samples)


def test_the_command_writes_a_draft_that_the_engine_finds(
    model: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "small"
    save_checkpoint(model, folder)
    with pytest.raises(SamplerError, match="ostinato draft"):
        open_sampler(load_checkpoint(folder), "speculative", slots=1)
    monkeypatch.setattr(drafting, "Settings", lambda seed: replace(QUICK, seed=seed))
    told = CliRunner().invoke(app, ["draft", "--model", str(folder), "--steps", "2", "--json"])
    assert told.exit_code == 0, told.output
    found = json.loads(told.stdout)
    assert found["steps"] == 2
    assert found["cross_entropy"] - found["entropy"] == pytest.approx(found["divergence"])
    sampler, why = open_sampler(load_checkpoint(folder), "speculative", slots=1)
    assert (sampler.build.engine, why) == ("speculative", "asked for")


def test_a_model_without_a_folder_can_have_no_draft() -> None:
    told = CliRunner().invoke(app, ["draft", "--model", "tiny", "--steps", "1"])
    assert told.exit_code == 2
    assert "tiny" in told.output


def test_the_shipped_draft_is_near_its_model() -> None:

    checkpoint = load("default")
    assert checkpoint.draft is not None
    assert checkpoint.draft.calibration is not None
    assert checkpoint.draft.config.network.macs_per_sample < checkpoint.config.network.macs_per_sample / 10
    sampler = SpeculativeSampler(checkpoint, checkpoint.draft, 8)
    sampler.advance(range(8), notes(checkpoint, 0.3))
    assert sampler.tally.acceptance > 0.8
