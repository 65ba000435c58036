from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLES = [
    pytest.param(example, id=f"{path}-{number}")
    for path in ("README.md", "clients/README.md")
    for number, example in enumerate(
        re.findall(r"```python\n(.*?)```", (ROOT / path).read_text(encoding="utf-8"), re.DOTALL)
    )
]


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_examples_play(example: str, server: str, capsys: pytest.CaptureFixture[str]) -> None:
    here = example.replace("ws://127.0.0.1:8000", server).replace('"default"', '"tiny"')
    exec(compile(here, "README.md", "exec"), {"__name__": "__main__"})
    assert capsys.readouterr().out.startswith("0 ")
