from dataclasses import dataclass
from typing import ClassVar, Generic, TypeVar

import pytest
from pydantic import BaseModel, Field

from wsproto_core import (
    Audience,
    DuplicateNameError,
    Event,
    EventDefinitionError,
    EventEnvelope,
    InvalidTopicError,
    MissingAudienceError,
    RegistrationError,
    Registry,
    connection,
    default_registry,
    everyone,
    room,
    user,
)
from wsproto_core.events import NOWHERE, Emittable, Target, as_audiences, is_event, target_of

T = TypeVar("T")


class Said(Event, name="said", register=False):
    event_name = "said"
    text: str = "hi"


@dataclass
class Discussion:
    pk: int

    def as_audience(self) -> Audience:
        return Audience("topic", f"discussion/{self.pk}")


def test_an_event_registers_under_its_name(registry: Registry) -> None:
    class Left(Event, name="chat.left", registry=registry):
        pass

    class Plugged(Event, registry=registry):
        __plugin_name__ = "chat.plugged"

    class Plain(Event, registry=registry):
        pass

    class Further(Plugged, registry=registry):
        pass

    assert dict(registry.events) == {"chat.left": Left, "chat.plugged": Plugged, "Plain": Plain, "Further": Further}
    assert [event.event_name for event in registry.events.values()] == list(registry.events)


def test_an_event_registers_in_the_default_registry_unless_told_otherwise() -> None:
    class DefaultedEvent(Event, name="test_events.defaulted"):
        pass

    assert default_registry.events["test_events.defaulted"] is DefaultedEvent


def test_a_base_class_is_kept_out_of_the_registry(registry: Registry) -> None:
    class Base(Event, registry=registry, register=False):
        pass

    class OtherBase(Event, registry=registry):
        __register__ = False

    class Concrete(OtherBase, registry=registry):
        pass

    assert list(registry.events.values()) == [Concrete]
    assert not hasattr(Base, "event_name")


def test_a_name_taken_twice_is_refused_unless_it_is_replaced(registry: Registry) -> None:
    class First(Event, name="said", registry=registry):
        pass

    with pytest.raises(DuplicateNameError, match="said"):
        type("Second", (Event,), {}, name="said", registry=registry)
    assert registry.events["said"] is First

    class Third(Event, name="said", registry=registry, replace=True):
        pass

    assert registry.events["said"] is Third


@pytest.mark.parametrize("name", ["", " said", "ws.ready", 5])
def test_a_name_that_is_none_is_refused(registry: Registry, name: str) -> None:
    with pytest.raises(RegistrationError):
        type("Said", (Event,), {}, name=name, registry=registry)


def test_a_generic_event_keeps_its_name_for_each_type_of_payload(registry: Registry) -> None:
    class Changed(Event, Generic[T], name="changed", registry=registry):
        value: T

    assert Changed[int](value=1).event_name == "changed"
    assert dict(registry.events) == {"changed": Changed}

    class ChangedText(Changed[str], name="changed.text", registry=registry):
        pass

    assert registry.events["changed.text"] is ChangedText


class Mixin(BaseModel):
    emit: str


@pytest.mark.parametrize(
    ("bases", "annotations", "hidden"),
    [
        ((Event,), {"to": str}, "Bad.to would hide Event.to"),
        ((Event,), {"emit": "bool"}, "Bad.emit would hide Event.emit"),
        ((Event,), {"to": "NotDefinedYet"}, "Bad.to would hide Event.to"),
        ((Event,), {"event_name": str}, 'event_name_: … = Field(alias="event_name")'),
        ((Mixin, Event), {}, "Bad.emit would hide Event.emit"),
        ((Event, Mixin), {}, "Bad.emit would hide Event.emit"),
    ],
)
def test_a_field_that_would_hide_a_member_of_event_is_refused_with_the_way_out(
    registry: Registry, bases: tuple[type, ...], annotations: dict[str, object], hidden: str
) -> None:
    with pytest.raises(EventDefinitionError) as refusal:
        type(Event)("Bad", bases, {"__annotations__": annotations, "__module__": __name__}, registry=registry)
    assert hidden in str(refusal.value)
    assert not registry.events


