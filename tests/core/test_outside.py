import json
from typing import Any

import pytest

from wsproto_core import Audience, Event, MissingAudienceError, Registry, connection, room, user
from wsproto_core.outside import Outgoing, disconnection_of, emission_of


class Said(Event, name="said", registry=Registry()):
    text: str = ""


def read(outgoing: Outgoing) -> dict[str, Any]:
    return json.loads(outgoing[1])


def test_an_event_goes_to_the_channels_of_its_audiences_once() -> None:
    outgoing = emission_of(Said(text="hi"), [room("a"), user(7), room("a")], exclude="c1")
    assert outgoing[0] == ["room/a", "user/7"]
    message = read(outgoing)
    assert (message["event"], message["payload"], message["exclude"]) == ("said", {"text": "hi"}, ["c1"])
    assert message["to"] == [["room", "a"], ["user", "7"], ["room", "a"]]


def test_an_event_may_say_itself_where_it_goes() -> None:
    outgoing = emission_of(Said().to(room("a"), exclude=["c1"], key="k"), exclude=["c2"])
    assert outgoing[0] == ["room/a"]
    assert (read(outgoing)["exclude"], read(outgoing)["key"]) == (["c1", "c2"], "k")


def test_no_hub_takes_it_for_its_own() -> None:
    assert read(emission_of(Said(), room("a")))["origin"] == ""


def test_connections_can_be_closed() -> None:
    outgoing = disconnection_of([user(7), connection("c1")], 4001, "Come back.")
    assert outgoing[0] == ["user/7", "connection/c1"]
    assert read(outgoing)["disconnect"] == {"code": 4001, "reason": "Come back."}


def test_an_event_for_nobody_is_refused() -> None:
    with pytest.raises(MissingAudienceError, match="'said' goes to nobody"):
        emission_of(Said())


@pytest.mark.parametrize("send", [lambda to: emission_of(Said(), to), disconnection_of])
def test_an_audience_that_only_an_application_can_resolve_is_refused(send: Any) -> None:
    with pytest.raises(TypeError, match="session"):
        send(Audience("session", "17"))


def test_a_code_that_may_not_be_sent_is_refused() -> None:
    with pytest.raises(ValueError, match="1006"):
        disconnection_of(user(7), 1006)
