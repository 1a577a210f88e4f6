"""The document, the page that shows it and the pages of problems over HTTP: the same answers on every host."""

from __future__ import annotations

import asyncio
import gzip
import inspect
import json
import re
import threading
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from hashlib import sha256
from typing import Any, Final, cast

from wsproto_core.asyncapi.contract import Contract
from wsproto_core.asyncapi.document import build_document
from wsproto_core.asyncapi.page import PAGE_POLICY, linked_page, page_script, page_style
from wsproto_core.asyncapi.problem_pages import ProblemPages
from wsproto_core.asyncapi.problem_types import ProblemTypes
from wsproto_core.asyncapi.sockets import Socket
from wsproto_core.asyncapi.yaml import to_yaml
from wsproto_core.handshake import problem_response
from wsproto_core.problems import Problem, ProblemType
from wsproto_core.registry import default_registry
from wsproto_core.settings import Settings
from wsproto_core.tasks import resolved
from wsproto_core.transport import ConnectionInfo

__all__ = ["Answer", "Site", "document_json"]

_MOST_CACHED: Final = 8
_MOST_PACKED: Final = 32
_METHODS: Final = frozenset({"GET", "HEAD"})

_State = tuple[int, list[Socket], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP response.

    Attributes:
        status: of it.
        headers: in lower case; ``content-length`` is among them.
        body: empty where none is to be sent, as for HEAD.
    """

    status: int
    headers: list[tuple[str, str]]
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Resource:
    content_type: str
    body: bytes = field(repr=False)
    headers: tuple[tuple[str, str], ...] = ()
    vary: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a request came in.

    Attributes:
        root_path: what comes before the paths of the sockets.
        prefix: what comes before the paths of the settings.
    """

    root_path: str
    prefix: str


class _Texts:
    """A document as texts, each made when it is asked for.

    Args:
        state: what it depends on.
        document: as JSON data.
    """

    def __init__(self, state: _State, document: Mapping[str, Any]) -> None:
        self.state = state
        self._document = document

    @cached_property
    def json(self) -> bytes:
        """As JSON."""
        return document_json(self._document).encode()

    @cached_property
    def yaml(self) -> bytes:
        """As YAML."""
        return to_yaml(self._document).encode()


class Site:
    """What a hub shows over HTTP.

    Args:
        settings: of the hub.
        contract: likewise.
    """

    def __init__(self, settings: Settings, contract: Contract) -> None:
        self._settings = settings
        self._contract = contract
        self._lock = threading.Lock()
        self._cache: dict[str, _Texts] = {}
        self._kinds: tuple[int, tuple[ProblemType, ...]] | None = None
        self._makers: dict[str, Callable[[_Place], _Resource]] = {}
        if settings.asyncapi_url is not None:
            self._makers[settings.asyncapi_url] = self._json
            self._makers[_yaml_url(settings.asyncapi_url)] = self._yaml
        if settings.docs_url is not None:
            # A page without a document would be empty, so it brings the document along where that is served nowhere.
            self._makers[settings.docs_url] = self._page
            self._makers[f"{settings.docs_url}.css"] = self._style
            self._makers[f"{settings.docs_url}.js"] = self._script
            self._makers.setdefault(self._document_url, self._json)

    @property
    def paths(self) -> list[str]:
        """The paths that are served, but for those of problems."""
        return list(self._makers)

    @property
    def problem_pages(self) -> str | None:
        """The path below which problems have their pages."""
        return self._settings.problem_pages_url

    def has(self, path: str) -> bool:
        """Say whether a path is one of these; it may still be a problem that there is not."""
        pages = self._settings.problem_pages_url
        return path in self._makers or (pages is not None and (path == pages or path.startswith(f"{pages}/")))

    async def answer(
        self, path: str, info: ConnectionInfo, *, method: str = "GET", root_path: str = "", prefix: str | None = None
    ) -> Answer | None:
        """Answer a request, or return None where there is nothing.

        Args:
            path: as the settings name it.
            info: what the request tells; ``authorize_docs`` is asked about it.
            method: of the request.
            root_path: what comes before the paths of the sockets, for who asks from outside.
            prefix: what comes before ``path``, likewise; the same unless it is told.
        """
        if not self.has(path) or method not in _METHODS:
            return None
        try:
            hook = self._settings.authorize_docs
            if hook is not None and not await resolved(hook(info)):
                raise Problem(code="forbidden")
        except Problem as refusal:
            return self._refused(refusal, info)
        await self._make(path, root_path)
        return self._found(path, info, method, _Place(root_path, root_path if prefix is None else prefix))

    def answer_in_thread(
        self,
        path: str,
        info: ConnectionInfo,
        run: Callable[[Any], Any],
        *,
        method: str = "GET",
        root_path: str = "",
        prefix: str | None = None,
    ) -> Answer | None:
        """Answer a request on a host without an event loop: a plain ``authorize_docs`` is called here; see `answer`.

        Args:
            path: as for `answer`, likewise what is not named here.
            info: likewise.
            run: runs a coroutine elsewhere, and returns its result.
            method: likewise.
            root_path: likewise.
            prefix: likewise.
        """
        if not self.has(path) or method not in _METHODS:
            return None
        try:
            hook = self._settings.authorize_docs
            if hook is not None:
                allowed = hook(info)
                if not (run(_awaited(allowed)) if inspect.isawaitable(allowed) else allowed):
                    raise Problem(code="forbidden")
        except Problem as refusal:
            return self._refused(refusal, info)
        return self._found(path, info, method, _Place(root_path, root_path if prefix is None else prefix))

    def _refused(self, refusal: Problem, info: ConnectionInfo) -> Answer:
        return Answer(*problem_response(refusal, self._settings.problem_type_base_url, info.path))

    def _found(self, path: str, info: ConnectionInfo, method: str, place: _Place) -> Answer | None:
        maker = self._makers.get(path)
        if maker is not None:
            resource: _Resource | None = maker(place)
        else:
            resource = self._problem(path, info, place)
        if resource is None:
            return None
        tag = f'"{sha256(resource.body).hexdigest()[:32]}"'
        private = "private, " if self._settings.authorize_docs is not None else ""
        zipped = _accepts_gzip(info.headers.get("accept-encoding", ""))
        body = _packed(resource.body) if zipped else resource.body
        headers = [
            ("content-type", resource.content_type),
            ("etag", f"W/{tag}"),  # weak: the same with and without compression
            ("cache-control", f"{private}no-cache"),
            ("x-content-type-options", "nosniff"),
            ("vary", ", ".join((*resource.vary, "accept-encoding"))),
            *resource.headers,
        ]
        if _matches(info.headers.get("if-none-match"), tag):
            return Answer(304, headers[1:], b"")
        if zipped:
            headers.append(("content-encoding", "gzip"))
        headers.append(("content-length", str(len(body))))
        return Answer(200, headers, b"" if method == "HEAD" else body)

    @property
    def _document_url(self) -> str:
        return self._settings.asyncapi_url or f"{self._settings.docs_url}.json"

    def _json(self, place: _Place) -> _Resource:
        return _Resource("application/json", self._texts(place.root_path).json)

    def _yaml(self, place: _Place) -> _Resource:
        return _Resource("application/yaml", self._texts(place.root_path).yaml)

    def _page(self, place: _Place) -> _Resource:
        page = linked_page(place.prefix + self._document_url, place.prefix + str(self._settings.docs_url))
        return _Resource("text/html; charset=utf-8", page.encode(), (("content-security-policy", PAGE_POLICY),))

    def _style(self, _: _Place) -> _Resource:
        return _Resource("text/css; charset=utf-8", page_style().encode())

    def _script(self, _: _Place) -> _Resource:
        return _Resource("text/javascript; charset=utf-8", page_script().encode())

    def _problem(self, path: str, info: ConnectionInfo, place: _Place) -> _Resource | None:
        pages = cast("str", self._settings.problem_pages_url)
        kinds = self._problem_types()
        made = ProblemPages(kinds, place.prefix + pages, self._settings.problem_type_base_url).answer(
            path.removeprefix(pages).strip("/"), info
        )
        return None if made is None else _Resource(*made, vary=("accept", "accept-language"))

    def _problem_types(self) -> tuple[ProblemType, ...]:
        """Return the kinds of problems that there are; found again when something was registered."""
        registry = self._settings.registry or default_registry
        with self._lock:
            if self._kinds is None or self._kinds[0] != registry.version:
                kinds = ProblemTypes(registry, self._settings, registry.actions).all
                self._kinds = (registry.version, kinds)
            return self._kinds[1]

    def _texts(self, root_path: str) -> _Texts:
        """Return the document in its forms; made again when something has changed."""
        state = self._state()
        with self._lock:
            known = self._cache.get(root_path)
            if known is None or known.state != state:
                _, sockets, said = state
                document = build_document(self._settings, sockets, info=said, root_path=root_path)
                # The root path may come from a proxy's header, so there is no end of them.
                while len(self._cache) >= _MOST_CACHED:
                    del self._cache[next(iter(self._cache))]
                known = self._cache[root_path] = _Texts(state, document)
        return known

    def _state(self) -> _State:
        """Return what the document depends on beside the settings."""
        registry = self._settings.registry or default_registry
        return registry.version, self._contract.sockets(), self._contract.info()

    async def _make(self, path: str, root_path: str) -> None:
        """Make the document in a thread: one of many actions takes long enough for others to notice."""
        if self._makers.get(path) in (self._json, self._yaml):
            known = self._cache.get(root_path)
            if known is None or known.state != self._state():
                await asyncio.to_thread(self._texts, root_path)


@lru_cache(maxsize=_MOST_PACKED)
def _packed(body: bytes) -> bytes:
    return gzip.compress(body, mtime=0)


def document_json(document: Mapping[str, Any], *, indent: int | None = None) -> str:
    """Return a document as JSON text (RFC 8259).

    Args:
        document: JSON data.
        indent: spaces for each level; None is all in one line.
    """
    separators = (",", ":") if indent is None else None
    return json.dumps(document, ensure_ascii=False, allow_nan=False, indent=indent, separators=separators)


def _yaml_url(url: str) -> str:
    return f"{url.removesuffix('.json')}.yaml"


def _accepts_gzip(header: str) -> bool:
    """Say whether ``Accept-Encoding`` names gzip, and does not weigh it with nothing (RFC 9110 section 12.5.3)."""
    for part in header.lower().split(","):
        name, _, weight = part.partition(";")
        if name.strip() == "gzip":
            return not re.fullmatch(r"\s*q=0(\.0*)?\s*", weight)
    return False


def _matches(header: str | None, tag: str) -> bool:
    """Say whether ``If-None-Match`` names an entity tag; compared weakly (RFC 9110 section 13.1.2)."""
    if header is None:
        return False
    named = [each.strip().removeprefix("W/") for each in header.split(",")]
    return tag in named or "*" in named


async def _awaited(value: Awaitable[bool]) -> bool:
    return await value
