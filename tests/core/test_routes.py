import pytest

from wsproto_core import Audience, InvalidTopicError, connection, everyone, room, topic, user
from wsproto_core.ids import new_connection_id, process_of
from wsproto_core.routes import audience_of, channel_of, name_of, presence_channel

MINTED = new_connection_id()


@pytest.mark.parametrize(
    ("audience", "channel"),
    [
        (room("a/b"), "room/a%2Fb"),
        (user(42), "user/42"),
        (topic("sport/tennis"), "sport/tennis"),
        (connection("c/1"), "connection/c%2F1"),
        (connection(MINTED), f"connection/process/{process_of(MINTED)}"),
        (everyone(), "everyone/*"),
        (Audience("session", "17"), "session/17"),
    ],
    ids=["room", "user", "topic", "given id", "own id", "everyone", "own kind"],
)
def test_every_audience_has_a_channel(audience: Audience, channel: str) -> None:
    assert channel_of(audience) == channel


@pytest.mark.parametrize("name", [channel_of(connection("c1")), presence_channel("room/a"), channel_of(room("a"))])
def test_no_topic_of_an_application_is_the_channel_of_something_else(name: str) -> None:
    with pytest.raises(InvalidTopicError):
        topic(name)


def test_no_id_that_an_application_gives_leads_to_the_channel_of_a_process() -> None:
    assert channel_of(connection(f"process/{process_of(MINTED)}")) != channel_of(connection(MINTED))


@pytest.mark.parametrize(
    "audience",
    [room("a/b"), user("ann"), connection("c/1"), connection(MINTED), everyone(), topic("sport/tennis")],
    ids=["room", "user", "given id", "own id", "everyone", "topic"],
)
def test_a_name_stands_for_the_audience_that_it_was_made_of(audience: Audience) -> None:
    assert audience_of(name_of(audience)) == audience


@pytest.mark.parametrize("name", ["", "room/", "user", "#", "$presence/a", "connection/"])
def test_what_names_no_audience_is_refused(name: str) -> None:
    with pytest.raises(InvalidTopicError):
        audience_of(name)
