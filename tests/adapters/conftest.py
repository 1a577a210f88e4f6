"""Real servers in processes of their own."""

import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import pytest

from tests.adapters.hosts import HOSTS, Host, uvicorn
from tests.adapters.serving import Server


class Serve(Protocol):
    """Starts a server that ends with the test."""

    def __call__(
        self,
        application: Host | str,
        *,
        args: Sequence[str] = (),
        source: str | None = None,
        hook: bool = False,
        origins: Sequence[str] = (),
        backplane: str | None = None,
        layer: str | None = None,
        **limits: Any,
    ) -> Server: ...


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test on each host of the table, or of the chosen adapter.

    A test that asks for `one_host` runs on the first host of each adapter only: it takes long, and what it holds does
    not depend on the server.
    """
    chosen = metafunc.config.getoption("--adapter")
    hosts = [host for host in HOSTS if chosen in {None, host.adapter}]
    if "host" in metafunc.fixturenames:
        metafunc.parametrize("host", hosts, ids=lambda host: host.name, scope="session")
    if "one_host" in metafunc.fixturenames:
        first = {host.adapter: host for host in reversed(hosts)}.values()
        metafunc.parametrize("one_host", first, ids=lambda host: host.name, scope="session")


@pytest.fixture(scope="session")
def start(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Server]:
    """Makes a server that is not started yet: of a host, or of an application for uvicorn.

    ``source`` is the text of a module ``app``; else the application is imported from where Python finds it. With
    ``hook`` it asks `may_subscribe` of the actions, and lets clients subscribe with wildcards. Pages of ``origins`` may
    connect beside those of its own, where the application asks for them. Through a ``backplane`` it finds the others,
    in Django also through a ``layer``; then it holds a lease of two seconds.
    """
    numbers = itertools.count(1)
    folder = tmp_path_factory.mktemp("servers")

    def make(
        application: Host | str,
        *,
        args: Sequence[str] = (),
        source: str | None = None,
        hook: bool = False,
        origins: Sequence[str] = (),
        backplane: str | None = None,
        layer: str | None = None,
        **limits: Any,
    ) -> Server:
        here = folder / str(next(numbers))
        here.mkdir()
        if isinstance(application, Host):
            command, application = application.command, application.application
        else:
            command = uvicorn()
        if source is not None:
            (here / "app.py").write_text(source)
            args = ("--app-dir", str(here), *args)
        command = tuple(part.replace("{application}", application) for part in command)
        return Server(
            [*command, *args],
            here / "log",
            {
                "TEST_LIMITS": json.dumps(limits),
                "TEST_ORIGINS": " ".join(origins),
                **({"TEST_HOOK": "yes"} if hook else {}),
                **({"TEST_BACKPLANE": backplane, "TEST_LEASE": "2"} if backplane is not None else {}),
                **({"TEST_LAYER": layer, "TEST_LEASE": "2"} if layer is not None else {}),
            },
        )

    return make


@pytest.fixture
def serve(start: Callable[..., Server]) -> Iterator[Serve]:
    """Starts a server for this test alone."""
    with ExitStack() as running:
        yield lambda *args, **options: running.enter_context(start(*args, **options))


@pytest.fixture(scope="session")
def shared(start: Callable[..., Server]) -> Iterator[Callable[[Host], Server]]:
    """Gives the one server of a host that runs to the end of the session, whatever the order of the tests."""
    with ExitStack() as running:
        yield cache(lambda host: running.enter_context(start(host)))


@pytest.fixture
def server(host: Host, shared: Callable[[Host], Server]) -> Server:
    """A server that the tests on a host share; they tell their connections apart by id, and use rooms of their own."""
    return shared(host)


@pytest.fixture
def name(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A name that no other test uses, for rooms and gates."""
    return tmp_path.name
