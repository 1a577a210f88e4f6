import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.core.peer import PLAIN, V1, Peer, hub_of, peer, until
from wsproto_core import (
    AUTHENTICATE_LATER,
    NOT_GIVEN,
    ActionContext,
    Admission,
    Audience,
    ConnectionInfo,
    Event,
    Hub,
    Identity,
    Limits,
    MemoryBackplane,
    Problem,
    Registry,
    Topic,
    TopicFilter,
    connection,
    room,
    topic,
    user,
)
from wsproto_core.memberships import MAX_SUBSCRIPTIONS
from wsproto_core.testing import MemoryTransport


class Said(Event, register=False):
    event_name = "said"
    text: str = ""


def yes(context: ActionContext, audience: Audience) -> bool:
    return True


async def subscribe(client: Peer, name: str, **members: object) -> dict[str, Any]:
    return await client.ask("ws.subscribe", {"topic": name, **members})


async def texts(client: Peer) -> list[str]:
    return [each["payload"]["text"] for each in await client.arrived() if each.get("event") == "said"]


# Filters


async def test_a_filter_gets_what_it_matches_under_the_name_of_the_topic() -> None:
    hub = hub_of()
    async with peer(hub) as client:
        await client.context.subscribe("sport/#", "+/football", topic("sport/football"))
        assert await hub.emit(Said(), to=topic("sport/football")) == 1
        assert await hub.emit(Said(), to=topic("sport")) == 1
        assert await hub.emit(Said(), to=[topic("sports"), room("football"), topic("a/football/b")]) == 0
        received = await client.arrived()
        assert [each["recipient_id"] for each in received] == ["sport/football", "sport"]
        assert sorted(hub.topics()) == ["+/football", "sport/#", "sport/football"]
        await client.context.unsubscribe("sport/#")
        assert await hub.emit(Said(), to=topic("sport")) == 0
        assert await hub.emit(Said(), to=topic("sport/football")) == 1
    assert hub.topics() == []
    assert await hub.emit(Said(), to=topic("sport/football")) == 0


async def test_a_wildcard_stands_for_no_room_user_or_connection() -> None:
    hub = hub_of()
    async with peer(hub, user_id=7, rooms=["lobby"]) as member, peer(hub) as client:
        await member.settled()
        await client.context.subscribe("#", "+/+", "+")
        for audience in (room("lobby"), user(7), connection(member.id)):
            assert await hub.emit(Said(), to=audience) == 1
        assert await client.arrived() == []


@pytest.mark.parametrize("name", ["sp#", "a/#/b", "a+/b", "+a", "##", "room/+", "user/#", "$SYS/#", "/".join("+" * 17)])
async def test_what_is_no_filter_is_refused(name: str) -> None:
    async with peer(hub_of(authorize_subscribe=yes, client_wildcards=True)) as client:
        with pytest.raises(ValueError, match=r"filter|reserved|levels|kept"):
            await client.context.subscribe(name)
        assert (await subscribe(client, name))["status"] in {403, 422}


def test_no_event_goes_to_a_filter() -> None:
    with pytest.raises(TypeError, match="not to the filter 'a/#'"):
        Said().to(TopicFilter("a/#"))


# Joins of the application


async def test_the_hook_is_asked_for_joins_and_sees_the_levels() -> None:
    asked: list[tuple[str, tuple[str, ...]]] = []

    async def hook(context: ActionContext, audience: Audience) -> bool:
        asked.append((context.connection_id, audience.levels))
        return audience.levels[-1] != "secret"

    async with peer(hub_of(authorize_subscribe=hook)) as client:
        await client.context.join("a/b", topic("news/sport"))
        await client.context.subscribe("news/#")
        for what in (room("secret"), topic("news/secret")):
            with pytest.raises(Problem, match="You may not join this") as refused:
                await client.context.join(what)
            assert refused.value.code == "forbidden"
        assert asked[:3] == [
            (client.id, ("room", "a%2Fb")),
            (client.id, ("news", "sport")),
            (client.id, ("news", "#")),
        ]
        assert client.session.rooms == {"a/b"}


