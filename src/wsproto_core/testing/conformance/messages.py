"""Cases for protocol sections 1 to 4: messages, answers, problems, and what is no message at all."""

from __future__ import annotations

import json

from wsproto_core.ids import new_id
from wsproto_core.testing.conformance.target import Target, case
from wsproto_core.testing.wire import Opcode

__all__: list[str] = []  # the cases register themselves


def _message(action: str, payload: str = "{}", *, msg_id: str | None = None, req_id: str | None = None) -> str:
    msg_id = json.dumps(msg_id if msg_id is not None else new_id())
    req_id = json.dumps(req_id if req_id is not None else new_id())
    return f'{{"msg_id":{msg_id},"req_id":{req_id},"action":{json.dumps(action)},"payload":{payload}}}'


@case("health is answered")
async def health(target: Target) -> None:
    async with target.connect() as peer:
        answer = await peer.ask("health")
        assert answer["event"] == "health" and answer["payload"] == {"status": "ok"}, answer
        assert answer["seq"] == 1 and answer["recipient"] == "websocket", answer
        assert answer["recipient_id"] == (await peer.state())["connection_id"]


@case("a typed action is answered, whatever the language")
async def typed(target: Target) -> None:
    text = 'Zażółć gęślą jaźń 🦔 \u2028 "quoted" \\ \x7f'
    async with target.connect() as peer:
        for action in ("conformance.echo", "conformance.echo_plain"):
            assert (await peer.ask(action, {"text": text}))["payload"] == {"text": text}
        raw = json.dumps(
            {"msg_id": new_id(), "req_id": new_id(), "action": "conformance.echo", "payload": {"text": text}}
        )
        await peer.wire.send_binary(json.dumps(json.loads(raw), ensure_ascii=False).encode())
        assert (await peer.receive())["payload"] == {"text": text}


@case("generators give several events, in order, each with its number")
async def generators(target: Target) -> None:
    async with target.connect() as peer:
        for action in ("conformance.count", "conformance.count_plain"):
            req_id = await peer.send(action, {"count": 20})
            events = [await peer.receive() for _ in range(20)]
            assert [event["payload"]["number"] for event in events] == list(range(20)), events
            assert {event["req_id"] for event in events} == {req_id}
            first = events[0]["seq"]
            assert [event["seq"] for event in events] == list(range(first, first + 20))


@case("1,000 messages in one write are answered in order")
async def pipelined(target: Target) -> None:
    async with target.connect() as peer:
        requests = [(new_id(), index) for index in range(1000)]
        await peer.wire.send_text(_message("health"))
        for req_id, index in requests:
            action = "conformance.echo_plain" if index % 100 == 50 else "conformance.echo"
            text = _message(action, f'{{"text":"{index}"}}', req_id=req_id)
            await peer.wire.send_frame(Opcode.TEXT, text.encode())
        assert (await peer.receive())["seq"] == 1
        for number, (req_id, index) in enumerate(requests, start=2):
            answer = await peer.receive()
            assert (answer["req_id"], answer["seq"], answer["payload"]) == (req_id, number, {"text": str(index)}), (
                answer
            )


@case("what is no message is a problem, and the connection goes on")
async def no_message(target: Target) -> None:
    frames = [
        "hello", "", " ", "null", "true", "42", '"text"', "[]", "[1,2]", "{", "}", "{}", '{"action":"health"}',
        '{"a":1}{"b":2}', "[" * 100_000, '{"a":' * 100_000, "\ufeff" + _message("health"), "\x00",
        _message("health").replace("{}", '"\\ud800"'), _message(" "), _message("health", "[]"), _message("health", "1"),
        _message("health", "null"), _message("health", "{}").replace('"health"', "5"),
    ]  # fmt: skip
    async with target.connect() as peer:
        for frame in frames:
            problem = await peer.complaint(frame)
            assert (problem["status"], problem["code"]) == (400, "invalid_websocket_message"), (frame[:80], problem)


@case("numbers that JSON does not have are refused, wherever they stand")
async def numbers(target: Target) -> None:
    async with target.connect() as peer:
        for number in ("NaN", "Infinity", "-Infinity", "1e999", "-1E+999", "1" + "0" * 400 + ".5", "1" * 5_000):
            for place in ('{"text":"a","more":%s}', '{"more":[{"deep":[1,%s]}]}'):
                problem = await peer.complaint(_message("conformance.echo", place % number))
                assert problem["code"] == "invalid_websocket_message", (number, problem)
            ignored = _message("health")[:-1] + f',"ignored":{number}}}'
            assert (await peer.complaint(ignored))["code"] == "invalid_websocket_message", number
        for number in ("1e5", "-2.5E-3", "12345678901234567890"):
            await peer.wire.send_text(_message("conformance.echo", f'{{"text":"1e999, NaN","more":{number}}}'))
            assert (await peer.receive())["event"] == "conformance.echoed", number


