import socket
from collections.abc import Callable

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.typing import Origin

from ostinato.server.origins import Names, check_host, check_origin
from ostinato.server.protocol import Error, ErrorDetail, ProtocolError, SessionCreated
from ostinato.server.settings import SettingsError, read_settings
from tests.server.serving import Listener, Serving, serving

KEY = "a key that nobody guesses"
BEARER = {"Authorization": f"Bearer {KEY}"}
SITE = "https://instrument.example"
HOSTS = st.from_regex(r"[a-z][a-z0-9-]{0,10}(\.[a-z][a-z0-9-]{0,10}){0,2}", fullmatch=True)
PORTS = st.none() | st.integers(1, 65535)


def fault(check: Callable[[], None]) -> ErrorDetail | None:
    """What a check finds wrong."""
    try:
        check()
    except ProtocolError as error:
        return error.detail
    return None


def welcome(origin: str, host: str, *allowed: str) -> bool:
    found = fault(lambda: check_origin(origin, host, allowed))
    assert found is None or (found.code == "wrong_origin" and repr(origin) in found.message)
    return found is None


def at(host: str, port: int | None) -> str:
    return host if port is None else f"{host}:{port}"


@given(st.sampled_from(["http", "https"]), HOSTS, PORTS, HOSTS, PORTS)
def test_pages_of_the_same_host_and_port_are_welcome_and_no_others(
    scheme: str, host: str, port: int | None, other: str, other_port: int | None
) -> None:
    default = {"http": 80, "https": 443}[scheme]
    same = (host, port or default) == (other, other_port or default)
    assert welcome(f"{scheme}://{at(host, port)}", at(host, port))
    assert welcome(f"{scheme}://{at(other, other_port)}", at(host, port)) == same
    assert welcome(f"{scheme}://{at(other, other_port)}", at(host, port), f"{scheme}://{at(other, other_port)}")


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("null", "localhost"),
        ("", ""),
        ("http://", ""),
        ("http://localhost:8000@evil.example", "localhost:8000"),
        ("http://localhost:8000/", "localhost:8000/@evil.example"),
        ("http://localhost.evil.example:8000", "localhost:8000"),
        ("http://localhost", "localhost:8000"),
        ("http://localhost:99999", "localhost:99999"),
        ("chrome-extension://localhost", "localhost"),
        ("http://[::1]:8000", "[::1]:8001"),
        ("http://[::1", "[::1"),
    ],
)
def test_what_only_resembles_the_servers_own_origin_is_not_welcome(origin: str, host: str) -> None:
    assert not welcome(origin, host)


@given(st.text(max_size=40), st.text(max_size=40))
def test_any_headers_are_judged(origin: str, host: str) -> None:
    welcome(origin, host)
    found = fault(lambda: check_host(host, Names("127.0.0.1")))
    assert found or "localhost" in host.lower() or "127." in host or "::1" in host


@pytest.mark.parametrize(
    ("bound", "host", "known"),
    [
        ("127.0.0.1", "localhost:8000", True),
        ("127.0.0.1", "LOCALHOST.", True),
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "[::1]:9000", True),
        ("127.0.0.1", "10.0.0.7:8000", False),
        ("127.0.0.1", "evil.example:8000", False),
        ("127.0.0.1", "localhost.evil.example", False),
        ("127.0.0.1", "evil.example@localhost", False),
        ("127.0.0.1", "", False),
        ("10.0.0.7", "10.0.0.7:8000", True),
        ("10.0.0.7", "10.0.0.8:8000", False),
        ("studio.lan", "Studio.LAN:8000", True),
        ("studio.lan", "evil.example", False),
        ("0.0.0.0", "10.0.0.7:8000", True),
        ("0.0.0.0", "evil.example", False),
        ("::", "[fe80::1]", True),
    ],
)
def test_a_server_without_a_key_answers_to_the_names_that_it_listens_as(bound: str, host: str, known: bool) -> None:
    found = fault(lambda: check_host(host, Names(bound)))
    assert (found is None) == known
    assert found is None or (repr(host) in found.message and "OSTINATO_ALLOWED_HOSTS" in found.message)
    check_host("evil.example", Names(bound, ("evil.example",)))
    check_host(host or "x", Names(bound, ("*",)))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ALLOWED_HOSTS", "http://studio.lan"),
        ("ALLOWED_HOSTS", "studio.lan:8000"),
        ("ALLOWED_ORIGINS", "studio.lan"),
        ("ALLOWED_ORIGINS", "https://studio.lan/play"),
        ("ALLOWED_ORIGINS", "null"),
    ],
)
def test_what_is_no_host_or_no_origin_cannot_be_allowed(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"OSTINATO_{name}", f"*,{value}")
    with pytest.raises(SettingsError, match=f"OSTINATO_{name}.*'{value}'"):
        read_settings()


def test_an_allowed_origin_is_that_of_browsers_however_it_is_written() -> None:
    given = "HTTPS://Studio.example:443, http://studio.lan:80, http://studio.lan:8080"
    assert read_settings(allowed_origins=given).allowed_origins == (
        "https://studio.example",
        "http://studio.lan",
        "http://studio.lan:8080",
    )


