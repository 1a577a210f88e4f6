"""Views: async ones where the table of hosts asks about the event loop, plain ones as most of Django's are."""

from typing import Any

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.contrib.auth import get_user_model, login
from django.http import HttpRequest, JsonResponse

from tests.adapters.applications import actions
from tests.adapters.applications.common import ban, look_inside
from wsproto_channels import disconnect_message, event_message, get_hub, group_name
from wsproto_core import room

EVENT = {"type": "wsproto.event", "to": "everyone/*", "event": "poison", "payload": {}}
POISON: list[dict[str, Any]] = [
    {},
    {"type": "chat.message", "text": "of another consumer"},
    {"type": ["wsproto.event"]},
    {"type": "wsproto.publication", "topic": "everyone/*", "publication": "no JSON"},
    {"type": "wsproto.publication", "topic": "everyone/*", "publication": "\ud800"},
    {"type": "wsproto.publication", "topic": 5, "publication": "{}"},
    {**EVENT, "to": []},
    {**EVENT, "to": "room/"},
    {**EVENT, "to": "sport/+"},
    {**EVENT, "to": [5]},
    {**EVENT, "event": ""},
    {**EVENT, "payload": [1]},
    {**EVENT, "payload": {"number": float("nan")}},
    {**EVENT, "payload": {"text": "\ud800"}},
    {**EVENT, "payload": {"object": object()}},
    {**EVENT, "id": "17"},
    {**EVENT, "exclude": "nobody"},
    {"type": "wsproto.disconnect", "to": "everyone/*", "code": 1005},
    {"type": "wsproto.disconnect", "to": "everyone/*", "code": "1000"},
    {"type": "wsproto.disconnect", "to": []},
    {"type": "wsproto.filters", "from": 5},
]


async def inside(request: HttpRequest) -> JsonResponse:
    return JsonResponse(look_inside(get_hub()))


async def open_gate(request: HttpRequest, name: str) -> JsonResponse:
    return answer(actions.gates[name].set())


async def say(request: HttpRequest, name: str) -> JsonResponse:
    return answer(await get_hub().emit(actions.Entered(room=name), to=room(name)))


def ban_user(request: HttpRequest, name: str) -> JsonResponse:
    return answer(async_to_sync(ban)(get_hub(), name))


def log_in(request: HttpRequest, name: str) -> JsonResponse:
    user, _ = get_user_model().objects.get_or_create(username=name)
    login(request, user)
    return answer(user.pk)


def emit_sync(request: HttpRequest, name: str) -> JsonResponse:
    return answer(get_hub().emit_sync(actions.Entered(room=name), to=room(name)))


def group_send(request: HttpRequest, name: str) -> JsonResponse:
    message = event_message(actions.Entered(room=name), to=room(name))
    return answer(async_to_sync(get_channel_layer().group_send)(group_name(room(name)), message))


def group_disconnect(request: HttpRequest, name: str) -> JsonResponse:
    audience = room(name)
    message = disconnect_message(audience, 3000, "Log in again.")
    return answer(async_to_sync(get_channel_layer().group_send)(group_name(audience), message))


def group_send_by_hand(request: HttpRequest, name: str) -> JsonResponse:
    """Send as a program does that knows nothing of this library but the documented message."""
    topic = f"room/{name.replace('/', '%2F')}"  # a slash ends a level of a topic
    message = {"type": "wsproto.event", "to": topic, "event": "by.hand", "payload": {"room": name}}
    return answer(async_to_sync(get_channel_layer().group_send)(group_name(topic), message))


def poison(request: HttpRequest) -> JsonResponse:
    """Send what is no message to the group that every process with connections is in."""
    for message in POISON:
        async_to_sync(get_channel_layer().group_send)(group_name("everyone/*"), message)
    return answer(len(POISON))


def layer(request: HttpRequest, kind: str) -> JsonResponse:
    return answer(async_to_sync(get_channel_layer().group_send)("everybody", {"type": f"site.{kind}", "text": "news"}))


def answer(value: object) -> JsonResponse:
    return JsonResponse(value, safe=False)
