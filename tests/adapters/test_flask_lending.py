"""The handshake is answered once, by whoever decides about it, however long that takes."""

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from types import SimpleNamespace

import pytest

from wsproto_flask import lending
from wsproto_flask.lending import LentSocket, lent_of

ANSWER = b"HTTP/1.1 101 Switching Protocols\r\n\r\n"


@pytest.fixture
def sockets() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Both ends of a connection: the client's, and the server's."""
    here, there = socket.socketpair()
    with here, there:
        yield here, there


@pytest.fixture(autouse=True)
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lending, "_PATIENCE", 0.01)


def held(sock: socket.socket) -> LentSocket:
    lent = LentSocket(sock, held=True)
    lent.send(ANSWER)
    return lent


def claimed(sock: socket.socket) -> LentSocket:
    return lent_of(SimpleNamespace(sock=held(sock), event=threading.Event()))


def begin_to_read(lent: LentSocket) -> Future[bytes]:
    """Read as simple-websocket's thread does."""
    read: Future[bytes] = Future()

    def run() -> None:
        try:
            read.set_result(lent.recv(100))
        except BaseException as error:
            read.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return read


def assert_silent(client: socket.socket) -> None:
    client.settimeout(0.3)
    with pytest.raises(TimeoutError):
        client.recv(100)


def test_a_route_that_decides_nothing_has_it_answered(sockets: tuple[socket.socket, socket.socket]) -> None:
    client, server = sockets
    read = begin_to_read(held(server))
    assert client.recv(100) == ANSWER
    client.send(b"hello")
    assert read.result(10) == b"hello"


def test_who_has_claimed_it_is_waited_for_and_may_refuse_it(sockets: tuple[socket.socket, socket.socket]) -> None:
    client, server = sockets
    lent = claimed(server)
    read = begin_to_read(lent)
    assert_silent(client)
    assert lent.refuse()
    assert isinstance(read.exception(10), ConnectionAbortedError)
    assert not lent.refuse()
    assert_silent(client)


def test_who_has_claimed_it_may_change_the_answer_late(sockets: tuple[socket.socket, socket.socket]) -> None:
    client, server = sockets
    lent = claimed(server)
    read = begin_to_read(lent)
    assert_silent(client)
    lent.answer_with("wsproto.v1.json")
    lent.take()
    assert b"Sec-WebSocket-Protocol: wsproto.v1.json\r\n" in client.recv(1000)
    assert isinstance(read.exception(10), ConnectionAbortedError)


def test_a_ping_of_the_library_does_not_answer_it(sockets: tuple[socket.socket, socket.socket]) -> None:
    client, server = sockets
    lent = claimed(server)
    thread = threading.Thread(target=pytest.raises, args=(BrokenPipeError, lent.send, b"\x89\x00"), daemon=True)
    thread.start()
    assert_silent(client)
    lent.take()
    assert client.recv(100) == ANSWER
    thread.join(10)
    assert not thread.is_alive()


def test_a_client_that_has_gone_keeps_no_thread_waiting(sockets: tuple[socket.socket, socket.socket]) -> None:
    client, server = sockets
    lent = claimed(server)
    read = begin_to_read(lent)
    client.close()
    with pytest.raises(BrokenPipeError):
        lent.take()
    assert isinstance(read.exception(10), ConnectionAbortedError)
