"""Whatever a client sends, the answer is one well-formed event or problem, and the next message is answered.

The default profile of hypothesis runs a hundred cases of each property; the profile ``soak`` (or ``WSPROTO_SOAK=1`` in
the environment) runs a hundred thousand.
"""

import asyncio
import json
import math
import os
import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from tests.core.peer import PLAIN, V1, Peer, envelope, hub_of, opened, strict
from wsproto_core import ActionContext, Event, EventEnvelope, Limits, Problem, ProblemDetails, Registry
from wsproto_core.builtin_actions import BUILTIN_ACTIONS
from wsproto_core.codec import JsonCodec
from wsproto_core.decoding import Decoder, Rejected
from wsproto_core.ids import new_id
from wsproto_core.problems import HTTP_PHRASES, PROBLEM_TYPES

if os.environ.get("WSPROTO_SOAK"):
    settings.load_profile("soak")
    pytestmark = pytest.mark.timeout(3_600)

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
ANY_CASE_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
MOST_BYTES = 16_384
MOST_LEVELS = 190

events = Registry()


class Echoed(Event, name="echoed", registry=events):
    value: Any = None


class Item(BaseModel):
    kind: Literal["item"] = "item"
    name: str = Field(min_length=1, max_length=20)
    price: float = 0
    tags: set[str] = set()


class Box(BaseModel):
    kind: Literal["box"]
    content: list[Annotated["Item | Box", Field(discriminator="kind")]] = []


class Everything(BaseModel):
    number: int = 0
    ratio: float = 0.0
    flag: bool = False
    word: Annotated[str, Field(pattern="^[a-z]+$")] = "a"
    table: dict[str, dict[str, int]] = {}
    box: Box | None = None
    anything: Any = None


def application() -> Registry:
    """Return actions that take anything, something in particular, and nothing; one of them fails."""
    registry = Registry()

    @registry.action("echo")
    async def echo(payload: dict[str, Any]) -> Echoed:
        return Echoed(value=payload)

    @registry.action("typed")
    async def typed(payload: Everything) -> Echoed:
        return Echoed(value=payload)

    @registry.action("join")
    async def join(payload: dict[str, Any], context: ActionContext) -> Echoed:
        await context.join(str(payload.get("room", "")))
        return Echoed(value=sorted(context.rooms))

    @registry.action("refuse")
    async def refuse(payload: dict[str, Any]) -> None:
        raise Problem(str(payload), status=409, code="conflict")

    @registry.action("fail")
    async def fail(payload: dict[str, Any]) -> None:
        raise RuntimeError(f"a secret and {payload}")

    return registry


ACTIONS = ("echo", "typed", "join", "refuse", "fail", "health", "ws.cancel", "ws.authenticate", "unknown")


class Conversation:
    """A connection that lives through all cases of a property, and what was seen on it."""

    def __init__(self, subprotocols: tuple[str, ...] = V1, **options: Any) -> None:
        self.runner = asyncio.Runner()
        self.seq = 0
        self.client: Peer = self.runner.run(opened(hub_of(application(), **options), subprotocols))
        if subprotocols == V1:
            self._check(self.runner.run(self.client.read()))

    def close(self) -> None:
        self.runner.run(self.client.leave())
        self.runner.close()

    def answers(self, *frames: str | bytes) -> list[dict[str, Any]]:
        """Send frames and then ``health``; return what came before the answer to that, all of it checked."""
        return self.runner.run(self._answers(frames))

    async def _answers(self, frames: tuple[str | bytes, ...]) -> list[dict[str, Any]]:
        client = self.client
        for frame in frames:
            await client.raw(frame)
        last = await client.send("health")
        answers = []
        while True:
            message = await client.read()
            self._check(message)
            if message.get("req_id") == last and message.get("event") == "health":
                break
            answers.append(message)
        if client.session.negotiated:
            self._check(await client.read())
        assert client.transport.close_code is None, "a merely invalid message never closes the connection"
        return answers

    def _check(self, message: dict[str, Any]) -> None:
        assert UUID.fullmatch(message["msg_id"])
        if "event" in message:
            self.seq += 1
            assert message["seq"] == self.seq, "the numbers of the events have no holes, and problems use none up"
            EventEnvelope.model_validate(message, strict=True)
            assert message.keys() <= {"msg_id", "req_id", "seq", "event", "recipient", "recipient_id", "payload"}
        else:
            check_problem(message)


