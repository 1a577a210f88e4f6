"""Tests what users install: builds the distributions and tries them in fresh environments, away from the checkout.

- The same sources give the same bytes in another folder, on another day, by another Python; the wheel also without the
  sdist in between.
- The wheel holds the import packages of the project, each with its py.typed, and nothing else.
- Installed alone, it works with nothing but its dependencies, and each adapter names the extra that it misses.
- Installed with one extra, the adapter loads with all of its modules, and the quick start of its page is served by a
  real server to a client in another environment.

With `--dist FOLDER` it tries what is in there, and builds nothing but to compare; with `--extra NAME` one extra alone.
"""

import argparse
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from json import dumps
from pathlib import Path
from zipfile import ZipFile

import build
import interpreters

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
TESTS = ROOT / "tests/wheel"
PATIENCE = 60.0  # seconds that a server may take to start, while others of them start as well
UV = os.environ.get("UV") or shutil.which("uv") or sys.exit("uv is missing: make test-wheel brings it")
# Nothing of an environment of ours, nor of the checkout.
CLEAN = {
    **{name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV", "PYTHONHOME"}},
    "UV_PYTHON_DOWNLOADS": "never",
}


class Failed(Exception):
    """What is being tested does not do what it should; the text says what was seen."""


def run(*command: str | Path, cwd: Path, **environment: str) -> str:
    """Run a command outside every environment of ours; return what it prints."""
    words = list(map(str, command))
    done = subprocess.run(
        words,
        cwd=cwd,
        env=CLEAN | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Failed(f"{' '.join(words)}\n{done.stdout}")
    return done.stdout


# The build


def check_reproducible(wheel: Path, sdist: Path, folder: Path) -> None:
    """Build the same sources elsewhere, as if on another day, and directly; compare the bytes."""
    epoch = build.epoch()
    elsewhere = folder / "another folder" / "with a longer name"
    with tempfile.TemporaryDirectory() as name:
        run(sys.executable, "-c", UNPACK, sdist, name, cwd=folder)
        (unpacked,) = Path(name).iterdir()
        shutil.copytree(unpacked, elsewhere)
    for path in elsewhere.rglob("*"):
        os.utime(path, (1_000_000_000, 1_000_000_000))
        path.chmod(0o700 if path.is_dir() or os.access(path, os.X_OK) else 0o600)
    another = [path for _, _, path in interpreters.find()][-1]
    where = {"SOURCE_DATE_EPOCH": epoch, "TZ": "Pacific/Kiritimati", "LC_ALL": "C", "PYTHONHASHSEED": "17", "UV": UV}
    run(another, "scripts/build.py", "--out-dir", folder / "again", cwd=elsewhere, **where)
    words = (UV, "build", "--quiet", "--python", sys.executable, "--wheel", "--out-dir", folder / "direct")
    run(*words, cwd=ROOT, SOURCE_DATE_EPOCH=epoch)
    for file, built in ((wheel, "again"), (sdist, "again"), (wheel, "direct")):
        other = folder / built / file.name
        if file.read_bytes() != other.read_bytes():
            ours, theirs = dict(build.members(file)), dict(build.members(other))
            differ = sorted(name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name))
            raise Failed(f"{file.name} is not the same when it is built {built}: {differ or 'the archive itself'}")
    print("the same bytes: built in another folder, on another day, by another Python, without the sdist", flush=True)


UNPACK = "import sys, tarfile; tarfile.open(sys.argv[1]).extractall(sys.argv[2], filter='data')"


def check_contents(wheel: Path) -> None:
    """Compare what the wheel holds with the packages in src/."""
    packages = {"wsproto_core", *(folder.name for folder in (ROOT / "src/adapters").glob("wsproto_*"))}
    with ZipFile(wheel) as archive:
        files = archive.namelist()
    found = {name.partition("/")[0] for name in files if ".dist-info/" not in name}
    if found != packages:
        raise Failed(f"top-level packages of the wheel: {sorted(found)}, expected {sorted(packages)}")
    if missing := [package for package in packages if f"{package}/py.typed" not in files]:
        raise Failed(f"no py.typed in {missing}")
    print("contents:", ", ".join(sorted(found)), f"({len(files)} files)", flush=True)


# The environments


@dataclass
class Place:
    """A folder with an environment in it, in which the wheel is installed with some extras."""

    folder: Path
    wheel: Path
    client: Path

    @property
    def python(self) -> Path:
        """The environment's Python."""
        return self.folder / ("env/Scripts/python.exe" if os.name == "nt" else "env/bin/python")

    def install(self, extras: str, *more: str) -> None:
        """Install the wheel with extras, `[flask]`, and what the application needs beside them."""
        if not self.folder.exists():
            self.folder.mkdir()
            run(UV, "venv", "--quiet", "--python", sys.executable, self.folder / "env", cwd=self.folder)
        # The same releases as everywhere else; outside the checkout uv does not see our settings.
        date = PROJECT["tool"]["uv"]["exclude-newer"]
        words = (UV, "pip", "install", "--quiet", "--python", self.python, "--exclude-newer", date)
        run(*words, f"wsproto-core{extras} @ {self.wheel.as_uri()}", *more, cwd=self.folder)

    def write(self, name: str, text: str) -> None:
        """Write a file of the application."""
        (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / name).write_text(text, encoding="utf-8")

    def run(self, *words: str, **environment: str) -> str:
        """Run a module or a file in the environment."""
        return run(self.python, *words, cwd=self.folder, **environment)

    @contextmanager
    def serve(self, *words: str, port: int, **environment: str) -> Iterator[int]:
        """Serve the application; end the server with SIGTERM, which it has to take well."""
        with (
            tempfile.TemporaryFile("w+") as log,
            subprocess.Popen(
                [self.python, *words], cwd=self.folder, env=CLEAN | environment, stdout=log, stderr=subprocess.STDOUT
            ) as server,
        ):
            try:
                await_port(port, server)
                yield port
                server.terminate()
                server.wait(PATIENCE)
            except BaseException as error:
                server.kill()
                log.seek(0)
                raise Failed(f"{error}\n{' '.join(words)} said:\n{log.read()}") from error

    def talk(self, extra: str, **about: object) -> None:
        """Be a client, which must not need anything of this environment."""
        run(self.client, TESTS / "talk.py", extra, dumps(about), cwd=self.folder)


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port


def await_port(port: int, server: subprocess.Popen[bytes]) -> None:
    """Wait until somebody listens there."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=PATIENCE).close()
            return
        except OSError:
            if server.poll() is not None or time.monotonic() > deadline:
                raise Failed("the server does not start") from None
            time.sleep(0.05)


def blocks(page: str) -> list[tuple[str, str, str]]:
    """Return the code of a page: the comment before it, its language, its text."""
    text = (ROOT / page).read_text(encoding="utf-8")
    found = re.findall(r"(?:^<!-- (.*?) -->\n)?^```(\w+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [(comment, language, body) for comment, language, body in found]


def first_python(page: str) -> str:
    """Return the first Python example of a page, which is its quick start."""
    return next(body for _, language, body in blocks(page) if language == "python")


def uvicorn(port: int) -> tuple[str, ...]:
    """Return the command that serves `app` of app.py."""
    return ("-m", "uvicorn", "app:app", "--host", "127.0.0.1", "--port", str(port))


# What is done with each extra


def on_asgi(place: Place) -> None:
    """Without a framework, under uvicorn."""
    place.install("[asgi]", *PROJECT["dependency-groups"]["demo"])
    place.write("app.py", first_python("docs/en/asgi.md"))
    with place.serve(*uvicorn(port := free_port()), port=port):
        place.talk("asgi", url=f"ws://127.0.0.1:{port}/ws/")


def on_fastapi(place: Place) -> None:
    """The README."""
    place.install("[fastapi]", *PROJECT["dependency-groups"]["demo"])
    place.write("app.py", first_python("README.md"))
    with place.serve(*uvicorn(port := free_port()), port=port):
        place.talk("fastapi", url=f"ws://127.0.0.1:{port}/ws/")


def on_flask(place: Place) -> None:
    """Under gunicorn, with threads."""
    place.install("[flask]", "gunicorn>=23.0")
    place.write("app.py", first_python("docs/en/flask.md"))
    words = ("-m", "gunicorn", "--worker-class", "gthread", "--threads", "100")
    with place.serve(*words, "--bind", f"127.0.0.1:{(port := free_port())}", "app:app", port=port):
        place.talk("flask", url=f"ws://127.0.0.1:{port}/ws/")


def on_channels(place: Place) -> None:
    """The project of the page, up to its actions, under daphne; somebody is logged in."""
    place.install("[channels]", "daphne>=4.2.3")
    for comment, _, body in blocks("docs/en/channels.md"):
        kind, _, file = comment.partition(": ")
        if kind == "run":
            for line in body.splitlines():
                words = line.split()
                place.run(*(["-m", "django", *words[1:]] if words[0] == "django-admin" else words[1:]))
        elif kind == "file":
            place.write(file, body)
        elif kind == "added to":
            place.write(file, (place.folder / file).read_text(encoding="utf-8") + body)
        if file == "chat/actions.py":
            break
    place.run("manage.py", "migrate", "--verbosity", "0")
    session = place.run("manage.py", "shell", "--no-imports", "-c", LOG_IN).strip().splitlines()[-1]
    words = ("-m", "daphne", "-b", "127.0.0.1", "-p", str(port := free_port()), "--websocket_timeout", "-1")
    with place.serve(*words, "shop.asgi:application", port=port):
        place.talk("channels", url=f"ws://127.0.0.1:{port}/ws/", session=session)


LOG_IN = """
from django.contrib.auth import get_user_model
from django.test import Client
client = Client()
client.force_login(get_user_model().objects.create_user("ada"))
print(client.session.session_key)
"""


def on_websockets(place: Place) -> None:
    """The library's own server."""
    place.install("[websockets]")
    port = free_port()
    place.write("server.py", first_python("docs/en/websockets.md").replace("8765", str(port)))
    with place.serve("server.py", port=port):
        place.talk("websockets", url=f"ws://127.0.0.1:{port}/ws/")


def on_proxy(place: Place) -> None:
    """A gateway before what the page on ASGI serves."""
    place.install("[proxy]", "fastapi", *PROJECT["dependency-groups"]["demo"])
    service, gateway = free_port(), free_port()
    place.write("service.py", first_python("docs/en/asgi.md"))
    place.write("app.py", first_python("docs/en/proxy.md").replace("chat.internal:8000", f"127.0.0.1:{service}"))
    words = [word.replace("app:app", "service:app") for word in uvicorn(service)]
    with place.serve(*words, port=service), place.serve(*uvicorn(gateway), port=gateway):
        place.talk("proxy", url=f"ws://127.0.0.1:{gateway}/chat/")


def chat(place: Place, port: int, **environment: str) -> tuple[str, ...]:
    """Prepare the application of tests/wheel; return the command."""
    shutil.copy(TESTS / "application.py", place.folder / "app.py")
    return uvicorn(port)


def on_jwt(place: Place) -> None:
    """A token that PyJWT signed."""
    place.install("[jwt]", *PROJECT["dependency-groups"]["demo"])
    with place.serve(*chat(place, port := free_port()), port=port, AUTHENTICATOR="jwt"):
        code = "import app, jwt, time; print(jwt.encode({'sub': 'ada', 'exp': time.time() + 60}, app.KEY))"
        place.talk("jwt", url=f"ws://127.0.0.1:{port}/ws/", token=place.run("-c", code).strip())


def on_itsdangerous(place: Place) -> None:
    """A token that the authenticator issued."""
    place.install("[itsdangerous]", *PROJECT["dependency-groups"]["demo"])
    with place.serve(*chat(place, port := free_port()), port=port, AUTHENTICATOR="itsdangerous"):
        token = place.run("-c", "import app; print(app.authenticator().issue('ada'))", AUTHENTICATOR="itsdangerous")
        place.talk("itsdangerous", url=f"ws://127.0.0.1:{port}/ws/", token=token.strip())


def on_msgpack(place: Place) -> None:
    """A client that asks for it."""
    place.install("[msgpack]", *PROJECT["dependency-groups"]["demo"])
    with place.serve(*chat(place, port := free_port()), port=port):
        place.talk("msgpack", url=f"ws://127.0.0.1:{port}/ws/")


def on_redis(place: Place) -> None:
    """Two processes and a program, with a Redis of their own."""
    program = os.environ.get("REDIS_SERVER") or shutil.which("redis-server") or sys.exit("redis-server is missing")
    words = (program, "--port", "{port}", "--bind", "127.0.0.1", "--save", "", "--dir", str(place.folder))
    between(place, "redis", "RedisEmitter", words, "redis://127.0.0.1:{port}")


def on_nats(place: Place) -> None:
    """The same with a NATS of their own."""
    program = os.environ.get("NATS_SERVER") or shutil.which("nats-server") or sys.exit("nats-server is missing")
    between(place, "nats", "NatsEmitter", (program, "-a", "127.0.0.1", "-p", "{port}"), "nats://127.0.0.1:{port}")


def between(place: Place, extra: str, emitter: str, engine: tuple[str, ...], url: str) -> None:
    """Serve the chat twice, with an engine in between, and emit from a third process."""
    place.install(f"[{extra}]", *PROJECT["dependency-groups"]["demo"])
    port = free_port()
    url = url.format(port=port)
    code = f"import app, wsproto_{extra}; emit = wsproto_{extra}.{emitter}({url!r}); "
    code += "emit.emit(app.Said(user_id=None, text='from outside'), to=app.room('lobby')); emit.close()"
    with ExitStack() as running:
        words = [word.format(port=port) for word in engine]
        server = running.enter_context(
            subprocess.Popen(words, cwd=place.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        )
        running.callback(server.kill)
        await_port(port, server)
        ports = [
            running.enter_context(place.serve(*chat(place, each), port=each, BACKPLANE=url))
            for each in (free_port(), free_port())
        ]
        urls = [f"ws://127.0.0.1:{each}/ws/" for each in ports]
        place.talk(extra, url=urls[0], other=urls[1], emit=[str(place.python), "-c", code])


def alone(place: Place) -> None:
    """Nothing but the core."""
    print(place.run("-I", str(TESTS / "smoke_core.py")).strip(), flush=True)


EXTRAS: Mapping[str, Callable[[Place], None]] = {
    "": alone,
    "asgi": on_asgi,
    "channels": on_channels,
    "django": lambda place: None,
    "fastapi": on_fastapi,
    "flask": on_flask,
    "itsdangerous": on_itsdangerous,
    "jwt": on_jwt,
    "msgpack": on_msgpack,
    "nats": on_nats,
    "proxy": on_proxy,
    "redis": on_redis,
    "websockets": on_websockets,
    "all": lambda place: None,
}


def try_extra(extra: str, folder: Path, wheel: Path, client: Path) -> str:
    """Install the wheel with the extra in a fresh environment, and use it; return what went wrong."""
    began = time.monotonic()
    place = Place(folder / (extra or "alone"), wheel, client)
    adapters = sorted(path.name.removeprefix("wsproto_") for path in (ROOT / "src/adapters").glob("wsproto_*"))
    here = {"": [], "all": adapters, "django": ["channels"]}.get(extra, [extra])
    try:
        place.install(f"[{extra}]" if extra else "")
        # -I: neither the current folder nor PYTHONPATH may lend what the wheel lacks.
        loaded = place.run("-I", str(TESTS / "smoke_adapters.py"), *here).strip()
        EXTRAS[extra](place)
    except Failed as error:
        return f"[{extra}]: {error}"
    print(f"[{extra}] {time.monotonic() - began:.0f} s: {loaded.replace(chr(10), '; ')}", flush=True)
    return ""


def main() -> None:
    """Build, look inside, install, try."""
    parser = argparse.ArgumentParser(description="Test what users install.")
    parser.add_argument(
        "--dist", type=Path, help="the folder with the sdist and the wheel to try (default: builds them)"
    )
    parser.add_argument("--extra", choices=sorted(EXTRAS), help="try this one alone")
    options = parser.parse_args()
    extras = {"", *PROJECT["project"]["optional-dependencies"]}
    if extras != EXTRAS.keys():
        sys.exit(f"scripts/test_wheel.py does not know the extras of pyproject.toml: {sorted(extras ^ EXTRAS.keys())}")
    with tempfile.TemporaryDirectory(prefix="wsproto-wheel-") as name:
        folder = Path(name)
        if options.dist is None:
            sdist, wheel = build.build(folder / "dist")
        else:
            (sdist,), (wheel,) = options.dist.resolve().glob("*.tar.gz"), options.dist.resolve().glob("*.whl")
            build.check(sdist, wheel)
        client = Place(folder / "client", wheel, Path())
        try:
            check_contents(wheel)
            if options.extra is None:
                check_reproducible(wheel, sdist, folder)
            client.install("", "websockets", "msgpack")
        except Failed as error:
            sys.exit(str(error))
        with ThreadPoolExecutor(3) as pool:  # installing takes the disk, and starting takes the processor
            chosen = EXTRAS if options.extra is None else [options.extra]
            went_wrong = list(pool.map(lambda extra: try_extra(extra, folder, wheel, client.python), chosen))
        if any(went_wrong):
            sys.exit("\n\n".join(filter(None, went_wrong)))


if __name__ == "__main__":
    main()
