"""A frame to a validated message: which frames are messages, and what is said of those that are none."""

import json
import threading
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field, RootModel, ValidationError, field_validator
from pydantic_core import from_json

from wsproto_core import Registry
from wsproto_core.builtin_actions import BUILTIN_ACTIONS
from wsproto_core.decoding import Decoder, Rejected, json_pointer, validation_errors

MSG_ID = "0b6a3d1e-0000-4000-8000-00000000000a"
REQ_ID = "0b6a3d1e-0000-4000-8000-00000000000b"


class Say(BaseModel):
    room: str
    count: int = 1
    extra: Any = None


class Cat(BaseModel):
    kind: Literal["cat"]


class Dog(BaseModel):
    kind: Literal["dog"]


class Zoo(BaseModel):
    animals: list[Annotated[Cat | Dog, Field(discriminator="kind")]] = []
    by_name: dict[str, int] = {}


def decoder_of(registry: Registry, *, require_ids: bool = True, builtins: Any = BUILTIN_ACTIONS) -> Decoder:
    return Decoder(registry, builtins, require_ids=require_ids)


@pytest.fixture
def decoder() -> Decoder:
    """Decodes the actions ``say``, ``zoo`` and ``bare``, which takes no payload."""
    registry = Registry()

    @registry.action("say")
    async def say(payload: Say) -> None: ...

    @registry.action("zoo")
    async def zoo(payload: Zoo) -> None: ...

    @registry.action("bare")
    async def bare() -> None: ...

    return decoder_of(registry)


def message(**members: Any) -> dict[str, Any]:
    return {"msg_id": MSG_ID, "req_id": REQ_ID, "action": "say", "payload": {"room": "lobby"}, **members}


def without(*names: str) -> dict[str, Any]:
    return {name: value for name, value in message().items() if name not in names}


def encoded(document: object) -> bytes:
    return json.dumps(document).encode()


def with_payload(payload: str) -> bytes:
    """Return a message whose payload is this very text."""
    return encoded(message(payload="@")).replace(b'"@"', payload.encode())


def refused(decoder: Decoder, raw: bytes) -> Rejected:
    with pytest.raises(Rejected) as caught:
        decoder.decode(raw)
    return caught.value


# What is taken


def test_a_message_is_decoded_to_action_ids_and_typed_payload(decoder: Decoder) -> None:
    action, msg_id, req_id, payload = decoder.decode(encoded(message()))
    assert (action.name, msg_id, req_id, payload) == ("say", MSG_ID, REQ_ID, Say(room="lobby"))


def test_ids_are_taken_in_either_case_and_given_in_lower_case(decoder: Decoder) -> None:
    _, msg_id, req_id, _ = decoder.decode(encoded(message(msg_id=MSG_ID.upper(), req_id=REQ_ID.upper())))
    assert (msg_id, req_id) == (MSG_ID, REQ_ID)


def test_white_space_around_the_action_is_taken_off(decoder: Decoder) -> None:
    for name in (" say", "say\n", "\u2003say\u00a0"):
        action, _, _, payload = decoder.decode(encoded(message(action=name)))
        assert (action.name, payload) == ("say", Say(room="lobby"))


def test_unknown_members_are_ignored(decoder: Decoder) -> None:
    assert decoder.decode(encoded(message(seq=7, event="x", nested={"a": [1.5e3, None]})))[0].name == "say"


def test_a_payload_may_be_left_out_where_none_is_taken(decoder: Decoder) -> None:
    assert decoder.decode(encoded({**without("payload"), "action": "bare"}))[3] is None
    assert decoder.decode(encoded(message(action="bare")))[3] == {"room": "lobby"}


def test_of_duplicate_keys_the_last_counts(decoder: Decoder) -> None:
    twice = b'{"msg_id":"x","msg_id":"%s","req_id":1,"req_id":"%s","action":"no","action":"say",' % (
        MSG_ID.encode(),
        REQ_ID.encode(),
    )
    action, msg_id, req_id, payload = decoder.decode(twice + b'"payload":[],"payload":{"room":1,"room":"b"}}')
    assert (action.name, msg_id, req_id, payload) == ("say", MSG_ID, REQ_ID, Say(room="b"))
    rejected = refused(decoder, twice + b'"payload":{"room":"b"},"payload":{"room":1}}')
    assert rejected.problem.code == "invalid_payload"