def check_problem(problem: dict[str, Any]) -> None:
    """Check that something is a problem as RFC 9457 and the protocol have it, and short."""
    assert len(json.dumps(problem, ensure_ascii=False).encode()) <= MOST_BYTES
    ProblemDetails.model_validate(problem, strict=True)
    assert not problem.keys() & {"seq", "event", "payload"}
    kind = PROBLEM_TYPES[problem["code"]]
    assert problem["status"] == kind.status
    assert (problem["type"], problem["title"]) == ("about:blank", HTTP_PHRASES[kind.status])
    assert problem["retryable"] is kind.retryable
    assert problem["instance"] == "/ws/"
    assert 0 < len(problem["detail"]) <= 512
    for error in problem.get("errors", ()):
        assert error.keys() == {"pointer", "detail", "code"}
        assert re.fullmatch(r"#(/[\x21-\x7e]*)*", error["pointer"])
        assert len(error["pointer"]) <= 256
        assert len(error["detail"]) <= 512
    if problem["code"] == "internal_error":
        assert problem["detail"] == "Something went wrong on the server."


@pytest.fixture(scope="module")
def modern() -> Iterator[Conversation]:
    """A conversation with a client that is told the end of each request."""
    conversation = Conversation(V1)
    yield conversation
    conversation.close()


@pytest.fixture(scope="module")
def plain() -> Iterator[Conversation]:
    """A conversation with a client that opted in to nothing."""
    conversation = Conversation(PLAIN)
    yield conversation
    conversation.close()


# What a frame holds, found out in another way than the library does


def read(frame: str | bytes) -> Any:
    """Return the document of a frame as RFC 8259 has it; raise ValueError where it is none."""
    text = frame if isinstance(frame, str) else frame.decode()
    text.encode()
    try:
        document = json.loads(text, parse_constant=_refuse)
        # Python reads lone surrogates, and deeper than the parser of the library does.
        json.dumps(document, ensure_ascii=False).encode()
        # A duplicate key hides what came before it, but not from the parser.
        json.dumps(json.loads(text, object_pairs_hook=list), ensure_ascii=False).encode()
    except RecursionError:
        raise ValueError("too deep") from None
    if any(depth > MOST_LEVELS for _, depth in walk(document)):
        raise ValueError("too deep")
    return document


def _refuse(name: str) -> Any:
    raise ValueError(name)


def walk(document: Any) -> Iterator[tuple[Any, int]]:
    """Go through all values of a document, with how deep they are."""
    stack = [(document, 1)]
    while stack:
        value, depth = stack.pop()
        yield value, depth
        if isinstance(value, dict):
            stack.extend((each, depth + 1) for each in value.values())
        elif isinstance(value, list):
            stack.extend((each, depth + 1) for each in value)


def is_finite(document: Any) -> bool:
    try:
        return all(math.isfinite(value) for value, _ in walk(document) if isinstance(value, (int, float)))
    except OverflowError:
        return False


def req_id_of(frame: str | bytes) -> str | None:
    """Return what an answer to a frame carries as ``req_id``."""
    try:
        document = read(frame)
    except ValueError:
        return None
    req_id = document.get("req_id") if isinstance(document, dict) else None
    return req_id.lower() if isinstance(req_id, str) and ANY_CASE_UUID.fullmatch(req_id) else None


# Strategies


UNICODE = st.text(st.characters(), max_size=40)
NASTY_TEXT = st.one_of(
    UNICODE,
    st.text(st.characters(codec=None, categories=["Cs", "Cc", "Lu", "Nd"]), max_size=10),
    st.sampled_from(
        ["NaN", ", e, ", ":e:", "[1e999]", "Infinity", "\ufeff", "\x00", '"', "\\", "\ud800", "1e999", "e"]
    ),
)
NUMBERS = st.one_of(
    st.integers(),
    st.floats(),
    st.sampled_from([10**308, 10**309, -(10**400), 2**1024 - 1, 2**63, 1e308, -0.0]),
)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | NASTY_TEXT,
    lambda children: st.lists(children, max_size=4) | st.dictionaries(NASTY_TEXT, children, max_size=4),
    max_leaves=12,
)


def dumped(document: Any, ascii_only: bool = True) -> str:
    return json.dumps(document, ensure_ascii=ascii_only)


