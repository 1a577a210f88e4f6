from pathlib import Path

import pytest

from tests.interpreter import import_error, run_python

OTHERS = (
    "asgiref",
    "channels",
    "daphne",
    "django",
    "flask",
    "flask_sock",
    "nats",
    "quart",
    "redis",
    "simple_websocket",
)


@pytest.mark.parametrize("adapter", ["wsproto_fastapi", "wsproto_asgi"])
def test_an_adapter_imports_its_own_framework_and_no_other_even_if_it_is_installed(
    tmp_path: Path, adapter: str
) -> None:
    for name in (*OTHERS, *(["fastapi", "starlette"] if adapter == "wsproto_asgi" else [])):
        (tmp_path / f"{name}.py").write_text(f"print('imported {name}')")
    assert run_python(f"import {adapter}\nprint('done')", tmp_path) == "done"


def test_without_its_framework_it_names_the_extra() -> None:
    assert import_error("wsproto_fastapi", without="starlette") == (
        "wsproto_fastapi needs FastAPI or Starlette, which is not installed: pip install 'wsproto-core[fastapi]'."
    )
