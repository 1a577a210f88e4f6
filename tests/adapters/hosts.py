"""The table of hosts: what is tested of every adapter runs on each of these.

A host serves an application that has the actions of `tests.adapters.applications.actions` and

- ``/ws/``: connections whose user the host knows, from ``?user=int:1``, ``str:ada`` or ``uuid:…``; else anonymous;
- ``/login/``: connections that `authenticate` of the actions is asked about;
- ``GET /inside``: what `look_inside` says, as JSON;
- ``GET /say/{room}``: emits an event to a room, from outside of any action; the answer is how many it reached;
- ``GET /ban/{user}``: closes every connection of a user, named as for ``/ws/``, with 3003; the answer is how many;
- ``GET /open/{gate}``: lets the actions pass that wait for this gate;
- what the hub documents, where it is by default, and the pages of problems below ``/problems``.
"""

import os
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Host:
    """A server that an adapter is tested on.

    Attributes:
        name: of the host in the names of tests.
        adapter: that is tested; ``--adapter`` chooses by it.
        application: module and attribute.
        command: arguments of Python that start a server; ``{application}`` and ``{port}`` are filled in.
        tells_violations: whether the server ends a connection that violates RFC 6455 with a close code.
        tells_close_code: whether the server tells the application which close code came from the client.
        lacks: capabilities of the conformance suite that it does not have, see `Target`.
        explains_size: whether a message over the limit gets its problem before the close code; else the server itself
            stops reading in its middle.
        exits: what the server exits with at SIGTERM and at SIGINT; None where that is what uvicorn does.
        farewell: what the log says when the application's own shutdown has had its turn; nothing where there is none.
        parent: whether the process that is started is only the parent of the one that serves. gunicorn's hears a second
            signal only if it is an interrupt after a SIGTERM; to the one that serves it is a terminal that sends it.
        serves_to_the_end: whether HTTP requests and handshakes are answered while running actions end.
    """

    name: str
    adapter: str
    application: str
    command: tuple[str, ...]
    tells_violations: bool = True
    tells_close_code: bool = True
    explains_size: bool = True
    lacks: frozenset[str] = frozenset()
    exits: tuple[int, int] | None = None
    farewell: str = "Application shutdown complete"
    parent: bool = False
    serves_to_the_end: bool = True


def uvicorn(*arguments: str) -> tuple[str, ...]:
    return ("-m", "uvicorn", "{application}", "--host", "127.0.0.1", "--port", "{port}", *arguments)


FASTAPI = "tests.adapters.applications.on_fastapi:app"
WEBSOCKETS = "tests.adapters.applications.on_websockets"

ASGI = "tests.adapters.applications.on_asgi:app"
HYPERCORN = ("-m", "hypercorn", "{application}", "--bind", "127.0.0.1:{port}")
GRANIAN = ("-m", "granian", "{application}", "--interface", "asgi", "--host", "127.0.0.1", "--port", "{port}")
FLASK = "tests.adapters.applications.on_flask"
GUNICORN = ("-m", "gunicorn", "--worker-class", "gthread", "--threads", "100", "--bind", "127.0.0.1:{port}")

DJANGO = "tests.adapters.django_project.asgi:application"
# Beyond our own limit, so that it is we who tell the client; by default daphne's limits are as high as ours.
DAPHNE_SIZES = ("--websocket-max-message-size", "4194304", "--websocket-max-frame-size", "4194304")
DAPHNE = ("-m", "daphne", "-b", "127.0.0.1", "-p", "{port}", "--access-log", os.devnull, *DAPHNE_SIZES, "{application}")

HOSTS = (
    Host("fastapi", "fastapi", FASTAPI, uvicorn()),
    Host(
        "fastapi-wsproto", "fastapi", FASTAPI, uvicorn("--ws", "wsproto", "--loop", "asyncio"), tells_violations=False
    ),
    Host("asgi", "asgi", ASGI, uvicorn("--http", "h11", "--loop", "asyncio")),
    # The legacy implementation of websockets asserts that nobody else writes while a pong has to wait.
    Host("asgi-websockets", "asgi", ASGI, uvicorn("--ws", "websockets"), lacks=frozenset({"pongs", "prompt_end"})),
    Host("asgi-wsproto", "asgi", ASGI, uvicorn("--ws", "wsproto"), tells_violations=False),
    Host(
        "asgi-hypercorn",
        "asgi",
        ASGI,
        HYPERCORN,
        tells_violations=False,
        tells_close_code=False,
        exits=(0, 0),
        farewell="",
        serves_to_the_end=False,
    ),
    Host("asgi-granian", "asgi", ASGI, GRANIAN, tells_violations=False, exits=(0, 0), farewell=""),
    Host("channels", "channels", DJANGO, uvicorn()),
    Host("channels-daphne", "channels", DJANGO, DAPHNE, lacks=frozenset({"denial"}), exits=(0, 0), farewell=""),
    Host("flask", "flask", f"{FLASK}:app", (*GUNICORN, "{application}"), exits=(0, 0), farewell="", parent=True),
    Host("flask-werkzeug", "flask", FLASK, ("-m", "{application}", "{port}"), exits=(-15, 0), farewell=""),
    Host(
        "websockets",
        "websockets",
        WEBSOCKETS,
        ("-m", "{application}", "{port}"),
        explains_size=False,
        exits=(-15, 0),
        farewell="",
    ),
)
