"""What a gateway is told, and what it says where that makes no sense."""

import ssl
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.server import unix_serve

from tests.adapters.gateways import client, echo, gateway, service
from tests.adapters.proxying import make_certificate
from tests.interpreter import import_error, run_python
from wsproto_core import ConfigurationError, Problem
from wsproto_core.transport import ConnectionInfo, Headers
from wsproto_proxy import WebSocketProxy
from wsproto_proxy.headers import forwarded_for
from wsproto_proxy.targets import parse_target, safe_path, safe_query

TARGET = "ws://chat.internal:8000"


@pytest.mark.parametrize(
    ("target", "why"),
    [
        (3, "is a URL, or a function that returns one, not 3"),
        ("http://x", "must begin with ws:// or wss://"),
        ("chat.internal:8000", "must begin with ws:// or wss://"),
        ("ws://", "lacks a host"),
        ("ws:///path", "lacks a host"),
        ("ws://x:0", "lacks a host, or has a port that is none"),
        ("ws://x:99999", "is no URL"),
        ("ws://x:port", "is no URL"),
        ("ws://[::1", "is no URL"),
        ("ws://x/#y", "must not have a fragment"),
        ("ws://x/a b", "without white space"),
        ("ws://x/\r\nCookie: x", "without white space"),
        ("ws://x/ł", "must be ASCII"),
        ("ws://x\\@y", "must not have a user|backslashes"),
        ("ws://ada:s3cret@x", "must not have a user in its URL; send credentials with headers="),
        ("ws+unix://x/y", "Write ws\\+unix:///path/of/the.socket"),
        ("ws+unix:///s:path", "Write ws\\+unix:///path/of/the.socket"),
    ],
)
def test_a_target_that_is_none(target: Any, why: str) -> None:
    with pytest.raises(ConfigurationError, match=why) as refused:
        WebSocketProxy(target)
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"forward_header": []}, "no option 'forward_header'. Did you mean 'forward_headers'"),
        ({"xyz": 1}, "no option 'xyz'. There are: forward_headers"),
        ({"forward_headers": "cookie"}, "takes a list of names of headers"),
        ({"forward_headers": 3}, "takes a list of names of headers"),
        ({"forward_headers": ["a b"]}, "'a b' is no name of a header"),
        ({"forward_headers": [3]}, "3 is no name of a header"),
        (
            {"forward_headers": ["Host"]},
            "The service is told the client's in X-Forwarded-Host",
        ),
        ({"forward_headers": ["upgrade"]}, "'upgrade' belongs to one connection"),
        ({"forward_headers": ["Sec-WebSocket-Key"]}, "belongs to one connection"),
        ({"forward_headers": ["X-Forwarded-For"]}, "the proxy sets 'X-Forwarded-For' itself; see trust_forwarded"),
        ({"headers": [("a", "b")]}, "headers must be a dict of names and values, not list"),
        ({"headers": {"a": "b\r\nc: d"}}, "the value of 'a' is none that a header can have"),
        ({"headers": {"a": 3}}, "the value of 'a' is none that a header can have"),
        ({"headers": {"connection": "x"}}, "'connection' belongs to one connection"),
        ({"forward_path": "yes"}, "forward_path must be True or False, not 'yes'"),
        ({"connect_timeout": 0}, "connect_timeout must be a number of seconds above 0, or None for never, not 0"),
        ({"close_timeout": None}, "close_timeout must be a number of seconds above 0, not None"),
        ({"max_message_bytes": 0}, "max_message_bytes must be a number above 0, or None"),
        ({"max_connections": True}, "max_connections must be a number above 0, or None"),
        ({"ssl": True}, "ssl must be an ssl.SSLContext or None, not bool"),
        ({"allowed_origins": "https://x"}, "allowed_origins takes a list"),
        ({"problem_type_base_url": 3}, "problem_type_base_url must be a string or None"),
    ],
)
def test_an_option_that_makes_no_sense(options: dict[str, Any], why: str) -> None:
    with pytest.raises(ConfigurationError, match=why.replace("(", r"\(")):
        WebSocketProxy(TARGET, **options)


def test_a_target_on_a_unix_socket() -> None:
    assert parse_target("ws+unix:///run/chat.sock") == parse_target("ws+unix:///run/chat.sock:/")
    target = parse_target("ws+unix:///run/chat.sock:/ws/?a=1")
    assert (target.unix, target.url) == ("/run/chat.sock", "ws://localhost/ws/?a=1")


@pytest.mark.parametrize("path", ["/..", "/a/../b", "/.", "/..;x/y", "/a\\b", "/a\x00", "/\r\n"])
def test_paths_that_are_not_passed_on(path: str) -> None:
    with pytest.raises(Problem) as refused:
        safe_path(path)
    assert refused.value.status == 400


def test_paths_and_queries_cannot_leave_their_place() -> None:
    assert safe_path("/a b/?x#y/ł/%41") == "/a%20b/%3Fx%23y/%C5%82/%2541"
    assert safe_query("a=b&c=%20#\r\n x") == "a=b&c=%20%23%0D%0A%20x"
    target = parse_target("ws://x/base/?k=1").with_more("/c", "d=e")
    assert target.url == "ws://x/base/c?k=1&d=e"


def test_who_the_client_is_as_rfc_7239_writes_it() -> None:
    headers = Headers({"host": "chat.example.com", "x-forwarded-for": "forged"})
    info = ConnectionInfo(headers=headers, peer=("2001:db8::7", 1), scheme="wss")
    assert dict(forwarded_for(info, trust=False)) == {
        "X-Forwarded-For": "2001:db8::7",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "chat.example.com",
        "Forwarded": 'for="[2001:db8::7]";proto=https;host=chat.example.com',
    }
    nobody = ConnectionInfo(headers=Headers())
    assert dict(forwarded_for(nobody, trust=True)) == {
        "X-Forwarded-Proto": "http",
        "Forwarded": "for=unknown;proto=http",
    }
    assert dict(forwarded_for(info, trust=True))["Forwarded"].startswith('for=unknown, for="[2001:db8::7]"')


def test_without_websockets_it_names_the_extra() -> None:
    assert import_error("wsproto_proxy", without="websockets") == (
        "wsproto_proxy needs websockets, which is not installed: pip install 'wsproto-core[proxy]'."
    )


def test_it_loads_no_framework(tmp_path: Path) -> None:
    for name in ("fastapi", "flask", "flask_sock", "simple_websocket", "starlette", "werkzeug"):
        (tmp_path / f"{name}.py").write_text(f"print('imported {name}')")
    assert run_python("import wsproto_proxy\nprint('done')", tmp_path) == "done"


def test_credentials_are_in_no_repr() -> None:
    assert "s3cret" not in repr(WebSocketProxy(TARGET, headers={"x-key": "s3cret"}).settings)


async def test_a_service_on_a_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "s"
    async with unix_serve(echo, str(path)):
        with gateway(tmp_path, f"ws+unix://{path}:/ws/") as server:
            async with client(server.url("/")) as here:
                await here.send("x")
                assert await here.recv() == "x"


async def test_a_service_with_a_certificate_that_nobody_vouches_for_is_a_bad_gateway(tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    async with service(ssl=context) as behind:
        with gateway(tmp_path, behind.url.replace("ws:", "wss:")) as server:
            assert (await server.refusal("/")).status_code == 502
