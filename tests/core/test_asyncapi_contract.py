from wsproto_core import Hub, Registry, Settings
from wsproto_core.asyncapi import HostFacts, Socket
from wsproto_core.testing import connect


def test_a_hub_tells_what_its_hosts_know(registry: Registry) -> None:
    hub = Hub(Settings(registry=registry))
    assert [each["address"] for each in hub.asyncapi()["channels"].values()] == [None]
    one, two = Socket(address="/one"), Socket(address="/two", foreign=True)
    hub.contract.add_host(HostFacts(sockets=lambda: [one], info=lambda: {"title": "First", "description": None}))
    hub.contract.add_host(HostFacts(sockets=lambda: [one, two], info=lambda: {"title": "Second", "version": "2"}))
    document = hub.asyncapi()
    assert [each["address"] for each in document["channels"].values()] == ["/one", "/two"]
    assert document["info"] == {"title": "First", "version": "2"}


def test_the_settings_may_name_the_sockets(registry: Registry) -> None:
    hub = Hub(Settings(registry=registry, sockets=["/ws/"]))
    hub.contract.add_host(HostFacts(sockets=lambda: [Socket(address="/other")]))
    assert hub.contract.sockets() == [Socket(address="/ws/")]


def test_what_is_registered_later_is_told_later(registry: Registry) -> None:
    hub = Hub(Settings(registry=registry))
    assert "action.later" not in hub.asyncapi()["operations"]

    @registry.action("later")
    async def later() -> None: ...

    assert "action.later" in hub.asyncapi()["operations"]


async def test_connections_that_come_and_go_change_nothing(registry: Registry) -> None:
    async def gone() -> None: ...

    hub = Hub(Settings(registry=registry, on_disconnect=gone))
    hub.contract.add_host(HostFacts(sockets=lambda: [Socket(address="/ws/")]))
    before = hub.asyncapi()
    async with connect(hub):
        pass
    assert hub.asyncapi() == before
