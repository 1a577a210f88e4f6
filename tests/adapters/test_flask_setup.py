"""Setting wsproto_flask up: what is wrong is told in one sentence, with the way out; what is left out has defaults."""

import asyncio
import json
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from flask import Flask
from websockets.asyncio.client import connect
from websockets.frames import Frame, Opcode

import wsproto_flask
from tests.adapters.hosts import GUNICORN
from tests.adapters.serving import Server
from tests.adapters.talking import PATIENCE, Client
from wsproto_core import ConfigurationError, HostError, Hub
from wsproto_flask import configure_websocket, handle_websocket, hub_of
from wsproto_flask.configuration import check_server

# As small as an application can be: what is not configured works with the defaults.
BARE = """
from flask import Flask
from flask_sock import Sock
from wsproto_flask import handle_websocket

app = Flask(__name__)
sock = Sock(app)

@sock.route("/ws/")
def ws(websocket):
    handle_websocket(websocket, state={"from": "bare"})
"""

CONFIGURED = f"""{BARE}
from wsproto_flask import configure_websocket
configure_websocket(app)
"""

ServeText = Callable[..., Server]


@pytest.fixture
def serve_text(tmp_path: Path) -> Iterator[ServeText]:
    """Starts a server of an application that is given as text."""
    with ExitStack() as running:

        def start(text: str, *command: str) -> Server:
            (tmp_path / "app.py").write_text(text)
            return running.enter_context(
                Server((*command, "--pythonpath", str(tmp_path), "app:app"), tmp_path / "log", {})
            )

        yield start


@pytest.fixture(autouse=True)
def no_signal_handlers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the signals of the tests' own process alone."""
    monkeypatch.setattr("wsproto_flask.configuration.drain_at_exit", lambda hub: None)


def test_a_second_configuration_is_refused() -> None:
    app = Flask("shop")
    hub = configure_websocket(app, autodiscover=False)
    assert hub_of(app) is hub
    with pytest.raises(ConfigurationError, match="for this application already; call it once"):
        configure_websocket(app, autodiscover=False)


@pytest.mark.parametrize("app", [None, "shop", object()])
def test_what_is_no_application_is_refused(app: Any) -> None:
    with pytest.raises(ConfigurationError, match=f"takes a Flask application, not {type(app).__name__}"):
        configure_websocket(app)


def test_an_unknown_setting_is_refused_with_the_one_that_was_meant() -> None:
    options: dict[str, Any] = {"allow_origins": []}
    with pytest.raises(ConfigurationError, match="Did you mean 'allowed_origins'"):
        configure_websocket(Flask("shop"), **options)


@pytest.mark.parametrize(
    ("setting", "value", "told"),
    [
        ("limits", {"inbox": 5}, "limits must be a Limits"),
        ("allowed_origins", "https://example.com", "allowed_origins takes a list of origins"),
        ("authenticate", "the name of a function", "authenticate must be a function or None, not str"),
        ("registry", object(), "registry must be a Registry, not object"),
        ("install_signal_handlers", None, "install_signal_handlers must be True or False, not None"),
    ],
)
def test_a_setting_of_the_wrong_kind_is_refused_and_the_application_can_be_configured_yet(
    setting: str, value: object, told: str
) -> None:
    app = Flask("shop")
    options: dict[str, Any] = {"autodiscover": False, setting: value}
    with pytest.raises(ConfigurationError, match=told):
        configure_websocket(app, **options)
    configure_websocket(app, autodiscover=False)


def test_an_application_without_configuration_has_one_hub_with_the_defaults() -> None:
    app = Flask("shop")
    assert isinstance(hub_of(app), Hub)
    assert hub_of(app) is hub_of(app)
    app.extensions["wsproto_core"] = "something else"
    with pytest.raises(ConfigurationError, match="holds str"):
        hub_of(app)


def test_what_is_no_socket_of_flask_sock_is_refused() -> None:
    with pytest.raises(HostError, match="WebSocket of a flask-sock route, not object"):
        handle_websocket(object())  # type: ignore[arg-type]


def test_a_socket_outside_of_a_request_is_refused() -> None:
    websocket = object.__new__(wsproto_flask.endpoint.Server)
    with pytest.raises(HostError, match=r"below @sock\.route"):
        handle_websocket(websocket)


def test_flask_sock_that_is_missing_is_told_with_the_way_out() -> None:
    code = "import sys; sys.modules['flask_sock'] = None; import wsproto_flask"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    told = "wsproto_flask needs flask-sock, which is not installed: pip install 'wsproto-core[flask]'."
    assert told in done.stderr
    assert "During handling" not in done.stderr


