from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from ostinato.clients.web import FOLDER
from tests.server.serving import Serving, serving

FILES = sorted(path.name for path in FOLDER.iterdir() if path.suffix in {".html", ".js", ".css", ".svg"})
CODE = [name for name in FILES if name != "icon.svg"]
KEY = "a key that nobody guesses"


@pytest.fixture(scope="module")
def stage() -> Iterator[Serving]:
    with serving(page=FOLDER, api_key=KEY) as running:
        yield running


def addresses(url: str) -> list[str]:
    return [f"{url}/", *(f"{url}/web/{name}" for name in FILES if name != "index.html")]


def test_every_file_is_served_to_anybody_under_a_policy_that_allows_nothing_from_elsewhere(stage: Serving) -> None:
    for address in addresses(stage.url):
        answer = httpx.get(address)
        assert answer.status_code == 200, address
        policy = dict(part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; "))
        assert policy["default-src"] == "'none'"
        assert set(policy.values()) == {"'none'", "'self'"}
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"


def test_files_are_what_they_are_called(stage: Serving) -> None:
    assert httpx.get(f"{stage.url}/").headers["content-type"] == "text/html; charset=utf-8"
    assert httpx.get(f"{stage.url}/web/app.js").headers["content-type"] == "text/javascript; charset=utf-8"
    assert httpx.get(f"{stage.url}/web/style.css").headers["content-type"] == "text/css; charset=utf-8"
    assert httpx.get(f"{stage.url}/web/icon.svg").headers["content-type"] == "image/svg+xml"
    assert httpx.get(f"{stage.url}/web/app.js").content == (FOLDER / "app.js").read_bytes()


def test_what_has_not_changed_is_not_sent_again(stage: Serving) -> None:
    for address in addresses(stage.url):
        first = httpx.get(address)
        again = httpx.get(address, headers={"if-none-match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["content-security-policy"] == first.headers["content-security-policy"]
        assert httpx.get(address, headers={"if-none-match": '"other"'}).status_code == 200
        head = httpx.head(address)
        assert (head.status_code, head.content) == (200, b"")


@pytest.mark.parametrize(
    "path",
    ["web/nonesuch.js", "web/index.html", "web/__init__.py", "web/..%2F__init__.py", "web/%2e%2e/errors.py", "web/"],
)
def test_nothing_else_is_served(stage: Serving, path: str) -> None:
    answer = httpx.get(f"{stage.url}/{path}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


def test_a_server_without_a_page_has_none(server: Serving) -> None:
    assert httpx.get(f"{server.url}/").status_code == 404


def test_a_folder_without_an_index_is_no_page(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"index\.html"), serving(page=tmp_path):
        pass


@pytest.mark.parametrize("name", CODE)
def test_the_page_names_no_other_host(name: str) -> None:
    assert not re.findall(r"(?:https?:|wss?:)?//[\w.-]+\.\w+", (FOLDER / name).read_text(encoding="utf-8"))


def test_the_page_has_no_script_and_no_style_of_its_own() -> None:
    page = (FOLDER / "index.html").read_text(encoding="utf-8")
    assert not re.findall(r"<style|\sstyle=|\son\w+=|javascript:|<script(?![^>]*\ssrc=)", page)


def test_every_file_that_is_named_is_there() -> None:
    page = (FOLDER / "index.html").read_text(encoding="utf-8")
    named = set(re.findall(r'(?:href|src)="web/([^"]+)"', page))
    for name in CODE:
        text = (FOLDER / name).read_text(encoding="utf-8")
        named |= set(
            re.findall(r'from "\./([^"]+)"|new URL\("(\w+\.js)"', text) and re.findall(r'"(?:\./)?(\w+\.js)"', text)
        )
    assert named <= set(FILES)
    assert set(FILES) - named == {"index.html"}


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith((".js", ".css"))])
def test_every_file_says_first_why_it_exists_and_is_short(name: str) -> None:
    text = (FOLDER / name).read_text(encoding="utf-8")
    assert text.startswith(("// ", "/* "))
    assert len(text.splitlines()) < 300
