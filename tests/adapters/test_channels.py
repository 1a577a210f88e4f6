"""A Django project with sessions, users and views, served by uvicorn and by daphne."""

import asyncio
import json
import os
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Origin

from tests.adapters.hosts import DAPHNE, uvicorn
from tests.adapters.proxying import make_certificate
from tests.adapters.serving import PATIENCE, ROOT, Server
from tests.adapters.talking import Client, eventually

APPLICATION = "tests.adapters.django_project.asgi:application"
SETTINGS = "tests.adapters.django_project.settings_site"
SERVERS = {"uvicorn": uvicorn(), "daphne": DAPHNE}

Serve = Callable[..., Server]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with the tables of the project."""
    path = tmp_path_factory.mktemp("database") / "project.sqlite3"
    django("migrate", "--verbosity", "0", TEST_DATABASE=str(path))
    return path


def django(*command: str, **environment: str) -> str:
    """Run a management command; return what it prints."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "django", *command],
        cwd=ROOT,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(sys.path[1:]),
            "DJANGO_SETTINGS_MODULE": SETTINGS,
            **environment,
        },
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def serve(database: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Server]:
    """Makes a server of the project, which is not started yet."""

    def make(kind: str, **environment: str) -> Server:
        command = [part.replace("{application}", APPLICATION) for part in SERVERS[kind]]
        variables = {"DJANGO_SETTINGS_MODULE": SETTINGS, "TEST_DATABASE": str(database), **environment}
        return Server(command, tmp_path_factory.mktemp(kind) / "log", variables)

    return make


@pytest.fixture(scope="module", params=list(SERVERS))
def site(request: pytest.FixtureRequest, serve: Serve) -> Iterator[Server]:
    """The project, served."""
    with serve(request.param) as running:
        yield running


