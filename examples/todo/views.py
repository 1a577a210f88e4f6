"""Ordinary Django views: pages behind Django's login, and one that shares a list."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from django.contrib.auth import get_user_model
from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.http import FileResponse, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from examples.todo.events import ListShared, Members
from examples.todo.models import TodoList
from examples.todo.signals import tell
from wsproto_channels import get_hub
from wsproto_core import user

CLIENT = Path(__file__).parents[2] / "clients/typescript/wsproto.js"


@login_required
def lists(request: HttpRequest) -> HttpResponse:
    if request.method == "POST" and (name := request.POST.get("name", "").strip()):
        with transaction.atomic():
            made = TodoList.objects.create(name=name[:80], owner=request.user)
            made.members.add(request.user)
        return redirect("list", made.pk)
    return render(request, "todo/lists.html", {"lists": request.user.lists.select_related("owner")})


@login_required
def todo_list(request: HttpRequest, pk: int) -> HttpResponse:
    return render(request, "todo/list.html", {"list": get_object_or_404(TodoList, pk=pk, members=request.user)})


@login_required
@require_POST
@transaction.atomic
def share(request: HttpRequest, pk: int) -> HttpResponse:
    """Let somebody in, or out: once that is committed, those whom it concerns are told."""
    shared = get_object_or_404(TodoList, pk=pk, owner=request.user)
    other = get_object_or_404(get_user_model(), username=request.POST.get("name", ""))
    if request.POST.get("remove"):
        if other != shared.owner:
            shared.members.remove(other)
            # Permissions were asked for when somebody subscribed. Whoever comes back is asked for again.
            transaction.on_commit(partial(get_hub().disconnect_sync, user(other.pk), 1012, "Ask again."))
    else:
        shared.members.add(other)
        event = ListShared(id=shared.pk, name=shared.name, by=request.user.get_username())
        transaction.on_commit(partial(get_hub().emit_sync, event, to=user(other.pk)))
    tell(shared.pk, Members.of(shared))
    return HttpResponse(status=204)


def client_module(request: HttpRequest) -> FileResponse:
    return FileResponse(CLIENT.open("rb"), content_type="text/javascript")


def content_security_policy(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[..., HttpResponse]:
    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        response["Content-Security-Policy"] = "default-src 'self'"
        return response

    return middleware
