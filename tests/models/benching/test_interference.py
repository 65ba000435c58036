"""Others' share of a machine's CPU time, from what Linux counts."""

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.models.benching import interference
from ostinato.models.benching.interference import CpuTime, Watch, cpu_time, share_of_others

STAT = """cpu  1000 200 300 5000 400 50 60 70 80 90
cpu0 500 100 150 2500 200 25 30 35 40 45
intr 12345
"""


def test_working_is_all_but_idling_and_waiting() -> None:
    now = cpu_time(STAT, own_s=3.5, ticks_per_s=100)
    assert now == CpuTime(all_s=70.8, working_s=16.8, own_s=3.5)


def test_a_machine_of_which_this_process_took_one_core_is_not_busy() -> None:
    before = CpuTime(all_s=100.0, working_s=20.0, own_s=5.0)
    after = CpuTime(all_s=104.0, working_s=22.0, own_s=7.0)  # two cores for 2 s, one of them ours
    assert share_of_others(before, after) == 0


def test_a_core_taken_by_another_is_its_share_of_all_cores() -> None:
    before = CpuTime(all_s=100.0, working_s=20.0, own_s=5.0)
    after = CpuTime(all_s=104.0, working_s=24.0, own_s=7.0)
    assert share_of_others(before, after) == pytest.approx(0.5)


times = st.builds(CpuTime, st.floats(0, 1e9), st.floats(0, 1e9), st.floats(0, 1e9))


@given(times, times)
def test_a_share_is_one(before: CpuTime, after: CpuTime) -> None:
    assert 0 <= share_of_others(before, after) <= 1


def test_a_text_without_counts_is_refused() -> None:
    with pytest.raises(ValueError, match="/proc/stat: no line of all cores in 'intr 1'"):
        cpu_time("intr 1", 0.0, 100)


def test_a_watch_tells_of_the_whole_time_since_it_began(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stat = tmp_path / "stat"
    monkeypatch.setattr(interference, "STAT", stat)

    def counts(working: int, idle: int) -> None:
        stat.write_text(f"cpu  {working} 0 0 {idle} 0 0 0 0 0 0\n", encoding="ascii")

    counts(0, 0)
    watch = Watch()
    counts(50_000, 50_000)  # others took half of it
    watch.look()
    assert watch.busy
    assert watch.share == pytest.approx(0.5, abs=0.01)
    counts(50_000, 950_000)  # and then nothing
    watch.look()
    assert watch.share == pytest.approx(0.05, abs=0.01)
    assert not watch.busy


def test_where_there_is_no_proc_stat_the_load_average_tells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interference, "STAT", tmp_path / "none")
    monkeypatch.setattr("os.getloadavg", lambda: (1.0, 1.0, 1.0))
    watch = Watch()
    watch.look()
    assert watch.share == 0  # the one who measures
    monkeypatch.setattr("os.getloadavg", lambda: (1e6, 0.0, 0.0))
    watch.look()
    assert watch.busy


def test_a_look_waits_until_there_is_something_to_see(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interference, "LOOK_S", 0.01)
    began = time.perf_counter()
    Watch().wait_and_look()
    assert time.perf_counter() - began >= 0.01
