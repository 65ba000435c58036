"""What a line says; the measuring itself takes a GPU."""

from __future__ import annotations

from dataclasses import replace

import pytest

pytest.importorskip("triton")  # made for Linux alone

from ostinato.models.benching.gpu import Figures

SOME = Figures(
    card="A card",
    engine="fused",
    precision="float16",
    model="r64",
    streams=1024,
    first_s=1.5,
    hop_us=30.0,
    worst_hop_us=33.0,
    block_us=20.0,
    kernel_us=19.5,
    real_time_us=25.0,
    bytes_a_stream=512 * 1024,
)


def test_a_line_tells_whether_it_is_real_time_hop_by_hop_and_in_blocks() -> None:
    line = str(SOME)
    assert "1024 streams" in line
    assert "RTF 1.200 and 0.800" in line
    assert "kernel 19.50" in line
    assert "512 KiB a stream" in line


def test_where_nobody_profiles_the_kernels_share_is_left_out() -> None:
    assert "kernel" not in str(replace(SOME, kernel_us=None))
