"""The project's own tests, as its developers write them; run by Django's test runner."""

from typing import Any
from unittest.mock import patch

from asgiref.sync import async_to_sync
from channels.auth import AuthMiddlewareStack
from channels.layers import get_channel_layer
from channels.routing import URLRouter
from channels.testing import WebsocketCommunicator
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser
from django.db import connection
from django.test import TestCase, TransactionTestCase, override_settings

from tests.adapters.applications.actions import Entered
from tests.adapters.talking import message
from wsproto_channels import AccessTokenAuthMiddleware, WebSocketConsumer, event_message, get_hub, group_name
from wsproto_channels.routing import websocket_urlpatterns
from wsproto_core import Problem, room


class OpenConsumer(WebSocketConsumer):
    allow_anonymous = True


class OwnConsumer(WebSocketConsumer):
    """Says all of it itself."""

    async def get_user(self) -> Any:
        if self.scope["query_string"] == b"banned":
            raise Problem("Not you.", code="forbidden")
        return await get_user_model().objects.acreate(username="own")

    def get_user_id(self, user: Any) -> str:
        return f"user of {user.pk}"

    def get_connection_id(self) -> str:
        return "connection-17"

    async def get_rooms(self) -> list[str]:
        return ["hall"]

    def get_state(self) -> dict[str, Any]:
        return {"theme": "dark"}


async def ask(communicator: WebsocketCommunicator, action: str, payload: dict[str, Any] | None = None) -> Any:
    await communicator.send_json_to(message(action, payload))
    return await communicator.receive_json_from(timeout=10)


async def refused(application: Any, path: str = "/ws/", **options: Any) -> int:
    communicator = WebsocketCommunicator(application, path, **options)
    accepted, code = await communicator.connect(timeout=10)
    assert not accepted
    await communicator.wait(timeout=10)
    return int(code)


@override_settings(WSPROTO={"THREAD_SENSITIVE": True})
class InTransaction(TestCase):
    """What a test does in its transaction is seen by plain-function and async handlers and by resolvers."""

    def setUp(self) -> None:
        get_user_model().objects.create(username="ada")

    async def test_handlers_see_it(self) -> None:
        communicator = WebsocketCommunicator(OpenConsumer.as_asgi(), "/ws/")
        assert (await communicator.connect())[0]
        for action in ("users", "users.async"):
            assert (await ask(communicator, action))["payload"]["names"] == ["ada"], action
        await communicator.disconnect()

    async def test_a_resolver_sees_it(self) -> None:
        def resolve(token: str) -> Any:
            return get_user_model().objects.filter(username=token).first()

        application = AccessTokenAuthMiddleware(WebSocketConsumer.as_asgi(), resolve)
        communicator = WebsocketCommunicator(application, "/ws/", subprotocols=["access-token", "ada"])
        assert await communicator.connect(timeout=10) == (True, "access-token")
        assert (await ask(communicator, "me"))["payload"]["names"] == ["ada"]
        await communicator.disconnect()


