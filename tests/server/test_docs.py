import re

import httpx

from tests.server.serving import Serving


def test_the_page_of_routes_asks_no_other_host_for_anything(server: Serving) -> None:
    page = httpx.get(f"{server.url}/docs")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "http" not in policy
    asked = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(asked) == 4
    for address in asked:
        assert address == "data:," or httpx.get(server.url + address).status_code == 200, address


def test_the_pages_script_loads_the_document_of_the_routes(server: Serving) -> None:
    (address,) = re.findall(r'url: "([^"]+)"', httpx.get(f"{server.url}/docs/start.js").text)
    document = httpx.get(server.url + address).json()
    assert {"/v1/audio/synthesize", "/v1/models", "/v1/latency", "/v1/tokens"} <= set(document["paths"])
    assert not [path for path in document["paths"] if path.startswith("/docs")]
    assert "/asyncapi.json" in document["info"]["description"]


def test_what_has_not_changed_is_not_sent_again(server: Serving) -> None:
    first = httpx.get(f"{server.url}/docs/swagger-ui.css")
    again = httpx.get(f"{server.url}/docs/swagger-ui.css", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert first.headers["x-content-type-options"] == "nosniff"


def test_no_other_file_can_be_asked_for(server: Serving) -> None:
    for name in ("redoc.standalone.js", "..%2fcore.py", "nothing"):
        answer = httpx.get(f"{server.url}/docs/{name}")
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
