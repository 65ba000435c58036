"""The bench measures every sampler, and its derived figures agree with one another."""

import subprocess
import sys
from dataclasses import replace

import pytest

from ostinato.models import registry
from ostinato.models.benching.interference import Watch
from ostinato.models.benching.limits import Limits
from ostinato.models.benching.rows import Plan, measure
from ostinato.models.sampling.contract import SamplerError

TINY = Plan(models=("tiny",), streams=(1, 3), seconds=0.01)
LIMITS = Limits("any", {}, {"L1": 400.0, "L2": 200.0, "beyond": 100.0}, {"float32": 100.0, "int8": 400.0})


def test_rows_agree_with_themselves_and_with_torch() -> None:
    rows = list(measure(TINY, LIMITS, Watch()))
    assert [(row.engine, row.precision, row.slots) for row in rows] == [
        ("torch", "float32", 1), ("native", "float32", 1), ("native", "int8", 1), ("naive", "float32", 1),
        ("torch", "float32", 3), ("native", "float32", 3), ("native", "int8", 3),
    ]  # fmt: skip
    torch_rows = {row.slots: row for row in rows if row.engine == "torch"}
    for row in rows:
        assert 0 < row.best_us <= row.step_us
        assert row.us_per_sample == pytest.approx(row.step_us / row.slots, rel=0.01, abs=1e-3)
        assert row.rtf == pytest.approx(row.step_us / 22.676, rel=0.01, abs=1e-4)
        expected = torch_rows[row.slots].us_per_sample / row.us_per_sample
        assert row.speedup_vs_torch == pytest.approx(expected, rel=0.05)
        assert row.macs_per_sample == registry.load("tiny").config.network.macs_per_sample


def test_the_native_kernel_alone_has_a_roofline() -> None:
    for row in measure(TINY, LIMITS, Watch()):
        if row.engine == "native":
            assert row.weight_bytes
            assert row.roofline_us
            multiplying = {"float32": 100e3, "int8": 400e3}[row.precision]  # a µs
            least = max(row.weight_bytes / 200e3, row.slots * row.macs_per_sample / multiplying)
            assert row.roofline_us == pytest.approx(least, abs=1e-3)
            assert row.fraction_of_roofline == pytest.approx(row.roofline_us / row.step_us, abs=0.01)
        else:
            assert (row.weight_bytes, row.roofline_us, row.fraction_of_roofline) == (None, None, None)


def test_without_torch_there_is_no_ratio_to_it() -> None:
    rows = list(measure(replace(TINY, engines=("native",)), LIMITS, Watch()))
    assert {row.engine for row in rows} == {"native"}
    assert {row.speedup_vs_torch for row in rows} == {None}


def test_without_limits_there_is_no_roofline() -> None:
    (row,) = measure(replace(TINY, engines=("native",), precisions=("float32",), streams=(1,)), None, Watch())
    assert (row.roofline_us, row.fraction_of_roofline) == (None, None)


def test_int8_is_left_out_where_a_model_has_no_calibration_and_refused_where_it_alone_is_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    uncalibrated = replace(registry.load("tiny"), calibration=None)
    monkeypatch.setattr(registry, "load_name_or_folder", lambda _: uncalibrated)
    native = replace(TINY, engines=("native",), streams=(1,))
    assert [row.precision for row in measure(native, None, Watch())] == ["float32"]
    with pytest.raises(SamplerError, match="precision: 'int8' needs a calibration"):
        next(measure(replace(native, precisions=("int8",)), None, Watch()))


def test_naive_takes_several_streams_only_where_it_is_asked_for() -> None:
    rows = list(measure(replace(TINY, engines=("naive",), streams=(2,)), LIMITS, Watch()))
    assert [(row.engine, row.slots) for row in rows] == [("naive", 2)]


def test_what_a_device_does_not_run_is_refused() -> None:
    with pytest.raises(SamplerError, match="device: 'cuda'"):
        next(measure(replace(TINY, engines=("native",), device="cuda"), LIMITS, Watch()))


def test_the_native_sampler_is_measured_without_torch() -> None:
    program = (
        "import sys\n"
        "sys.modules['torch'] = None\n"
        "from ostinato.models.benching.interference import Watch\n"
        "from ostinato.models.benching.rows import Plan, measure\n"
        "plan = Plan(models=('tiny',), engines=('native',), streams=(1, 2), seconds=0.01)\n"
        "print({row.slots for row in measure(plan, None, Watch())})\n"
    )
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("{1, 2}\n", "")
