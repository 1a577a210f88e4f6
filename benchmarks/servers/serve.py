"""Serves one application: `python -m benchmarks.servers.serve APP` prints its port and versions as JSON."""

import importlib
import json
import socket
import sys
from typing import Any

import uvicorn

from benchmarks import machine


def main() -> None:
    module: Any = importlib.import_module(f"benchmarks.servers.apps.{sys.argv[1]}")
    machine.pin(0)
    listener = socket.create_server(("127.0.0.1", 0), backlog=2_048)  # connections wait here until uvicorn is up
    print(json.dumps({"port": listener.getsockname()[1], "versions": machine.versions()}), flush=True)
    config = uvicorn.Config(module.app, ws="websockets-sansio", loop="uvloop", access_log=False, log_level="warning")
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
