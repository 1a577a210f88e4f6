"""What every host does with messages that are none: each gets its problem, and the connection lives."""

import json
import socket
from typing import Any
from uuid import uuid4

import pytest
from websockets.frames import Frame, Opcode

from tests.adapters.hosts import Host
from tests.adapters.serving import Server
from tests.adapters.talking import message, text_frame

INVALID = "invalid_websocket_message"
REQ_ID = "0b1b7a80-63d9-4fd8-9d6c-2f2f5ae4c1d0"
MiB = 1_048_576
LONG_KEY = '{"lines":[{"' + "x" * 1_000_000 + '":1,"count":-1}]}'


def raw(action: str, payload: str) -> str:
    """An envelope whose payload is not made by any JSON library."""
    return f'{{"msg_id":"{uuid4()}","req_id":"{REQ_ID}","action":"{action}","payload":{payload}}}'


# Name: the frame, the code of its problem (None: it is answered), and whether the req_id can be read.
FRAMES: dict[str, tuple[str | bytes, str | None, bool]] = {
    "empty": ("", INVALID, False),
    "white space": (" \n", INVALID, False),
    "no JSON": ("hello", INVALID, False),
    "cut off": ('{"msg_id":', INVALID, False),
    "two objects": (raw("health", "{}") * 2, INVALID, False),
    "null": ("null", INVALID, False),
    "true": ("true", INVALID, False),
    "number": ("17", INVALID, False),
    "string": ('"health"', INVALID, False),
    "array": ("[1, 2]", INVALID, False),
    "object without anything": ("{}", INVALID, False),
    "BOM": ("\ufeff" + raw("health", "{}"), INVALID, False),
    "NUL": ("\0", INVALID, False),
    "single quotes": ("{'action': 'health'}", INVALID, False),
    "comment": ("{} // nothing", INVALID, False),
    "binary no UTF-8": (b"\xff\xfe\x00", INVALID, False),
    "binary no JSON": (b"\x82\xa3abc", INVALID, False),
    "binary envelope": (raw("health", "{}").encode(), None, True),
    "payload is an array": (raw("health", "[]"), INVALID, True),
    "payload is null": (raw("health", "null"), INVALID, True),
    "blank action": (raw("  ", "{}"), INVALID, True),
    "action is a number": (raw("x", "{}").replace('"x"', "1"), INVALID, True),
    "unknown action": (raw("no.such.action", "{}"), "unknown_websocket_action", True),
    "no req_id": (f'{{"msg_id":"{uuid4()}","action":"health","payload":{{}}}}', INVALID, False),
    "urn req_id": (raw("health", "{}").replace(REQ_ID, f"urn:uuid:{REQ_ID}"), INVALID, False),
    "req_id of 32 digits": (raw("health", "{}").replace(REQ_ID, uuid4().hex), INVALID, False),
    "req_id in braces": (raw("health", "{}").replace(REQ_ID, "{" + REQ_ID + "}"), INVALID, False),
    "req_id is an object": (raw("health", "{}").replace(f'"{REQ_ID}"', "{}"), INVALID, False),
    "invalid payload": (raw("order", '{"lines":[{"count":1},{"count":"many"}]}'), "invalid_payload", True),
    "NaN": (raw("health", '{"x":NaN}'), INVALID, False),
    "Infinity": (raw("count", '{"count":Infinity}'), INVALID, False),
    "-Infinity deep inside": (raw("health", '{"x":[{"y":[-Infinity]}]}'), INVALID, False),
    "1e999": (raw("health", '{"x":1e999}'), INVALID, True),
    "4,301 digits": (raw("order", '{"lines":[{"count":' + "9" * 4_301 + "}]}"), INVALID, False),
    "200,000 digits": (raw("health", '{"x":' + "9" * 200_000 + "}"), INVALID, False),
    "lone surrogate": (raw("chat.say", r'{"room":"r","text":"\ud800"}'), INVALID, False),
    "lone surrogate in a key": (raw("health", r'{"\udfff":1}'), INVALID, False),
    "surrogates the wrong way round": (raw("chat.say", r'{"room":"r","text":"\udc00\ud800"}'), INVALID, False),
    "surrogate pair": (raw("health", r'{"x":"\ud83d\ude00"}'), None, True),
    "duplicate action": (raw("no.such.action", "{}").replace('"payload"', '"action":"health","payload"'), None, True),
    "duplicate payload": (raw("order", '{},"payload":{"lines":[]}'), "invalid_payload", True),
    "32 levels": (raw("health", '{"x":' + "[" * 30 + "]" * 30 + "}"), None, True),
    "100,000 levels": (raw("health", '{"x":' + "[" * 100_000 + "]" * 100_000 + "}"), INVALID, False),
    "100,000 levels without an end": ("[" * 100_000, INVALID, False),
    "100,000 levels of objects": ('{"a":' * 100_000 + "1" + "}" * 100_000, INVALID, False),
    "an action name of a megabyte": (raw("x" * 1_000_000, "{}"), "unknown_websocket_action", True),
    "a megabyte of a key": (raw("order", LONG_KEY), "invalid_payload", True),
    "64 KiB": (raw("health", '{"x":"' + "x" * 65_536 + '"}'), None, True),
}  # fmt: skip


