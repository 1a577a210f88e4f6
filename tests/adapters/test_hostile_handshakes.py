"""Handshakes as nobody should send them: each host lets in whom it must, nobody whom it must not, and lives on."""

import asyncio
from dataclasses import dataclass
from typing import Literal

import pytest

from tests.adapters.hosts import Host
from tests.adapters.serving import Server
from tests.adapters.talking import PATIENCE

HOST = b"good.example"
KEY = b"AAAAAAAAAAAAAAAAAAAAAA=="
FAILS_ITSELF = "asgi-websockets"  # at bytes beyond ASCII, before anybody of ours is asked


@dataclass(frozen=True)
class Case:
    """A handshake.

    Attributes:
        what: becomes of it; "either" where that is the server's own affair, as long as it lives on.
        add: fields beside those of every handshake.
        replace: other values of those; None leaves a field out.
    """

    what: Literal["in", "out", "either"]
    add: tuple[tuple[str, bytes], ...] = ()
    host: bytes | None = HOST
    key: bytes | None = KEY
    version: bytes | None = b"13"


def origin(what: Literal["in", "out", "either"], *values: bytes, host: bytes | None = HOST) -> Case:
    return Case(what, tuple(("Origin", value) for value in values), host)


BIG = b"x" * 20_000
CASES = {
    "no origin": Case("in"),
    "same origin": origin("in", b"http://good.example"),
    "default port": origin("in", b"http://good.example:80"),
    "default port in the host": origin("in", b"http://good.example", host=b"good.example:80"),
    "upper case": origin("in", b"HTTP://GOOD.EXAMPLE"),
    "upper case in the host": origin("in", b"http://good.example", host=b"GOOD.Example"),
    "another port": origin("out", b"http://good.example:8080"),
    "another port in the host": origin("out", b"http://good.example", host=b"good.example:8080"),
    "another scheme": origin("out", b"https://good.example"),
    "a scheme of WebSocket": origin("out", b"ws://good.example"),
    "a scheme of files": origin("out", b"file://good.example"),
    "no scheme": origin("out", b"good.example"),
    "null": origin("out", b"null"),
    "null as the host too": origin("out", b"null", host=b"null"),
    "empty": origin("out", b""),
    "any": origin("out", b"*"),
    "look-alike below another": origin("out", b"http://good.example.evil.example"),
    "look-alike, by https": origin("out", b"https://good.example.evil.example"),
    "look-alike with a beginning": origin("out", b"http://evilgood.example"),
    "a subdomain": origin("out", b"http://sub.good.example"),
    "the domain above": origin("out", b"http://example"),
    "user information": origin("out", b"http://good.example@evil.example"),
    "user information of another": origin("out", b"http://evil.example@good.example"),
    "a path": origin("out", b"http://good.example/"),
    "a path of another": origin("out", b"http://evil.example/good.example"),
    "a query": origin("out", b"http://evil.example?http://good.example"),
    "a fragment": origin("out", b"http://evil.example#good.example"),
    "a backslash": origin("out", b"http://evil.example\\good.example"),
    "a tab": origin("out", b"http://good\t.example"),
    "a list": origin("out", b"http://good.example http://evil.example"),
    "a list with commas": origin("out", b"http://good.example, http://evil.example"),
    "a list of the same": origin("out", b"http://good.example, http://good.example"),
    "percent": origin("out", b"http://good%2eexample"),
    "a port that is too high": origin("out", b"http://good.example:65616"),
    "a port that is none": origin("out", b"http://good.example:80x"),
    "a trailing dot": origin("out", b"http://good.example."),
    "a trailing dot in both": origin("in", b"http://good.example.", host=b"good.example."),
    "IDN in punycode": origin("in", b"http://xn--bcher-kva.example", host=b"xn--bcher-kva.example"),
    "IDN in UTF-8": origin("out", "http://bücher.example".encode(), host=b"xn--bcher-kva.example"),
    "IDN in latin-1": origin("out", "http://bücher.example".encode("latin-1"), host=b"xn--bcher-kva.example"),
    "a letter of another alphabet": origin("out", "http://gооd.example".encode()),  # noqa: RUF001 - that is the point
    "a letter that folds to ASCII": origin("out", "http://boo\N{KELVIN SIGN}.example".encode(), host=b"book.example"),
    "a NUL": origin("out", b"http://good.example\0.evil.example"),
    "two origins": origin("out", b"http://good.example", b"http://evil.example"),
    "two origins, the good one last": origin("out", b"http://evil.example", b"http://good.example"),
    "two good origins": origin("out", b"http://good.example", b"http://good.example"),
    "a huge origin": origin("out", b"http://" + BIG),
    "two hosts": Case("out", (("Host", b"evil.example"), ("Origin", b"http://evil.example"))),
    "two hosts, the good one first": Case("out", (("Host", b"evil.example"), ("Origin", b"http://good.example"))),
    "a host that is forwarded": Case("out", (("X-Forwarded-Host", b"evil.example"), ("Origin", b"http://evil.example"))),
    "an origin of the old drafts": Case("either", (("Sec-WebSocket-Origin", b"http://evil.example"),)),
    "no host": origin("out", b"http://good.example", host=None),
    "an empty host": origin("out", b"http://", host=b""),
    "a host with a list": origin("out", b"http://good.example", host=b"good.example, evil.example"),
    "no key": Case("out", key=None),
    "an empty key": Case("either", key=b""),
    "a key that is none": Case("either", key=b"hello"),
    "two keys": Case("either", (("Sec-WebSocket-Key", b"BBBBBBBBBBBBBBBBBBBBBA=="),)),
    "no version": Case("either", version=None),
    "an old version": Case("either", version=b"8"),
    "two versions": Case("either", (("Sec-WebSocket-Version", b"8"),)),
    "a huge header": Case("either", (("X-Huge", BIG),)),
    "a huge header and a foreign origin": Case("out", (("X-Huge", BIG), ("Origin", b"http://evil.example"))),
    "a huge cookie": Case("either", (("Cookie", b"a=" + BIG),)),
    "a huge token": Case("either", (("Sec-WebSocket-Protocol", b"access-token, " + BIG),)),
    "200 headers": Case("either", tuple((f"X-{number}", b"x") for number in range(200))),
    "a body that is promised": Case("either", (("Content-Length", b"10"),)),
    "a body in chunks and a foreign origin": Case(
        "out", (("Transfer-Encoding", b"chunked"), ("Origin", b"http://evil.example"))
    ),
}  # fmt: skip


