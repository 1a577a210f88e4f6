"""A gateway in Flask, before the service of the variable ``TEST_GATEWAY``; see `on_gateway`.

``/ws/`` is the proxy's; ``/late/`` has answered the handshake before it calls it; ``/own/`` speaks for itself.
"""

import asyncio
import sys
from typing import Any

from flask import Flask, request
from flask_sock import Sock

from tests.adapters.applications.on_gateway import look_inside, proxy
from wsproto_core.blocking import loop_thread

app = Flask(__name__)
sock = Sock(app)
proxy.init_app(app)


@app.get("/inside")
def inside() -> dict[str, Any]:
    async def look() -> dict[str, Any]:
        await asyncio.sleep(0)
        return look_inside()

    return loop_thread.run(look())


def ws(websocket: Any, rest: str) -> None:
    proxy.serve(websocket, headers={"x-user-id": request.args.get("user", "nobody")})


sock.route("/ws/<path:rest>")(ws)
sock.route("/ws/", defaults={"rest": ""}, endpoint="ws_root")(ws)


@sock.route("/late/")
def late(websocket: Any) -> None:
    websocket.send("first")
    proxy.serve(websocket)


@sock.route("/own/")
def own(websocket: Any) -> None:
    websocket.send(websocket.receive())


if __name__ == "__main__":
    app.run("127.0.0.1", int(sys.argv[1]), threaded=True)
