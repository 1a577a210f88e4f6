"""The opening handshake as every host has it: what a request tells about a connection, and a refusal as HTTP."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from wsproto_core.codec import split_token
from wsproto_core.encoding import encode_json
from wsproto_core.problems import Problem
from wsproto_core.transport import ConnectionInfo, Headers, TokenSource

__all__ = ["connection_info", "path_below", "problem_response"]


def connection_info(
    *,
    path: str,
    query: str,
    headers: Headers,
    offered: Iterable[str],
    peer: tuple[str, int] | None,
    scheme: str,
    extras: Mapping[str, Any],
) -> ConnectionInfo:
    """Return what a connection told about itself, with the credential that came along.

    Args:
        path: of the request, percent-decoded, without the query.
        query: of the request, raw, without the question mark.
        headers: of the request.
        offered: the subprotocols that the client offered, the token among them (protocol section 5).
        peer: address and port of the other side.
        scheme: ``ws`` or ``wss``.
        extras: what else the host knows.
    """
    subprotocols, token = split_token(offered)
    source: TokenSource | None = "subprotocol" if token is not None else None
    if token is None:
        token, source = _authorization(headers)
    return ConnectionInfo(
        path=path,
        query=query,
        headers=headers,
        peer=peer,
        subprotocols=subprotocols,
        token=token,
        source=source,
        scheme=scheme,
        extras=MappingProxyType(dict(extras)),
    )


def path_below(path: str, root_path: str) -> str:
    """Return a path without what of it belongs to a mount.

    Args:
        path: of the request.
        root_path: where the application is mounted. Behind a proxy it may be no part of the path, though the path may
            begin with the same letters.
    """
    root_path = root_path.rstrip("/")
    return path.removeprefix(root_path) if f"{path}/".startswith(f"{root_path}/") else path


def problem_response(
    problem: Problem, base_url: str | None, instance: str | None
) -> tuple[int, list[tuple[str, str]], bytes]:
    """Return a problem as an HTTP response: status, headers and body (RFC 9457 section 3).

    Args:
        problem: what is wrong.
        base_url: what problem type URLs begin with.
        instance: the path of the request.
    """
    document = problem.to_dict(base_url=base_url, instance=instance)
    body = encode_json(document, f"The problem {problem.code!r}").encode()
    headers = [("content-type", "application/problem+json"), ("content-length", str(len(body)))]
    if problem.status == 401:
        headers.append(("www-authenticate", "Bearer"))
    return problem.status, headers, body


def _authorization(headers: Headers) -> tuple[str | None, TokenSource | None]:
    values = headers.get_all("authorization")
    if len(values) != 1:
        return None, None
    scheme, _, credential = values[0].partition(" ")
    credential = credential.strip()
    if scheme.lower() == "bearer" and credential:
        return credential, "bearer"
    if scheme.lower() == "basic" and credential:
        try:
            return base64.b64decode(credential, validate=True).decode(), "basic"
        except (binascii.Error, UnicodeDecodeError):
            return None, None
    return None, None