def test_the_way_out_works(registry: Registry) -> None:
    class Sent(Event, name="sent", registry=registry):
        event_name: ClassVar[str]
        to_: str = Field(alias="to")

    sent = Sent.model_validate({"to": "ada"}).to(user(1))
    assert sent.model_dump(by_alias=True) == {"to": "ada"}
    assert target_of(sent).audiences == (user(1),)


def test_to_returns_an_addressed_copy_and_leaves_the_event_alone() -> None:
    said = Said(text="a")
    addressed = said.to(room("lobby"), user(1), exclude="c1", key="k")
    assert target_of(said) is NOWHERE
    assert target_of(addressed) == Target((room("lobby"), user(1)), frozenset({"c1"}), "k")
    assert addressed == said
    assert addressed.model_dump() == {"text": "a"}


def test_to_replaces_an_earlier_address() -> None:
    assert target_of(Said().to(user(1), exclude="c1", key="k").to(user(2))) == Target((user(2),))


@pytest.mark.parametrize(
    ("exclude", "ids"),
    [((), set()), ("c1", {"c1"}), (connection("c1"), {"c1"}), (["c1", connection("c2"), 3], {"c1", "c2", "3"})],
)
def test_connections_are_excluded_by_id_or_audience(exclude: str, ids: set[str]) -> None:
    assert target_of(Said().to(room("lobby"), exclude=exclude)).exclude == ids


def test_only_connections_can_be_excluded() -> None:
    with pytest.raises(TypeError, match="connection ids, not a user audience"):
        Said().to(room("lobby"), exclude=user(1))
    with pytest.raises(InvalidTopicError, match="NoneType"):
        Said().to(room("lobby"), exclude=[None])


@pytest.mark.parametrize(
    ("to", "audiences"),
    [
        (None, ()),
        (room("lobby"), (room("lobby"),)),
        (Discussion(3), (Audience("topic", "discussion/3"),)),
        (
            [room("lobby"), Discussion(3), (user(1), user(2))],
            (room("lobby"), Audience("topic", "discussion/3"), user(1), user(2)),
        ),
        ((each for each in [everyone()]), (everyone(),)),
        ([], ()),
    ],
    ids=["none", "one", "typed", "nested", "generator", "empty"],
)
def test_one_audience_or_many_become_a_tuple(to: Audience, audiences: tuple[Audience, ...]) -> None:
    assert as_audiences(to) == audiences


@pytest.mark.parametrize(
    ("to", "shown"), [("lobby", "not the text 'lobby'"), (["lobby"], "'lobby'"), (5, "not int"), (b"ab", "not int")]
)
def test_what_is_no_audience_is_refused(to: object, shown: str) -> None:
    with pytest.raises(TypeError, match=shown):
        as_audiences(to)


async def test_emit_returns_the_envelope_for_the_first_audience() -> None:
    class Named(Event, name="named", register=False):
        event_name = "named"
        to_: int = Field(default=1, alias="to")

    assert await Named().to(room("lobby"), user(1)).emit() == EventEnvelope(
        event="named", recipient="room", recipient_id="lobby", payload={"to": 1}
    )


async def test_emit_without_an_audience_says_what_to_do() -> None:
    with pytest.raises(MissingAudienceError, match=r"Said has no audience; say \.to\(room"):
        await Said().emit()


def test_an_event_is_told_from_anything_else() -> None:
    class Other:
        async def emit(self) -> EventEnvelope:
            raise NotImplementedError

    assert is_event(Said())
    assert not any(is_event(each) for each in (Other(), Said, None, "said"))
    assert isinstance(Said(), Emittable)
    assert isinstance(Other(), Emittable)
    assert not isinstance("said", Emittable)
