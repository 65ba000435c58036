"""Streams spread over threads: the same bits, nobody waits for a team that is taken, nothing is left behind."""

import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from ostinato.models import registry
from ostinato.models.sampling.native import NativeSampler
from tests.models.sampling.networks import controls_for

R32 = registry.load("r32")
STREAMS, FRAMES = 8, 2  # enough of r32 that a call is worth several threads
TASKS = Path("/proc/self/task")  # one a thread


def drawn(threads: int) -> NDArray[np.float32]:
    sampler = NativeSampler(R32, STREAMS, threads=threads)
    for slot in range(STREAMS):
        sampler.reset(slot, slot)
    return sampler.advance(list(range(STREAMS)), controls_for(R32.config, STREAMS, FRAMES))


ALONE = drawn(1)


@pytest.mark.parametrize("threads", [2, 3, 8, 50])
def test_no_bit_depends_on_threads(threads: int) -> None:
    np.testing.assert_array_equal(drawn(threads), ALONE)


def test_a_build_tells_of_no_more_threads_than_could_have_a_stream_each() -> None:
    assert NativeSampler(R32, STREAMS, threads=3).build.threads == 3
    assert NativeSampler(R32, 2, threads=3).build.threads == 2


@pytest.mark.skipif(not TASKS.is_dir(), reason="needs Linux's list of threads")
def test_threads_work_in_a_call_and_sleep_and_end_with_their_pools() -> None:
    before = set(TASKS.iterdir())
    samplers = [NativeSampler(R32, STREAMS, threads=3) for _ in range(2)]
    team = set(TASKS.iterdir()) - before
    assert len(team) == 2, "one team for all pools, the caller among them"

    def busy() -> list[int]:  # clock ticks of each
        return [sum(map(int, (task / "stat").read_text().rsplit(")", 1)[1].split()[11:13])) for task in sorted(team)]

    at_first = busy()
    controls = controls_for(R32.config, STREAMS, 200)
    samplers[0].advance(list(range(STREAMS)), controls)
    worked = busy()
    assert all(b > a for a, b in zip(at_first, worked, strict=True))
    time.sleep(0.3)
    assert sum(busy()) - sum(worked) <= 1
    del samplers
    assert not team & set(TASKS.iterdir())


def test_callers_at_the_same_time_each_get_their_streams() -> None:
    found: list[NDArray[np.float32]] = []
    callers = [threading.Thread(target=lambda: found.append(drawn(2))) for _ in range(6)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(30)
    assert len(found) == 6
    for audio in found:
        np.testing.assert_array_equal(audio, ALONE)


FORKED = """
import os, sys
import numpy as np
from tests.models.native.test_team import ALONE, FRAMES, R32, STREAMS, drawn
from ostinato.models.sampling.native import NativeSampler
from tests.models.sampling.networks import controls_for
sampler = NativeSampler(R32, STREAMS, threads=3)
child = os.fork()
if child == 0:
    for slot in range(STREAMS):
        sampler.reset(slot, slot)
    mine = sampler.advance(list(range(STREAMS)), controls_for(R32.config, STREAMS, FRAMES))
    same = np.array_equal(mine, ALONE) and np.array_equal(drawn(3), ALONE)
    del sampler
    os._exit(0 if same else 1)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="has no fork")
def test_a_forked_process_draws_without_its_parent_s_team() -> None:
    root = Path(__file__).parents[3]
    subprocess.run([sys.executable, "-c", FORKED], check=True, timeout=60, cwd=root)