async def test_a_connection_joins_rooms_and_topics_only() -> None:
    async with peer(hub_of()) as client:
        for wrong in (user(1), connection("x"), 5, None):
            with pytest.raises(TypeError, match="A connection joins room"):
                await client.context.join(wrong)  # type: ignore[arg-type]


async def test_a_typed_topic_without_authorize_is_open_to_the_application_and_closed_to_clients() -> None:
    registry = Registry()

    class News(Topic, pattern="news", registry=registry):
        pass

    async with peer(hub_of(registry, authorize_subscribe=yes)) as client:
        assert (await subscribe(client, "news"))["code"] == "forbidden"
        await client.context.subscribe("news")
        assert client.hub.topics() == ["news"]


async def test_a_beginning_that_fails_is_none() -> None:
    registry = Registry()

    class News(Topic, pattern="news", registry=registry):
        def authorize(self, context: ActionContext) -> bool:
            return True

        def on_subscribe(self, context: ActionContext) -> Any:
            raise Problem("Not now.", code="unavailable")

    async with peer(hub_of(registry), V1) as client:
        with pytest.raises(Problem, match="Not now"):
            await client.context.subscribe(News())
        assert client.hub.topics() == []
        assert (await subscribe(client, "news"))["event"] == "ws.subscribed"
        assert (await client.read())["code"] == "unavailable"
        assert client.hub.topics() == []


async def test_a_beginning_that_fails_is_cleaned_up_at_once() -> None:
    registry = Registry()
    steps: list[str] = []

    class News(Topic, pattern="news", registry=registry):
        async def on_subscribe(self, context: ActionContext) -> AsyncIterator[Event]:
            try:
                yield Said(text="first").to(Audience("no such kind", "1"))
            finally:
                steps.append("cleaned up")

    async with peer(hub_of(registry)) as client:
        with pytest.raises(LookupError):
            await client.context.subscribe(News())
        assert steps == ["cleaned up"]


async def test_an_iterator_that_cannot_be_closed_will_do() -> None:
    registry = Registry()

    class Numbers:
        def __init__(self) -> None:
            self.left = 2

        def __aiter__(self) -> "Numbers":
            return self

        async def __anext__(self) -> Event:
            if not self.left:
                raise StopAsyncIteration
            self.left -= 1
            return Said(text=f"{self.left}")

    class News(Topic, pattern="news", registry=registry):
        def on_subscribe(self, context: ActionContext) -> Any:
            return Numbers()

    async with peer(hub_of(registry)) as client:
        await client.context.subscribe(News())
        assert await texts(client) == ["1", "0"]


async def test_what_is_joined_twice_begins_once() -> None:
    began: list[str] = []
    registry = Registry()

    class News(Topic, pattern="news", registry=registry):
        def on_subscribe(self, context: ActionContext) -> Event:
            began.append(context.connection_id)
            return Said(text="first")

    async with peer(hub_of(registry)) as client:
        await client.context.subscribe("news")
        await client.context.join(News())
        assert began == [client.id]


# Subscriptions of clients


@pytest.mark.parametrize("subprotocols", [PLAIN, V1])
async def test_a_client_subscribes_to_a_typed_topic_that_lets_it(subprotocols: tuple[str, ...]) -> None:
    registry = Registry()

    class Discussion(Topic, pattern="discussion/{pk}", registry=registry):
        pk: int

        async def authorize(self, context: ActionContext) -> bool:
            return self.pk == context.user_id

        async def on_subscribe(self, context: ActionContext) -> AsyncIterator[Event]:
            yield Said(text=f"begin {self.pk}")

    hub = hub_of(registry)
    async with peer(hub, subprotocols, user_id=3) as client:
        req_id = await client.send("ws.subscribe", {"topic": "discussion/3"})
        subscribed, first = await client.read(), await client.read()
        assert subscribed["event"] == "ws.subscribed"
        assert subscribed["payload"] == {"topic": "discussion/3", "recovered": False, "was_recovering": False}
        assert (first["payload"], first["req_id"]) == ({"text": "begin 3"}, req_id)
        if subprotocols == V1:
            assert (await client.read())["payload"] == {"events": 2}
        assert await hub.emit(Said(text="live"), to=Discussion(pk=3)) == 1
        assert (await client.read())["payload"] == {"text": "live"}
        for name in ("discussion/4", "discussion/03", "discussion/x", "discussion"):
            assert (await subscribe(client, name))["code"] == "forbidden"


