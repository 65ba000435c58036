"""The step allocates nothing, counted by a preloaded malloc; and the counter is shown to count."""

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
COMPILER = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the counter stands before glibc's malloc")
@pytest.mark.skipif(COMPILER is None, reason="no C compiler on the path")
@pytest.mark.parametrize(
    ("model", "precision"),
    [("tiny", "float32"), ("tiny", "int8"), ("nade", "float32"), ("blocks", "float32"), ("flow", "float32")],
)
@pytest.mark.parametrize("threads", [1, 2])
def test_the_step_allocates_nothing(tmp_path: Path, model: str, precision: str, threads: int) -> None:
    counter = tmp_path / "allocations.so"
    assert COMPILER is not None
    subprocess.run([COMPILER, "-shared", "-fPIC", "-O1", HERE / "allocations.c", "-o", counter], check=True)
    run = subprocess.run(
        [sys.executable, HERE / "count_allocations.py", model, precision, str(threads)],
        env={**os.environ, "LD_PRELOAD": str(counter)},
        check=True,
        capture_output=True,
        text=True,
    )
    short, long, construction, large_array = map(int, run.stdout.split())
    assert construction > 5, "the counter misses allocations in the extension"
    assert large_array >= 1, "the counter misses allocations in Python"
    assert long == short