@pytest.mark.parametrize(
    "number",
    ["1e5", "-1.5E-3", "1E+300", "1e-999", "0.1", "1" * 300, "9" * 308, "1." + "1" * 400, "0e0"],
    ids=lambda number: f"{len(number)} {number[:10]}",
)
def test_numbers_that_json_has_are_taken(decoder: Decoder, number: str) -> None:
    payload = decoder.decode(with_payload(f'{{"room": "a", "extra": [{number}, {{"x": {number}}}]}}'))[3]
    assert payload.extra == [json.loads(number), {"x": json.loads(number)}]


@pytest.mark.parametrize(
    "text", ["NaN", "Infinity, e, I", "1e999", ", NaN", ": -Infinity", "[1e999]", "7" * 400], ids=lambda text: text[:20]
)
def test_words_that_look_like_odd_numbers_are_only_text(decoder: Decoder, text: str) -> None:
    assert decoder.decode(encoded(message(payload={"room": text})))[3].room == text


@pytest.mark.parametrize("levels", [32, 150])
def test_deep_nesting_is_taken_as_far_as_the_parser_goes(decoder: Decoder, levels: int) -> None:
    payload = decoder.decode(with_payload('{"room":"a","extra":' + "[" * levels + "]" * levels + "}"))[3]
    assert json.dumps(payload.extra) == "[" * levels + "]" * levels


def test_ids_may_be_left_out_where_they_are_not_required() -> None:
    registry = Registry()

    @registry.action("say")
    async def say(payload: Say) -> None: ...

    lenient = decoder_of(registry, require_ids=False)
    assert lenient.decode(encoded(without("msg_id", "req_id")))[1:3] == (None, None)
    assert lenient.decode(encoded(message()))[1:3] == (MSG_ID, REQ_ID)
    rejected = refused(lenient, encoded(message(req_id="mine")))
    assert rejected.problem.extensions["errors"][0]["pointer"] == "#/req_id"
    assert "msg_id" not in (rejected.problem.detail or "")


# What is refused as no message


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b" ",
        b"\x00",
        b"no JSON",
        b"{'a': 1}",
        b'{"a": 1,}',
        b"{} {}",
        b"\xff\xfe",
        b'{"action": "\xff"}',
        b'{"action": "\xed\xa0\x80"}',
        b'{"action": "\\ud800"}',
        b'{"action": "a\x00b"}',
        b"\xef\xbb\xbf{}",
        b"NaN",
        b"[NaN]",
        b"[" * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    ],
    ids=lambda raw: f"{len(raw)} bytes {raw[:20]!r}",
)
def test_what_is_not_json_is_no_message(decoder: Decoder, raw: bytes) -> None:
    rejected = refused(decoder, raw)
    assert rejected.problem.code == "invalid_websocket_message"
    assert "not valid JSON" in str(rejected)
    assert len(rejected.problem.detail or "") < 200
    assert rejected.req_id is None


@pytest.mark.parametrize("raw", [b"null", b"true", b"1", b"-0.0", b'"text"', b"[]", b'[{"action": "say"}]', b"1e999"])
def test_json_that_is_no_object_is_no_message(decoder: Decoder, raw: bytes) -> None:
    rejected = refused(decoder, raw)
    assert rejected.problem.code == "invalid_websocket_message"
    assert rejected.req_id is None


@pytest.mark.parametrize("number", ["NaN", "-NaN", "Infinity", "-Infinity"])
@pytest.mark.parametrize("place", ['{"room": "a", "extra": @}', '{"room": "a", "extra": [[1, @]]}', "@"])
def test_what_json_does_not_call_a_number_is_refused_everywhere(decoder: Decoder, number: str, place: str) -> None:
    rejected = refused(decoder, with_payload(place.replace("@", number)))
    assert rejected.problem.code == "invalid_websocket_message"
    assert "not valid JSON" in str(rejected)


