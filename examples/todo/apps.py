"""The application."""

from django.apps import AppConfig


class TodoConfig(AppConfig):
    name = "examples.todo"
    label = "todo"

    def ready(self) -> None:
        from examples.todo import signals  # noqa: F401 - they connect themselves