@case("req_id comes back if and only if it is a UUID of 36 characters, in lower case")
async def request_ids(target: Target) -> None:
    good = new_id()
    async with target.connect() as peer:
        problem = await peer.complaint(_message("nobody", req_id=good.upper()))
        assert problem["req_id"] == good, problem
        bad = [
            good.replace("-", ""),
            f"urn:uuid:{good}",
            f"{{{good}}}",
            good + "\n",
            f" {good}",
            good[:-1] + "g",
            "",
            "5",
        ]
        for req_id in bad:
            problem = await peer.complaint(_message("health", req_id=req_id))
            assert problem["code"] == "invalid_websocket_message" and "req_id" not in problem, (req_id, problem)
        problem = await peer.complaint(_message("health", msg_id="no uuid", req_id=good))
        assert problem["req_id"] == good, problem


@case("of duplicate keys the last counts, white space around an action does not")
async def duplicates(target: Target) -> None:
    async with target.connect() as peer:
        twice = _message("nobody")[:-1] + ',"action":"conformance.echo","payload":{"text":"a","text":"b"}}'
        await peer.wire.send_text(twice)
        assert (await peer.receive())["payload"] == {"text": "b"}
        assert (await peer.ask("  conformance.echo\t", {"text": "c"}))["payload"] == {"text": "c"}


@case("32 levels of nesting are always usable")
async def nesting(target: Target) -> None:
    async with target.connect() as peer:
        deep = '{"a":' * 31 + "1" + "}" * 31
        await peer.wire.send_text(_message("conformance.echo", f'{{"text":"deep","more":{deep}}}'))
        assert (await peer.receive())["payload"] == {"text": "deep"}


@case("an unknown action is a problem that does not echo at length")
async def unknown(target: Target) -> None:
    async with target.connect() as peer:
        problem = await peer.complaint(_message("nobody"))
        assert (problem["status"], problem["code"]) == (400, "unknown_websocket_action"), problem
        problem = await peer.complaint(_message("n" * 500_000))
        assert len(json.dumps(problem)) < 16_384


@case("an invalid payload is 422, with a pointer to each error")
async def invalid_payload(target: Target) -> None:
    async with target.connect() as peer:
        problem = await peer.complaint(_message("conformance.echo", '{"txt":"a"}'))
        assert (problem["status"], problem["code"]) == (422, "invalid_payload"), problem
        assert [error["pointer"] for error in problem["errors"]] == ["#/payload/text"], problem
        problem = await peer.complaint(_message("conformance.nested", '{"rooms":[{"count":1},{"count":"x"},{}]}'))
        assert [error["pointer"] for error in problem["errors"]] == [
            "#/payload/rooms/1/count", "#/payload/rooms/2/count",
        ], problem  # fmt: skip
        problem = await peer.complaint(_message("conformance.nested", json.dumps({"rooms": [{}] * 50_000})))
        assert len(json.dumps(problem)) < 16_384


@case("an exception in a handler is internal_error and tells nothing")
async def internal(target: Target) -> None:
    async with target.connect() as peer:
        for action in ("conformance.fail", "conformance.infinite"):
            answer = await peer.ask(action)
            assert (answer["status"], answer["code"]) == (500, "internal_error"), answer
            for leak in ("secret", "Traceback", "RuntimeError", ".py", "inf"):
                assert leak not in str(answer.get("detail")), answer
        assert (await peer.ask("health"))["seq"] == 1


@case("a problem of the application's own comes as it was raised")
async def own_problem(target: Target) -> None:
    async with target.connect() as peer:
        answer = await peer.ask("conformance.refuse")
        assert (answer["status"], answer["code"], answer["detail"]) == (409, "room_full", "Come back later."), answer
        assert answer["seats"] == 3


@case("seq counts the events of the receiving connection, and problems use none up")
async def numbering(target: Target) -> None:
    async with target.connect() as asker, target.connect() as other:
        name = f"numbering-{new_id()}"
        assert (await other.ask("conformance.enter", {"room": name}))["seq"] == 1
        await asker.complaint("nonsense")  # answers one health, seq 1
        for number in range(2, 12):
            await asker.send("conformance.tell", {"room": name, "text": str(number)})
            told = await other.receive()
            assert (told["seq"], told["payload"]["text"]) == (number, str(number)), told
            assert (told["recipient"], told["recipient_id"]) == ("room", name) and "req_id" not in told, told
        assert (await asker.ask("health"))["seq"] == 2


@case("who asked gets the event of its room with its req_id, others without")
async def asker_in_room(target: Target) -> None:
    async with target.connect() as asker, target.connect() as other:
        name = f"both-{new_id()}"
        await asker.ask("conformance.enter", {"room": name})
        await other.ask("conformance.enter", {"room": name})
        own = await asker.ask("conformance.tell", {"room": name, "text": "hi"})
        told = await other.receive()
        assert own["msg_id"] == told["msg_id"] and "req_id" not in told, (own, told)
