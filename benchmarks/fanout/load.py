"""Measures one server: `python -m benchmarks.fanout.load PORT PID CONNECTIONS EVENTS` prints a JSON object.

One of the connections says something, and when all have been told it does so again.
"""

import json
import selectors
import sys
import time

from benchmarks import machine
from benchmarks.client import Client, masked
from benchmarks.wire import ENVELOPE


class Room:
    def __init__(self, port: int, connections: int) -> None:
        self.clients = [Client(port) for _ in range(connections)]
        self.selector = selectors.DefaultSelector()
        for client in self.clients:
            self.selector.register(client.socket, selectors.EVENT_READ, client)

    def tell_all(self) -> None:
        self.clients[0].send(masked(ENVELOPE.ask()))
        missing = len(self.clients)
        while missing:
            ready = self.selector.select(10)
            if not ready:
                raise TimeoutError(f"{missing} connections were not told within 10 seconds")
            for key, _ in ready:
                missing -= key.data.read() is not None


def main() -> None:
    port, pid, connections, events = map(int, sys.argv[1:])
    machine.pin(1)
    room = Room(port, connections)
    for _ in range(3):
        room.tell_all()
    server, started = machine.cpu_seconds(pid), time.monotonic()
    for _ in range(events):
        room.tell_all()
    print(
        json.dumps(
            {
                "milliseconds": (time.monotonic() - started) / events * 1e3,
                "server_milliseconds": (machine.cpu_seconds(pid) - server) / events * 1e3,
            }
        )
    )
    for client in room.clients:
        client.close()


if __name__ == "__main__":
    main()