@st.composite
def number_texts(draw: st.DrawFn) -> str:
    """Return the text of a number, some of which overflow, and some of which JSON does not have."""
    return draw(
        st.one_of(
            st.from_regex(r"-?(0|[1-9][0-9]{0,3})(\.[0-9]{1,3})?([eE][+-]?[0-9]{1,4})?", fullmatch=True),
            st.builds(lambda digit, count: digit * count, st.sampled_from("19"), st.integers(1, 330)),
            st.builds(lambda count: "1" * count + ".5", st.integers(300, 330)),
            st.sampled_from(
                ["NaN", "-NaN", "Infinity", "-Infinity", "1e309", "-1E+400", "0e999", "1e-999", "01", "1."]
            ),
        )
    )


@st.composite
def json_texts(draw: st.DrawFn, depth: int = 3) -> str:
    """Return JSON text with odd numbers, odd words and odd white space in it."""
    space = draw(st.sampled_from(["", "", " ", "\n", "\t \r\n"]))
    kind = draw(st.integers(0, 5 if depth else 2))
    if kind in (0, 1):
        return f"{space}{draw(number_texts())}{space}"
    if kind == 2:
        return f"{space}{dumped(draw(NASTY_TEXT), draw(st.booleans()))}{space}"
    children = [draw(json_texts(depth - 1)) for _ in range(draw(st.integers(0, 3)))]
    if kind == 3:
        return f"{space}[{','.join(children)}]{space}"
    members = [f"{space}{dumped(draw(NASTY_TEXT))}{space}:{child}" for child in children]
    return f"{space}{{{','.join(members)}}}{space}"


IDS = st.one_of(
    st.uuids().map(str),
    st.uuids().map(lambda each: str(each).upper()),
    st.uuids().map(lambda each: each.hex),
    st.uuids().map(lambda each: each.urn),
    st.uuids().map(lambda each: f"{each}\n"),
    st.uuids().map(lambda each: f"{{{each}}}"),
    st.uuids().map(lambda each: str(each).replace("-", "_")),
    JSON,
)
ENVELOPES = st.fixed_dictionaries(
    {},
    optional={
        "msg_id": IDS,
        "req_id": IDS,
        "action": st.sampled_from(ACTIONS) | st.sampled_from(ACTIONS).map(lambda name: f" {name}\u00a0") | JSON,
        "payload": JSON
        | st.fixed_dictionaries({}, optional=dict.fromkeys((*Everything.model_fields, "token", "req_id"), JSON)),
        "event": JSON,
        "seq": JSON,
    },
)


@st.composite
def mutated_envelopes(draw: st.DrawFn) -> str | bytes:
    """Return a valid message of which some bytes were changed, doubled or left out."""
    document: dict[str, Any] = {
        "msg_id": new_id(),
        "req_id": new_id(),
        "action": draw(st.sampled_from(ACTIONS)),
        "payload": draw(st.dictionaries(NASTY_TEXT, JSON, max_size=3)),
    }
    raw = bytearray(dumped(document).encode())
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(raw)))
        end = draw(st.integers(at, min(at + 10, len(raw))))
        raw[at:end] = draw(
            st.one_of(st.binary(max_size=3), st.just(raw[at:end] * 2), st.sampled_from([b'"', b"}", b","]))
        )
    if draw(st.booleans()):
        return bytes(raw)
    return bytes(raw).decode("utf-8", "surrogateescape")


FRAMES = st.one_of(
    NASTY_TEXT,
    st.binary(max_size=60),
    JSON.map(dumped),
    JSON.map(dumped).map(lambda text: text.encode()),
    st.builds(dumped, ENVELOPES, st.booleans()),
    mutated_envelopes(),
    json_texts(),
)

VALID = '{"msg_id":"0b6a3d1e-0000-4000-8000-00000000000a","req_id":"0B6A3D1E-0000-4000-8000-00000000000B",'