@pytest.mark.parametrize(
    "number",
    ["1e999", "-1E+999", "1.5e400", "9" * 309, "9" * 400 + ".5", str(2**1024 - 1)],
    ids=lambda number: f"{len(number)} {number[:10]}",
)
@pytest.mark.parametrize(
    "raw",
    [
        with_payload('{"room": "a", "extra": @}'),
        with_payload('{"room": "a", "ignored": [1, [@]]}'),
        encoded(message(ignored="@")).replace(b'"@"', b"@"),
        encoded(message(ignored="@")).replace(b'"@"', b"\t@\r\n"),
    ],
    ids=["any", "ignored in the payload", "ignored", "spaced"],
)
def test_a_number_that_overflows_is_refused_wherever_it_stands(decoder: Decoder, raw: bytes, number: str) -> None:
    rejected = refused(decoder, raw.replace(b"@", number.encode()))
    assert rejected.problem.code == "invalid_websocket_message"
    assert "too large" in str(rejected)
    assert rejected.req_id == REQ_ID


def test_a_number_that_overflows_in_what_is_no_object_is_refused_too(decoder: Decoder) -> None:
    assert refused(decoder, b"[1e999]").req_id is None


@pytest.mark.parametrize("digits", [4_301, 200_000])
def test_integers_beyond_the_parsers_bound_are_refused(decoder: Decoder, digits: int) -> None:
    for raw in (with_payload('{"room": "a", "extra": ' + "9" * digits + "}"), b"9" * digits):
        rejected = refused(decoder, raw)
        assert rejected.problem.code == "invalid_websocket_message"
        assert len(rejected.problem.detail or "") < 200


# What is refused as no envelope


@pytest.mark.parametrize(
    ("document", "pointers"),
    [
        ({}, ["#/msg_id", "#/req_id", "#/action"]),
        (without("msg_id"), ["#/msg_id"]),
        (without("req_id"), ["#/req_id"]),
        (without("action"), ["#/action"]),
        (without("payload"), ["#/payload"]),
        (message(msg_id=None), ["#/msg_id"]),
        (message(req_id=7), ["#/req_id"]),
        (message(action=7), ["#/action"]),
        (message(action=""), ["#/action"]),
        (message(action=" \t"), ["#/action"]),
        (message(payload=None), ["#/payload"]),
        (message(payload=[]), ["#/payload"]),
        (message(payload="{}"), ["#/payload"]),
        (message(action="bare", payload=[]), ["#/payload"]),
        (message(action="nothing", payload=1), ["#/payload"]),
    ],
)
def test_what_an_envelope_lacks_is_pointed_out(decoder: Decoder, document: Any, pointers: list[str]) -> None:
    rejected = refused(decoder, encoded(document))
    assert rejected.problem.code == "invalid_websocket_message"
    assert rejected.problem.status == 400
    assert [error["pointer"] for error in rejected.problem.extensions["errors"]] == pointers


@pytest.mark.parametrize(
    "not_canonical",
    [
        REQ_ID.replace("-", ""),
        "{" + REQ_ID + "}",
        "urn:uuid:" + REQ_ID,
        REQ_ID + "\n",
        " " + REQ_ID,
        REQ_ID[:-1] + "_",
        REQ_ID[:-1] + "\u0661",
        REQ_ID[:-1],
        None,
        0,
        {},
    ],
)
def test_only_the_canonical_form_is_a_uuid(decoder: Decoder, not_canonical: Any) -> None:
    rejected = refused(decoder, encoded(message(req_id=not_canonical)))
    assert rejected.problem.code == "invalid_websocket_message"
    assert rejected.req_id is None
    assert refused(decoder, encoded(message(msg_id=not_canonical))).req_id == REQ_ID


@pytest.mark.parametrize("name", ["msg_id", "req_id"])
def test_an_id_that_is_none_is_refused_although_it_could_have_been_left_out(name: str) -> None:
    lenient = decoder_of(Registry(), require_ids=False)
    rejected = refused(lenient, encoded({"action": "health", name: "7"}))
    assert [error["pointer"] for error in rejected.problem.extensions["errors"]] == [f"#/{name}"]


