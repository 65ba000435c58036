import re

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.typing import Subprotocol

from ostinato.clients.errors import RefusedError
from ostinato.clients.stream import connect
from ostinato.server.keys import NAME
from ostinato.server.protocol import Error, ProtocolError, SessionCreated, SessionStart
from ostinato.server.tokens import Tokens
from tests.server.serving import Heard, Listener, Serving, serving

KEYS = "alice:the-key-of-alice,bob:the-key-of-bob"
ALICE = {"Authorization": "Bearer the-key-of-alice"}
TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # what HTTP calls one, and a subprotocol must be


def issued(server: Serving) -> str:
    answer = httpx.post(f"{server.url}/v1/tokens", headers=ALICE)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json()["expires_s"] == server.settings.token_s
    return str(answer.json()["token"])


def with_token(server: Serving, token: str) -> Listener:
    return Listener(server, subprotocols=[Subprotocol("ostinato.v1"), Subprotocol(f"ostinato.token.{token}")])


def refused(server: Serving, token: str) -> Heard:
    with with_token(server, token) as listener:
        return listener.hear_out()


@given(st.from_regex(NAME, fullmatch=True), st.floats(0.0, 59.9))
def test_a_token_names_its_owner_until_it_expires(owner: str, later_s: float) -> None:
    now = 1000.0
    tokens = Tokens(60.0, lambda: now)
    token = tokens.issue(owner)
    assert TOKEN.fullmatch(token)
    now += later_s
    assert tokens.owner_of(token) == owner
    now = 1060.0
    with pytest.raises(ProtocolError, match="expired"):
        tokens.owner_of(token)


@given(st.data())
def test_a_token_changed_anywhere_is_refused(data: st.DataObject) -> None:
    tokens = Tokens(60.0)
    token = tokens.issue("alice")
    at = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.characters().filter(lambda c: c != token[at]))
    for forged in (token[:at] + other + token[at + 1 :], token[:at] + token[at + 1 :], token[:at]):
        with pytest.raises(ProtocolError) as refusal:
            tokens.owner_of(forged)
        assert refusal.value.detail.code == "token_invalid"


@given(st.text())
def test_any_text_is_refused_by_a_protocol_error(text: str) -> None:
    with pytest.raises(ProtocolError):
        Tokens(60.0).owner_of(text)


def test_a_token_opens_sockets_in_its_owners_name_and_is_never_sent_back() -> None:
    with serving(api_keys=KEYS) as server:
        token = issued(server)
        for _ in range(2):
            with with_token(server, token) as listener:
                assert listener.socket.subprotocol == "ostinato.v1"
                assert token not in str(listener.socket.response)
                listener.start().hear_until(SessionCreated)
                assert [session.owner for session in server.engine._sessions.values()] == ["alice"]
            assert server.settled()


def test_a_token_is_no_key() -> None:
    with serving(api_keys=KEYS) as server:
        token = issued(server)
        bearer = {"Authorization": f"Bearer {token}"}
        assert httpx.post(f"{server.url}/v1/tokens", headers=bearer).status_code == 401
        assert httpx.get(f"{server.url}/v1/models", headers=bearer).status_code == 401
        in_url = httpx.get(f"{server.url}/v1/models", params={"token": token})
        assert in_url.status_code == 401


def test_a_token_takes_a_key() -> None:
    with serving(api_keys=KEYS) as server:
        assert httpx.post(f"{server.url}/v1/tokens").status_code == 401
        assert httpx.post(f"{server.url}/v1/tokens", headers={"Authorization": "Bearer nobodys-key"}).status_code == 401


def test_a_token_that_expired_or_was_forged_is_told_apart_and_the_socket_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with serving(api_keys=KEYS, token_s=5.0) as server:
        token = issued(server)
        forged = refused(server, token[:-1] + ("A" if token[-1] != "A" else "B"))
        monkeypatch.setattr(server.service.tokens, "_clock", lambda: 1e9)
        expired = refused(server, token)
    for heard, code in ((forged, "token_invalid"), (expired, "token_expired")):
        error = heard.one(Error)
        assert (error.error.type, error.error.code, error.fatal) == ("not_authorised", code, True)
        assert error.error.param == "sec-websocket-protocol"
        assert token not in error.error.message
        assert heard.close_code == 1008


def test_a_token_of_another_server_is_refused() -> None:
    with serving(api_keys=KEYS) as one, serving(api_keys=KEYS) as other:
        assert refused(other, issued(one)).one(Error).error.code == "token_invalid"


def test_a_wrong_key_is_not_made_good_by_a_token() -> None:
    with serving(api_keys=KEYS) as server:
        token = issued(server)
        protocols = [Subprotocol("ostinato.v1"), Subprotocol(f"ostinato.token.{token}")]
        wrong = {"Authorization": "Bearer nobodys-key"}
        with Listener(server, subprotocols=protocols, additional_headers=wrong) as listener:
            assert listener.hear_out().close_code == 1008


def test_the_client_takes_a_token() -> None:
    with serving(api_keys=KEYS) as server:
        with connect(server.url, SessionStart(model="tiny"), token=issued(server)) as stream:
            assert stream.created.model == "tiny"
        with pytest.raises(RefusedError) as refusal:
            connect(server.url, SessionStart(model="tiny"), token="forged")
        assert refusal.value.error.error.code == "token_invalid"


def test_a_server_without_keys_gives_tokens_that_it_does_not_ask_for(server: Serving) -> None:
    token = httpx.post(f"{server.url}/v1/tokens").json()["token"]
    with with_token(server, token) as listener:
        listener.start().hear_until(SessionCreated)