# Frames with what they are answered with: a code, or the name of an event.
NONE, REFUSED = "invalid_websocket_message", "invalid_payload"
EXPLICIT: dict[str, tuple[str | bytes, str]] = {
    "100,000 levels of arrays": ("[" * 100_000 + "]" * 100_000, NONE),
    "100,000 levels that do not end": ('{"a":' * 100_000, NONE),
    "100,000 levels in an ignored member": (
        VALID + '"action":"health","x":' + "[" * 100_000 + "]" * 100_000 + "}",
        NONE,
    ),
    "1,000 levels in the payload": (
        VALID + '"action":"echo","payload":{"a":' + "[" * 1_000 + "]" * 1_000 + "}}",
        NONE,
    ),
    "100 levels in the payload": (
        VALID + '"action":"echo","payload":{"a":' + "[" * 100 + "]" * 100 + "}}",
        "echoed",
    ),
    "32 levels in the payload": (VALID + '"action":"echo","payload":' + '{"a":' * 31 + "{}" + "}" * 31 + "}", "echoed"),
    "a lone surrogate": ("\ud800", NONE),
    "a lone surrogate in the payload": (VALID + '"action":"echo","payload":{"a":"\ud800"}}', NONE),
    "an escaped lone surrogate": (VALID + r'"action":"echo","payload":{"a":"\udc00"}}', NONE),
    "an escaped lone surrogate that is ignored": (
        VALID + r'"action":"health","x":"\ud800"}',
        NONE,
    ),
    "a pair of surrogates": (VALID + r'"action":"echo","payload":{"a":"\ud83d\ude00"}}', "echoed"),
    "duplicate keys": (
        VALID + '"action":"unknown","action":"health","req_id":1,"req_id":"0b6a3d1e-0000-4000-8000-00000000000c"}',
        "health",
    ),
    "a duplicate payload": (VALID + '"action":"typed","payload":{"number":"x"},"payload":{"number":1}}', "echoed"),
    "NaN": (VALID + '"action":"echo","payload":{"a":NaN}}', NONE),
    "NaN that is ignored": (VALID + '"action":"health","x":[{"y":NaN}]}', NONE),
    "Infinity that is ignored": (VALID + '"action":"health","x":-Infinity}', NONE),
    "1e999 that is ignored": (VALID + '"action":"health","x":1e999}', NONE),
    "1e999 deep in what is ignored": (VALID + '"action":"health","x":[[{"y":[1, -1E+999 ]}]]}', NONE),
    "1e999 in a float": (VALID + '"action":"typed","payload":{"ratio":1e999}}', NONE),
    "309 digits that are ignored": (VALID + '"action":"health","x":' + "9" * 309 + "}", NONE),
    "4,301 digits": (VALID + '"action":"echo","payload":{"a":' + "9" * 4_301 + "}}", NONE),
    "4,301 digits that are ignored": (VALID + '"action":"health","x":' + "9" * 4_301 + "}", NONE),
    "200,000 digits": (VALID + '"action":"echo","payload":{"a":' + "9" * 200_000 + "}}", NONE),
    "200,000 digits alone": ("9" * 200_000, NONE),
    "NUL": ("\x00", NONE),
    "NUL in a name": (VALID + '"action":"hea\x00lth"}', NONE),
    "an escaped NUL in a name": (VALID + r'"action":"hea\u0000lth"}', "unknown_websocket_action"),
    "an escaped NUL in the payload": (VALID + r'"action":"echo","payload":{"\u0000":"\u0000"}}', "echoed"),
    "an escaped NUL in a room": (VALID + r'"action":"join","payload":{"room":"\u0000"}}', "echoed"),
    "a BOM": ("\ufeff" + VALID + '"action":"health"}', NONE),
    "a BOM in bytes": (b"\xef\xbb\xbf" + VALID.encode() + b'"action":"health"}', NONE),
    "bad UTF-8": (b'{"action":"\xff"}', NONE),
    "a surrogate in UTF-8": (b'{"action":"\xed\xa0\x80"}', NONE),
    "overlong UTF-8": (b'{"action":"\xc0\xaf"}', NONE),
    "a UUID that ends in a newline": (
        '{"msg_id":"0b6a3d1e-0000-4000-8000-00000000000a","req_id":"0b6a3d1e-0000-4000-8000-00000000000b\\n",'
        '"action":"health"}',
        NONE,
    ),
    "nothing": ("", NONE),
    "null": ("null", NONE),
    "a name of a megabyte": (VALID + '"action":"' + "x" * 1_000_000 + '"}', "unknown_websocket_action"),
    "a key of a megabyte": (VALID + '"action":"typed","payload":{"box":{"' + "k" * 1_000_000 + '":1}}}', REFUSED),
    "a word of a megabyte": (VALID + '"action":"typed","payload":{"word":"' + "X" * 1_000_000 + '"}}', REFUSED),
    "a tag of a megabyte": (
        VALID + '"action":"typed","payload":{"box":{"kind":"box","content":[{"kind":"' + "é" * 500_000 + '"}]}}}',
        REFUSED,
    ),
    "tags of control characters": (
        VALID
        + '"action":"typed","payload":{"box":{"kind":"box","content":['
        + ",".join(['{"kind":"' + r"\u0001" * 5_000 + '"}'] * 30)
        + "]}}}",
        REFUSED,
    ),
    "100,000 errors": (
        VALID + '"action":"typed","payload":{"box":{"kind":"box","content":[' + ",".join(["0"] * 100_000) + "]}}}",
        REFUSED,
    ),
    "a table of errors": (
        VALID + '"action":"typed","payload":{"table":{' + ",".join(f'"{n}~/{n}":[]' for n in range(1_000)) + "}}}",
        REFUSED,
    ),
    "a refusal that quotes all": (
        VALID + '"action":"refuse","payload":{"a":"' + "\U0001f600" * 100_000 + '"}}',
        "conflict",
    ),
    "a failure that quotes all": (VALID + '"action":"fail","payload":{"a":"secret"}}', "internal_error"),
}