class Connections(TransactionTestCase):
    async def test_messages_are_answered_in_order(self) -> None:
        communicator = WebsocketCommunicator(OpenConsumer.as_asgi(), "/ws/")
        assert (await communicator.connect())[0]
        requests = [message("health") for _ in range(100)]
        for request in requests:
            await communicator.send_json_to(request)
        answers = [await communicator.receive_json_from() for _ in requests]
        assert [answer["req_id"] for answer in answers] == [request["req_id"] for request in requests]
        await communicator.disconnect()

    async def test_what_is_wrong_is_told_and_the_connection_lives(self) -> None:
        communicator = WebsocketCommunicator(OpenConsumer.as_asgi(), "/ws/")
        assert (await communicator.connect())[0]
        await communicator.send_to(text_data="no JSON")
        assert (await communicator.receive_json_from())["code"] == "invalid_websocket_message"
        await communicator.send_to(bytes_data=b"\xff")
        assert (await communicator.receive_json_from())["code"] == "invalid_websocket_message"
        assert (await ask(communicator, "fail", {"name": "value"}))["code"] == "internal_error"
        assert (await ask(communicator, "health"))["event"] == "health"
        await communicator.disconnect()

    async def test_who_is_not_logged_in_is_refused_before_accept(self) -> None:
        assert await refused(WebSocketConsumer.as_asgi()) == 3000

    async def test_the_ready_made_routing_serves_who_is_logged_in(self) -> None:
        application = AuthMiddlewareStack(URLRouter(websocket_urlpatterns))
        assert await refused(application) == 3000
        await self.async_client.aforce_login(await get_user_model().objects.acreate(username="ada"))
        cookie = self.async_client.cookies.output(header="", attrs=[]).strip().encode()
        communicator = WebsocketCommunicator(application, "/ws/", headers=[(b"cookie", cookie)])
        assert (await communicator.connect(timeout=10))[0]
        assert (await ask(communicator, "me"))["payload"]["names"] == ["ada"]
        await communicator.disconnect()

    async def test_the_refusal_is_a_response_where_the_server_can_send_one(self) -> None:
        communicator = WebsocketCommunicator(WebSocketConsumer.as_asgi(), "/ws/")
        communicator.scope["extensions"] = {"websocket.http.response": {}}
        await communicator.send_input({"type": "websocket.connect"})
        start = await communicator.receive_output()
        assert (start["type"], start["status"]) == ("websocket.http.response.start", 401)
        assert (await communicator.receive_output())["type"] == "websocket.http.response.body"
        await communicator.wait()

    async def test_a_consumer_may_say_all_of_it_itself(self) -> None:
        communicator = WebsocketCommunicator(OwnConsumer.as_asgi(), "/ws/")
        assert (await communicator.connect())[0]
        me = (await ask(communicator, "whoami"))["payload"]
        user = await get_user_model().objects.aget(username="own")
        assert me == {
            "user_id": f"user of {user.pk}",
            "kind": "str",
            "connection_id": "connection-17",
            "state": {"theme": "dark"},
        }
        assert (await ask(communicator, "me"))["payload"]["names"] == ["own"]
        await get_hub().emit(Entered(room="hall"), to=room("hall"))
        assert (await communicator.receive_json_from())["recipient_id"] == "hall"
        await communicator.disconnect()

    async def test_a_consumer_may_refuse(self) -> None:
        assert await refused(OwnConsumer.as_asgi(), "/ws/?banned") == 3003

    async def test_an_async_resolver_is_awaited(self) -> None:
        async def resolve(token: str) -> Any:
            return await get_user_model().objects.filter(username=token).afirst()

        await get_user_model().objects.acreate(username="ada")
        application = AccessTokenAuthMiddleware(WebSocketConsumer.as_asgi(), resolve)
        offered = ["wsproto.v1.json", "access-token", "ada"]
        communicator = WebsocketCommunicator(application, "/ws/", subprotocols=offered)
        assert await communicator.connect(timeout=10) == (True, "wsproto.v1.json")
        await communicator.disconnect()
        assert await refused(application, subprotocols=["access-token", "nobody"]) == 3000
        assert await refused(application, subprotocols=["access-token"]) == 3000

    async def test_a_resolver_may_refuse_or_fail(self) -> None:
        def resolve(token: str) -> object:
            if token == "expired":
                raise Problem("The token has expired.", code="unauthenticated")
            raise RuntimeError(f"the secret {token}")

        application = AccessTokenAuthMiddleware(OpenConsumer.as_asgi(), resolve)
        assert await refused(application, subprotocols=["access-token", "expired"]) == 3000
        with self.assertLogs("wsproto_core.security") as logs:
            assert await refused(application, subprotocols=["access-token", "t0k3n"]) == 1011
        assert "RuntimeError" in logs.output[0]
        assert "t0k3n" not in logs.output[0]

    async def test_without_a_token_the_user_is_nobody_for_any_application(self) -> None:
        seen = []

        async def application(scope: Any, receive: Any, send: Any) -> None:
            seen.append(scope["user"])

        middleware = AccessTokenAuthMiddleware(application, lambda token: None)
        await middleware({"type": "websocket", "subprotocols": []}, None, None)  # type: ignore[arg-type]
        await middleware({"type": "websocket", "subprotocols": ["access-token", "x"]}, None, None)  # type: ignore[arg-type]
        for user in seen:
            assert isinstance(user, AnonymousUser)
            assert not user.is_authenticated


class Loops(TransactionTestCase):
    """Each of these has an event loop of its own, and all of them one hub and one channel layer."""

    async def receive_what_is_sent(self) -> None:
        name = self.id()
        communicator = WebsocketCommunicator(OpenConsumer.as_asgi(), "/ws/")
        assert (await communicator.connect())[0]
        await ask(communicator, "chat.enter", {"name": name})
        layer = get_channel_layer()
        for _ in range(150):  # more than the layer keeps at once
            await layer.group_send(group_name(room(name)), event_message(Entered(room=name), to=room(name)))
        assert [(await communicator.receive_json_from())["seq"] for _ in range(150)] == list(range(2, 152))
        await communicator.disconnect()

    async def test_a_first_one(self) -> None:
        await self.receive_what_is_sent()

    async def test_a_second_one(self) -> None:
        await self.receive_what_is_sent()

    def test_plain_ones(self) -> None:
        for _ in range(2):
            async_to_sync(self.receive_what_is_sent)()


class Sweeping(TransactionTestCase):
    async def test_what_async_handlers_leave_open_is_closed(self) -> None:
        # What is tested is that it is asked for, in the thread of Django's async ORM: a database in memory stays open.
        asked = []
        with (
            patch("wsproto_channels.databases._INTERVAL", 0),
            patch("wsproto_channels.databases.close_old_connections", lambda: asked.append(connection.connection)),
        ):
            communicator = WebsocketCommunicator(OpenConsumer.as_asgi(), "/ws/")
            assert (await communicator.connect())[0]
            from wsproto_channels.databases import sweeper

            sweeper.note()
            while not asked:
                await ask(communicator, "users.async")
            await communicator.disconnect()
            assert asked[0] is not None
