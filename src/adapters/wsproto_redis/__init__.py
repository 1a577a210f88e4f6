"""Redis between processes: ``backplane="redis://…"`` on any host, and emitters for scripts and job queues.

The backplane uses redis-py's connections and hiredis; single servers, Sentinel and Cluster, over TCP, TLS or a Unix
socket.
"""

try:
    from wsproto_redis.backplane import RedisBackplane, backplane_from_url
    from wsproto_redis.emitters import AsyncRedisEmitter, RedisEmitter
    from wsproto_redis.presence import RedisPresenceStore
    from wsproto_redis.tickets import RedisTicketStore
except ModuleNotFoundError as error:
    missing = (error.name or "").partition(".")[0]
    if missing not in {"redis", "hiredis"}:
        raise
    what = f"wsproto_redis needs {missing}, which is not installed: pip install 'wsproto-core[redis]'."
    raise ModuleNotFoundError(what, name=error.name) from error

__all__ = [
    "AsyncRedisEmitter",
    "RedisBackplane",
    "RedisEmitter",
    "RedisPresenceStore",
    "RedisTicketStore",
    "backplane_from_url",
]