def request(case: Case) -> bytes:
    fields: list[tuple[str, bytes | None]] = [
        ("Host", case.host),
        ("Upgrade", b"websocket"),
        ("Connection", b"Upgrade"),
        ("Sec-WebSocket-Key", case.key),
        ("Sec-WebSocket-Version", case.version),
        *case.add,
    ]
    lines = [name.encode() + b": " + value for name, value in fields if value is not None]
    return b"\r\n".join([b"GET /ws/ HTTP/1.1", *lines, b"", b""])


async def status_of(server: Server, data: bytes, patience: float) -> int:
    """Return the status that the handshake is answered with; 0 where there is no answer."""
    async with asyncio.timeout(PATIENCE):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        try:
            writer.write(data)
            if b"\r\nContent-Length" in data or b"\r\nTransfer-Encoding" in data:
                writer.write_eof()  # for servers that wait for the body
            async with asyncio.timeout(patience):
                line = await reader.readline()
            return int(line.split()[1]) if line.startswith(b"HTTP/1.1 ") else 0
        except (ConnectionError, TimeoutError):
            return 0
        finally:
            writer.transport.abort()


@pytest.mark.parametrize("name", CASES)
async def test_a_handshake_is_let_in_or_not_and_the_server_lives_on(server: Server, host: Host, name: str) -> None:
    case = CASES[name]
    before = len(server.log)  # other tests share the server, and some have errors to show
    # Some servers wait for more of what they do not like, or for ever.
    status = await status_of(server, request(case), PATIENCE / 2 if case.what == "in" else 2)
    if case.what == "in":
        assert status == 101
    elif case.what == "out":
        assert status != 101
        assert status < 500 or host.name == FAILS_ITSELF, "that the client is at fault is not the server's failure"
    async with server.connect() as client:
        assert await client.is_served()
    assert "Traceback" not in server.log[before:] or host.name == FAILS_ITSELF
