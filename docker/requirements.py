"""Print the base dependencies of a pyproject but torch, one a line: what a native server needs."""

import re
import sys
import tomllib
from pathlib import Path

project = tomllib.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))["project"]
for requirement in project["dependencies"]:
    if re.match(r"[A-Za-z0-9._-]+", requirement)[0] != "torch":  # type: ignore[index]
        print(requirement)
