"""A wire between a client and a server that can be held up, clogged, broken, frozen, and cut."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

BUFFER = 65_536  # bytes of a client's that wait to be carried


class Proxy:
    """Carries bytes both ways, what the server says only while it flows."""

    def __init__(self, port: int) -> None:
        self._server_port = port
        self._flows = threading.Event()
        self._flows.set()
        self._reads = threading.Event()
        self._reads.set()
        self._frozen: set[socket.socket] = set()  # ends that nothing is sent to any more
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
        self._ends: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self.url = f"ws://127.0.0.1:{self._listener.getsockname()[1]}"

    def hold(self) -> None:
        """Let nothing of the server through."""
        self._flows.clear()

    def flow(self) -> None:
        """Let what was held up through, and what follows."""
        self._flows.set()

    def break_(self) -> None:
        """Break every connection there is; whoever comes back gets a new one."""
        for end in list(self._ends):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def freeze(self) -> None:
        """Leave every connection there is half open: nothing goes through it any more, and nobody is told."""
        self._frozen |= set(self._ends)

    def clog(self) -> None:
        """Take nothing more of clients, however much they send; what comes after fills the sockets' buffers."""
        self._reads.clear()

    def unclog(self) -> None:
        """Take what they sent, and send."""
        self._reads.set()

    @property
    def dialled(self) -> int:
        """Connections that were made so far."""
        return len(self._ends) // 2

    def to(self, port: int) -> None:
        """Carry whoever comes from now on to another server."""
        self._server_port = port

    def cut(self) -> None:
        """Break every connection; nobody gets a new one."""
        for end in (self._listener, *self._ends):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        self._flows.set()
        self._reads.set()

    def accept(self) -> None:
        """Carry, until cut."""
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                try:
                    server = socket.create_connection(("127.0.0.1", self._server_port))
                except OSError:
                    client.close()
                    continue
                self._ends += (client, server)
                self._start(client, server, held=False)
                self._start(server, client, held=True)

    def close(self) -> None:
        """Cut, and wait until nothing is left of it."""
        self.cut()
        for thread in self._threads:
            thread.join()
        for end in (self._listener, *self._ends):
            end.close()

    def _start(self, source: socket.socket, sink: socket.socket, *, held: bool) -> None:
        thread = threading.Thread(target=self._carry, args=(source, sink, held))
        self._threads.append(thread)
        thread.start()

    def _carry(self, source: socket.socket, sink: socket.socket, held: bool) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                if held:
                    self._flows.wait()
                else:
                    self._reads.wait()
                if sink not in self._frozen:
                    sink.sendall(data)
        with suppress(OSError):
            sink.shutdown(socket.SHUT_WR)


@contextmanager
def proxied(port: int) -> Iterator[Proxy]:
    """A proxy before the server on a port of loopback."""
    proxy = Proxy(port)
    accepting = threading.Thread(target=proxy.accept)
    accepting.start()
    try:
        yield proxy
    finally:
        proxy.cut()
        accepting.join()
        proxy.close()
