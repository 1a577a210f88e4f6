"""How the examples start: a port that is free or named, programs that end with us. Nothing here is about sockets."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NoReturn

import uvicorn

PATIENCE = 20  # seconds that a program may take to start, or to stop


def listen() -> tuple[socket.socket, str]:
    """Listen at the port that the environment variable PORT names, else 8000; 0 is any free one. Return the URL too."""
    given = os.environ.get("PORT", "8000")
    if not given.isdecimal() or int(given) > 65_535:
        sys.exit(f"PORT={given} is no port; choose one up to 65535, as PORT=8000")
    try:
        listening = socket.create_server(("127.0.0.1", int(given)))
    except OSError as error:
        sys.exit(f"Port {given} cannot be used ({error.strerror}); choose another: PORT={int(given) + 1}")
    return listening, f"http://127.0.0.1:{listening.getsockname()[1]}"


def serve(application: Any, listening: socket.socket) -> None:
    """Serve an ASGI application with uvicorn until Ctrl+C or SIGTERM."""
    with suppress(KeyboardInterrupt):  # it repeats the signal once it has stopped
        uvicorn.Server(uvicorn.Config(application, log_level="warning")).run(sockets=[listening])


def end_by_exception() -> None:
    """Let SIGTERM and SIGHUP unwind the stack as Ctrl+C does, so that what was started is stopped."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stop)


def _stop(*_: object) -> NoReturn:
    raise KeyboardInterrupt


@contextmanager
def running(*command: str, stop: signal.Signals = signal.SIGTERM, **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program until the end of the block. Ctrl+C reaches only us: the others are stopped in their turn."""
    with subprocess.Popen(command, start_new_session=True, **options) as process:
        try:
            yield process
        finally:
            process.send_signal(stop)
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()


@contextmanager
def redis_server() -> Iterator[str]:
    """Run a Redis of our own on a Unix socket; yield the path of it."""
    program = shutil.which(os.environ.get("REDIS_SERVER") or "redis-server")
    if program is None:
        sys.exit("There is no redis-server: install Redis 7 or newer, or set REDIS_SERVER=/path/to/redis-server")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "redis.sock")
        options = ("--port", "0", "--unixsocket", str(path), "--save", "", "--dir", folder)
        with running(program, *options, stdout=subprocess.DEVNULL) as process:
            wait_for(path, process, program)
            yield str(path)


@contextmanager
def postgres_server() -> Iterator[str]:
    """Run a PostgreSQL of our own on a Unix socket, in a folder that is removed afterwards; yield its URL."""
    initdb, postgres = _postgres_programs()
    # It refuses to run as root.
    owner = "postgres" if os.name == "posix" and os.geteuid() == 0 else None
    who: dict[str, Any] = {"user": owner, "group": owner, "extra_groups": []} if owner else {}
    with tempfile.TemporaryDirectory() as folder:
        if owner:
            shutil.chown(folder, owner, owner)
        data = str(Path(folder, "data"))
        options = ("--auth", "trust", "--username", "postgres", "--encoding", "UTF8", "--locale", "C", "--no-sync")
        made = subprocess.run([initdb, *options, data], capture_output=True, text=True, cwd=folder, check=False, **who)
        if made.returncode:
            sys.exit(f"{initdb} failed: {made.stderr.strip()}")
        # Nobody but the owner of the folder gets to the socket in it, and there is no port.
        where = ("-D", data, "-k", folder, "-c", "listen_addresses=")
        command = (postgres, *where, "-c", "fsync=off")  # what it stores is thrown away
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": folder}
        # SIGINT is its fast way to stop; SIGTERM would wait for whoever is connected.
        with running(*command, stop=signal.SIGINT, **quiet, **who) as process:
            wait_for(Path(folder, ".s.PGSQL.5432"), process, postgres)
            yield f"postgresql://postgres@/postgres?host={folder}"


def _postgres_programs() -> tuple[str, str]:
    """Return the paths of initdb and postgres; Debian has them on nobody's PATH."""
    folders = [
        os.environ.get("POSTGRES_BIN"),
        *sorted(map(str, Path("/usr/lib/postgresql").glob("*/bin")), reverse=True),
    ]
    path = os.pathsep.join([*filter(None, folders), os.environ.get("PATH", "")])
    initdb, postgres = shutil.which("initdb", path=path), shutil.which("postgres", path=path)
    if initdb is None or postgres is None:
        sys.exit(
            "There is no PostgreSQL: install it, set POSTGRES_BIN=/folder/of/initdb, or name yours in DATABASE_URL"
        )
    return initdb, postgres


def wait_for(path: Path, process: subprocess.Popen[bytes], program: str) -> None:
    """Wait until a program listens at a Unix socket."""
    end = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < end:
        with socket.socket(socket.AF_UNIX) as asking:
            if not asking.connect_ex(str(path)):
                return
        time.sleep(0.05)
    sys.exit(f"{program} did not start.")