def check(answer: dict[str, Any], code: str | None, readable: bool) -> None:
    assert answer.get("code") == code
    if code is None:
        assert answer["event"] == "health"
    else:
        status = {INVALID: 400, "unknown_websocket_action": 400, "invalid_payload": 422}[code]
        assert answer["status"] == status
        assert answer["type"].startswith("https://example.com/problems/")
        assert answer["instance"] == "/ws/"
        assert answer["retryable"] is False
        assert "seq" not in answer
        assert len(answer["detail"]) <= 512
    assert answer.get("req_id") == (REQ_ID if readable else None)
    text = json.dumps(answer)
    assert len(text) <= 16_384
    for leak in ("Traceback", "<class", "site-packages", "wsproto_core", "pydantic"):
        assert leak not in text


@pytest.mark.parametrize("which", FRAMES)
async def test_it_gets_its_one_problem_and_the_next_health_is_answered(server: Server, which: str) -> None:
    frame, code, readable = FRAMES[which]
    async with server.connect() as client:
        await client.websocket.send(frame)
        check(await client.receive(), code, readable)
        health = await client.ask("health")
        assert health["seq"] == (2 if code is None else 1)


async def test_in_one_write_each_gets_its_answer_in_its_place(server: Server) -> None:
    frames = [
        Frame(Opcode.BINARY, frame) if isinstance(frame, bytes) else text_frame(frame)
        for frame, _, _ in FRAMES.values()
    ]
    async with server.connect() as client:
        healthy = [message("health") for _ in frames]
        for frame, health in zip(frames, healthy, strict=True):
            client.write([frame, text_frame(json.dumps(health))])
        seq = 0
        for (_, code, readable), health in zip(FRAMES.values(), healthy, strict=True):
            check(await client.receive(), code, readable)
            seq += 1 if code is not None else 2
            answer = await client.receive()
            assert (answer["req_id"], answer["seq"]) == (health["req_id"], seq)


async def test_what_is_wrong_with_a_payload_is_told_with_pointers(server: Server) -> None:
    async with server.connect() as client:
        problem = await client.ask("order", {"lines": [{"count": 1}, {"count": "many", "size": -1}]})
        assert (problem["status"], problem["code"]) == (422, "invalid_payload")
        assert problem["type"] == "https://example.com/problems/invalid-payload"
        assert [error["pointer"] for error in problem["errors"]] == [
            "#/payload/lines/1/count",
            "#/payload/lines/1/size",
        ]


