"""What `ostinato data` is asked for, before anything is rendered."""

from pathlib import Path

import pytest

from ostinato.models.training.dataset import INDEX, DatasetError
from ostinato.models.training.orchestra import ORCHESTRA
from ostinato.models.training.preparing import choose_parts, clear, prepare_data
from ostinato.models.training.render import RenderError
from tests.models.training.tones import write_recordings


def test_parts_are_chosen_by_name_in_the_orchestra_s_order() -> None:
    assert choose_parts(()) == ORCHESTRA
    assert [part.instrument.name for part in choose_parts(("violin", "flute"))] == ["flute", "violin"]
    with pytest.raises(DatasetError, match="no instrument 'kazoo'; there are flute, clarinet"):
        choose_parts(("flute", "kazoo"))


def test_only_a_data_set_makes_room_for_another(tmp_path: Path) -> None:
    clear(tmp_path / "none")
    write_recordings(tmp_path / "set")
    clear(tmp_path / "set")
    assert not (tmp_path / "set").exists()
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(DatasetError, match=r"letter\.txt is no part of a data set"):
        clear(tmp_path)
    with pytest.raises(DatasetError, match="a file, not a folder"):
        clear(tmp_path / "letter.txt")
    assert (tmp_path / "letter.txt").exists()


def test_what_else_lies_in_a_data_set_or_beside_an_index_is_kept(tmp_path: Path) -> None:
    write_recordings(tmp_path / "set")
    (tmp_path / "set" / "takes").mkdir()
    with pytest.raises(DatasetError, match="takes is no part of a data set"):
        clear(tmp_path / "set")
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / "index.json").write_text("{}")
    with pytest.raises(DatasetError, match=r"index\.json is no part of a data set"):
        clear(tmp_path / "web")
    assert (tmp_path / "set" / "takes").exists()
    assert (tmp_path / "web" / "index.json").exists()


def test_a_missing_soundfont_costs_no_data_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_recordings(tmp_path / "set")
    program = tmp_path / "fluidsynth"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RenderError, match="apt install fluid-soundfont-gm"):
        prepare_data(out=tmp_path / "set", only=["flute"], soundfonts=tmp_path)
    assert (tmp_path / "set" / INDEX).is_file()
