"""A nats-server of the tests' own, on a free loopback port, that can be harmed."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import urllib.request
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.adapters.flapping import Proxy
from tests.adapters.serving import ROOT, reserve_port
from tests.adapters.talking import PATIENCE
from wsproto_nats import NatsBackplane, subject_of


def nats_server() -> str:
    """Return the program."""
    found = subprocess.run([ROOT / "scripts/ensure-nats.sh"], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    return found.stdout.strip()


class NatsServer(AbstractContextManager["NatsServer"]):
    """A process of nats-server.

    Args:
        folder: for its log.
        options: more of them.
        login: of the URL: ``user:password@``.
    """

    def __init__(self, folder: Path, *options: str, login: str = "") -> None:
        self._reserved = [reserve_port(), reserve_port()]
        self.port, self._monitor = (int(each.getsockname()[1]) for each in self._reserved)
        self.url = f"nats://{login}127.0.0.1:{self.port}"
        self.log = folder / f"nats-{self.port}.log"
        ports = ["-p", str(self.port), "-m", str(self._monitor)]
        self._command = [nats_server(), "-a", "127.0.0.1", *ports, *options]
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.begin()
        try:
            asyncio.run(self.listens())
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.kill()
        for each in self._reserved:
            each.close()

    @property
    def process(self) -> subprocess.Popen[bytes]:
        assert self._process is not None
        return self._process

    def begin(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log, cwd=self.log.parent)

    async def listens(self) -> None:
        async with asyncio.timeout(PATIENCE):
            while True:
                assert self.process.poll() is None, self.log.read_text()
                for port in (self.port, self._monitor):
                    try:
                        _, writer = await asyncio.open_connection("127.0.0.1", port)
                    except OSError:
                        await asyncio.sleep(0.01)
                        break
                    writer.close()
                    await writer.wait_closed()
                else:
                    return

    def kill(self) -> None:
        """End it at once; nothing happens when it has ended."""
        self.process.kill()
        self.process.wait()

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def monitor(self, path: str) -> Any:
        """Ask it what it knows: ``connz``, ``varz``, ``subsz``."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"http://127.0.0.1:{self._monitor}/{path}", timeout=PATIENCE) as answer:
            return json.load(answer)

    async def connections(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await asyncio.to_thread(self.monitor, "connz?subs=1"))["connections"]
        return found


class RawNats:
    """A connection that says what no backplane would."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self._file = self._socket.makefile("rb")
        assert self._file.readline().startswith(b"INFO")
        self._socket.sendall(b'CONNECT {"verbose":false,"headers":true,"no_responders":true,"name":"raw"}\r\n')

    def say(self, data: bytes) -> None:
        """Say something; return once it was taken."""
        self._socket.sendall(data + b"PING\r\n")
        while not (line := self._file.readline()).startswith(b"PONG"):
            assert line, "the server closed the connection"

    def close(self) -> None:
        self._file.close()
        self._socket.close()


class NatsEngine:
    """For the suite for backplanes."""

    abilities = frozenset({"filters", "signing", "poison", "inspect", "cut", "restart", "pause"})
    largest = 1_000_000

    def __init__(self, server: NatsServer, proxy: Proxy) -> None:
        self._server = server
        self._proxy = proxy

    def backplane(self, **options: Any) -> NatsBackplane:
        return NatsBackplane(f"nats://127.0.0.1:{self._proxy.port}", **options)

    async def poison(self, topic: str, data: bytes) -> None:
        def say() -> None:
            raw = RawNats(self._server.port)
            subject = subject_of(topic).encode()
            raw.say(b"PUB %b %d\r\n%b\r\n" % (subject, len(data), data))
            raw.close()

        await asyncio.to_thread(say)

    async def left(self) -> Sequence[str]:
        return [each["name"] for each in await self._server.connections()]

    async def cut(self) -> None:
        self._proxy.drop()

    async def kill(self) -> None:
        await asyncio.to_thread(self._server.kill)

    async def revive(self) -> None:
        self._server.begin()
        await self._server.listens()

    async def pause(self) -> None:
        os.kill(self._server.process.pid, signal.SIGSTOP)

    async def resume(self) -> None:
        os.kill(self._server.process.pid, signal.SIGCONT)
