"""A run from a data set to a folder that can be played and resumed."""

from pathlib import Path

import pytest

from ostinato.models.checkpoint import load_checkpoint
from ostinato.models.registry import random_config
from ostinato.models.training import running
from ostinato.models.training.dataset import DatasetError, read_dataset
from ostinato.models.training.loop import TrainingError
from tests.models.training.tones import write_recordings

FILES = {"config.json", "weights.safetensors", "state.pt", "loss.png"}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_recordings(folder)
    return folder


def test_a_run_leaves_a_checkpoint_a_state_and_a_picture(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, tiny = tmp_path / "run", random_config("tiny")
    assert running.train(data=data, out=out, steps=2, config=tiny) == out
    assert load_checkpoint(out).config == tiny
    assert {path.name for path in out.iterdir()} == FILES
    assert (out / "loss.png").read_bytes().startswith(b"\x89PNG")
    assert "step 2, " in capsys.readouterr().out
    running.train(data=data, out=out, steps=3, config=tiny, resume=True)
    told = capsys.readouterr().out
    assert "step 3, " in told
    assert "bits per sample" in told
    assert {path.name for path in out.iterdir()} == FILES


def test_there_must_be_something_to_resume(data: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"none.state\.pt: nothing to resume"):
        running.train(data=data, out=tmp_path / "none", steps=1, config=random_config("tiny"), resume=True)
    assert not (tmp_path / "none").exists()


def test_a_data_set_of_another_rate_or_hop_is_refused(data: Path, tmp_path: Path) -> None:
    tiny = random_config("tiny")
    other = tiny.model_copy(update={"network": tiny.network.model_copy(update={"hop": 32})})
    with pytest.raises(DatasetError, match="a hop of 64, not 44100 Hz and 32"):
        running.train(data=data, out=tmp_path / "run", steps=1, config=other)


def test_two_instruments_give_a_model_of_two_named_after_its_folder(tmp_path: Path) -> None:
    write_recordings(tmp_path / "data", ("whistle", "Glass harp"))
    out = tmp_path / "My Trio, 2nd"
    running.train(data=tmp_path / "data", out=out, steps=1)
    config = load_checkpoint(out).config
    assert config.name == "my-trio-2nd"
    assert [i.name for i in config.instruments] == ["whistle", "Glass harp"]
    assert config.network.global_ is not None
    assert config.network.global_.entries == 2
    assert config.licence == "CC0-1.0"
    assert config.description == "whistle, Glass harp"


@pytest.mark.parametrize(
    ("folder", "name"), [("flute", "flute"), ("--", "instrument"), ("Été", "t"), ("a b/c_D", "c_d")]
)
def test_a_model_is_named_after_its_folder(data: Path, folder: str, name: str) -> None:
    config = running.config_of(read_dataset(data), Path(folder))
    assert config.name == name
    assert config.network.global_ is None
    assert [i.name for i in config.instruments] == ["tone"]
