"""A conversation of 50 messages, whose answers are the same on every host but for the identifiers."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from typing import Any, Final

from wsproto_core.testing.conformance.target import Target

__all__ = ["TRANSCRIPT", "run_transcript", "talk"]

# An id of a connection begins with that of its process.
_ID: Final = re.compile(r"(?:[0-9a-f]{16}\.)?[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def _id(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012x}"


def _frames() -> list[str]:
    payloads: list[tuple[str, Any]] = [
        ("health", {}),
        ("conformance.echo", {"text": "plain"}),
        ("conformance.echo", {"text": "Zażółć gęślą jaźń 🦔"}),
        ("conformance.echo", {"text": ""}),
        ("conformance.echo", {"text": '\\ " / \b \f \n \r \t \u007f \u2028'}),
        ("conformance.echo", {"text": "x" * 10_000}),
        ("conformance.echo", {"text": "more", "ignored": [1, None, {"a": 1.5}]}),
        ("conformance.echo_plain", {"text": "in a thread"}),
        ("conformance.echo", {}),
        ("conformance.echo", {"text": 5}),
        ("conformance.echo", {"text": None}),
        ("conformance.echo", []),
        ("conformance.echo", None),
        ("conformance.count", {"count": 1}),
        ("conformance.count", {"count": -1}),
        ("conformance.count", {"count": "1"}),
        ("conformance.count", {"count": 1.5}),
        ("conformance.count_plain", {"count": 1}),
        ("conformance.nested", {"rooms": []}),
        ("conformance.nested", {"rooms": [{"count": 3}, {"count": 4}]}),
        ("conformance.nested", {"rooms": [{"count": 3}, {}, {"count": []}]}),
        ("conformance.nested", {"rooms": {"count": 3}}),
        ("conformance.enter", {"room": "a/b + #c %d"}),
        ("conformance.enter", {"room": ""}),
        ("conformance.fail", {}),
        ("conformance.refuse", {}),
        ("conformance.infinite", {}),
        ("conformance.wait", {"seconds": 0}),
        ("conformance.wait", {"seconds": 61}),
        ("conformance.wait_plain", {"seconds": 0.01}),
        ("nobody", {}),
        ("", {}),
        ("  health  ", {}),
        ("HEALTH", {}),
        ("ws.nobody", {}),
    ]
    frames = [
        json.dumps({"msg_id": _id(number), "req_id": _id(number + 1000), "action": action, "payload": payload})
        for number, (action, payload) in enumerate(payloads, start=1)
    ]
    good = frames[1]
    return [
        *frames,
        good.upper().replace("CONFORMANCE.ECHO", "conformance.echo").replace("TEXT", "text").lower(),
        good.replace('"payload"', '"pay"'),
        good.replace('"msg_id"', '"id"'),
        good.replace(_id(2), "2"),
        good.replace(_id(1002), "2"),
        good.replace("}}", '}, "more": 1}'),
        good.replace("plain", "\\ud83e\\udd94"),
        good.replace("plain", "\\ud83e"),
        good.replace('"plain"', "NaN"),
        good.replace("}}", '}, "more": 1e400}'),
        "[]",
        "null",
        "not JSON",
        good[:-1],
        good + good,
    ]


TRANSCRIPT: Final[list[str]] = _frames()
"""The messages; each of them has exactly one answer in the plain form."""


async def talk(
    send: Callable[[str], Awaitable[None]], receive: Callable[[], Awaitable[str | bytes | None]]
) -> list[dict[str, Any]]:
    """Have the conversation over any connection in the plain form; return the answers, their identifiers replaced."""
    answers = []
    for frame in TRANSCRIPT:
        await send(frame)
        answer = await receive()
        assert answer is not None, frame
        text = answer if isinstance(answer, str) else answer.decode()
        known = json.loads(text).get("req_id")
        # What the client chose stays; what the server chose is replaced.
        answers.append(json.loads(_ID.sub(lambda found, own=known: found[0] if found[0] == own else "…", text)))  # type: ignore[misc]
    return answers


async def run_transcript(target: Target) -> list[dict[str, Any]]:
    """Have the conversation with a server."""
    async with target.connect() as peer:
        return await talk(peer.wire.send_text, peer.wire.receive_text)
