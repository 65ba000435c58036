"""What the running activation saves is counted, and a slope is that of its line."""

import pytest
import torch

from ostinato.models.benching import nade as benching
from ostinato.models.benching.operations import MultiplyAdds
from ostinato.models.conditionals import Bernoulli
from ostinato.models.nade import Nade


@pytest.mark.parametrize(("inputs", "units"), [(2, 3), (17, 5), (64, 8)])
def test_the_multiply_adds_that_were_asked_for(inputs: int, units: int) -> None:
    model, sample = Nade(inputs, units, Bernoulli().parameters), torch.ones(inputs)
    counts = {way: benching.counted(run, model, sample) for way, run in benching.WAYS.items()}
    assert counts == {"direct": inputs * (inputs - 1) // 2 * units, "running": (inputs - 1) * units}


def test_a_count_is_of_the_one_tensor_and_what_it_is_multiplied_by() -> None:
    weight, other = torch.ones(3, 4), torch.ones(3, 4)
    with MultiplyAdds(weight) as operations:
        torch.ones(5, 3) @ weight
        torch.ones(5, 3) @ other
        assert operations.count == 5 * 3 * 4
        weight[1] * 2
        weight[1] + 2
        assert operations.count == 5 * 3 * 4 + 4


def test_a_slope_is_that_of_its_line() -> None:
    rows = [benching.Measured("direct", n, 3e-9 * n**1.7, 0) for n in benching.INPUTS]
    assert benching.slope(rows) == pytest.approx(1.7)


def test_a_report_has_both_ways_at_each_n() -> None:
    report = benching.measure((4, 8), units=2, batch=3, rounds=1, seconds=0.0)
    assert [(row.way, row.inputs) for row in report.rows] == [
        ("direct", 4), ("running", 4), ("direct", 8), ("running", 8),
    ]  # fmt: skip
    assert all(row.seconds > 0 for row in report.rows)
    assert set(report.slopes) == {"direct", "running"}