def test_a_page_of_another_site_is_told_and_closed_on_loopback_too(server: Serving) -> None:
    with Listener(server, origin=Origin("https://evil.example")) as listener:
        heard = listener.hear_out()
    error = heard.one(Error)
    assert (error.error.type, error.error.code, error.error.param) == ("not_authorised", "wrong_origin", "origin")
    assert "'https://evil.example'" in error.error.message
    assert error.fatal
    assert heard.close_code == 1008
    answer = httpx.get(f"{server.url}/v1/models", headers={"Origin": "https://evil.example"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "wrong_origin")
    assert "access-control-allow-origin" not in answer.headers


def test_a_page_of_the_servers_own_is_served(server: Serving) -> None:
    with Listener(server, origin=Origin(server.url)) as listener:
        listener.start().hear_until(SessionCreated)
    assert httpx.get(f"{server.url}/v1/models", headers={"Origin": server.url}).status_code == 200


def test_a_name_that_was_rebound_to_loopback_is_refused(server: Serving) -> None:
    rebound = {"Host": f"evil.example:{server.port}"}
    answer = httpx.get(f"{server.url}/v1/models", headers=rebound)
    assert (answer.status_code, answer.json()["error"]["code"]) == (421, "wrong_host")
    assert answer.json()["error"]["param"] == "host"
    assert httpx.get(f"{server.url}/readyz", headers=rebound).status_code == 200
    plain = socket.create_connection(("127.0.0.1", server.port))
    with connect(f"ws://evil.example:{server.port}/v1/audio/stream", sock=plain) as rebinding:
        assert "wrong_host" in str(rebinding.recv(timeout=10))
        with pytest.raises(ConnectionClosed, match="1008"):
            rebinding.recv(timeout=10)


def test_hosts_that_are_allowed_are_answered_to() -> None:
    with serving(allowed_hosts="studio.lan, piano.lan") as server:
        for host, status in (("piano.lan", 200), ("studio.lan:80", 200), ("localhost", 200), ("evil.example", 421)):
            assert httpx.get(f"{server.url}/v1/models", headers={"Host": host}).status_code == status


def test_with_a_key_any_name_will_do_unless_names_are_given() -> None:
    with serving(api_key=KEY) as server:
        headers = {**BEARER, "Host": "behind.a.proxy.example"}
        assert httpx.get(f"{server.url}/v1/models", headers=headers).status_code == 200
        assert httpx.get(f"{server.url}/v1/models", headers={**headers, "Origin": SITE}).status_code == 403
        own = {**headers, "Origin": "https://behind.a.proxy.example"}
        assert httpx.get(f"{server.url}/v1/models", headers=own).status_code == 200
    with serving(api_key=KEY, allowed_hosts="studio.lan") as server:
        assert httpx.get(f"{server.url}/v1/models", headers=headers).status_code == 421


def test_pages_of_an_allowed_origin_may_read_errors_too(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(api_key=KEY, allowed_origins=SITE) as server:

        def broken(_: object) -> None:
            raise RuntimeError

        monkeypatch.setattr(server.service.tokens, "issue", broken)
        origin = {"Origin": SITE}
        answers = {
            200: httpx.get(f"{server.url}/v1/models", headers={**BEARER, **origin}),
            401: httpx.get(f"{server.url}/v1/models", headers=origin),
            404: httpx.get(f"{server.url}/v1/models/nonesuch", headers={**BEARER, **origin}),
            405: httpx.delete(f"{server.url}/v1/models", headers={**BEARER, **origin}),
            415: httpx.post(f"{server.url}/v1/audio/synthesize", headers={**BEARER, **origin}),
            500: httpx.post(f"{server.url}/v1/tokens", headers={**BEARER, **origin}),
        }
        for status, answer in answers.items():
            assert answer.status_code == status
            assert answer.headers["access-control-allow-origin"] == SITE
            assert "Origin" in answer.headers["vary"]
        refused = httpx.get(f"{server.url}/v1/models", headers={**BEARER, "Origin": "https://evil.example"})
        assert "access-control-allow-origin" not in refused.headers


def test_a_page_of_an_allowed_origin_may_ask_first_without_a_key() -> None:
    with serving(api_key=KEY, allowed_origins=SITE) as server:
        asking = {
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,content-type",
        }
        path = f"{server.url}/v1/audio/synthesize"
        told = httpx.options(path, headers={**asking, "Origin": SITE})
        assert told.status_code == 200
        assert told.headers["access-control-allow-origin"] == SITE
        assert "POST" in told.headers["access-control-allow-methods"]
        stranger = httpx.options(path, headers={**asking, "Origin": "https://evil.example"})
        assert (stranger.status_code, stranger.json()["error"]["code"]) == (403, "wrong_origin")
        assert "access-control-allow-origin" not in stranger.headers
        with Listener(server, origin=Origin(SITE), additional_headers=BEARER) as listener:
            listener.start().hear_until(SessionCreated)