@pytest.mark.parametrize("name", EXPLICIT)
@pytest.mark.parametrize("kind", ["modern", "plain"])
def test_known_traps_are_answered_as_they_should_be(name: str, kind: str, request: pytest.FixtureRequest) -> None:
    conversation: Conversation = request.getfixturevalue(kind)
    frame, expected = EXPLICIT[name]
    answers = conversation.answers(frame)
    if kind == "modern" and "code" not in answers[0]:
        assert answers.pop()["event"] == "ws.complete"
    [answer] = answers
    assert (answer.get("code") or answer["event"]) == expected
    assert answer.get("req_id") == req_id_of(frame)


@pytest.mark.parametrize("make", [str, str.encode], ids=["text", "binary"])
def test_a_byte_over_a_megabyte_is_too_much_and_the_next_connection_is_answered(make: Any) -> None:
    whole = VALID + '"action":"echo","payload":{"a":"'
    whole += "x" * (1_048_576 - len(whole) - 3) + '"}}'
    conversation = Conversation(V1)
    assert [each["event"] for each in conversation.answers(make(whole))] == ["echoed", "ws.complete"]
    run = conversation.runner.run
    run(conversation.client.raw(make(whole + " ")))
    problem = run(conversation.client.read())
    check_problem(problem)
    assert problem["code"] == "message_too_large"
    assert run(conversation.client.cut())[0] == 1009
    conversation.close()
    conversation = Conversation(V1)
    assert conversation.answers() == []
    conversation.close()


@given(frame=FRAMES)
def test_every_frame_gets_exactly_one_end_before_the_next_message_is_answered(
    modern: Conversation, frame: str | bytes
) -> None:
    answers = modern.answers(frame)
    *before, end = answers
    assert "code" in end or end["event"] == "ws.complete"
    assert all(each["event"] not in {"ws.complete", "health"} or each["event"] == "health" for each in before)
    assert all("event" in each for each in before)
    req_id = req_id_of(frame)
    assert {each.get("req_id") for each in answers} == {req_id}
    if end.get("event") == "ws.complete":
        assert end["payload"] == {"events": len(before)}
        assert is_finite(read(frame))
    else:
        assert before == []


@given(frame=FRAMES)
def test_a_plain_client_gets_exactly_one_answer_to_every_frame(plain: Conversation, frame: str | bytes) -> None:
    answers = plain.answers(frame)
    if answers == []:
        # The one action that has no answer, which only clients that opted in can use.
        document = read(frame)
        assert document["action"].strip() == "ws.cancel"
        return
    [answer] = answers
    assert answer.get("req_id") == req_id_of(frame)


@given(frames=st.lists(FRAMES, max_size=8))
def test_frames_in_one_go_are_answered_in_their_order(modern: Conversation, frames: list[str | bytes]) -> None:
    sent: list[str | bytes] = []
    for frame in frames:
        sent += [frame, envelope("echo", {"after": len(sent)})]
    answers = modern.answers(*sent)
    ends = [each for each in answers if "code" in each or each["event"] == "ws.complete"]
    assert len(ends) == len(sent)
    # ws.cancel alone is answered on arrival, which here is before what still waits.
    assert [each.get("req_id") for each in ends] == [req_id_of(frame) for frame in sent]


