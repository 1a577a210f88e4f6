from tests.core.contracts import made, message
from wsproto_core import Limits, Registry
from wsproto_core.asyncapi.document import VERSION


async def _nothing() -> None: ...


def test_an_application_that_says_nothing_has_a_title_and_a_version(registry: Registry) -> None:
    document = made(registry)
    assert document["asyncapi"] == VERSION == "3.1.0"
    assert document["info"] == {"title": "WebSocket API", "version": "0.1.0"}
    assert document["x-wsproto"]["requireIds"] is True
    assert "servers" not in document
    assert "securitySchemes" not in document["components"]


def test_what_the_settings_say_comes_before_what_the_host_says(registry: Registry) -> None:
    host = {"title": "FastAPI", "version": "2", "license": {"name": "MIT"}, "termsOfService": ""}
    document = made(
        registry,
        info=host,
        title="Chat",
        description="All of it.",
        terms_of_service="https://example.com/terms",
        contact={"name": "Ada"},
        servers=["wss://example.com"],
    )
    assert document["info"] == {
        "title": "Chat",
        "version": "2",
        "description": "All of it.",
        "termsOfService": "https://example.com/terms",
        "contact": {"name": "Ada"},
        "license": {"name": "MIT"},
    }
    assert document["servers"] == {"server": {"host": "example.com", "protocol": "wss"}}


def test_the_order_is_that_of_the_names(registry: Registry) -> None:
    other = Registry()
    for target, names in ((registry, ["b", "a", "c"]), (other, ["c", "b", "a"])):
        for name in names:
            target.add_action(name, _nothing)
    assert list(made(registry)["operations"]) == list(made(other)["operations"])
    assert list(made(registry)["operations"])[:4] == ["action.a", "action.b", "action.c", "action.health"]


def test_what_the_limits_and_problem_types_are_is_told(registry: Registry) -> None:
    document = made(
        registry,
        limits=Limits(max_message_bytes=None, authentication_timeout=3),
        authenticate=lambda _: 1,
        problem_type_base_url="https://example.com/p",
    )
    assert document["x-wsproto"] == {
        "protocol": 1,
        "requireIds": True,
        "subprotocols": document["x-wsproto"]["subprotocols"],
        "problemTypeBaseUrl": "https://example.com/p",
        "authenticationTimeout": 3,
    }
    problem = message(document, "problem.conflict")
    assert problem["payload"]["properties"]["type"] == {"type": "string", "const": "https://example.com/p/conflict"}
    assert (problem["x-wsproto-status"], problem["x-wsproto-slug"]) == (409, "conflict")
