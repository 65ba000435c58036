"""Whoever sends a body slowly, or leaves in the middle of it, keeps nobody else out."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from tests.server.batches.posting import item, post, posted
from tests.server.serving import Serving, eventually, serving


@contextmanager
def half(server: Serving, key: str = "") -> Iterator[socket.socket]:
    """A connection with half a request on it."""
    with socket.create_connection(("127.0.0.1", server.port)) as link:
        head = "POST /v1/batches HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
        link.sendall(f"{head}authorization: Bearer {key}\r\ncontent-length: 100000\r\n\r\n{{".encode())
        yield link


def reading(server: Serving) -> int:
    return server.service.batches._reading.total()


def test_a_body_that_trickles_is_refused_though_a_piece_comes_always() -> None:
    with serving(stall_s=0.5) as server, half(server) as link:
        link.settimeout(0.1)
        answer = b""
        deadline = time.monotonic() + 20.0
        while not answer and time.monotonic() < deadline:
            link.sendall(b" ")
            try:
                answer = link.recv(4096)
            except TimeoutError:
                continue
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert eventually(lambda: reading(server) == 0)


def test_the_slow_bodies_of_one_key_keep_no_other_out() -> None:
    with serving(api_keys="alice:key-of-alice,bob:key-of-bob") as server, ExitStack() as links:
        for _ in range(2):
            links.enter_context(half(server, "key-of-alice"))
        assert eventually(lambda: reading(server) == 2)
        refused = post(server, [item(0)], headers={"authorization": "Bearer key-of-alice"})
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "full")
        posted(server, [item(0)], headers={"authorization": "Bearer key-of-bob"})


@pytest.mark.parametrize("path", ["/v1/batches", "/v1/audio/synthesize"])
def test_a_client_that_leaves_in_the_middle_of_its_body_is_no_fault_of_the_server(
    path: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with serving() as server:
        with socket.create_connection(("127.0.0.1", server.port)) as link:
            head = f"POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
            link.sendall(f"{head}content-length: 100\r\n\r\n{{".encode())
            time.sleep(0.2)
        assert eventually(lambda: not server.service.connections)
        time.sleep(0.1)
    assert capfd.readouterr().err == ""
