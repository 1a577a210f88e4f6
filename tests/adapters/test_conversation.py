"""What every host does with messages that are in order: answers, events to others, numbering, subprotocols."""

import json
from contextlib import AsyncExitStack
from uuid import uuid4

import pytest
from websockets.frames import Frame, Opcode

from tests.adapters.serving import Server
from tests.adapters.talking import Client, message

V1 = "wsproto.v1.json"


async def test_health_and_a_typed_action_are_answered(server: Server) -> None:
    async with server.connect("/ws/?user=int:7") as client:
        health = await client.ask("health")
        connection_id = health["recipient_id"]
        assert {key: health[key] for key in ("seq", "event", "recipient", "payload")} == {
            "seq": 1,
            "event": "health",
            "recipient": "websocket",
            "payload": {"status": "ok"},
        }
        said = await client.ask("chat.say", {"room": "lobby", "text": "hi"})
        assert {key: said[key] for key in ("seq", "event", "recipient", "recipient_id", "payload")} == {
            "seq": 2,
            "event": "chat.said",
            "recipient": "room",
            "recipient_id": "lobby",
            "payload": {"user_id": 7, "text": "hi"},
        }
        assert set(said) == {"msg_id", "req_id", "seq", "event", "recipient", "recipient_id", "payload"}
        assert connection_id in server.inside()["connections"]


async def test_the_envelope_comes_in_a_binary_frame_too_with_ids_in_either_case(server: Server) -> None:
    async with server.connect() as client:
        request = message("  health ", more="is ignored")
        request["req_id"] = request["req_id"].upper()
        client.write([Frame(Opcode.BINARY, json.dumps(request).encode())])
        answer = await client.receive()
        assert answer["event"] == "health"
        assert answer["req_id"] == request["req_id"].lower()


@pytest.mark.parametrize(
    ("user", "user_id", "kind"),
    [
        ("int:42", 42, "int"),
        ("str:ada", "ada", "str"),
        ("uuid:6f1c9bcd-2f0a-4b52-9d4b-0f8a5a3e7c11", "6f1c9bcd-2f0a-4b52-9d4b-0f8a5a3e7c11", "UUID"),
        ("", None, "NoneType"),
    ],
)
async def test_user_ids_of_every_kind(server: Server, user: str, user_id: object, kind: str) -> None:
    async with server.connect(f"/ws/?user={user}") as client:
        me = (await client.ask("whoami"))["payload"]
        assert (me["user_id"], me["kind"]) == (user_id, kind)


async def test_events_reach_the_others_in_a_room_each_with_numbers_of_its_own(server: Server, name: str) -> None:
    async with server.connect() as ada, server.connect() as bob, server.connect() as eve:
        await ada.ask("chat.enter", {"name": name})
        for _ in range(3):
            await bob.ask("health")
        await bob.ask("chat.enter", {"name": name})
        for text in ("one", "two"):
            own = await ada.ask("chat.say", {"room": name, "text": text})
            others = await bob.receive()
            assert own["payload"] == others["payload"]
            assert own["msg_id"] == others["msg_id"]
            assert "req_id" not in others
            assert (own["recipient"], own["recipient_id"]) == (others["recipient"], others["recipient_id"])
        assert own["seq"] == 3
        assert others["seq"] == 6
        assert (await eve.ask("health"))["seq"] == 1


async def test_events_from_outside_of_any_action_reach_a_room(server: Server, name: str) -> None:
    async with server.connect() as client:
        await client.ask("chat.enter", {"name": name})
        assert server.get(f"/say/{name}") == 1
        event = await client.receive()
        assert (event["seq"], event["recipient_id"]) == (2, name)


async def test_events_reach_all_connections_of_a_user_and_nobody_else(server: Server) -> None:
    user = str(uuid4())
    async with AsyncExitStack() as stack:

        async def connect(as_user: str) -> Client:
            return await stack.enter_async_context(server.connect(f"/ws/?user={as_user}"))

        phone, laptop = await connect(f"uuid:{user}"), await connect(f"str:{user}")
        other, anonymous = await connect("int:1"), await connect("")
        await anonymous.send("chat.whisper", {"to": user, "text": "psst"})
        for client in (phone, laptop):
            event = await client.receive()
            assert (event["recipient"], event["recipient_id"], event["seq"]) == ("user", user, 1)
            assert event["payload"] == {"user_id": None, "text": "psst"}
        # What went to others only has used up none of the sender's numbers.
        for client in (anonymous, other):
            assert (await client.ask("health"))["seq"] == 1


@pytest.mark.parametrize("action", ["health", "whoami", "count", "chat.say"])
async def test_a_thousand_messages_in_one_write_are_answered_in_order(server: Server, action: str, name: str) -> None:
    payload = {"chat.say": {"room": name, "text": "hi"}, "count": {"count": 1}}.get(action)
    requests = [message(action, payload) for _ in range(1_000)]
    async with server.connect() as client:
        client.write_messages(requests)
        answers = [await client.receive() for _ in requests]
    assert [answer["req_id"] for answer in answers] == [request["req_id"] for request in requests]
    assert [answer["seq"] for answer in answers] == list(range(1, 1_001))


