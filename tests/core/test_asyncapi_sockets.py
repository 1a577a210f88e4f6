from wsproto_core.asyncapi import HostFacts, Socket
from wsproto_core.asyncapi.sockets import parameters_in


def test_a_host_that_tells_nothing_has_nothing() -> None:
    facts = HostFacts()
    assert list(facts.sockets()) == []
    assert facts.info() == {}


def test_a_socket_is_ours_unless_it_is_said_to_be_foreign() -> None:
    assert not Socket(address="/ws/").foreign


def test_the_parameters_of_an_address_are_named_in_braces() -> None:
    assert parameters_in("/ws/{room}/{user-id}/") == ["room", "user-id"]
    assert parameters_in("/ws/") == []