async def test_without_a_word_of_the_application_clients_subscribe_to_nothing() -> None:
    async with peer(hub_of(), user_id=1) as client:
        for name in ("news", "room/lobby"):
            assert (await subscribe(client, name))["code"] == "forbidden"
        assert client.hub.stats().topics == 1


@pytest.mark.parametrize("name", ["user/1", "connection/x", "everyone", "everyone/*", "$SYS/x", "$"])
async def test_what_is_closed_to_clients_is_refused_before_the_hook_is_asked(name: str) -> None:
    def hook(context: ActionContext, audience: Audience) -> bool:
        raise AssertionError("asked")

    async with peer(hub_of(authorize_subscribe=hook, client_wildcards=True)) as client:
        assert (await subscribe(client, name))["code"] == "forbidden"
        assert (await client.ask("ws.unsubscribe", {"topic": name}))["code"] == "forbidden"


@pytest.mark.parametrize("name", ["", "a/#/b", "room/", "room/a/b", "room/%", "a\u0001", "x" * 256])
async def test_what_is_no_topic_is_an_invalid_payload(name: str) -> None:
    async with peer(hub_of(authorize_subscribe=yes, client_wildcards=True)) as client:
        assert (await subscribe(client, name))["code"] == "invalid_payload"


async def test_a_client_subscribes_where_the_hook_says_yes_and_ends_it() -> None:
    hub = hub_of(authorize_subscribe=yes)
    async with peer(hub) as client:
        for name, audience in (("news/sport", topic("news/sport")), ("room/a%2Fb", room("a/b"))):
            answer = await subscribe(client, name, epoch="e", offset=3)
            assert answer["payload"] == {"topic": name, "recovered": False, "was_recovering": True}
            assert (await subscribe(client, name))["event"] == "ws.subscribed"
            assert await hub.emit(Said(), to=audience) == 1
            await client.arrived()
            ended = await client.ask("ws.unsubscribe", {"topic": name})
            assert (ended["event"], ended["payload"]) == ("ws.unsubscribed", {"topic": name})
            assert await hub.emit(Said(), to=audience) == 0
        assert not client.session.own_subscriptions
        assert (await client.ask("ws.unsubscribe", {"topic": "never"}))["event"] == "ws.unsubscribed"


async def test_wildcards_need_a_setting_and_have_a_bound() -> None:
    async with peer(hub_of(authorize_subscribe=yes)) as client:
        assert (await subscribe(client, "a/#"))["code"] == "forbidden"
    async with peer(hub_of(authorize_subscribe=yes, client_wildcards=True)) as client:
        assert (await subscribe(client, "+/+/+/#"))["event"] == "ws.subscribed"
        assert (await subscribe(client, "+/+/+/+"))["code"] == "forbidden"


async def test_a_wildcard_is_no_typed_topic() -> None:
    registry = Registry()

    class Any_(Topic, pattern="a/{x}", registry=registry):
        x: str

        def authorize(self, context: ActionContext) -> bool:
            return True

    async with peer(hub_of(registry, client_wildcards=True, authorize_subscribe=yes)) as client:
        for name in ("a/+", "a/#", "#", "+/x", "+/+", "a/b/#", "+/#"):
            assert (await subscribe(client, name))["code"] == "forbidden"
        for name in ("a/b", "a/b/+", "b/+", "+", "a/b/c/#", "+/x/+"):
            assert (await subscribe(client, name))["event"] == "ws.subscribed"


