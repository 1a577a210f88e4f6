import pkgutil
import sys
from importlib import import_module
from pathlib import Path

import pytest

import wsproto_core
from tests.interpreter import run_python

# Whoever has one of these has it from his own choice, not from ours.
FRAMEWORKS = (
    *(
        "aiohttp",
        "asgiref",
        "channels",
        "click",
        "daphne",
        "django",
        "falcon",
        "fastapi",
        "flask",
        "flask_sock",
        "hawkapi",
    ),
    *(
        "hypercorn",
        "itsdangerous",
        "jwt",
        "litestar",
        "msgpack",
        "nats",
        "quart",
        "redis",
        "sanic",
        "simple_websocket",
        "starlette",
        "tornado",
    ),
    *("uvicorn", "uvloop", "websockets", "werkzeug"),
)
MODULES = [each.name for each in pkgutil.iter_modules(wsproto_core.__path__, "wsproto_core.")]
PYDANTIC = {"annotated_types", "pydantic", "pydantic_core", "typing_extensions", "typing_inspection"}


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A folder with a package of the name of every framework, which says so when it is imported."""
    for name in FRAMEWORKS:
        (tmp_path / f"{name}.py").write_text(f"print('imported {name}')")
    return tmp_path


def test_the_public_names_are_sorted_and_there() -> None:
    names = wsproto_core.__all__
    assert len(set(names)) == len(names)
    constants, classes = [
        list(filter(kind, names)) for kind in (str.isupper, lambda name: name[0].isupper() and not name.isupper())
    ]
    rest = [name for name in names if not name[0].isupper()]
    assert names == [*sorted(constants), *sorted(classes), *sorted(rest)]
    assert all(hasattr(wsproto_core, name) for name in names)


@pytest.mark.parametrize("name", MODULES)
def test_every_module_says_what_it_is_and_what_it_offers(name: str) -> None:
    module = import_module(name)
    assert module.__doc__
    assert all(hasattr(module, each) for each in module.__all__)


def test_the_version_is_that_of_the_distribution() -> None:
    assert tuple(map(int, wsproto_core.__version__.split(".")[:2])) >= (0, 1)


def test_the_core_loads_the_standard_library_and_pydantic_alone(installed: Path) -> None:
    loaded = run_python(
        "import sys\n"
        "before = set(sys.modules)\n"
        "import wsproto_core\n"
        "print(*{name.partition('.')[0] for name in set(sys.modules) - before})\n",
        installed,
    )
    further = {name for name in loaded.split() if not name.startswith("_sysconfigdata")} - set(sys.stdlib_module_names)
    assert "wsproto_core" in further
    assert further <= {"wsproto_core", *PYDANTIC}


def test_the_core_does_not_ask_what_is_installed(installed: Path) -> None:
    """Its own test client included: a framework is imported by the adapter that is for it, and by nobody else."""
    assert run_python("import wsproto_core, wsproto_core.testing\nprint('done')", installed) == "done"


def test_importing_the_core_starts_nothing() -> None:
    assert run_python("import threading, wsproto_core\nprint(threading.active_count())") == "1"
