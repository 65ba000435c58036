"""What the interpreter cannot show: that the kernel compiles, fits an H100 and keeps its barrier. No GPU is needed."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ostinato.models import registry
from ostinato.models.fused.shape import BLOCK_BYTES, LANES, Padded

MODELS = ("r64", "default")  # a mu-law head and no conditioning; a mixture with everything switched on


@pytest.fixture(scope="module")
def kernels(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Each model drawing, then probing."""
    env = {**os.environ, "TRITON_INTERPRET": "0", "TRITON_CACHE_DIR": str(tmp_path_factory.mktemp("triton"))}
    command = [sys.executable, str(Path(__file__).parent / "compiling.py"), *MODELS]
    printed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=240, env=env).stdout
    found: list[dict[str, Any]] = json.loads(printed)
    return found


def test_it_compiles_to_tensor_core_products_within_a_blocks_shared_memory(kernels: list[dict[str, Any]]) -> None:
    assert [(k["model"], k["probe"]) for k in kernels] == [(m, probe) for m in MODELS for probe in (False, True)]
    for kernel in kernels:
        assert "mma.sync" in kernel["ptx"]
        assert 0 < kernel["shared"] <= BLOCK_BYTES


def test_no_matrix_goes_through_shared_memory(kernels: list[dict[str, Any]]) -> None:
    """It holds rows and logits of the streams alone: no more than these, and no asynchronous copy fills it."""
    for kernel in kernels:
        shape = Padded.of(registry.load(kernel["model"]).config.wavenet, "float16")
        assert kernel["shared"] <= LANES * max(shape.part, shape.skip, 2 * shape.residual) * 4
        assert "cp.async" not in kernel["ptx"]


def test_weights_are_read_16_bytes_at_a_time(kernels: list[dict[str, Any]]) -> None:
    for kernel in kernels:
        network = registry.load(kernel["model"]).config.wavenet
        shape = Padded.of(network, "float16")
        layer = 2 * (2 * network.kernel_size * shape.residual**2 + shape.residual * (shape.residual + shape.skip))
        assert kernel["ptx"].count("ld.global.v4.b32") >= 2 * layer / (shape.warps * 32 * 16)  # two layers a turn


def test_a_barrier_stands_between_the_rows_of_one_sample_and_the_next(kernels: list[dict[str, Any]]) -> None:
    """The last word of the loop of samples, after the loop of layers, which stores the rings' rows."""
    for kernel in kernels:
        loops = re.findall(r"scf\.for %\w+|ttg\.barrier all|scf\.yield", kernel["ttir"])
        assert loops.count("ttg.barrier all") == 1
        place = loops.index("ttg.barrier all")
        assert [word.split(" %")[0] for word in loops[:place]] == ["scf.for"] * 3 + ["scf.yield"]
        assert loops[place + 1 :] == ["scf.yield"] * 2


def test_a_ring_is_not_read_through_the_cache_that_never_sees_a_store(kernels: list[dict[str, Any]]) -> None:
    """The one table that is: constants of libdevice's sine for large angles."""
    for kernel in kernels:
        tables = set(re.findall(r"mov\.b64 +\t?(%rd\d+), __cudart_i2opi_f;", kernel["ptx"]))
        bases = dict(re.findall(r"add\.s64 +\t?(%rd\d+), (%rd\d+), ", kernel["ptx"]))
        for address in re.findall(r"ld\.global\.nc\S* +\t?%\w+, \[(%rd\d+)", kernel["ptx"]):
            assert bases[address] in tables
        assert kernel["ptx"].count("ld.global.nc") == len(re.findall(r"ld\.global\.nc\S* +\t?%\w+, \[", kernel["ptx"]))
