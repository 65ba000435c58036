"""Who may know whom, read off the imports: data flows one way, and torch stays where it is needed."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FRONT_DOOR = "clients/cli"  # names the commands of all three packages
USES_TORCH = (
    "models/training/",
    "models/fused/",
    "models/wavenet.py",
    "models/quantized_wavenet.py",
    "models/heads.py",
    "models/excitation.py",
    "models/tone.py",
    "models/autoregressive.py",
    "models/coupling.py",
    "models/flow_network.py",
    "models/parallel.py",
    "models/steered.py",
    "models/networks.py",
    "models/attention.py",
    "models/blocks_network.py",
    "models/independent.py",
    "models/prediction.py",
    "models/nade_network.py",
    "models/nade.py",
    "models/speculation.py",
    "models/conditionals.py",
    "models/benching/gpu.py",
    "models/benching/nade.py",
    "models/benching/operations.py",
    "models/sampling/capture.py",
    "models/sampling/torch_parallel.py",
    "models/sampling/torch_pool.py",
    "models/sampling/torch_sampler.py",
    "models/sampling/fused.py",
    "models/sampling/naive.py",
)


def sources(package: str) -> Iterator[tuple[str, ast.Module]]:
    for path in sorted((ROOT / package).rglob("*.py")):
        yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


def imports(tree: ast.AST) -> set[str]:
    """Every module that is imported anywhere in a file."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


@pytest.mark.parametrize(
    ("package", "forbidden", "allowed"),
    [
        ("models", ("ostinato.server", "ostinato.clients"), ()),
        ("server", ("ostinato.clients",), ()),
        ("clients", ("ostinato.server", "ostinato.models"), ("ostinato.server.protocol",)),
    ],
)
def test_packages_know_only_what_lies_below_them(
    package: str, forbidden: tuple[str, ...], allowed: tuple[str, ...]
) -> None:
    faults = [
        f"{path} imports {name}"
        for path, tree in sources(package)
        if not path.startswith(FRONT_DOOR)
        for name in sorted(imports(tree))
        if name.startswith(forbidden) and not any(name == a or name.startswith(f"{a}.") for a in allowed)
        if not any(a.startswith(f"{name}.") for a in allowed)
    ]
    assert not faults


def test_torch_is_imported_at_the_top_only_by_what_cannot_do_without_it() -> None:
    faults = [
        path
        for package in ("models", "server", "clients")
        for path, tree in sources(package)
        if not path.startswith(USES_TORCH)
        for node in tree.body
        if isinstance(node, ast.Import | ast.ImportFrom) and any(n.split(".")[0] == "torch" for n in imports(node))
    ]
    assert not faults


def test_opening_a_native_sampler_imports_no_torch() -> None:
    program = (
        "import sys\n"
        "from ostinato.models import registry\n"
        "from ostinato.models.sampling.choose import open_sampler\n"
        "open_sampler(registry.load('tiny'), engine='native', device='auto', slots=1)\n"
        "import ostinato.server.app\n"
        "sys.exit('torch' in sys.modules)\n"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=60).returncode == 0


@pytest.mark.parametrize("package", ["models", "server", "clients"])
def test_every_file_says_first_why_it_exists(package: str) -> None:
    assert not [path for path, tree in sources(package) if not ast.get_docstring(tree)]