async def test_a_client_ends_only_what_it_began() -> None:
    hub = hub_of(authorize_subscribe=yes)
    async with peer(hub, rooms=["lobby"]) as client:
        await client.settled()
        assert (await subscribe(client, "room/lobby"))["event"] == "ws.subscribed"
        await client.ask("ws.unsubscribe", {"topic": "room/lobby"})
        assert hub.room_size("lobby") == 1
        await subscribe(client, "news")
        await client.context.subscribe("news")
        await client.ask("ws.unsubscribe", {"topic": "news"})
        assert hub.topics() == ["news"]
        await client.context.unsubscribe("news")
        assert hub.topics() == []


async def test_a_connection_has_so_many_subscriptions() -> None:
    async with peer(hub_of(authorize_subscribe=yes)) as client:
        for number in range(MAX_SUBSCRIPTIONS):
            assert (await subscribe(client, f"t/{number}"))["event"] == "ws.subscribed"
        refused = await subscribe(client, "one/more")
        assert (refused["code"], refused["detail"]) == ("forbidden", "A connection has at most 100 subscriptions.")
        assert (await subscribe(client, "t/0"))["event"] == "ws.subscribed"
        await client.ask("ws.unsubscribe", {"topic": "t/0"})
        assert (await subscribe(client, "one/more"))["event"] == "ws.subscribed"


async def test_nobody_subscribes_before_authenticating() -> None:
    hub = hub_of(authenticate=lambda _: AUTHENTICATE_LATER, authorize_subscribe=yes)
    async with peer(hub, user_id=NOT_GIVEN) as client:
        assert (await subscribe(client, "news"))["code"] == "unauthenticated"


async def test_who_is_asked_again_when_user_or_scopes_change() -> None:
    registry = Registry()
    ended: list[str] = []

    class Paid(Topic, pattern="paid/{n}", registry=registry):
        n: int

        def authorize(self, context: ActionContext) -> bool:
            return "paid" in context.scopes

        def on_unsubscribe(self, context: ActionContext) -> None:
            ended.append(self.topic_name)

    def authenticate(info: Any) -> Identity:
        return Identity(user_id=1, scopes=frozenset((info.token or "paid").split()))

    hub = hub_of(registry, authenticate=authenticate, authorize_subscribe=lambda _, audience: audience.id != "vip")
    async with peer(hub, V1, user_id=NOT_GIVEN, rooms=["lobby"]) as client:
        await client.settled()
        for name in ("paid/1", "news"):
            await subscribe(client, name)
            await client.read()
        await client.send("ws.authenticate", {"token": "paid more"})
        assert [(await client.read())["event"] for _ in range(2)] == ["ws.authenticated", "ws.complete"]
        await client.send("ws.authenticate", {"token": "less"})
        told = [await client.read() for _ in range(3)]
        assert [each["event"] for each in told] == ["ws.unsubscribed", "ws.authenticated", "ws.complete"]
        assert told[0]["payload"] == {"topic": "paid/1"}
        assert ended == ["paid/1"]
        assert set(client.session.topics or ()) == {"user/1", "room/lobby", "news"}
        await client.send("ws.authenticate", {"token": "less"})
        assert (await client.read())["event"] == "ws.authenticated"


# The end


async def test_every_subscription_ends_once() -> None:
    registry = Registry()
    ended: list[str] = []

    class News(Topic, pattern="news/{n}", registry=registry):
        n: int

        async def on_unsubscribe(self, context: ActionContext) -> AsyncIterator[Event]:
            ended.append(self.topic_name)
            yield Said(text=f"left {self.n}").to(room("lobby"))

    def on_disconnect(context: ActionContext) -> None:
        ended.append("on_disconnect")

    hub = hub_of(registry, on_disconnect=on_disconnect)
    async with peer(hub, rooms=["lobby"]) as other:
        await other.settled()
        async with peer(hub) as client:
            await client.context.subscribe(News(n=1), News(n=2), "sport")
            await client.context.unsubscribe("news/1")
            await client.context.unsubscribe("news/1", "never")
            assert ended == ["news/1"]
        assert ended == ["news/1", "news/2", "on_disconnect"]
        assert await texts(other) == ["left 1", "left 2"]