@given(text=json_texts())
@example(text="[1e999]")
@example(text='{"a": 1e5, "NaN": "NaN"}')
@example(text='[", e, ", -1E-5]')
@example(text="[1\n,\t1E+999\r]")
def test_what_is_ignored_is_looked_at_as_closely_as_the_rest(modern: Conversation, text: str) -> None:
    """A message is taken if and only if all of it is JSON with numbers that are finite."""
    frame = VALID + '"action":"health","ignored":' + text + "}"
    try:
        fine = is_finite(read(frame))
    except ValueError:
        fine = False
    answers = modern.answers(frame)
    assert [each.get("code") or each["event"] for each in answers] == (
        ["health", "ws.complete"] if fine else ["invalid_websocket_message"]
    )


@given(payload=st.dictionaries(NASTY_TEXT, JSON, max_size=4), ascii_only=st.booleans())
def test_a_payload_comes_back_as_it_was_sent(modern: Conversation, payload: dict[str, Any], ascii_only: bool) -> None:
    frame = VALID + '"action":"echo","payload":' + dumped(payload, ascii_only) + "}"
    answers = modern.answers(frame)
    try:
        document = read(frame)
    except ValueError:
        document = None
    if document is None or not is_finite(document):
        assert [each["code"] for each in answers] == ["invalid_websocket_message"]
    else:
        assert answers[0]["payload"] == {"value": document["payload"]}


# Without a connection


CODEC = JsonCodec()
DECODER = Decoder(application(), BUILTIN_ACTIONS)
LENIENT = Decoder(application(), BUILTIN_ACTIONS, require_ids=False)


@given(frame=st.one_of(st.text(st.characters(codec=None), max_size=100), st.binary(max_size=100), FRAMES))
def test_the_codec_gives_the_bytes_or_says_why_not(frame: str | bytes) -> None:
    if isinstance(frame, bytes):
        assert CODEC.decode(frame) == frame
    elif any("\ud800" <= character <= "\udfff" for character in frame):
        with pytest.raises(ValueError, match="lone surrogate"):
            CODEC.decode(frame)
    else:
        assert CODEC.decode(frame) == frame.encode()


@given(
    raw=st.one_of(
        st.binary(max_size=100),
        FRAMES.map(lambda frame: frame if isinstance(frame, bytes) else frame.encode(errors="replace")),
    )
)
@pytest.mark.parametrize("decoder", [DECODER, LENIENT], ids=["strict", "lenient"])
def test_the_decoder_gives_a_message_or_a_problem(decoder: Decoder, raw: bytes) -> None:
    rejected: Rejected | None = None
    try:
        action, msg_id, req_id, _ = decoder.decode(raw)
    except Rejected as refusal:
        rejected = refusal
    if rejected is not None:
        document = rejected.problem.to_dict(msg_id=new_id(), req_id=rejected.req_id, instance="/ws/")
        check_problem(strict(json.dumps(document)))
        assert rejected.req_id == req_id_of(raw)
        return
    document = read(raw)
    assert is_finite(document)
    assert action.name == document["action"].strip()
    for name, value in (("msg_id", msg_id), ("req_id", req_id)):
        assert value == (document[name].lower() if name in document else None)
        assert name in document or decoder is LENIENT


@given(document=st.dictionaries(st.sampled_from(["msg_id", "req_id", "action", "payload"]), JSON))
@example(document={"action": "\ud800\udc00"})
def test_the_names_in_a_message_are_read_without_an_exception(document: dict[str, Any]) -> None:
    raw = dumped(document)
    document = json.loads(raw)  # in which two surrogates side by side are one character
    action, req_id = DECODER.names_in(raw.encode())
    assert action is None or action == document["action"].strip()
    assert req_id is None or req_id == document["req_id"].lower()


def test_limits_that_are_small_hold_too() -> None:
    conversation = Conversation(V1, limits=Limits(inbox=1, inbox_bytes=1, outbox_messages=1, outbox_bytes=1))
    for number in range(50):
        answers = conversation.answers("no JSON", envelope("echo", {"a": number}), VALID + '"action":"health"}')
        assert len(answers) == 5
    conversation.close()