async def test_without_configuration_it_works_with_the_defaults(serve_text: ServeText) -> None:
    server = serve_text(BARE, *GUNICORN)
    async with server.connect(subprotocols=["wsproto.v1.json"]) as client:
        assert client.websocket.subprotocol is None
        for _ in range(3):
            assert await client.is_served()
    async with server.connect(origin="https://evil.example") as client:
        code, reason, before = await client.rest()
        assert (code, reason) == (1008, "Not allowed")
        assert [problem["code"] for problem in before] == ["forbidden"]


async def test_a_sync_worker_is_told_at_the_start_and_holds_nobody(serve_text: ServeText) -> None:
    server = serve_text(CONFIGURED, "-m", "gunicorn", "--bind", "127.0.0.1:{port}")
    assert (await server.refusal("/ws/")).status_code == 500
    # At the start, and again for whoever tried.
    assert server.log.count("cannot hold connections: start it with --worker-class gthread --threads N") >= 2


@pytest.mark.parametrize("worker", ["ggevent", "geventlet"])
def test_green_threads_are_told_at_the_start(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, worker: str
) -> None:
    # gunicorn imports the worker that it uses, and no other.
    for name in [name for name in sys.modules if name.startswith("gunicorn.workers.")]:
        monkeypatch.delitem(sys.modules, name)
    configure_websocket(Flask("shop"), autodiscover=False)
    assert caplog.text == ""
    monkeypatch.setitem(sys.modules, f"gunicorn.workers.{worker}", ModuleType(worker))
    configure_websocket(Flask("shop"), autodiscover=False)
    assert "use gunicorn --worker-class gthread --threads N" in caplog.text
    with pytest.raises(HostError, match="--worker-class gthread --threads N"):
        check_server({"SERVER_SOFTWARE": "gunicorn/27.0.1", "wsgi.multithread": True})


@pytest.mark.parametrize(
    "environ",
    [
        {"SERVER_SOFTWARE": "gunicorn/27.0.1", "wsgi.multithread": False},
        {"SERVER_SOFTWARE": "gevent/24.2 Python/3.13"},
        {"eventlet.input": None},
    ],
)
def test_a_server_that_cannot_hold_connections_is_refused(environ: dict[str, Any]) -> None:
    with pytest.raises(HostError, match="--worker-class gthread --threads N"):
        check_server(environ)
    check_server({"SERVER_SOFTWARE": "gunicorn/27.0.1", "wsgi.multithread": True})


async def test_a_worker_with_threads_is_fine(serve_text: ServeText) -> None:
    server = serve_text(CONFIGURED, *GUNICORN)
    assert "cannot hold" not in server.log
    async with server.connect() as client:
        assert await client.is_served()


# The parent has used its hub, and runs an event loop, before there are workers.
USED_BEFORE = f"""{CONFIGURED}
import os, threading
from pydantic import BaseModel
from wsproto_core import Event, action, room
from wsproto_core.blocking import loop_thread
from wsproto_flask import hub_of

class Where(Event, name="where"):
    process: int
    thread: str

@action("plain")
def plain() -> Where:
    return Where(process=os.getpid(), thread=threading.current_thread().name)

@action("coroutine")
async def coroutine() -> Where:
    return plain()

@action("enter")
def enter(context) -> None:
    context.join("hall")

@app.get("/say")
def say():
    hub_of(app).emit_sync(plain(), to=room("hall"))
    return str(os.getpid())

hub_of(app).emit_sync(plain(), to=room("hall"))

async def parent():
    return os.getpid()

assert loop_thread.run(parent()) == os.getpid()
"""


async def test_each_worker_that_is_forked_of_an_application_has_its_own_loop_and_connections(
    serve_text: ServeText,
) -> None:
    server = serve_text(USED_BEFORE, *GUNICORN, "--preload", "--workers", "2")
    async with AsyncExitStack() as stack:
        workers: dict[int, list[Client]] = {}
        # Who takes a connection is up to the system.
        while len(workers) < 2 or min(map(len, workers.values())) < 2:
            assert sum(map(len, workers.values())) < 500, workers.keys()
            client = await stack.enter_async_context(server.connect())
            process = (await client.ask("plain"))["payload"]["process"]
            workers.setdefault(process, []).append(client)
        assert server.process.pid not in workers
        for process, clients in workers.items():
            for client in clients[:2]:
                assert (await client.ask("coroutine"))["payload"] == {"process": process, "thread": "wsproto-loop"}
                await client.send("enter")
                assert (await client.ask("plain"))["payload"]["process"] == process
        speaker = server.get("/say")
        for process, clients in workers.items():
            for client in clients[:2]:
                # A process knows of its own connections alone: there is no backplane between them.
                if process == speaker:
                    assert (await client.receive())["recipient_id"] == "hall"
                assert (await client.ask("plain"))["payload"]["process"] == process


