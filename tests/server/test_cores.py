import os
from pathlib import Path

import pytest

from ostinato.server import cores
from ostinato.server.settings import read_settings


@pytest.fixture
def quota(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    return tmp_path / "cpu.max"


@pytest.mark.parametrize(
    ("told", "usable"),
    [
        ("max 100000", 8),
        ("400000 100000", 4),
        ("250000 100000", 2),
        ("50000 100000", 1),
        ("6400000 100000", 8),
        ("", 8),
    ],
)
def test_a_container_uses_what_it_is_allowed(quota: Path, told: str, usable: int) -> None:
    quota.write_text(told)
    assert cores.usable_cores(quota) == usable


def test_without_a_control_group_all_cores_of_the_process_are_usable(quota: Path) -> None:
    assert cores.usable_cores(quota) == 8


@pytest.mark.parametrize(("usable", "spare"), [(1, 1), (2, 1), (16, 15)])
def test_one_core_is_left_to_connections(monkeypatch: pytest.MonkeyPatch, usable: int, spare: int) -> None:
    monkeypatch.setattr(cores, "usable_cores", lambda: usable)
    assert cores.spare_cores() == spare


def test_threads_are_as_many_as_asked_for() -> None:
    assert read_settings(threads=3).threads == 3
    assert read_settings().threads is None
