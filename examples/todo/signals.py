"""Whoever changes an item, a handler, a view or the shell of this process: once that is committed, its list is told."""

from functools import partial
from typing import Any

from django.db import transaction
from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver

from examples.todo.events import ItemRemoved, ItemSaved, Watched
from examples.todo.models import Item
from wsproto_channels import get_hub
from wsproto_core import Event


def tell(list_id: int, event: Event) -> None:
    """Emit to those who watch a list, or not at all if the transaction is rolled back."""
    transaction.on_commit(partial(get_hub().emit_sync, event, to=Watched(pk=list_id)))


@receiver(post_save, sender=Item)
def item_saved(instance: Item, **_: Any) -> None:
    tell(instance.list_id, ItemSaved.of(instance))


@receiver(post_delete, sender=Item)
def item_deleted(instance: Item, **_: Any) -> None:
    tell(instance.list_id, ItemRemoved(id=instance.pk))