TALKATIVE = f"""{CONFIGURED}
from typing import Any
from pydantic import BaseModel
from wsproto_core import ActionContext, Event, action, room

class Size(BaseModel):
    size: int
    count: int = 1

class Filled(Event, name="filled"):
    filler: str

@action("fill")
def fill(payload: Size, context: ActionContext) -> list[Filled]:
    context.join("all")
    return [Filled(filler="x" * payload.size)] * payload.count

@action("tell")
async def tell(payload: Size, context: ActionContext) -> list[Filled]:
    return [Filled(filler="x" * payload.size).to(room("all"))] * payload.count
"""


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A key and a certificate for localhost."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subject = ("-days", "1", "-subj", "/CN=localhost")
    command = (
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-keyout",
        key,
        "-out",
        certificate,
        *subject,
    )
    subprocess.run(command, check=True, capture_output=True)
    return key, certificate


async def test_over_tls_any_thread_may_write(serve_text: ServeText, certificate: tuple[Path, Path]) -> None:
    key, chain = map(str, certificate)
    server = serve_text(TALKATIVE, *GUNICORN, "--keyfile", key, "--certfile", chain)
    context = ssl.create_default_context(cafile=chain)
    url = server.url("/ws/").replace("ws:", "wss:")
    options: dict[str, Any] = {"ssl": context, "server_hostname": "localhost", "max_size": None, "proxy": None}
    async with connect(url, **options) as one, connect(url, **options) as two:
        client, other = Client(one), Client(two)
        await client.ask("fill", {"size": 1})
        await client.send("fill", {"size": 900_000, "count": 5})
        await other.send("tell", {"size": 1_000, "count": 50})
        received = [await client.receive() for _ in range(55)]
        assert [event["seq"] for event in received] == list(range(2, 57))
        assert sorted(len(event["payload"]["filler"]) for event in received) == [1_000] * 50 + [900_000] * 5
        await (await client.websocket.ping())
        assert await other.is_served()
    assert "Traceback" not in server.log


async def test_it_warns_once_when_nobody_would_find_who_vanished(serve_text: ServeText) -> None:
    server = serve_text(f"{CONFIGURED}\napp.config['SOCK_SERVER_OPTIONS'] = {{'ping_interval': None}}", *GUNICORN)
    for _ in range(2):
        async with server.connect() as client:
            assert await client.is_served()
    assert server.log.count("Limits(idle_timeout=…)") == 1


SLOW_TO_DECIDE = f"""
import threading, time
from wsproto_flask import lending

lending._PATIENCE = 0.05
asked = threading.Event()

class Late(threading.Thread):
    def run(self):
        # What is tested begins when the decision has been asked for, however busy the machine is.
        asked.wait()
        super().run()

def authenticate(info):
    asked.set()
    time.sleep(0.5)
    raise Problem("Not today.", status=403)

{BARE}
from wsproto_core import Problem
from wsproto_flask import configure_websocket
configure_websocket(app, authenticate=authenticate)
app.config["SOCK_SERVER_OPTIONS"] = {{"thread_class": Late, "ping_interval": 0.05}}
"""


async def test_a_decision_that_takes_long_is_waited_for(serve_text: ServeText) -> None:
    server = serve_text(SLOW_TO_DECIDE, *GUNICORN)
    refused = await server.refusal("/ws/")
    assert refused.status_code == 403
    assert json.loads(refused.body or b"")["detail"] == "Not today."


OFTEN_PINGED = f"""{BARE}
import wsproto_flask.endpoint
wsproto_flask.endpoint._PING_INTERVAL = 1.0
"""


async def read_frame(reader: asyncio.StreamReader) -> bytes:
    """Return one short frame."""
    head = await reader.readexactly(2)
    return head + await reader.readexactly(head[1])


@pytest.mark.parametrize("answers", [0, 3])
async def test_a_client_that_only_answers_pings_stays_until_it_vanishes(serve_text: ServeText, answers: int) -> None:
    server = serve_text(OFTEN_PINGED, *GUNICORN)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(
        b"GET /ws/ HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    assert b"101" in await reader.readuntil(b"\r\n\r\n")
    async with asyncio.timeout(PATIENCE):
        for _ in range(answers):
            assert await read_frame(reader) == b"\x89\x00"
            writer.write(Frame(Opcode.PONG, b"").serialize(mask=True))
        assert await read_frame(reader) == b"\x89\x00"
        while (frame := await read_frame(reader)) == b"\x89\x00":
            pass
        assert b"No answer to a ping" in frame
    writer.close()
