"""Testing an application without a server, without sockets and without sleeping.

::

    async with connect(registry, user_id=1) as client:
        reply = await client.call("chat.say", {"room": "lobby", "text": "hi"})
        said = reply.expect(Said)
"""

from wsproto_core.testing.capture import Captured, captured
from wsproto_core.testing.client import Client, Refused, Reply, connect
from wsproto_core.testing.transport import MemoryTransport

__all__ = ["Captured", "Client", "MemoryTransport", "Refused", "Reply", "captured", "connect"]
