"""Start a Redis and the chat in two processes of different frameworks: ``python -m examples.cluster``.

The environment variable PORT says where FastAPI is, and Flask is at the next one; 0 takes any two that are free. LEASE
says for how many seconds people of a process that was killed are still there.
"""

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any, NoReturn

PATIENCE = 20  # seconds that one of them may take to start, or to stop
NEEDED = ("fastapi", "flask_sock", "gunicorn", "redis", "uvicorn", "websockets")

Program = subprocess.Popen[str]


@contextmanager
def running(*command: str, **options: Any) -> Iterator[Program]:
    """Run a program until the end of the block. Ctrl+C reaches only us: the others are stopped in their turn."""
    with subprocess.Popen(command, start_new_session=True, text=True, **options) as process:
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()


@contextmanager
def redis_server() -> Iterator[tuple[Program, str]]:
    from redis import Redis, RedisError
    from redis.backoff import ConstantBackoff
    from redis.retry import Retry

    program = shutil.which(os.environ.get("REDIS_SERVER") or "redis-server")
    if program is None:
        sys.exit("There is no redis-server: install Redis 7 or newer, or set REDIS_SERVER=/path/to/redis-server")
    with listen(0) as free:
        port = free.getsockname()[1]
    options, quiet = ("--port", str(port), "--bind", "127.0.0.1", "--save", ""), subprocess.DEVNULL
    with tempfile.TemporaryDirectory() as folder, running(program, *options, "--dir", folder, stdout=quiet) as process:
        with Redis(port=port, retry=Retry(ConstantBackoff(0.1), PATIENCE * 10)) as client:
            try:
                client.ping()
            except RedisError as error:
                sys.exit(f"{program} does not answer: {error}")
        yield process, f"redis://127.0.0.1:{port}"


@contextmanager
def on_fastapi(port: int, environment: Mapping[str, str]) -> Iterator[tuple[Program, str]]:
    environment = {**environment, "PORT": str(port)}
    with running(sys.executable, "-m", "examples.chat", env=environment, stdout=subprocess.PIPE) as process:
        # The line that it says once the port is open; none when it has ended, and has said why.
        words = process.stdout.readline().split() if process.stdout else []
        if len(words) < 2:
            sys.exit("FastAPI did not start.")
        yield process, words[1]


@contextmanager
def on_flask(port: int, environment: Mapping[str, str]) -> Iterator[tuple[Program, str]]:
    with listen(port) as listening:
        fd, port = listening.fileno(), listening.getsockname()[1]
        threads = ("--worker-class", "gthread", "--threads", "100", "--log-level", "warning")
        command = (sys.executable, "-m", "gunicorn", *threads, "--bind", f"fd://{fd}", "examples.cluster.on_flask:app")
        with ExitStack() as stack:
            process = stack.enter_context(running(*command, env=environment, pass_fds=[fd]))
            listening.close()
            yield process, f"http://127.0.0.1:{port}"


def listen(port: int) -> socket.socket:
    try:
        return socket.create_server(("127.0.0.1", port))
    except OSError as error:
        sys.exit(f"Port {port} cannot be used ({error.strerror}); choose others: PORT={port + 1}")


def check() -> int:
    """Return the port, if it is one and all that is needed is there."""
    if missing := [each for each in NEEDED if importlib.util.find_spec(each) is None]:
        sys.exit(f"Missing: {', '.join(missing)}. `make demo-cluster` brings them.")
    port = os.environ.get("PORT", "8000")
    if not port.isdecimal() or int(port) > 65_534:
        sys.exit(f"PORT={port} is no port; choose one below 65535, as PORT=8000")
    return int(port)


def stop(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def main() -> None:
    port = check()
    lease = os.environ.get("LEASE", "5")
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    with ExitStack() as stack:
        redis, url = stack.enter_context(redis_server())
        environment = {**os.environ, "BACKPLANE": url, "LEASE": lease}
        fastapi, one = stack.enter_context(on_fastapi(port, environment))
        flask, other = stack.enter_context(on_flask(port + 1 if port else 0, environment))
        print(f"One chat, on FastAPI: {one} (process {fastapi.pid})")
        print(f"        and on Flask: {other} (process {flask.pid})")
        print("Open both; Ctrl+C stops everything.", flush=True)
        programs = {redis.pid: ("Redis", redis), fastapi.pid: ("FastAPI", fastapi), flask.pid: ("Flask", flask)}
        while len(programs) > 1:
            ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
            name, program = programs.pop(ended.si_pid if ended else redis.pid)
            program.wait()
            if program is redis:
                sys.exit("Redis has ended.")
            print(f"{name} has ended; its people are gone from the other page within {lease} seconds.", flush=True)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        print()
