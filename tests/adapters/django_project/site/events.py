"""The events of the project."""

from wsproto_core import Event


class Users(Event, name="users"):
    names: list[str]
    thread: str
