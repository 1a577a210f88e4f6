"""Loads one server: `python -m benchmarks.roundtrip.load PORT PID WIRE CONNECTIONS SECONDS` prints a JSON object.

Each connection has one message in flight: the next goes out when the answer has come.
"""

import json
import selectors
import sys
import time
from dataclasses import dataclass

from benchmarks import machine
from benchmarks.client import Client, masked
from benchmarks.wire import WIRES, Wire

WARM_UP_SECONDS = 0.15
QUESTIONS = 32  # for each connection, again and again


class Asker:
    """A connection, its questions, and what it has asked so far."""

    def __init__(self, port: int, wire: Wire) -> None:
        self.client = Client(port)
        self.wire = wire
        self.questions = [wire.ask() for _ in range(QUESTIONS)]
        self.frames = [masked(question) for question in self.questions]
        self.asked = 0

    def ask(self) -> None:
        self.client.send(self.frames[self.asked % QUESTIONS])
        self.asked += 1

    def check(self, answer: bytes) -> None:
        self.wire.check(self.questions[(self.asked - 1) % QUESTIONS], answer.decode(), self.asked)


@dataclass(frozen=True)
class Loaded:
    answers: int
    seconds: float
    server_cpu: float
    own_cpu: float


class Load:
    """All connections to one server. Every first and every last answer is checked, those between are counted."""

    def __init__(self, port: int, pid: int, wire: Wire, connections: int) -> None:
        self.pid = pid
        self.selector = selectors.DefaultSelector()
        self.askers = [Asker(port, wire) for _ in range(connections)]
        for asker in self.askers:
            self.selector.register(asker.client.socket, selectors.EVENT_READ, asker)
        self.ask_once()

    def ask_once(self) -> None:
        """One question on each connection, and its answer checked."""
        for asker in self.askers:
            asker.ask()
        self.finish()

    def finish(self) -> None:
        for asker in self.askers:
            while (answer := asker.client.read()) is None:
                pass
            asker.check(answer)

    def run(self, seconds: float) -> Loaded:
        """Ask for so long; at the end nothing is in flight."""
        server, own, start = machine.cpu_seconds(self.pid), time.process_time(), time.monotonic()
        for asker in self.askers:
            asker.ask()
        answers, select = 0, self.selector.select
        while (now := time.monotonic()) < start + seconds:
            if not (ready := select(10)):
                raise TimeoutError("no connection was answered within 10 seconds")
            for key, _ in ready:
                if key.data.client.read() is not None:
                    answers += 1
                    key.data.ask()
        server_cpu = machine.cpu_seconds(self.pid) - server
        loaded = Loaded(answers, now - start, server_cpu, time.process_time() - own)
        self.finish()
        return loaded

    def close(self) -> None:
        for asker in self.askers:
            asker.client.close()


def main() -> None:
    port, pid, wire, connections, seconds = sys.argv[1:]
    machine.pin(1)
    load = Load(int(port), int(pid), WIRES[wire], int(connections))
    load.run(WARM_UP_SECONDS)
    loaded = load.run(float(seconds))
    load.close()
    print(
        json.dumps(
            {
                "per_second": loaded.answers / loaded.seconds,
                "server_microseconds": loaded.server_cpu / loaded.answers * 1e6,
                "own_share": loaded.own_cpu / loaded.seconds,
            }
        )
    )


if __name__ == "__main__":
    main()
