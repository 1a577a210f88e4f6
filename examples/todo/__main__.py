"""Start PostgreSQL and the to-do lists: ``python -m examples.todo``. DATABASE_URL names a PostgreSQL that is there."""

import os
import secrets
from contextlib import ExitStack

from examples.starting import end_by_exception, listen, postgres_server, serve

PASSWORD = "together"  # of both; in earnest nobody is made like this


def prepare() -> None:
    """Bring the database up to date, and put two people and a list into an empty one."""
    from django.contrib.auth import get_user_model
    from django.core.management import call_command

    from examples.todo.models import TodoList

    call_command("migrate", verbosity=0)
    users = get_user_model().objects
    if not users.exists():
        ada, grace = (users.create_user(name, password=PASSWORD) for name in ("ada", "grace"))
        groceries = TodoList.objects.create(name="Groceries", owner=ada)
        groceries.members.add(ada, grace)
        for text in ("Bread", "Two lemons", "Coffee beans"):
            groceries.items.create(text=text)


def main() -> None:
    end_by_exception()
    listening, url = listen()
    with ExitStack() as stack:
        if not os.environ.get("DATABASE_URL"):
            os.environ["DATABASE_URL"] = stack.enter_context(postgres_server())
        os.environ.setdefault("SECRET_KEY", secrets.token_urlsafe(50))
        from examples.todo.asgi import application

        prepare()
        print(f"To-do lists: {url}, for ada and grace, whose password is {PASSWORD!r} (Ctrl+C stops it)", flush=True)
        serve(application, listening)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        print()
