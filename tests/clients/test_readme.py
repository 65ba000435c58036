from __future__ import annotations

import re
from pathlib import Path

import pytest

README = Path(__file__).parents[2] / "clients" / "README.md"
EXAMPLES = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES, ids=range(len(EXAMPLES)))
def test_the_examples_play(example: str, server: str, capsys: pytest.CaptureFixture[str]) -> None:
    here = example.replace("ws://127.0.0.1:8000", server).replace('"default"', '"tiny"')
    exec(compile(here, str(README), "exec"), {"__name__": "__main__"})
    assert capsys.readouterr().out.startswith("0 ")
