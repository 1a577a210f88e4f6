"""The hosts take the same keyword arguments, with the same defaults, and refuse the same mistakes in the same words."""

import inspect
from collections.abc import Callable
from typing import Any

import pytest
from fastapi import FastAPI
from flask import Flask

import wsproto_fastapi
import wsproto_flask
from wsproto_asgi import WebSocketApp
from wsproto_core import ConfigurationError, Settings
from wsproto_websockets import serve

HOSTS: dict[str, Callable[..., Any]] = {
    "asgi": WebSocketApp,
    "fastapi": lambda **options: wsproto_fastapi.configure_websocket(FastAPI(), **options),
    "flask": lambda **options: wsproto_flask.configure_websocket(Flask("shop"), **options),
    "websockets": lambda **options: serve("127.0.0.1", 0, **options),
}
MISTAKES: list[dict[str, Any]] = [
    {"limits": {"rate": 2}},
    {"allowed_origins": "https://shop.example"},
    {"backplane": "reddis://localhost"},
    {"presence": 3},
    {"authenticate": "ada"},
    {"authorize_subscribe": True},
    {"on_connect": 1},
    {"registry": object()},
    {"problem_type_base_url": "problems"},
    {"query_token": ""},
    {"tickets": 30},
    {"require_ids": "no"},
    {"client_wildcards": 1},
    {"autodiscover_modules": "actions"},
    {"servers": 3},
    {"docs_url": "docs"},
]


@pytest.mark.parametrize("name", HOSTS)
@pytest.mark.parametrize("options", MISTAKES, ids=lambda options: next(iter(options)))
def test_a_mistake_is_refused_alike(name: str, options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError) as expected:
        Settings.of(options)
    with pytest.raises(ConfigurationError) as refused:
        HOSTS[name](**options)
    assert str(refused.value) == str(expected.value)
    assert str(refused.value).startswith(next(iter(options))), "which setting it is comes first"


@pytest.mark.parametrize("name", HOSTS)
def test_a_name_that_is_not_quite_right_is_told(name: str) -> None:
    with pytest.raises(ConfigurationError, match=r"'limts'\. Did you mean 'limits'\?"):
        HOSTS[name](limts=1)


def test_routes_serve_with_the_same_arguments() -> None:
    (_, *fastapi), (_, *flask) = (
        inspect.signature(host.handle_websocket).parameters.values() for host in (wsproto_fastapi, wsproto_flask)
    )
    assert fastapi == flask
