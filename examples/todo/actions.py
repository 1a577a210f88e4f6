"""What the pages ask for. Handlers change the database, and the signals tell everybody: see signals.py."""

from typing import Annotated

from django.db import transaction
from django.db.models import QuerySet
from pydantic import BaseModel, StringConstraints

from examples.todo.models import Item, TodoList
from wsproto_core import ActionContext, Problem, action

ITEMS = 50  # at most on a list
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


class NewItem(BaseModel):
    list: int
    text: Text


class Check(BaseModel):
    id: int
    done: bool


class Which(BaseModel):
    id: int


@action("item.add", summary="Put something on a list")
def add_item(payload: NewItem, context: ActionContext[int]) -> None:
    with transaction.atomic():
        # Locked, so that two people together do not put more on it than fits.
        wanted = TodoList.objects.select_for_update().filter(pk=payload.list, members=context.user_id).first()
        if wanted is None:
            raise Problem("That is not your list.", code="forbidden")
        wanted.items.create(text=payload.text)
        if wanted.items.count() > ITEMS:
            # What is raised here rolls back, and what was rolled back is told to nobody.
            raise Problem(f"{ITEMS} things on a list are enough; do one first.", code="list_full", status=409)


@action("item.check", summary="Say that something is done, or is not")
def check_item(payload: Check, context: ActionContext[int]) -> None:
    with transaction.atomic():
        item = item_of(context, Item.objects.select_for_update().filter(pk=payload.id))
        item.done = payload.done
        item.save(update_fields=["done"])


@action("item.remove", summary="Take something off a list")
def remove_item(payload: Which, context: ActionContext[int]) -> None:
    item_of(context, Item.objects.filter(pk=payload.id)).delete()


@action("list.clear", summary="Take off a list what is done, all of it or nothing")
def clear_list(payload: Which, context: ActionContext[int]) -> None:
    with transaction.atomic():
        Item.objects.filter(list=payload.id, list__members=context.user_id, done=True).delete()


def item_of(context: ActionContext[int], items: QuerySet[Item]) -> Item:
    """Return an item, if it is on a list of this user."""
    item = items.filter(list__members=context.user_id).first()
    if item is None:
        raise Problem("That is on none of your lists.", code="not_found", status=404)
    return item