async def test_a_goodbye_that_fails_is_logged_and_the_rest_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    registry = Registry()
    ended: list[int] = []

    class News(Topic, pattern="news/{n}", registry=registry):
        n: int

        def on_unsubscribe(self, context: ActionContext) -> None:
            ended.append(self.n)
            raise SystemExit

    async with peer(hub_of(registry)) as client:
        await client.context.subscribe(News(n=1), News(n=2))
        await client.context.unsubscribe(News(n=1))
    assert ended == [1, 2]
    assert "on_unsubscribe of news/2 failed" in caplog.text


async def test_a_goodbye_that_is_cancelled_from_outside_is() -> None:
    registry = Registry()

    class News(Topic, pattern="news", registry=registry):
        async def on_unsubscribe(self, context: ActionContext) -> None:
            await asyncio.Event().wait()

    async with peer(hub_of(registry, limits=Limits(action_timeout=0.01))) as client:
        await client.context.subscribe(News())
        leaving = asyncio.ensure_future(client.context.unsubscribe(News()))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving


async def test_who_ends_while_it_begins_is_let_go_once() -> None:
    registry = Registry()
    entered = asyncio.Event()
    ended: list[str] = []

    class News(Topic, pattern="news", registry=registry):
        async def on_subscribe(self, context: ActionContext) -> None:
            entered.set()
            await asyncio.Event().wait()

        def on_unsubscribe(self, context: ActionContext) -> None:
            ended.append("news")

    @registry.action("enter")
    async def enter(context: ActionContext) -> None:
        await context.subscribe(News())

    hub = hub_of(registry)
    async with peer(hub) as client:
        await client.send("enter")
        await entered.wait()
    assert ended == ["news"]
    assert hub.stats().topics == 0


async def test_plain_functions_subscribe_and_begin_in_threads() -> None:
    registry = Registry()
    seen: list[str] = []

    class News(Topic, pattern="news", registry=registry):
        def on_subscribe(self, context: ActionContext) -> Event:
            seen.append(threading.current_thread().name)
            return Said(text="first")

    @registry.action("enter")
    def enter(context: ActionContext) -> Event:
        context.subscribe(News())
        return Said(text="entered")

    async with peer(hub_of(registry), V1) as client:
        await client.send("enter")
        assert [(await client.read())["payload"].get("text") for _ in range(2)] == ["first", "entered"]
        assert len(seen) == 1
        assert seen[0].startswith("wsproto-worker")


async def test_filters_reach_across_hubs_that_share_a_name() -> None:
    one, two = hub_of(backplane="memory://filters"), hub_of(backplane="memory://filters")
    async with peer(one) as here, peer(two) as there:
        await there.context.subscribe("sport/+", "sport/football")
        for each in range(3):
            await one.emit(Said(text=f"{each}"), to=topic("sport/football"))
        await one.emit(Said(text="tennis"), to=topic("sport/tennis"))
        assert [(await there.read())["payload"]["text"] for _ in range(4)] == ["0", "1", "2", "tennis"]
        await there.context.unsubscribe("sport/+")
        await one.emit(Said(text="tennis"), to=topic("sport/tennis"))
        await one.emit(Said(text="3"), to=topic("sport/football"))
        assert (await there.read())["payload"]["text"] == "3"
        assert await texts(here) == []
    for hub in (one, two):
        await hub.stop()


# What is interrupted


def _staff(info: ConnectionInfo) -> Identity:
    return Identity(1, scopes=frozenset({"staff"} if info.token == "staff" else ()))


