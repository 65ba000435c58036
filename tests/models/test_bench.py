"""The bench measures every sampler, and its derived figures agree with one another."""

import subprocess
import sys

import pytest

from ostinato.models import bench, registry


def test_rows_agree_with_themselves_and_with_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "SECONDS_A_ROW", 0.01)
    rows = list(bench.bench(models=("tiny",)))
    assert {(row.engine, row.slots) for row in rows} == {
        ("torch", 1), ("torch", 8), ("native", 1), ("native", 8), ("naive", 1),
    }  # fmt: skip
    torch_rows = {row.slots: row for row in rows if row.engine == "torch"}
    for row in rows:
        assert row.us_per_sample == pytest.approx(row.step_us / row.slots, rel=0.01, abs=1e-3)
        assert row.rtf == pytest.approx(row.step_us / 22.676, rel=0.01, abs=1e-4)
        expected = torch_rows[row.slots].us_per_sample / row.us_per_sample
        assert row.speedup_vs_torch == pytest.approx(expected, rel=0.05)
        assert row.macs_per_sample == registry.load("tiny").config.network.macs_per_sample


def test_a_naive_stream_with_history_works_over_the_whole_receptive_field() -> None:
    checkpoint = registry.load("tiny")
    sampler = bench.make_sampler("naive", checkpoint, 1)
    sampler.reset(0, 1)
    sampler.restore(0, bench.with_history(sampler.snapshot(0), 16))
    assert sampler.snapshot(0).arrays["inputs"].shape[0] == 16
    sampler.advance([0], bench.steady_frames(1, 1))
    assert sampler.snapshot(0).arrays["inputs"].shape[0] == checkpoint.config.network.receptive_field


def test_the_native_sampler_is_measured_without_torch() -> None:
    program = (
        "import sys\n"
        "sys.modules['torch'] = None\n"
        "from ostinato.models import bench\n"
        "print(sum(1 for _ in bench.bench(models=('tiny',), engines=('native',))))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("2\n", "")