@pytest.mark.parametrize("kind", ["text", "binary", "compressed", "fragments"])
async def test_a_message_of_a_byte_too_much_gets_its_problem_and_the_close_code(
    server: Server, host: Host, kind: str
) -> None:
    filler = "x" * (MiB + 1 - len(raw("health", '{"x":""}')))
    large = raw("health", f'{{"x":"{filler}"}}')
    assert len(large) == MiB + 1
    async with server.connect(compression="deflate" if kind == "compressed" else None) as client:
        if kind == "fragments":
            half = large.encode()[: MiB // 2]
            client.write([text_frame(half, fin=False), Frame(Opcode.CONT, large.encode()[MiB // 2 :])])
        else:
            await client.websocket.send(large, text=kind != "binary")
        code, reason, before = await client.rest()
    assert code == 1009
    if host.explains_size:
        assert [(problem["code"], problem["status"]) for problem in before] == [("message_too_large", 413)]
        assert reason == "A message may have at most 1048576 bytes."
    async with server.connect() as client:
        assert await client.is_served()


async def test_a_message_of_exactly_the_limit_is_taken(server: Server) -> None:
    for letter in ("x", "é"):
        empty = raw("health", '{"x":""}')
        filler = letter * ((MiB - len(empty)) // len(letter.encode()))
        exact = raw("health", f'{{"x":"{filler}"}}').ljust(MiB - (len(filler.encode()) - len(filler)))
        assert len(exact.encode()) == MiB
        async with server.connect() as client:
            await client.websocket.send(exact)
            assert (await client.receive())["event"] == "health"
            await client.websocket.send(exact + " ")
            assert (await client.rest())[0] == 1009


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        (Frame(Opcode.TEXT, b"\xff\xfe").serialize(mask=True), 1007),
        (b"\xa1" + Frame(Opcode.TEXT, b"{}").serialize(mask=True)[1:], 1002),
        (Frame(Opcode.CONT, b"{}").serialize(mask=True), 1002),
        (Frame(Opcode.TEXT, b"{}").serialize(mask=False), 1002),
    ],
    ids=["no UTF-8", "reserved bit", "no beginning", "not masked"],
)
async def test_a_violation_of_websocket_itself_ends_that_connection_only(
    server: Server, host: Host, frames: bytes, code: int
) -> None:
    async with server.connect() as client, server.connect() as other:
        connection_id = await client.connection_id()
        await other.watch()
        client.write_bytes(frames)
        assert (await client.closed())[0] in ({code} if host.tells_violations else {1005, 1006})
        await other.noted("gone", connection_id)
        assert await other.is_served()


# What fails in the handler, and the code that the client is told.
FAILURES = {
    "value": "internal_error",
    "exit": "internal_error",
    "interrupt": "internal_error",
    "cancel": "internal_error",
    "recursion": "internal_error",
    "recipient": "internal_error",
    "event": "internal_error",
    "problem": "room_full",
    "shelf": "shelf_empty",
}


@pytest.mark.parametrize("name", FAILURES)
async def test_whatever_a_handler_raises_is_a_problem_and_the_connection_lives(server: Server, name: str) -> None:
    logged = len(server.log)
    async with server.connect() as client:
        connection_id = await client.connection_id()
        problem = await client.ask("fail", {"name": name})
        assert problem["code"] == FAILURES[name]
        assert "secret" not in json.dumps(problem)
        assert (await client.ask("health"))["seq"] == 2
    log = server.log[logged:]
    if problem["code"] == "internal_error":
        assert set(problem) == {
            "msg_id",
            "req_id",
            "type",
            "title",
            "status",
            "detail",
            "instance",
            "code",
            "retryable",
        }
        # Once, with all that is needed to find it.
        (line,) = [line for line in log.splitlines() if problem["msg_id"] in line]
        for part in ("'fail'", connection_id, problem["req_id"]):
            assert part in line
        assert "Traceback" in log
    else:
        assert "Traceback" not in log
        assert "ERROR" not in log


async def test_a_problem_of_the_application_keeps_all_its_members(server: Server) -> None:
    async with server.connect() as client:
        problem = await client.ask("fail", {"name": "problem"})
        assert {key: problem[key] for key in ("type", "title", "status", "detail", "instance", "code", "free_at")} == {
            "type": "https://example.com/problems/room-full",
            "title": "Room is full",
            "status": 409,
            "detail": "At most 2.",
            "instance": "/ws/",
            "code": "room_full",
            "free_at": "18:00",
        }


async def test_what_is_no_handshake_harms_nobody(server: Server) -> None:
    async with server.connect() as client:
        for data in (b"", b"\0" * 100, b"GET /ws/ HTTP/1.1\r\nUpgrade: websocket\r\n\r\n", b"\x81\x85aaaa"):
            with socket.create_connection(("127.0.0.1", server.port), timeout=5) as raw_socket:
                raw_socket.sendall(data)
        assert await client.is_served()


async def test_nothing_of_all_this_was_an_error_in_the_application(server: Server) -> None:
    assert "Exception in ASGI application" not in server.log
    assert "never retrieved" not in server.log
    assert "never awaited" not in server.log
