from pathlib import Path

import httpx
import pytest

from ostinato.clients.web import FOLDER
from tests.server.serving import serving


@pytest.fixture(scope="module")
def url() -> object:
    with serving(page=FOLDER) as server:
        yield server.url


def test_the_page_may_load_nothing_but_this_servers_own_files(url: str) -> None:
    answer = httpx.get(url)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = dict(part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert {policy[f"{kind}-src"] for kind in ("script", "style", "img", "connect")} == {"'self'"}
    assert policy["frame-ancestors"] == "'none'"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "<script>" not in answer.text
    assert "style=" not in answer.text


def test_every_file_of_it_is_served_and_names_no_other_host(url: str) -> None:
    for path in Path(FOLDER).iterdir():
        answer = httpx.get(f"{url}/web/{path.name}")
        if path.suffix in (".js", ".css", ".svg"):
            assert answer.status_code == 200, path
            assert "://" not in answer.text.replace("http://www.w3.org/2000/svg", ""), path
        else:
            assert answer.status_code == 404, path


def test_a_server_without_a_page_has_none() -> None:
    with serving() as server:
        assert httpx.get(server.url).status_code == 404
