"""The container files against the project that they package. Nothing is built here."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from ostinato.server.settings import PREFIX, Settings

ROOT = Path(__file__).parent.parent.parent
DOCKER = ROOT / "docker"
DOCKERFILES = ("Dockerfile", "cuda.Dockerfile")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def text(name: str) -> str:
    """A file without its comments."""
    return re.sub(r"^\s*#.*\n", "", (DOCKER / name).read_text(encoding="utf-8"), flags=re.MULTILINE)


def service(name: str) -> str:
    """A service of the compose file: all that is indented below its name."""
    found = re.search(rf"^  {name}:\n((?:(?:    .*)?\n)+)", text("compose.yaml"), re.MULTILINE)
    assert found, name
    return found[1]


def requirements(*extras: str) -> set[str]:
    command = [sys.executable, str(DOCKER / "requirements.py"), str(ROOT / "pyproject.toml"), *extras]
    printed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    return {re.split(r"[^A-Za-z0-9._-]", line)[0] for line in printed.splitlines()}


@pytest.mark.parametrize("name", [*DOCKERFILES, "compose.yaml", "entrypoint.sh"])
def test_every_variable_is_a_setting(name: str) -> None:
    known = {f"{PREFIX}{field.upper()}" for field in Settings.model_fields}
    named = set(re.findall(rf"{PREFIX}[A-Z_]+", text(name)))
    assert named
    assert named <= known


@pytest.mark.parametrize("name", DOCKERFILES)
def test_what_is_copied_into_an_image_is_there_and_not_ignored(name: str) -> None:
    copied = [
        source
        for line in re.findall(r"^COPY (?!--from)(.*)$", text(name), re.MULTILINE)
        for source in [part for part in line.split() if not part.startswith("--")][:-1]
    ]
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert len(copied) > 5
    for source in copied:
        assert (ROOT / source).exists(), source
        assert source.split("/")[0] in kept, source


@pytest.mark.parametrize("name", DOCKERFILES)
def test_an_image_runs_as_nobody_and_says_when_it_is_ready(name: str) -> None:
    last = text(name).split("\nFROM ")[-1]
    assert re.search(r"^USER 10001$", last, re.MULTILINE)
    assert re.search(r"^HEALTHCHECK ", last, re.MULTILINE)
    assert "/readyz" in last
    assert 'ENTRYPOINT ["entrypoint.sh"]' in last


def test_the_native_image_has_no_torch_and_the_gpu_image_has_it_and_triton() -> None:
    assert "torch" not in requirements()
    assert requirements("cuda") == requirements() | {"torch", "triton"}


def test_the_extras_that_an_image_installs_are_the_projects() -> None:
    found = re.search(r"requirements\.py pyproject\.toml ([\w ]+) >", text("cuda.Dockerfile"))
    assert found
    assert set(found[1].split()) <= set(PROJECT["optional-dependencies"])


def test_cuda_comes_from_the_wheels_alone() -> None:
    """No base and no package of CUDA's beside what torch's wheels require, nor an extra that names one."""
    lines = text("cuda.Dockerfile")
    assert re.findall(r"^ARG BASE=(.*)$", lines, re.MULTILINE) == ["python:3.11-slim-bookworm"]
    assert set(re.findall(r"^FROM (\S+)", lines, re.MULTILINE)) == {"${BASE}"}
    assert not re.search(r"nvidia/cuda|cuda-toolkit|libcu\w+|nvidia-\w+", lines)
    assert not [name for name in requirements("cuda") if name.startswith(("nvidia", "cuda"))]


def test_triton_is_pinned_for_the_images_and_the_suite() -> None:
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    assert re.search(r"^triton==\d+\.\d+\.\d+$", pins, re.MULTILINE)
    assert any(re.match(r"triton\b", line) for line in PROJECT["optional-dependencies"]["cuda"])
    assert any(re.match(r"ostinato\[.*\bcuda\b.*\]", line) for line in PROJECT["optional-dependencies"]["dev"])


def test_only_the_gpu_service_reserves_a_device_and_it_is_asked_for_by_profile() -> None:
    gpu, cpu = service("gpu"), service("cpu")
    reservation = re.search(r"deploy:\s+resources:\s+reservations:\s+devices:\s+- driver: nvidia\n(.*)", gpu, re.DOTALL)
    assert reservation
    assert "count: 1" in reservation[1]
    assert "capabilities: [gpu]" in reservation[1]
    assert "profiles: [gpu]" in gpu
    assert "OSTINATO_DEVICE: cuda" in gpu
    assert "deploy" not in cpu
    assert "profiles" not in cpu


@pytest.mark.parametrize(("name", "dockerfile"), [("cpu", "docker/Dockerfile"), ("gpu", "docker/cuda.Dockerfile")])
def test_a_service_builds_its_image_and_is_published_on_loopback(name: str, dockerfile: str) -> None:
    lines = service(name)
    assert f"dockerfile: {dockerfile}\n" in lines
    assert (ROOT / dockerfile).exists()
    assert re.findall(r'- "(.*)"', lines) == ["${PUBLISH:-127.0.0.1:8000}:8000"]


@pytest.mark.parametrize("name", ["Dockerfile", "cuda.Dockerfile"])
def test_batches_are_kept_in_a_volume_that_the_server_may_write_to(name: str) -> None:
    folder = "/var/lib/ostinato"
    assert f"OSTINATO_DATA={folder}" in text(name)
    assert f"VOLUME {folder}\n" in text(name)
    assert f"install -d -o 10001 -m 700 {folder}\n" in text(name)
    (volume,) = re.findall(rf'volumes: \["([\w-]+):{folder}"\]', service("gpu" if "cuda" in name else "cpu"))
    assert f"\n  {volume}:\n" in text("compose.yaml").partition("\nvolumes:")[2]


def test_a_service_writes_to_tmp_and_its_volume_where_triton_may_load_what_it_compiled() -> None:
    cpu, gpu = service("cpu"), service("gpu")
    assert "read_only: true\n" in cpu
    assert "read_only: true\n" in gpu
    assert "tmpfs: [/tmp]\n" in cpu
    assert 'tmpfs: ["/tmp:exec"]\n' in gpu
    assert re.search(r"TRITON_CACHE_DIR=/tmp/", text("cuda.Dockerfile"))


def test_both_services_take_the_key_of_the_environment() -> None:
    assert "OSTINATO_API_KEY: ${OSTINATO_API_KEY:-}\n" in service("cpu")
    assert "<<: *environment" in service("gpu")


def test_the_entry_point_makes_a_key_where_the_environments_is_empty(tmp_path: Path) -> None:
    server = tmp_path / "ostinato"
    server.write_text('#!/bin/sh\necho "$1 $OSTINATO_API_KEY"\n')
    server.chmod(0o755)

    def served(key: str, **others: str) -> str:
        env = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "OSTINATO_API_KEY": key, **others}
        command = ["sh", str(DOCKER / "entrypoint.sh"), "serve"]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60, env=env).stdout

    assert served("chosen-by-me") == "serve chosen-by-me\n"
    assert served("", OSTINATO_API_KEYS="alice:of-alice") == "serve \n"
    assert served("", OSTINATO_API_KEYS_FILE="/run/secrets/keys") == "serve \n"
    told, given = served("", OSTINATO_API_KEYS="").splitlines()
    made = given.removeprefix("serve ")
    assert len(made) >= 8
    assert told.endswith(made)