@asynccontextmanager
async def _of_staff(hub: Hub) -> AsyncIterator[Peer]:
    """Connect with the token of staff, in the form that can be cancelled."""
    info = ConnectionInfo(subprotocols=V1, token="staff", source="bearer")
    transport, admission = MemoryTransport(info), await hub.admit(info)
    assert isinstance(admission, Admission)
    client = Peer(hub, hub.open(transport, admission), transport)
    assert (await client.read())["event"] == "ws.ready"
    yield client
    await client.leave()


@pytest.mark.parametrize("error", [Problem("Only staff.", code="forbidden"), RuntimeError("the database is away")])
async def test_a_hook_that_raises_when_it_is_asked_again_says_no(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    def may(context: ActionContext, audience: Audience) -> bool:
        if "staff" not in context.scopes:
            raise error
        return True

    hub = hub_of(authenticate=_staff, authorize_subscribe=may)
    async with _of_staff(hub) as client:
        for name in ("secret", "secret2"):
            assert (await client.end_of(await client.send("ws.subscribe", {"topic": name})))["event"] == "ws.complete"
        request = await client.send("ws.authenticate", {"token": "guest"})
        messages = [await client.read() for _ in range(4)]
        assert [each["event"] for each in messages] == [*["ws.unsubscribed"] * 2, "ws.authenticated", "ws.complete"]
        assert messages[-1]["req_id"] == request
        assert set(client.session.topics or ()) == {"user/1"}
        assert ("nobody can say" in caplog.text) is isinstance(error, RuntimeError)


async def test_a_cancelled_authentication_leaves_no_topics_that_the_new_scopes_forbid() -> None:
    asked, answer = asyncio.Event(), asyncio.Event()

    async def may(context: ActionContext, audience: Audience) -> bool:
        if "staff" in context.scopes:
            return True
        asked.set()
        await answer.wait()
        return False

    hub = hub_of(authenticate=_staff, authorize_subscribe=may)
    async with _of_staff(hub) as client:
        assert (await client.end_of(await client.send("ws.subscribe", {"topic": "secret"})))["event"] == "ws.complete"
        request = await client.send("ws.authenticate", {"token": "guest"})
        await asked.wait()
        await client.send("ws.cancel", {"req_id": request})
        assert (await client.end_of(request))["code"] == "cancelled"
        answer.set()
        await until(lambda: set(client.session.topics or ()) == {"user/1"})
        assert [each["event"] for each in await client.arrived()][-1] == "ws.unsubscribed"


async def test_a_hook_that_is_torn_down_with_its_loop_says_nothing() -> None:
    asked = asyncio.Event()

    async def may(context: ActionContext, audience: Audience) -> bool:
        if "staff" in context.scopes:
            return True
        asked.set()
        await asyncio.Event().wait()
        return True

    hub = hub_of(authenticate=_staff, authorize_subscribe=may)
    async with _of_staff(hub) as client:
        await client.end_of(await client.send("ws.subscribe", {"topic": "secret"}))
        client.session.identify(Identity(1))
        asking = asyncio.create_task(hub.memberships.ask_again(client.context))
        await asked.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking


async def test_a_cancelled_subscription_is_none() -> None:
    begun, let_go = asyncio.Event(), asyncio.Event()

    class Slow(MemoryBackplane):
        async def subscribe(self, topic: str) -> None:
            if topic == "news":
                begun.set()
                await let_go.wait()
            await super().subscribe(topic)

    async with peer(hub_of(authorize_subscribe=yes, backplane=Slow("cancelled subscription")), V1) as client:
        request = await client.send("ws.subscribe", {"topic": "news"})
        await begun.wait()
        await client.send("ws.cancel", {"req_id": request})
        assert (await client.end_of(request))["code"] == "cancelled"
        let_go.set()
        assert not client.session.topics
        assert not client.session.own_subscriptions
        assert (await subscribe(client, "news"))["event"] == "ws.subscribed"
        assert client.session.own_subscriptions == {"news"}
