"""Loads two servers that share an engine: `python -m benchmarks.backplane.load PATH PORT PORT PID PID` prints JSON.

The first process publishes to the room of the member in the second. The member in the first is in another room: it is
there because servers have clients.
"""

import json
import re
import selectors
import sys
import time

from benchmarks import machine
from benchmarks.backplane.control import PATH
from benchmarks.client import Client, masked

ENGINE_IO = "/socket.io/"
ONE_BY_ONE = 300
IN_A_ROW = 6_000
PUBLISHERS = 20
PATIENCE = 5.0  # seconds without anything, after which the rest is lost
_AT = re.compile(rb'"at": ?(\d+)')


class Member(Client):
    """A connection to the room; many frames may arrive at once."""

    def __init__(self, path: str, port: int) -> None:
        is_engine_io = path == ENGINE_IO
        super().__init__(port, f"{path}?EIO=4&transport=websocket" if is_engine_io else path)
        self._rest = b""
        if is_engine_io:
            self.wait_for(b"0{")
            self.send(masked("40"))
            self.wait_for(b"40")

    def frames(self) -> list[bytes]:
        """The payloads of the frames that have arrived; there must be something to read."""
        data = self._rest + self.socket.recv(262_144)
        found, at = [], 0
        while len(data) >= at + 4:
            length, start = data[at + 1], at + 2
            if length == 126:
                length, start = int.from_bytes(data[start : start + 2], "big"), start + 2
            if len(data) < start + length:
                break
            found.append(data[start : start + length])
            at = start + length
        self._rest = data[at:]
        return found

    def wait_for(self, beginning: bytes) -> None:
        while not any(each.startswith(beginning) for each in self.frames()):
            pass


class Room:
    def __init__(self, path: str, here: int, there: int) -> None:
        self.control = Member(PATH, here)
        self.near, self.far = Member(path, here), Member(path, there)
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.far.socket, selectors.EVENT_READ)

    def order(self, messages: int, publishers: int = 1) -> None:
        self.control.send(masked(json.dumps({"messages": messages, "publishers": publishers})))

    def done(self) -> None:
        self.control.wait_for(b"done")

    def read(self, seconds: float) -> list[bytes] | None:
        """What the far member got, perhaps nothing yet; None after so many seconds of silence."""
        if not self.selector.select(seconds):
            return None
        return [each for each in self.far.frames() if b'"at":' in each]

    def begin(self) -> None:
        """Return once both processes have been connected to the engine, and what was published till then is gone."""
        for _ in range(100):
            self.order(1)
            self.done()
            while (got := self.read(0.1)) == []:
                pass
            if got:
                break
        else:
            raise TimeoutError("nothing arrives")
        self.messages_per_second(400)
        self.settle()

    def settle(self) -> None:
        while self.read(0.2) is not None:
            pass

    def latencies(self) -> list[float]:
        """Milliseconds from publishing to arrival, one message at a time."""
        found: list[float] = []
        while len(found) < ONE_BY_ONE:
            self.order(1)
            while not (got := self.read(PATIENCE)):
                if got is None:
                    raise TimeoutError("a message was lost")
            now = time.monotonic_ns()
            sent = _AT.search(got[0])
            assert sent is not None
            found.append((now - int(sent[1])) / 1e6)
            self.done()
        return sorted(found)

    def messages_per_second(self, messages: int) -> tuple[float, int]:
        """The rate from the first publish to the last arrival, and how many were lost."""
        start = last = time.monotonic()
        self.order(messages, PUBLISHERS)
        arrived = 0
        while arrived < messages and (got := self.read(PATIENCE)) is not None:
            if got:
                arrived += len(got)
                last = time.monotonic()
        self.done()
        return arrived / (last - start), messages - arrived


def main() -> None:
    path, here, there, *pids = sys.argv[1:]
    room = Room(path, int(here), int(there))
    room.begin()
    latencies = room.latencies()
    room.settle()
    before = [machine.cpu_seconds(int(pid)) for pid in pids]
    rate, lost = room.messages_per_second(IN_A_ROW)
    cpu = [(machine.cpu_seconds(int(pid)) - was) / IN_A_ROW * 1e6 for pid, was in zip(pids, before, strict=True)]
    result = {
        "p50": latencies[len(latencies) // 2],
        "p99": latencies[len(latencies) * 99 // 100],
        "per_second": rate,
        "lost": lost / IN_A_ROW,
        "publisher": cpu[0],
        "receiver": cpu[1],
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
