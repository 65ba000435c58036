"""The minute at four voices fails where a listener may have heard a fault."""

from __future__ import annotations

from typing import Any

import pytest

from tests.clients.web import minute

WHOLE = {"underruns": 1, "underruns_after_the_first_second": 0, "discontinuities": 0}


@pytest.mark.parametrize("fault", minute.FAULTS)
def test_a_fault_that_was_counted_is_an_exit_code_and_a_sentence(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit, match=f"^minute: 2 {fault}$"):
        played(monkeypatch, {**WHOLE, fault: 2})


def test_an_underrun_of_the_first_second_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    played(monkeypatch, WHOLE)


def played(monkeypatch: pytest.MonkeyPatch, counted: dict[str, Any]) -> None:
    monkeypatch.setattr(minute, "play", lambda _seconds, _pictures: counted)
    monkeypatch.setattr("sys.argv", ["minute"])
    minute.main()
