from collections.abc import AsyncIterator, Iterator
from datetime import date
from enum import Enum
from typing import Any
from uuid import UUID

import pytest

from tests.core.peer import hub_of, peer
from wsproto_core import (
    ActionContext,
    DuplicateNameError,
    Event,
    InvalidTopicError,
    Registry,
    Router,
    Topic,
    TopicDefinitionError,
    topic,
)
from wsproto_core.typed_topics import TopicTable


class Said(Event, register=False):
    event_name = "said"
    text: str = ""


class Colour(Enum):
    RED = "red"


class Wide(Topic, pattern="wide/{number}/{text}/{id}/{day}/{colour}/end", register=False):
    number: int
    text: str
    id: UUID
    day: date
    colour: Colour


WIDE = Wide(
    number=-3,
    text="a/b +#$%é",
    id=UUID("7f3b6d5e-3c1f-4d0e-9a51-1d8e8a1b2c3d"),
    day=date(2026, 1, 2),
    colour=Colour.RED,
)


def test_its_name_is_made_of_its_fields() -> None:
    assert WIDE.topic_name == "wide/-3/a%2Fb %2B%23$%25é/7f3b6d5e-3c1f-4d0e-9a51-1d8e8a1b2c3d/2026-01-02/red/end"
    assert WIDE.as_audience() == topic(WIDE.topic_name)
    assert Wide.topic_shape() == "wide/+/+/+/+/+/end"


def test_its_name_gives_it_back() -> None:
    assert Wide.from_topic_name(WIDE.topic_name) == WIDE


@pytest.mark.parametrize(
    "name",
    [
        "number/03",  # 3 has one name
        "number/ 3",
        "number/3/",
        "number",
        "number/x",
        "number/%33",
        "other/3",
        "number/",
    ],
)
def test_any_other_name_is_another_topic(name: str) -> None:
    class Number(Topic, pattern="number/{n}", register=False):
        n: int

    assert Number.from_topic_name("number/3") == Number(n=3)
    assert Number.from_topic_name(name) is None


def test_an_empty_level_makes_no_name() -> None:
    class Text(Topic, pattern="text/{t}", register=False):
        t: str

    assert Text.from_topic_name("text/") is None
    with pytest.raises(InvalidTopicError, match="level 't' of a Text must not be empty"):
        _ = Text(t="").topic_name


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("a/{other}", "names 'other', which is no field"),
        ("a", r"the field 'pk' is not in the pattern 'a'; a topic is its name, no more"),
        ("a/{pk}/{pk}", "a field is twice in the pattern"),
        ("a/x{pk}", "the field 'pk' is not in"),
        ("a/{pk}/b{", "is made of whole levels, as in 'discussion/{pk}'"),
        ("a/+/{pk}", "is made of whole levels"),
        ("#/{pk}", "is made of whole levels"),
        ("room/{pk}", "the pattern 'room/{pk}' is none: The first level 'room' is reserved"),
        ("$a/{pk}", "kept for the server"),
        ("/".join(["a"] * 16) + "/{pk}", "at most 16 levels"),
        (5, "the field 'pk' is not in the pattern 5"),
    ],
)
def test_a_pattern_that_does_not_fit_is_refused_when_the_class_is_made(pattern: Any, message: str) -> None:
    with pytest.raises(TopicDefinitionError, match=message.replace("{", r"\{").replace("}", r"\}")):

        class Wrong(Topic, pattern=pattern, register=False):
            pk: int


def test_a_pattern_is_needed() -> None:
    with pytest.raises(TopicDefinitionError, match=r"Wrong needs a pattern, as in pattern='discussion/{pk}'"):

        class Wrong(Topic):
            pk: int

    with pytest.raises(TopicDefinitionError, match="made of whole levels"):

        class Empty(Topic, pattern=None or 0):  # type: ignore[arg-type]
            pass


def test_a_base_class_needs_none_and_hands_its_pattern_on() -> None:
    class Base(Topic, register=False):
        async def authorize(self, context: ActionContext) -> bool:
            return True

    class News(Base, pattern="news", register=False):
        pass

    class More(News):
        pass

    assert News.has_authorize()
    assert More().topic_name == "news"
    assert not Wide.has_authorize()