def test_the_request_is_known_whenever_it_could_be_read(decoder: Decoder) -> None:
    for raw in (
        encoded(without("action")),
        encoded(message(action="nothing")),
        encoded(message(payload={})),
        encoded(message(payload=None, msg_id=None, action=None)),
        encoded(message(req_id=REQ_ID.upper(), action="")),
    ):
        assert refused(decoder, raw).req_id == REQ_ID


def test_an_unknown_action_is_named_and_shortened(decoder: Decoder) -> None:
    rejected = refused(decoder, encoded(message(action="x" * 100_000)))
    assert rejected.problem.code == "unknown_websocket_action"
    assert len(rejected.problem.detail or "") < 150
    assert "'" + "x" * 63 + "…'" in (rejected.problem.detail or "")


# What is refused as no payload


def test_a_payload_that_the_action_refuses_is_pointed_into(decoder: Decoder) -> None:
    rejected = refused(decoder, encoded(message(payload={"count": "many"})))
    problem = rejected.problem
    assert (problem.code, problem.status, rejected.req_id) == ("invalid_payload", 422, REQ_ID)
    assert [(error["pointer"], error["code"]) for error in problem.extensions["errors"]] == [
        ("#/payload/room", "missing"),
        ("#/payload/count", "int_parsing"),
    ]
    assert "#/payload/room: Field required. There are 2 errors in all." in (problem.detail or "")
    assert "There are" not in (refused(decoder, encoded(message(payload={}))).problem.detail or "")


@pytest.mark.parametrize("action", ["say", " say "])
def test_pointers_are_those_of_the_document_whatever_else_is_in_it(decoder: Decoder, action: str) -> None:
    document = message(action=action, payload={"room": 7, "say": {}}, say={"payload": {"room": 8}})
    rejected = refused(decoder, encoded(document))
    assert [error["pointer"] for error in rejected.problem.extensions["errors"]] == ["#/payload/room"]


def test_a_million_errors_are_counted_and_not_listed(decoder: Decoder) -> None:
    """Each costs pydantic microseconds, and a megabyte has room for a million."""
    raw = with_payload('{"animals": [' + ",".join("0" * 20_000) + "]}").replace(b'"say"', b'"zoo"')
    rejected = refused(decoder, raw)
    assert rejected.req_id == REQ_ID
    assert rejected.problem.extensions["errors"] == [
        {"pointer": "#/payload", "detail": "There are too many errors to list them", "code": "too_many_errors"}
    ]
    assert "There are 20000 errors in all." in (rejected.problem.detail or "")


def test_an_answer_to_a_thousand_errors_stays_short(decoder: Decoder) -> None:
    rejected = refused(
        decoder, encoded(message(action="zoo", payload={"by_name": {str(n): "x" for n in range(1_000)}}))
    )
    assert len(rejected.problem.extensions["errors"]) == 20
    assert "There are 1000 errors in all." in (rejected.problem.detail or "")


@pytest.mark.parametrize("tag", ["x" * 10_000, "\u0001" * 10_000, "\U0001f600" * 10_000], ids=["x", "control", "emoji"])
def test_an_answer_that_quotes_the_input_stays_short(decoder: Decoder, tag: str) -> None:
    rejected = refused(decoder, encoded(message(action="zoo", payload={"animals": [{"kind": tag}] * 30})))
    errors = rejected.problem.extensions["errors"]
    assert errors
    assert len(json.dumps(errors, ensure_ascii=False).encode()) <= 8_192
    assert len(rejected.problem.detail or "") <= 512


def test_the_first_error_is_shown_whatever_its_size() -> None:
    class Long(BaseModel):
        text: str

        @field_validator("text")
        @classmethod
        def check(cls, value: str) -> str:
            raise ValueError("\u0001" * 600)

    with pytest.raises(ValidationError) as caught:
        Long.model_validate({"text": ""})
    assert len(validation_errors(caught.value, {})) == 1


# Pointers


