"""A hub for a Flask application, and what happens around its requests."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable, Container, Mapping
from typing import Any, Final, TypeVar, Unpack

from flask import Flask, Response, request

from wsproto_core.autodiscover import base_packages_of, calling_module
from wsproto_core.codec import choose_subprotocol
from wsproto_core.errors import ConfigurationError, HostError
from wsproto_core.hub import Hub
from wsproto_core.problems import Problem
from wsproto_core.settings import HubOptions, Settings
from wsproto_flask.documents import show_documents
from wsproto_flask.handshake import info_of, problem_answer
from wsproto_flask.hooks import in_threads
from wsproto_flask.lending import WakingEvent, lend, lent_in
from wsproto_flask.signals import drain_at_exit

__all__ = [
    "check_server",
    "configure_websocket",
    "exempt",
    "hold_handshake",
    "hub_of",
    "is_websocket_route",
    "release_handshake",
]

log = logging.getLogger("wsproto_core.flask")

_EXTENSION: Final = "wsproto_core"
_EXEMPT: Final = "__wsproto_exempt__"
_CHOSEN: Final = "wsproto_flask.subprotocol"
_OPTIONS: Final = "SOCK_SERVER_OPTIONS"  # flask-sock's setting

_lock: Final = threading.Lock()
_MOST_THREADS: Final = 128
_View = TypeVar("_View", bound=Callable[..., Any])


def configure_websocket(app: Flask, **options: Unpack[HubOptions]) -> Hub:
    """Give an application its hub, and import the modules where its actions are declared.

    From now on every WebSocket route of the application is asked for the origin of the page before the handshake, but
    for those that are `exempt`. A `Problem` that a view raises is answered as one, unless the application says
    otherwise. The AsyncAPI document is served at ``/asyncapi.json``, and the page that shows it at ``/asyncapi``, as
    the settings say. Connections are drained at SIGTERM and SIGINT if this is called in the main thread; under gunicorn
    with ``--preload`` that takes `post_worker_init`.

    Args:
        app: a Flask application.
        options: the settings, see `wsproto_core.Settings`. Hooks that are plain functions run in threads.

    Raises:
        ConfigurationError: a setting that makes no sense, no application, or one that was configured before.
    """
    if not isinstance(app, Flask):
        raise ConfigurationError(f"configure_websocket takes a Flask application, not {type(app).__name__}.")
    if _EXTENSION in app.extensions:
        raise ConfigurationError("configure_websocket was called for this application already; call it once.")
    hub = _make_hub(app, Settings.of(options))
    hub.discover([*base_packages_of(calling_module()), *base_packages_of(app.import_name)])
    app.before_request(lambda: _before(hub))
    app.teardown_request(release_handshake)
    show_documents(app, hub, is_exempt)
    if not _answers_problems(app):
        base_url = hub.settings.problem_type_base_url
        app.register_error_handler(Problem, lambda problem: problem_answer(problem, base_url, info_of(request)))
    if hub.settings.install_signal_handlers:
        drain_at_exit(hub)
    warning = _server_trouble()
    if warning is not None:
        log.warning(warning)
    return hub


def hub_of(app: Flask) -> Hub:
    """Return the hub of an application: the configured one, else one with the defaults, which is made now."""
    hub = app.extensions.get(_EXTENSION)
    if hub is None:
        with _lock:
            hub = app.extensions.get(_EXTENSION) or _make_hub(app, Settings())
    if not isinstance(hub, Hub):
        raise ConfigurationError(
            f"app.extensions[{_EXTENSION!r}] belongs to wsproto-core, and holds {type(hub).__name__}."
        )
    return hub


def exempt(view: _View) -> _View:
    """Leave a WebSocket route alone that is none of ours: ``@sock.route("/raw")`` above, ``@exempt`` below.

    Pages of any origin may connect to it.
    """
    setattr(view, _EXEMPT, True)
    return view


def is_exempt(view: Any) -> bool:
    """Say whether a view was left alone with `exempt`."""
    return getattr(view, _EXEMPT, False) is True


def check_server(environ: Mapping[str, Any]) -> None:
    """Refuse servers that cannot hold connections.

    Raises:
        HostError: with the way out.
    """
    if environ.get("SERVER_SOFTWARE", "").startswith("gunicorn") and not environ.get("wsgi.multithread"):
        raise HostError(_SYNC_WORKER)
    names = ("eventlet.input", "gevent.version")
    if any(name in environ for name in names) or "gevent" in str(environ.get("SERVER_SOFTWARE")) or _has_green_worker():
        raise HostError(_GREEN_WORKER)


_SYNC_WORKER: Final = (
    "gunicorn's sync worker cannot hold connections: start it with --worker-class gthread --threads N, "
    "where N is how many connections one worker has at most."
)

_GREEN_WORKER: Final = "Green threads cannot hold these connections: use gunicorn --worker-class gthread --threads N."


def _make_hub(app: Flask, settings: Settings) -> Hub:
    hub = app.extensions[_EXTENSION] = Hub(in_threads(settings, app))
    # Servers have many threads here, and a plain function that does not run in one of them must not wait for another.
    hub.worker_threads = _MOST_THREADS
    return hub


def _server_trouble() -> str | None:
    """Say what is known to be wrong with the server already when the application is set up."""
    # gunicorn imports the worker that it uses, and only that.
    loaded = sys.modules.keys()
    if "gunicorn.workers.sync" in loaded and "gunicorn.workers.gthread" not in loaded:
        return _SYNC_WORKER
    return _GREEN_WORKER if _has_green_worker() else None


def _has_green_worker() -> bool:
    return "gunicorn.workers.ggevent" in sys.modules or "gunicorn.workers.geventlet" in sys.modules


def _answers_problems(app: Flask) -> bool:
    return Problem in app.error_handler_spec[None][None]


def _before(hub: Hub) -> Response | None:
    """Look at a handshake before it is answered."""
    if not _is_ours():
        return None
    check_server(request.environ)
    info = info_of(request)
    denial = hub.gate.look(info)
    if denial is not None:
        return problem_answer(denial.problem, hub.settings.problem_type_base_url, info)
    return hold_handshake(hub.settings.problem_type_base_url, choose_subprotocol(info.subprotocols))


def hold_handshake(base_url: str | None, subprotocol: str | None) -> Response | None:
    """Have the handshake of this request kept back until its route has decided; see `lending`.

    Args:
        base_url: what problem type URLs begin with.
        subprotocol: that it is answered with; None leaves that to the application's own options.

    Returns:
        the answer to a handshake that is none.
    """
    if request.headers.get("Sec-WebSocket-Version") != "13" or not request.headers.get("Sec-WebSocket-Key"):
        problem = Problem("This is no WebSocket handshake of version 13.", status=426)
        answer = problem_answer(problem, base_url, info_of(request))
        answer.headers.extend({"Sec-WebSocket-Version": "13", "Upgrade": "websocket", "Connection": "Upgrade"})
        return answer
    request.environ[_CHOSEN] = subprotocol
    _prepare_options(request.environ)
    lend(request.environ)
    return None


def release_handshake(_: BaseException | None) -> None:
    """Let go of a handshake that the route has not decided about: it answered with HTTP, or it failed."""
    lent = lent_in(request.environ)
    if lent is not None:
        lent.refuse()


def is_websocket_route() -> bool:
    """Say whether this request is for a WebSocket route."""
    return request.url_rule is not None and request.url_rule.websocket


def _is_ours() -> bool:
    rule = request.url_rule
    if rule is None or not is_websocket_route():
        return False
    from flask import current_app

    return not is_exempt(current_app.view_functions[rule.endpoint])


class _Subprotocols(Container[str]):
    """What simple-websocket may choose: ours is decided already, other routes have the application's own."""

    def __init__(self, own: Container[object]) -> None:
        self._own = own

    def __contains__(self, name: object) -> bool:
        chosen = request.environ.get(_CHOSEN)
        return name == chosen if chosen is not None else name in self._own


def _prepare_options(environ: Mapping[str, Any]) -> None:
    """See to it that simple-websocket asks us, also when the application has changed flask-sock's options since."""
    from flask import current_app

    options = current_app.config.get(_OPTIONS) or {}
    own = options.get("subprotocols")
    if not isinstance(own, _Subprotocols):
        own = _Subprotocols([own] if isinstance(own, str) else own or ())
        current_app.config[_OPTIONS] = {"event_class": WakingEvent, **options, "subprotocols": own}
