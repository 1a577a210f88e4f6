"""Redis, started for tests in processes of its own: a single server, a cluster, one with Sentinels, one behind TLS."""

import asyncio
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Self

import redis

from tests.adapters.serving import reserve_port

PATIENCE = 20.0  # seconds


class RedisServer:
    """A redis-server on a free loopback port, or on a Unix socket, without persistence.

    Args:
        folder: for its files.
        arguments: more of its options.
        sentinel: whether it is a Sentinel.
        login: what a client needs to log in, and how it connects, in redis-py's terms.
    """

    def __init__(
        self,
        folder: Path,
        arguments: Sequence[str] = (),
        *,
        sentinel: bool = False,
        login: dict[str, Any] | None = None,
    ) -> None:
        self._reserved = reserve_port()
        self.port: int = self._reserved.getsockname()[1]
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._arguments = arguments
        self._sentinel = sentinel
        self.login: dict[str, Any] = {"port": self.port, **(login or {})}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    def client(self) -> redis.Redis:
        """Return a client to look inside."""
        return redis.Redis(
            **{"host": "127.0.0.1", "socket_timeout": PATIENCE, "client_name": "inspector", "db": 0, **self.login}
        )

    def start(self) -> Self:
        program = os.environ.get("REDIS_SERVER") or shutil.which("redis-server")
        assert program, "scripts/ensure-redis.sh brings redis-server"
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder)]
        if self._sentinel:
            configuration = self.folder / "sentinel.conf"
            if not configuration.exists():
                configuration.write_text("\n".join(self._arguments) + "\n")
            command = [program, str(configuration), *options, "--sentinel"]
        else:
            command = [program, *options, "--save", "", "--appendonly", "no", *self._arguments]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        end = time.monotonic() + PATIENCE
        while True:
            assert self._process.poll() is None, f"redis-server ended:\n{self.log}"
            try:
                with self.client() as client:
                    client.ping()
                return self
            except (redis.ConnectionError, redis.TimeoutError):
                if time.monotonic() > end:
                    raise
                time.sleep(0.02)

    def kill(self) -> None:
        """End it as SIGKILL does."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def pause(self) -> None:
        """Have it do nothing."""
        os.kill(self.pid, signal.SIGSTOP)
        while not _is_stopped(self.pid):
            time.sleep(0.01)

    def resume(self) -> None:
        """Have it go on."""
        os.kill(self.pid, signal.SIGCONT)

    def close(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()  # also when it is stopped
            self._process.wait()
        self._reserved.close()

    def cut(self) -> None:
        """End all connections but the own one."""
        with self.client() as client:
            for kind in ("normal", "pubsub"):
                client.client_kill_filter(_type=kind, skipme=True)

    def held(self) -> list[str]:
        """Return connections, subscriptions and keys that clients of ours hold."""
        with self.client() as client:
            clients = [each for each in client.client_list() if each["name"] == "wsproto"]
            return [
                *(f"connection {each['addr']} {each['cmd']}" for each in clients),
                *(f"channel {each!r}" for each in client.pubsub_channels()),
                *([f"{client.pubsub_numpat()} patterns"] if client.pubsub_numpat() else []),
                *(f"key {each!r}" for each in client.scan_iter()),
            ]


@contextmanager
def running(server: RedisServer) -> Iterator[RedisServer]:
    try:
        yield server.start()
    finally:
        server.close()


@contextmanager
def redis_cluster(folder: Path, size: int = 3) -> Iterator[list[RedisServer]]:
    """Start a cluster of primaries alone."""
    options = ("--cluster-enabled", "yes", "--cluster-node-timeout", "2000", "--cluster-require-full-coverage", "no")
    with ExitStack() as stack:
        buses = [stack.enter_context(reserve_port()) for _ in range(size)]
        nodes = []
        for number, bus in enumerate(buses):
            arguments = (*options, "--cluster-port", str(bus.getsockname()[1]))
            nodes.append(stack.enter_context(running(RedisServer(folder / str(number), arguments))))
        step = 16_384 // size + 1
        first = nodes[0]
        for number, node in enumerate(nodes):
            with node.client() as client:
                last = min(16_383, (number + 1) * step - 1)
                client.execute_command("CLUSTER", "ADDSLOTSRANGE", number * step, last)
                client.execute_command("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
                if number:
                    bus_port = buses[0].getsockname()[1]
                    client.execute_command("CLUSTER", "MEET", "127.0.0.1", first.port, bus_port)
        wait_for_cluster(nodes)
        yield nodes


def wait_for_cluster(nodes: Sequence[RedisServer]) -> None:
    """Wait until each node knows all slots, and each other node, and serves what it has."""
    end = time.monotonic() + PATIENCE
    for node in nodes:
        with node.client() as client:
            while True:
                info = client.execute_command("CLUSTER", "INFO")
                info = (
                    info
                    if isinstance(info, dict)
                    else dict(line.split(":") for line in info.decode().split() if ":" in line)
                )
                found = info["cluster_state"], info["cluster_slots_ok"], info["cluster_known_nodes"]
                if found == ("ok", "16384", str(len(nodes))):
                    break
                assert time.monotonic() < end, info
                time.sleep(0.05)


def _is_stopped(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def cpu_seconds(pid: int) -> float:
    """Return the processor time that a process has used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def off_loop(function: Any, *arguments: Any) -> Any:
    """Do something that blocks, beside the event loop."""
    return await asyncio.to_thread(function, *arguments)
