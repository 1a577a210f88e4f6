"""What is tested: a running server, what it can do, and a client of it that speaks the protocol."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from wsproto_core.ids import new_id
from wsproto_core.testing.wire import WireClient, WireFrame

__all__ = ["CASES", "Case", "Peer", "Target", "case"]

_PATIENCE: Final = 10.0  # seconds until a server that does not do what it should fails the case


@dataclass(frozen=True, slots=True)
class Target:
    """A running server.

    Attributes:
        url: where the conformance actions are mounted, ``ws://127.0.0.1:8000/ws/``.
        lacks: the capabilities that this host does not have; the cases that need one are passed over:
            ``denial``: refuse before accept with the problem as the HTTP response, and not with a bare 403;
            ``msgpack``: the MessagePack codec; ``size_code``: close with 1009 and not just end;
            ``pongs``: answer pings while a message waits to be written;
            ``prompt_end``: tell of a close frame at once, also when the client leaves TCP open after it.
        max_message_bytes: the limit that the server was started with.
    """

    url: str
    lacks: frozenset[str] = field(default_factory=frozenset)
    max_message_bytes: int = 1_048_576

    @asynccontextmanager
    async def connect(
        self,
        *,
        subprotocols: Iterable[str] = (),
        headers: Mapping[str, str] | None = None,
        receive_buffer: int | None = None,
    ) -> AsyncGenerator[Peer]:
        """Connect in the plain form, or with what is offered."""
        client = WireClient(self.url, subprotocols=subprotocols, headers=headers, receive_buffer=receive_buffer)
        async with client:
            assert client.is_open, client.handshake
            yield Peer(client)


class Peer:
    """A connection that speaks the protocol.

    Attributes:
        wire: the frames below.
    """

    def __init__(self, wire: WireClient) -> None:
        self.wire = wire

    @property
    def subprotocol(self) -> str | None:
        """What the server selected."""
        assert self.wire.handshake is not None
        return self.wire.handshake.subprotocol

    async def send(self, action: str, payload: Mapping[str, Any] | None = None, **members: Any) -> str:
        """Send a request; return its ``req_id``."""
        message = {"msg_id": new_id(), "req_id": new_id(), "action": action, "payload": dict(payload or {}), **members}
        await self.wire.send_text(json.dumps(message))
        return str(message["req_id"])

    async def receive(self) -> dict[str, Any]:
        """Return the next event or problem, checked for what every one of them must have."""
        received = json.loads(await self.wire.receive_text(), parse_constant=_no_constant)
        check_message(received)
        return dict(received)

    async def ask(self, action: str, payload: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Send a request; the next message is its answer."""
        req_id = await self.send(action, payload)
        answer = await self.receive()
        assert answer.get("req_id") == req_id, answer
        return answer

    async def complaint(self, frame: str | bytes) -> dict[str, Any]:
        """Send a text frame that is refused; return the problem. The connection must go on."""
        await self.wire.send_text(frame)
        problem = await self.receive()
        assert "event" not in problem, problem
        assert (await self.ask("health"))["event"] == "health"
        return problem

    async def state(self) -> dict[str, Any]:
        """Return what the server knows."""
        return dict((await self.ask("conformance.state"))["payload"])

    async def until(self, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Ask for the server's state until it is as it should be."""
        async with asyncio.timeout(_PATIENCE):
            while not condition(state := await self.state()):
                await asyncio.sleep(0.02)
        return state

    async def closed(self) -> WireFrame:
        """Wait for the close frame; messages before it are passed over."""
        return await self.wire.receive_close()


Check = Callable[[Target], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Case:
    """One thing that every host must do.

    Attributes:
        name: what it is, as a sentence.
        check: raises when it is not so.
        needs: capabilities without which it cannot be.
    """

    name: str
    check: Check
    needs: frozenset[str]


CASES: Final[dict[str, Case]] = {}
"""The cases by name, in the order of the protocol's sections."""


def case(name: str, *, needs: Iterable[str] = ()) -> Callable[[Check], Check]:
    """Register a case."""

    def register(check: Check) -> Check:
        CASES[name] = Case(name, check, frozenset(needs))
        return check

    return register


def check_message(message: Any) -> None:
    """Check what every event and every problem must have (protocol sections 3 and 4).

    Raises:
        AssertionError: something is missing or wrong.
    """
    assert isinstance(message, dict), message
    assert isinstance(message.get("msg_id"), str) and len(message["msg_id"]) == 36, message
    assert all(value is not None for value in message.values()), message
    if "event" in message:
        assert isinstance(message["seq"], int) and message["seq"] >= 1, message
        assert {"event", "recipient", "recipient_id", "payload"} <= set(message), message
    else:
        assert {"type", "title", "status", "code", "instance"} <= set(message), message
        assert "seq" not in message and 400 <= message["status"] <= 599, message
        assert len(message.get("detail", "")) <= 512, message


def _no_constant(name: str) -> None:
    raise AssertionError(f"{name} is not JSON")