async def test_answers_keep_the_order_of_messages_whatever_they_take(server: Server, name: str) -> None:
    requests = [
        message("wait", {"name": name}),
        message("health"),
        message("no.such.action"),
        message("block", {"name": name}),
        message("chat.say", {}),
        message("count", {"count": 2}),
        message("health"),
    ]
    async with server.connect() as client, server.connect() as other:
        client.write_messages(requests)
        await other.send("open", {"name": name})
        answers = [await client.receive() for _ in range(8)]
    assert [answer.get("event") or answer["code"] for answer in answers] == [
        "passed",
        "health",
        "unknown_websocket_action",
        "passed",
        "invalid_payload",
        "counted",
        "counted",
        "health",
    ]
    assert [answer["seq"] for answer in answers if "event" in answer] == [1, 2, 3, 4, 5, 6]


async def test_a_generator_gives_as_many_events_as_it_yields(server: Server) -> None:
    async with server.connect() as client:
        req_id = await client.send("count", {"count": 3})
        answers = [await client.receive() for _ in range(3)]
        assert [(answer["payload"]["number"], answer["req_id"]) for answer in answers] == [
            (n, req_id) for n in range(3)
        ]
        await client.send("count", {"count": 0})
        assert (await client.ask("health"))["seq"] == 4


async def test_a_plain_function_blocks_its_own_connection_only(server: Server, name: str) -> None:
    async with server.connect() as blocked, server.connect() as other:
        await other.watch()
        connection_id = await blocked.connection_id()
        await blocked.send("block", {"name": name})
        await blocked.send("health")
        await other.noted("waiting", connection_id)
        assert await other.is_served()
        await other.send("open", {"name": name})
        passed = await blocked.receive()
        # Where that is, is the host's affair; not where the event loop runs.
        assert passed["payload"]["thread"] not in {"MainThread", "wsproto-loop"}
        assert (await blocked.receive())["event"] == "health"


async def test_a_plain_client_gets_nothing_but_what_it_asks_for(server: Server) -> None:
    async with server.connect() as client:
        assert client.websocket.subprotocol is None
        assert await client.is_served()
        assert await client.is_served()


async def test_a_client_that_opts_in_gets_ready_and_the_end_of_each_action(server: Server) -> None:
    async with server.connect("/ws/?user=int:7", subprotocols=["chat", V1]) as client:
        assert client.websocket.subprotocol == V1
        ready = await client.receive()
        assert (ready["event"], ready["seq"]) == ("ws.ready", 1)
        assert ready["payload"]["user_id"] == 7
        assert ready["payload"]["connection_id"] == ready["recipient_id"]
        assert ready["payload"]["max_message_bytes"] == 1_048_576
        for action, payload, events in [("health", {}, 1), ("count", {"count": 3}, 3), ("open", {"name": "-"}, 0)]:
            req_id = await client.send(action, payload)
            answers = [await client.receive() for _ in range(events + 1)]
            assert {answer["req_id"] for answer in answers} == {req_id}
            assert (answers[-1]["event"], answers[-1]["payload"]) == ("ws.complete", {"events": events})
        # A problem is an end too, so nothing follows it.
        assert (await client.ask("no.such.action"))["code"] == "unknown_websocket_action"
        assert (await client.ask("health"))["seq"] == 9


async def test_a_running_and_a_queued_request_can_be_cancelled(server: Server, name: str) -> None:
    async with server.connect(subprotocols=[V1]) as client, server.connect() as watcher:
        await watcher.watch()
        connection_id = (await client.receive())["payload"]["connection_id"]
        running = await client.send("wait", {"name": name})
        queued = await client.send("wait", {"name": name})
        await watcher.noted("waiting", connection_id)
        for stopped in (queued, running):
            await client.send("ws.cancel", {"req_id": stopped})
        answers = [await client.receive() for _ in range(4)]
        ended = {answer["req_id"]: answer.get("code") for answer in answers if "code" in answer}
        assert ended == {running: "cancelled", queued: "cancelled"}
        assert [answer["payload"] for answer in answers if "event" in answer] == [{"events": 0}] * 2
        await watcher.noted("cancelled", connection_id)
        assert (await client.ask("health"))["event"] == "health"


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        (["access-token", "s3cret-t0ken"], "access-token"),
        (["access-token", "s3cret-t0ken", V1], V1),
        ([V1, "access-token", "s3cret-t0ken"], V1),
        (["chat", "superchat"], None),
        (["chat", "access-token", "s3cret-t0ken"], "access-token"),
    ],
)
async def test_a_token_travels_as_a_subprotocol_and_is_never_echoed(
    server: Server, offered: list[str], chosen: str | None
) -> None:
    path = "/login/" if "access-token" in offered else "/ws/"
    async with server.connect(path, subprotocols=offered) as client:
        response = client.websocket.response
        assert response is not None
        assert response.headers.get("Sec-WebSocket-Protocol") == chosen
        assert "s3cret" not in str(response.headers)
        if chosen == V1:
            await client.receive()
        if path == "/login/":
            me = await client.ask("whoami")
            assert me["payload"]["user_id"] == "s3cret-t0ken"
    # What the application itself answers is its own affair; the log is ours.
    assert "s3cret" not in server.log


@pytest.mark.parametrize(
    ("authorization", "user"), [("Bearer s3cret-bearer", "s3cret-bearer"), ("Basic YWRhOnMzY3JldA==", "ada:s3cret")]
)
async def test_a_token_travels_in_the_authorization_header(server: Server, authorization: str, user: str) -> None:
    async with server.connect("/login/", additional_headers={"Authorization": authorization}) as client:
        assert (await client.ask("whoami"))["payload"]["user_id"] == user
    assert authorization.partition(" ")[2] not in server.log
