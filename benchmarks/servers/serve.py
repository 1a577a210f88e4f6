"""Serves one application: `python -m benchmarks.servers.serve APP KIND CORE` prints port, pid and versions as JSON."""

import importlib
import json
import os
import socket
import sys
from collections.abc import Callable
from typing import Any

from benchmarks import machine

THREADS = 100  # of gunicorn's one worker: more than there are connections


def uvicorn(listener: socket.socket, load: Callable[[], Any]) -> None:
    from uvicorn import Config, Server

    config = Config(load(), ws="websockets-sansio", loop="uvloop", access_log=False, log_level="warning")
    Server(config).run(sockets=[listener])


def daphne(listener: socket.socket, load: Callable[[], Any]) -> None:
    from daphne.server import Server  # installs its event loop, so it comes before the application

    Server(load(), endpoints=[f"fd:fileno={listener.fileno()}"], verbosity=0).run()


def websockets(listener: socket.socket, load: Callable[[], Any]) -> None:
    import uvloop

    serve = load()

    async def main() -> None:
        await (await serve(listener)).serve_forever()

    uvloop.run(main())


def gunicorn(listener: socket.socket, load: Callable[[], Any]) -> None:
    from gunicorn.app.base import BaseApplication

    class Application(BaseApplication):
        def load_config(self) -> None:
            settings = {
                "worker_class": "gthread",
                "workers": 1,
                "threads": THREADS,
                "bind": f"fd://{listener.fileno()}",
                "loglevel": "warning",
                "control_socket_disable": True,
            }
            for name, value in settings.items():
                self.cfg.set(name, value)

        def load(self) -> Any:
            return load()

    Application().run()


KINDS = {"uvicorn": uvicorn, "daphne": daphne, "websockets": websockets, "gunicorn": gunicorn}


def main() -> None:
    name, kind, core = sys.argv[1:]
    machine.pin(int(core))
    listener = socket.create_server(("127.0.0.1", 0), backlog=2_048)  # connections wait here until the server is up
    ready = {"port": listener.getsockname()[1], "versions": machine.versions()}

    def load() -> Any:
        module: Any = importlib.import_module(f"benchmarks.servers.apps.{name}")
        # Of gunicorn it is the worker that loads the application, and whose CPU time counts.
        print(json.dumps({**ready, "pid": os.getpid()}), flush=True)
        return module.app

    KINDS[kind](listener, load)


if __name__ == "__main__":
    main()