def log_in(site: Server, name: str) -> str:
    """Log in over HTTP; return the cookie."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"http://127.0.0.1:{site.port}/log-in/{name}", timeout=PATIENCE) as answer:
        return str(answer.headers["Set-Cookie"]).partition(";")[0]


async def test_the_project_s_own_tests_pass() -> None:
    output = await asyncio.to_thread(
        django, "test", "--verbosity", "2", "tests.adapters.django_project.site.tests", TEST_DATABASE=":memory:"
    )
    assert "OK" in output


async def test_who_is_logged_in_over_http_is_so_on_the_socket(site: Server) -> None:
    cookie = await asyncio.to_thread(log_in, site, "ada")
    async with site.connect("/session/", additional_headers={"Cookie": cookie}) as client:
        assert (await client.ask("me"))["payload"]["names"] == ["ada"]
        assert (await client.ask("whoami"))["payload"]["kind"] == "int"


@pytest.mark.parametrize("headers", [{}, {"Cookie": "sessionid=forged"}])
async def test_who_is_not_logged_in_is_refused_before_accept(site: Server, headers: dict[str, str]) -> None:
    refusal = await site.refusal("/session/", additional_headers=headers)
    assert refusal.status_code in {401, 403}


async def test_a_foreign_page_is_refused_with_the_visitor_s_cookie(site: Server) -> None:
    cookie = await asyncio.to_thread(log_in, site, "ada")
    headers = {"Cookie": cookie, "Origin": "https://evil.example"}
    assert (await site.refusal("/session/", additional_headers=headers)).status_code == 403


@pytest.fixture(scope="module", params=list(SERVERS))
def behind_proxy(request: pytest.FixtureRequest, serve: Serve) -> Iterator[Server]:
    """The project, served with the settings by which Django believes a proxy."""
    settings = {"SECURE_PROXY_SSL_HEADER": ["HTTP_X_SCHEME", "https"], "USE_X_FORWARDED_HOST": True}
    with serve(request.param, TEST_SETTINGS=json.dumps(settings)) as running:
        yield running


OWN = {"X-Scheme": "https", "X-Forwarded-Host": "shop.example", "Origin": "https://shop.example"}


async def test_what_django_believes_of_a_proxy_makes_the_own_origin(behind_proxy: Server) -> None:
    plain = f"127.0.0.1:{behind_proxy.port}"
    accepted: list[dict[str, str]] = [
        OWN,
        {**OWN, "X-Scheme": "https, http"},
        {**OWN, "X-Scheme": "http", "Origin": "http://shop.example"},
        {"X-Scheme": "https", "Origin": f"https://{plain}"},
        {"X-Forwarded-Host": "shop.example:8443", "Origin": "http://shop.example:8443"},
        {"Origin": f"http://{plain}"},
    ]
    for headers in accepted:
        async with behind_proxy.connect("/ws/", additional_headers=headers) as client:
            assert await client.is_served(), headers


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({**OWN, "X-Scheme": "http"}, "http://shop.example"),
        ({**OWN, "X-Scheme": "http, https"}, "http://shop.example"),
        ({**OWN, "X-Forwarded-Host": "other.example"}, "https://other.example"),
        # Which of them is meant nobody can tell, so it is none.
        ({**OWN, "X-Forwarded-Host": "shop.example, other.example"}, "none"),
    ],
)
async def test_a_page_of_another_scheme_or_host_is_refused_behind_it(
    behind_proxy: Server, headers: dict[str, str], expected: str
) -> None:
    assert (await behind_proxy.refusal("/ws/", additional_headers=headers)).status_code == 403
    assert f"origin refused: 'https://shop.example'; expected {expected}. Allow it" in behind_proxy.log


async def test_nothing_of_a_proxy_is_believed_without_these_settings(site: Server) -> None:
    assert (await site.refusal("/ws/", additional_headers=OWN)).status_code == 403
    assert f"origin refused: 'https://shop.example'; expected http://127.0.0.1:{site.port}." in site.log


async def test_daphne_that_speaks_tls_itself_knows_its_own_pages(database: Path, tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path)
    endpoint = f"ssl:{{port}}:privateKey={key}:certKey={certificate}:interface=127.0.0.1"
    command = ["-m", "daphne", "-e", endpoint, "--access-log", os.devnull, APPLICATION]
    trusting = ssl.create_default_context(cafile=str(certificate))
    environment = {"DJANGO_SETTINGS_MODULE": SETTINGS, "TEST_DATABASE": str(database)}
    with Server(command, tmp_path / "log", environment) as server:
        for path in ("/ws/", "/layer/"):
            url, origin = f"wss://127.0.0.1:{server.port}{path}", f"https://127.0.0.1:{server.port}"
            async with connect(url, ssl=trusting, origin=Origin(origin), proxy=None) as websocket:
                assert await Client(websocket).is_served()
            with pytest.raises(InvalidStatus):
                await connect(url, ssl=trusting, origin=Origin(origin.replace("https", "http")), proxy=None)
            assert f"origin refused: 'http://127.0.0.1:{server.port}'; expected {origin}." in server.log


async def test_an_access_token_logs_in_and_is_never_told(site: Server) -> None:
    await asyncio.to_thread(log_in, site, "t0k3n-of-bob")  # the token is the user's name
    async with site.connect("/token/", subprotocols=["access-token", "t0k3n-of-bob"]) as client:
        assert client.websocket.subprotocol == "access-token"
        assert (await client.ask("me"))["payload"]["names"] == ["t0k3n-of-bob"]
        assert client.websocket.response is not None
        assert "t0k3n" not in str(client.websocket.response.headers)
    offered = ["wsproto.v1.json", "access-token", "t0k3n-of-bob"]
    async with site.connect("/token/", subprotocols=offered) as client:
        assert client.websocket.subprotocol == "wsproto.v1.json"
        assert (await client.receive())["event"] == "ws.ready"
    for token in ("wrong-t0k3n", "broken"):
        with pytest.raises(InvalidStatus):
            await connect(site.url("/token/"), proxy=None, subprotocols=["access-token", token])
    assert "could not be resolved: ValueError" in site.log
    for secret in ("wrong-t0k3n", "broken-secret", '"t0k3n-of-bob"'):
        assert secret not in site.log


async def test_tokens_are_looked_up_at_the_same_time_and_leave_no_connection(site: Server) -> None:
    names = ("both-ada", "both-bob")
    for name in names:
        await asyncio.to_thread(log_in, site, name)
    for _ in range(3):
        async with AsyncExitStack() as stack:
            # Each lookup waits for the other.
            opening = [site.connect("/token/", subprotocols=["access-token", name]) for name in names]
            clients = await asyncio.gather(*(stack.enter_async_context(each) for each in opening))
            for client, name in zip(clients, names, strict=True):
                assert (await client.ask("me"))["payload"]["names"] == [name]


async def test_a_token_wins_over_the_session_and_without_one_the_session_stays(site: Server) -> None:
    cookie = await asyncio.to_thread(log_in, site, "ada")
    await asyncio.to_thread(log_in, site, "bob")
    headers = {"Cookie": cookie}
    async with site.connect("/token/", additional_headers=headers) as client:
        assert (await client.ask("me"))["payload"]["names"] == ["ada"]
    async with site.connect("/token/", additional_headers=headers, subprotocols=["access-token", "bob"]) as client:
        assert (await client.ask("me"))["payload"]["names"] == ["bob"]
    with pytest.raises(InvalidStatus):
        await connect(
            site.url("/token/"), proxy=None, additional_headers=headers, subprotocols=["access-token", "nobody"]
        )


async def test_plain_actions_of_several_connections_run_at_the_same_time(site: Server) -> None:
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(site.connect()) for _ in range(4)]
        for client in clients:
            await client.ask("health")
        began = time.monotonic()
        answers = await asyncio.gather(*(client.ask("sleep") for client in clients))
        assert time.monotonic() - began < 2.5
        assert len({answer["payload"]["thread"] for answer in answers}) == 4


async def test_plain_and_async_actions_use_the_database_and_leave_no_connection(site: Server) -> None:
    await asyncio.to_thread(log_in, site, "ada")
    async with site.connect() as client:
        for action in ("users", "users.async"):
            assert "ada" in (await client.ask(action))["payload"]["names"]
        for _ in range(5):
            assert (await client.ask("connection"))["payload"]["names"] == []


@pytest.mark.parametrize("way", ["say", "emit-sync", "group-send", "group-send-by-hand"])
async def test_views_reach_a_room_once(site: Server, tmp_path: Path, way: str) -> None:
    name = f"{tmp_path.name} / ä"
    async with site.connect() as client, site.connect() as other:
        await client.ask("chat.enter", {"name": name})
        await asyncio.to_thread(site.get, f"/{way}/{urllib.request.quote(name)}")
        event = await client.receive()
        assert (event["recipient"], event["recipient_id"]) == ("room", name)
        # Had it come twice, the next answer would not be the second message.
        assert (await client.ask("health"))["seq"] == 3
        assert (await other.ask("health"))["seq"] == 1


async def test_poison_on_the_channel_layer_is_counted_and_skipped(site: Server, tmp_path: Path) -> None:
    async with site.connect() as client:
        await client.ask("chat.enter", {"name": tmp_path.name})
        count = await asyncio.to_thread(site.get, "/poison")
        assert count > 10
        for number in range(20):
            await asyncio.to_thread(site.get, f"/group-send/{tmp_path.name}")
            assert (await client.receive())["seq"] == number + 2
        assert site.inside()["counters"]["malformed_publications"] == count


async def test_a_consumer_that_asks_for_a_channel_gets_what_channels_gives(site: Server) -> None:
    async with site.connect("/layer/") as client, site.connect("/layer/") as other:
        await client.ask("health")
        await other.ask("health")
        await asyncio.to_thread(site.get, "/layer/accident")
        await asyncio.to_thread(site.get, "/layer/news")
        for each in (client, other):
            assert await each.websocket.recv() == "news"
            assert (await each.ask("health"))["seq"] == 2
        await asyncio.to_thread(site.get, "/layer/farewell")
        assert await client.closed() == (4000, "news")


async def test_a_second_process_reaches_the_clients_of_the_first(serve: Serve, tmp_path: Path) -> None:
    from tests.adapters.django_project.layer import Broker  # needs Django, which other adapters' tests do not

    name = tmp_path.name
    with Broker() as broker:
        port = {"TEST_LAYER_PORT": str(broker.port)}
        with serve("uvicorn", **port) as one, serve("daphne", **port) as two:
            async with one.connect() as ada, two.connect() as bob:
                for client in (ada, bob):
                    await client.ask("chat.enter", {"name": name})
                said = await ada.ask("chat.say", {"room": name, "text": "hi"})
                heard = await bob.receive()
                assert (heard["msg_id"], heard["payload"]) == (said["msg_id"], said["payload"])
                seq = 3
                for way in ("say", "emit-sync", "group-send", "group-send-by-hand"):
                    for server in (one, two):
                        await asyncio.to_thread(server.get, f"/{way}/{name}")
                        for client in (ada, bob):
                            assert (await client.receive())["recipient_id"] == name, way
                for client in (ada, bob):
                    assert (await client.ask("health"))["seq"] == seq + 8
            # Nobody listens any more, so nobody is in a group of a topic.
            await eventually(
                lambda: not any(members for group, members in broker.groups.items() if "._24" not in group)
            )


async def test_a_process_without_sockets_reaches_clients(serve: Serve, tmp_path: Path) -> None:
    from tests.adapters.django_project.layer import Broker  # needs Django, which other adapters' tests do not

    name = tmp_path.name
    program = (
        "from wsproto_channels import get_hub; from wsproto_core import room;"
        "from tests.adapters.applications.actions import Entered;"
        f"get_hub().emit_sync(Entered(room='x'), to=room({name!r}))"
    )
    with Broker() as broker:
        port = {"TEST_LAYER_PORT": str(broker.port)}
        with serve("uvicorn", **port) as server:
            async with server.connect() as client:
                await client.ask("chat.enter", {"name": name})
                await asyncio.to_thread(django, "shell", "--no-imports", "--command", program, **port)
                assert (await client.receive())["recipient_id"] == name


async def test_without_the_channel_layer_it_goes_on_and_its_return_is_noticed(serve: Serve, tmp_path: Path) -> None:
    from tests.adapters.django_project.layer import Broker  # needs Django, which other adapters' tests do not

    name = tmp_path.name
    with Broker() as broker:
        port = {"TEST_LAYER_PORT": str(broker.port)}
        servers = [serve("uvicorn", **port), serve("uvicorn", **port)]
        async with AsyncExitStack() as stack:
            one, two = [stack.enter_context(server) for server in servers]
            # Whatever is left unread at the end must not hold up the closing handshake.
            ada, eve = [await stack.enter_async_context(one.connect(max_queue=None)) for _ in range(2)]
            bob = await stack.enter_async_context(two.connect(max_queue=None))
            for client in (ada, eve, bob):
                await client.ask("chat.enter", {"name": name})
            broker.stop()
            for _ in range(3):
                assert (await ada.ask("chat.say", {"room": name, "text": "alone"}))["event"] == "chat.said"
                assert (await eve.receive())["payload"]["text"] == "alone"
                await ada.is_served()
            with Broker(broker.port) as again:
                # Both are in the group, and read: what is sent to a channel that nobody reads is lost.
                group = f"wsproto.room.{escaped(name)}"
                await eventually(lambda: len(again.groups[group] & again.listening.keys()) == 2)
                await eventually(lambda: tells(one, name))
                while (await bob.receive())["event"] != "chat.entered":
                    pass
                numbers = [str(number) for number in range(100)]
                for number in numbers:
                    await ada.send("chat.say", {"room": name, "text": number})
                heard = []
                while len(heard) < 100:
                    received = await bob.receive()
                    if received["event"] == "chat.said":
                        heard.append(received["payload"]["text"])
                assert heard == numbers
            assert one.inside()["counters"]["backplane_failures"] > 0


def escaped(name: str) -> str:
    return name.replace("_", "_5F")


def tells(server: Server, name: str) -> bool:
    """Emit an event; say whether the layer took it."""
    before = server.inside()["counters"]["backplane_failures"]
    server.get(f"/say/{name}")
    return bool(server.inside()["counters"]["backplane_failures"] == before)