@pytest.mark.parametrize(
    ("loc", "pointer", "missing"),
    [
        ((), "#", False),
        (("payload", "list", 1), "#/payload/list/1", False),
        (("payload", "a/b", "c~d"), "#/payload/a~1b/c~0d", False),
        (("payload", "ä ö"), "#/payload/%C3%A4%20%C3%B6", False),
        (("payload", "list", 9), "#/payload/list", False),
        (("payload", "list", "gone"), "#/payload/list", True),
        (("payload", "gone"), "#/payload/gone", True),
        (("payload", "gone"), "#/payload", False),
        (("say", "payload", "function-after[check()]", "a/b", "c~d"), "#/payload/a~1b/c~0d", False),
        (("payload", "dict[str,int]", "gone"), "#/payload/gone", True),
        (("payload", "x" * 300, "a"), "#/payload", False),
    ],
)
def test_a_pointer_names_what_is_in_the_document(loc: tuple[int | str, ...], pointer: str, missing: bool) -> None:
    document = {"payload": {"list": [1, 2], "a/b": {"c~d": 1}, "ä ö": 1, "x" * 300: {}}}
    assert json_pointer(loc, document, missing=missing) == pointer


def test_members_of_unions_are_left_out_of_pointers() -> None:
    class Either(RootModel[dict[str, int] | list[str]]):
        pass

    with pytest.raises(ValidationError) as caught:
        Either.model_validate({"a": "x"})
    assert {error["pointer"] for error in validation_errors(caught.value, {"a": "x"})} == {"#/a", "#"}


# What is registered


def test_actions_that_are_registered_later_are_noticed() -> None:
    registry = Registry()
    decoder = decoder_of(registry)
    raw = encoded(message())
    assert refused(decoder, raw).problem.code == "unknown_websocket_action"

    @registry.action("say")
    async def say(payload: Say) -> None: ...

    assert decoder.decode(raw)[0].name == "say"
    assert set(decoder.actions) == {"say", *BUILTIN_ACTIONS}
    assert decoder.actions is decoder.actions


def test_an_application_may_replace_health() -> None:
    registry = Registry()

    @registry.action("health")
    async def health(payload: Say) -> None: ...

    assert decoder_of(registry).decode(encoded(message(action="health")))[3] == Say(room="lobby")


def test_threads_may_decode_while_actions_are_registered() -> None:
    registry = Registry()
    decoder = decoder_of(registry)
    raw = encoded({**without("payload"), "action": "health"})
    stop = threading.Event()
    errors: list[BaseException] = []

    def decode() -> None:
        try:
            while not stop.is_set():
                assert decoder.decode(raw)[0].name == "health"
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=decode) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(20):

        @registry.action(f"late{number}")
        async def late(payload: Say) -> None: ...

        assert decoder.decode(encoded(message(action=f"late{number}")))[0].name == f"late{number}"
    stop.set()
    for thread in threads:
        thread.join()
    assert errors == []


# Exceptions of the application's own


def test_a_validator_that_raises_something_else_is_not_taken_for_an_invalid_message() -> None:
    registry = Registry()

    class Checked(BaseModel):
        text: str

        @field_validator("text")
        @classmethod
        def check(cls, value: str) -> str:
            raise KeyError(value)

    @registry.action("say")
    async def say(payload: Checked) -> None: ...

    with pytest.raises(KeyError):
        decoder_of(registry).decode(encoded(message(payload={"text": "x"})))


@pytest.mark.parametrize(
    ("raw", "names"),
    [
        (encoded(message()), ("say", REQ_ID)),
        (encoded(message(action=" say ")), ("say", REQ_ID)),
        (encoded(message(action=7, req_id="x")), (None, None)),
        (b"[]", (None, None)),
        (b"no JSON", (None, None)),
    ],
)
def test_the_names_in_a_message_are_read_as_far_as_they_are_there(
    decoder: Decoder, raw: bytes, names: tuple[str | None, str | None]
) -> None:
    assert decoder.names_in(raw) == names


def test_the_parser_is_the_one_that_the_validators_use() -> None:
    """Whatever the checking path lets through, the validating pass reads in the same way."""
    assert from_json(b'{"a": 1, "a": 2}') == {"a": 2}
