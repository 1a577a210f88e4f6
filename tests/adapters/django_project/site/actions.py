"""The actions of the project: those of every host, and some that need Django."""

import threading
import time
from collections.abc import AsyncIterator

from django.contrib.auth import get_user_model
from django.db import connection

import tests.adapters.applications.actions  # noqa: F401  (importing registers them)
from tests.adapters.django_project.site.events import Users
from wsproto_channels import user_of
from wsproto_core import ActionContext, action

__all__ = ["users", "users_async"]


@action("users")
def users() -> Users:
    """Count the users with Django's ORM, in a thread."""
    names = list(get_user_model().objects.order_by("pk").values_list("username", flat=True))
    return Users(names=names, thread=threading.current_thread().name)


@action("users.async")
async def users_async() -> AsyncIterator[Users]:
    """Count the users with Django's async ORM."""
    names = [user.username async for user in get_user_model().objects.order_by("pk")]
    yield Users(names=names, thread=threading.current_thread().name)


@action("sleep")
def sleep() -> Users:
    time.sleep(1)
    return Users(names=[], thread=threading.current_thread().name)


@action("me")
async def me(context: ActionContext) -> Users:
    """Say who is logged in, from the user object itself."""
    return Users(names=[user_of(context).get_username()], thread="")


@action("connection")
def database_connection() -> Users:
    """Say whether this thread begins with a connection to the database, and leave one."""
    kept = connection.connection is not None
    connection.ensure_connection()
    return Users(names=["kept"] if kept else [], thread=threading.current_thread().name)
