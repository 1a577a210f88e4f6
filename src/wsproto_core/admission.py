"""Whether a connection may be opened: draining, origin, authentication, limits; decided before it is accepted."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final
from urllib.parse import parse_qsl
from weakref import WeakSet

from wsproto_core.closing import CloseCode
from wsproto_core.codec import PLAIN, Codec, choose_subprotocol, find_codec
from wsproto_core.ids import new_connection_id
from wsproto_core.index import Index
from wsproto_core.origins import OriginPolicy
from wsproto_core.problems import Problem
from wsproto_core.recipients import Audience, connection, everyone, user
from wsproto_core.routes import channel_of
from wsproto_core.security import NOT_GIVEN, Identity, as_identity
from wsproto_core.security_log import SecurityLog
from wsproto_core.settings import Settings
from wsproto_core.tasks import resolved
from wsproto_core.transport import ConnectionInfo

__all__ = ["Admission", "Arrival", "Denial", "Gate", "close_code_of"]

log = logging.getLogger("wsproto_core.admission")
# Names that others give to tokens in the query string.
_TOKEN_PARAMETERS: Final = frozenset({"access_token", "auth_token", "bearer", "id_token", "jwt", "token"})


@dataclass(frozen=True, slots=True)
class Denial:
    """A connection that is refused.

    Attributes:
        problem: why, for the client: the body of an HTTP response before accept, or a message after it.
        close_code: what closes a connection that was accepted already.
    """

    problem: Problem
    close_code: int


class Arrival:
    """Somebody who is not yet known by all that it will be addressed by, and who was disconnected meanwhile."""

    __slots__ = ("__weakref__", "_asked")

    def __init__(self) -> None:
        self._asked: list[tuple[frozenset[Audience], int, str]] = []

    def note(self, audiences: frozenset[Audience], code: int, reason: str) -> None:
        """Note that the connections of some audiences are disconnected."""
        self._asked.append((audiences, code, reason))

    def revoked(self, audiences: Iterable[Audience]) -> tuple[int, str] | None:
        """Return what closes the one who turned out to be among these audiences, if anything does."""
        if not self._asked:
            return None
        own = set(audiences)
        return next(((code, reason) for asked, code, reason in self._asked if not asked.isdisjoint(own)), None)


@dataclass(slots=True, eq=False)
class Admission:
    """A connection that may be opened; it holds a place until `Hub.open` or `Hub.release`.

    Attributes:
        connection_id: its id.
        info: what it told about itself.
        identity: who is behind it; None authenticates later.
        subprotocol: what the host answers the handshake with.
        codec: how its messages travel.
        rooms: that it is in from the beginning.
        state: what its state begins with.
        arrival: what was disconnected since it set out.
        used: whether it was opened or released already.
    """

    connection_id: str
    info: ConnectionInfo
    identity: Identity | None
    subprotocol: str | None
    codec: Codec
    rooms: tuple[Audience | str, ...] = ()
    state: dict[str, Any] | None = None
    arrival: Arrival = field(default_factory=Arrival)
    used: bool = field(default=False, init=False)

    @property
    def audiences(self) -> list[Audience]:
        """What it will be addressed by as soon as it is open."""
        own = (connection(self.connection_id), everyone(), _user_of(self.identity))
        return [each for each in own if each is not None]

    @property
    def revoked(self) -> tuple[int, str] | None:
        """The code and the reason that it is closed with as soon as it is open, if it was disconnected before."""
        return self.arrival.revoked(self.audiences)


class Gate:
    """Decides who comes in, and holds places for those on their way.

    Args:
        settings: of the hub.
        index: who is in.
        security: writes down a refusal.
        count: counts it.

    Attributes:
        closed: set when nobody comes in any more.
    """

    def __init__(self, settings: Settings, index: Index, security: SecurityLog, count: Callable[[str], None]) -> None:
        self.closed = False
        self._settings = settings
        self._index = index
        self._security = security
        self._count = count
        self._origins = OriginPolicy(settings.allowed_origins, required=settings.require_origin)
        self._lock = threading.Lock()
        self._reserved: dict[str, Admission] = {}
        self._channels: Counter[str] = Counter()
        # Weakly: what ends before it begins to come in tells nobody.
        self._arriving: WeakSet[Arrival] = WeakSet()

    async def admit(
        self,
        info: ConnectionInfo,
        *,
        user_id: object,
        connection_id: str | None,
        rooms: Iterable[Audience | str],
        state: Mapping[str, Any] | None,
    ) -> Admission | Denial:
        """Decide about one connection; see `Hub.admit`."""
        arrival = self.expect()
        try:
            admitted = await self._decide(info, arrival, user_id, connection_id, rooms, state)
        except BaseException:
            self.arrived(arrival)
            raise
        if isinstance(admitted, Denial):
            self.arrived(arrival)
        return admitted

    async def _decide(
        self,
        info: ConnectionInfo,
        arrival: Arrival,
        user_id: object,
        connection_id: str | None,
        rooms: Iterable[Audience | str],
        state: Mapping[str, Any] | None,
    ) -> Admission | Denial:
        denial = self.look(info)
        if denial is not None:
            return denial
        if user_id is NOT_GIVEN and info.query:
            info = self._with_query_credential(info)
            if self._has_query_token(info):
                return self._deny_query_token(info)
        try:
            identity = await self._identify(info, user_id)
            if identity is not None:
                identity.check_current(self._settings.limits.credential_grace or 0.0)
        except Problem as refusal:
            self._security.handshake("credential", info, "connection refused: %s", refusal.code)
            return self._deny(info, refusal)
        chosen = choose_subprotocol(info.subprotocols, find_codec)
        admission = Admission(
            connection_id=new_connection_id() if connection_id is None else connection(connection_id).id,
            info=info,
            identity=identity,
            subprotocol=chosen,
            codec=find_codec(chosen) or PLAIN,
            rooms=tuple(rooms),
            state=dict(state) if state is not None else None,
            arrival=arrival,
        )
        with self._lock:
            problem = self._full(admission)
            if problem is None:
                self._reserved[admission.connection_id] = admission
                self._channels.update(map(channel_of, admission.audiences))
        if problem is None:
            return admission
        self._security.handshake("limit", info, "connection refused: %s", problem.detail)
        return self._deny(info, problem)

    def look(self, info: ConnectionInfo) -> Denial | None:
        """Refuse at first sight whom nothing lets in: anybody during the drain, and pages of foreign origins."""
        if self.closed:
            return self._deny(info, Problem("The server is going away.", code="unavailable"))
        if not self._origins.allows(info):
            return self._deny_origin(info)
        return None

    def release(self, admission: Admission) -> None:
        """Give the place of a connection back that never comes."""
        self.take_in(admission)
        self.arrived(admission.arrival)

    def take_in(self, admission: Admission) -> None:
        """Give a place back: the connection is among the others now, if not in its rooms yet."""
        admission.used = True
        with self._lock:
            if self._reserved.get(admission.connection_id) is admission:
                del self._reserved[admission.connection_id]
                for channel in map(channel_of, admission.audiences):
                    self._channels[channel] -= 1
                    if not self._channels[channel]:
                        del self._channels[channel]

    def awaits(self, channel: str) -> bool:
        """Say whether a channel leads to somebody who holds a place."""
        return channel in self._channels

    def expect(self) -> Arrival:
        """Note for somebody, from now on until it has `arrived`, what is disconnected."""
        arrival = Arrival()
        with self._lock:
            self._arriving.add(arrival)
        return arrival

    def arrived(self, arrival: Arrival) -> None:
        """Note nothing more for somebody."""
        with self._lock:
            self._arriving.discard(arrival)

    def revoke(self, audiences: Iterable[Audience], code: int, reason: str) -> None:
        """Have connections that are on their way closed as soon as they are open; see `Hub.disconnect`."""
        asked = frozenset(audiences)
        with self._lock:
            for arrival in self._arriving:
                arrival.note(asked, code, reason)

    async def _identify(self, info: ConnectionInfo, user_id: object) -> Identity | None:
        if user_id is not NOT_GIVEN:
            return as_identity(user_id)
        if info.source == "ticket" and self._settings.tickets is not None:
            identity = await self._settings.tickets.redeem(info.token or "")
            if identity is None:
                raise Problem("The ticket is not valid, or not any more; get a new one.", code="unauthenticated")
            return identity
        if self._settings.authenticate is None:
            if self._settings.tickets is not None:
                raise Problem("Get a ticket first, and connect with '?ticket=…'.", code="unauthenticated")
            return Identity()
        return as_identity(await resolved(self._settings.authenticate(info)))

    def _full(self, admission: Admission) -> Problem | None:
        limits = self._settings.limits
        connections = self._index.connections
        if admission.connection_id in connections or admission.connection_id in self._reserved:
            # Two connections of one id would be one for everybody else, so the second never gets in.
            return Problem("This connection id is in use.", code="conflict")
        total = len(connections) + len(self._reserved)
        if limits.max_connections is not None and total >= limits.max_connections:
            return Problem("The server has as many connections as it takes.", code="unavailable")
        return self.full_for(admission.identity)

    def full_for(self, identity: Identity | None) -> Problem | None:
        """Return why a user may have no more connections; one who is anonymous shares with nobody."""
        per_user = self._settings.limits.max_connections_per_user
        audience = _user_of(identity)
        if per_user is None or audience is None:
            return None
        waiting = sum(1 for other in list(self._reserved.values()) if _user_of(other.identity) == audience)
        if waiting + len(self._index.members(audience.topic or "")) < per_user:
            return None
        return Problem("You have as many connections as you may.", code="rate_limited")

    def _deny_origin(self, info: ConnectionInfo) -> Denial:
        self._security.handshake(
            "origin",
            info,
            "origin refused: %r; expected %s. Allow it with allowed_origins=[…].",
            info.headers.get("origin"),
            self._origins.describe(info),
        )
        problem = Problem("Pages of this origin may not connect here.", code="forbidden")
        return self._deny(info, problem, CloseCode.POLICY_VIOLATION)

    def _has_query_token(self, info: ConnectionInfo) -> bool:
        """Say whether the URL has a token where none may be; what the route made of it itself is its own."""
        if self._settings.authenticate is None:
            return False
        named = {name for name, _ in parse_qsl(info.query, keep_blank_values=True)}
        return not named.isdisjoint(_TOKEN_PARAMETERS - {self._settings.query_token})

    def _deny_query_token(self, info: ConnectionInfo) -> Denial:
        self._security.handshake(
            "query_token", info, "connection refused: a token in the query string. Allow it with query_token='…'."
        )
        how = "Authorization, the subprotocols 'access-token' and TOKEN, or the message 'ws.authenticate'"
        problem = Problem(
            f"A token must not be in the URL, where it is logged; send it as {how}.", code="unauthenticated"
        )
        return self._deny(info, problem)

    def _with_query_credential(self, info: ConnectionInfo) -> ConnectionInfo:
        """Return what a connection told about itself, with the ticket or the token from its URL, if it may be there."""
        parameter = self._settings.query_token
        if info.token is not None:
            return info
        named = dict(parse_qsl(info.query))
        if self._settings.tickets is not None and "ticket" in named:
            return replace(info, token=named["ticket"], source="ticket")
        if parameter is not None and parameter in named:
            return replace(info, token=named[parameter], source="query")
        return info

    def _deny(self, info: ConnectionInfo, problem: Problem, close_code: int | None = None) -> Denial:
        self._count("refused")
        log.info("connection refused on %r: %s", info.path, problem.code)
        return Denial(problem, close_code if close_code is not None else close_code_of(problem))


def close_code_of(problem: Problem) -> CloseCode:
    """Return the code that closes a connection because of a problem (protocol section 11)."""
    match problem.status:
        case 401:
            return CloseCode.UNAUTHORIZED
        case 403:
            return CloseCode.FORBIDDEN
        case 429 | 503:
            return CloseCode.TRY_AGAIN_LATER
        case status if status >= 500:
            return CloseCode.INTERNAL_ERROR
        case _:
            return CloseCode.POLICY_VIOLATION


def _user_of(identity: Identity | None) -> Audience | None:
    return None if identity is None or identity.user_id is None else user(identity.user_id)