async def test_clients_are_not_let_in_by_default() -> None:
    async with peer(hub_of()) as client:
        assert WIDE.authorize(client.context) is False
        assert WIDE.on_subscribe(client.context) is WIDE.on_unsubscribe(client.context) is None


def test_two_classes_of_one_shape_are_one_too_many() -> None:
    registry = Registry()

    class One(Topic, pattern="a/{x}", registry=registry):
        x: int

    with pytest.raises(DuplicateNameError, match=r"The typed topic 'a/\+' is registered already"):

        class Two(Topic, pattern="a/{y}", registry=registry):
            y: str

    class Three(Topic, pattern="a/{y}", registry=registry, replace=True):
        y: str

    assert registry.topics == {"a/+": Three}


def test_a_registry_takes_over_those_of_a_router() -> None:
    router, registry = Router(prefix="chat."), Registry()

    class One(Topic, pattern="a/{x}", registry=router):
        x: int

    registry.include(router)
    assert TopicTable(registry).find("a/3") == One(x=3)


def test_the_most_exact_pattern_that_fits_is_found_also_when_it_came_later() -> None:
    registry = Registry()
    table = TopicTable(registry)

    class Any_(Topic, pattern="{a}/{b}", registry=registry):
        a: str
        b: str

    assert table.find("sport/3") == Any_(a="sport", b="3")

    class Sport(Topic, pattern="sport/{n}", registry=registry):
        n: int

    assert table.find("sport/3") == Sport(n=3)
    assert table.find("sport/x") == Any_(a="sport", b="x")
    assert table.find("sport/3/x") is None


def test_it_is_a_value() -> None:
    assert Wide.model_validate(WIDE.model_dump()) == WIDE
    with pytest.raises(ValueError, match="frozen"):
        WIDE.number = 4
    with pytest.raises(ValueError, match="Extra inputs"):
        Wide.model_validate({**WIDE.model_dump(), "more": 1})


async def test_it_is_an_audience_and_a_subscription() -> None:
    registry = Registry()

    class Discussion(Topic, pattern="discussion/{pk}", registry=registry):
        pk: int

    hub = hub_of(registry)
    async with peer(hub) as client, peer(hub):
        await client.context.subscribe(Discussion(pk=3))
        assert hub.topics() == ["discussion/3"]
        assert await hub.emit(Said(text="a").to(Discussion(pk=3))) == 1
        assert await hub.emit(Said(text="b"), to=Discussion(pk=4)) == 0
        said = await client.read()
        assert (said["recipient"], said["recipient_id"]) == ("topic", "discussion/3")
        await client.context.leave(Discussion(pk=3))
        assert hub.topics() == []


@pytest.mark.parametrize("form", ["nothing", "event", "list", "coroutine", "generator", "async generator"])
async def test_a_subscriber_begins_with_its_events_in_any_form(form: str) -> None:
    registry = Registry()

    class News(Topic, pattern="news", registry=registry):
        def on_subscribe(self, context: ActionContext) -> Any:
            first, second = Said(text="1"), Said(text="2")

            async def coroutine() -> list[Event]:
                return [first, second]

            def generator() -> Iterator[Event]:
                yield from (first, second)

            async def async_generator() -> AsyncIterator[Event]:
                yield first
                yield second

            forms: dict[str, Any] = {
                "nothing": None,
                "event": first,
                "list": [first, second],
                "coroutine": coroutine,
                "generator": generator,
                "async generator": async_generator,
            }
            given = forms[form]
            return given() if callable(given) else given

    async with peer(hub_of(registry)) as client:
        await client.context.subscribe(News())
        texts = [message["payload"]["text"] for message in await client.arrived()]
    assert texts == {"nothing": [], "event": ["1"]}.get(form, ["1", "2"])


def test_a_field_may_have_any_usual_name() -> None:
    class Board(Topic, pattern="board/{name}/{shape}", register=False):
        name: str
        shape: str

    board = Board(name="a", shape="b")
    assert board.topic_name == "board/a/b"
    assert Board.from_topic_name("board/a/b") == board
