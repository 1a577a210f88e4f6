"""What the pages are told, and who may listen."""

from collections.abc import Iterator
from typing import Self

from examples.todo.models import Item, TodoList
from wsproto_core import ActionContext, Event, Topic


class ItemSaved(Event, name="item.saved"):
    id: int
    text: str
    done: bool

    @classmethod
    def of(cls, item: Item) -> Self:
        return cls(id=item.pk, text=item.text, done=item.done)


class ItemRemoved(Event, name="item.removed"):
    id: int


class ListShared(Event, name="list.shared"):
    id: int
    name: str
    by: str


class Members(Event, name="list.members"):
    names: list[str]

    @classmethod
    def of(cls, todo_list: TodoList) -> Self:
        return cls(names=[*todo_list.members.order_by("username").values_list("username", flat=True)])


class Watched(Topic, pattern="list/{pk}"):
    """A list, for its members: plain functions, which run in threads and use the ORM."""

    pk: int

    def authorize(self, context: ActionContext[int]) -> bool:
        return TodoList.objects.filter(pk=self.pk, members=context.user_id).exists()

    def on_subscribe(self, context: ActionContext[int]) -> Iterator[Event]:
        yield Members.of(TodoList.objects.get(pk=self.pk))
        for item in Item.objects.filter(list=self.pk):
            yield ItemSaved.of(item)
