import math
from dataclasses import FrozenInstanceError, fields

import pytest

from wsproto_core import ConfigurationError, Limits

OPTIONAL = {
    "max_connections": 10_000,
    "max_connections_per_user": None,
    "max_message_bytes": 1_048_576,
    "rate": None,
    "heartbeat_interval": None,
    "idle_timeout": None,
    "max_lifetime": None,
    "action_timeout": 30,
    "authentication_timeout": 10,
    "credential_grace": 5,
    "send_timeout": 10,
    "drain_timeout": 10,
}
BOUNDS = {"inbox": 1_024, "inbox_bytes": 1_048_576, "outbox_messages": 1_000, "outbox_bytes": 1_048_576}


def test_the_defaults_suit_a_public_server() -> None:
    limits = Limits()
    defaults = {each.name: getattr(limits, each.name) for each in fields(limits)}
    assert defaults == {**OPTIONAL, **BOUNDS, "slow_consumer": "close"}


@pytest.mark.parametrize("name", OPTIONAL)
def test_none_switches_a_limit_off(name: str) -> None:
    assert getattr(Limits(**{name: None}), name) is None


@pytest.mark.parametrize("name", BOUNDS)
def test_a_queue_is_always_bounded(name: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"Limits\.{name} is a whole number, not None\."):
        Limits(**{name: None})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("action_timeout", 0.5),
        ("send_timeout", 1),
        ("inbox", 1),
        ("idle_timeout", 0.5),
        ("rate", 0.5),
        ("max_connections", 10**400),
    ],
)
def test_a_number_above_0_is_taken(name: str, value: float) -> None:
    assert getattr(Limits(**{name: value}), name) == value


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("max_connections", 0, r"Limits.max_connections must be above 0, not 0; None switches it off\."),
        ("max_connections", 1.5, "whole number, not 1.5; None switches it off"),
        ("max_message_bytes", "1MB", "whole number, not '1MB'"),
        ("inbox", -1, r"Limits.inbox must be above 0, not -1\."),
        ("inbox", True, "whole number, not True"),
        ("action_timeout", 0, "must be above 0, not 0; None"),
        ("action_timeout", math.inf, "must be above 0, not inf; None"),
        ("action_timeout", math.nan, "must be above 0, not nan; None"),
        ("send_timeout", "10", "number of seconds, not '10'; None"),
        ("rate", 0, r"messages per second above 0, .* as in rate=\(10, 20\), not 0; None switches it off"),
        ("rate", "fast", "not 'fast'; None"),
        ("rate", True, "not True; None"),
        ("rate", math.inf, "not inf; None"),
        ("rate", (10,), r"not \(10,\); None"),
        ("rate", (10, 2.5), r"not \(10, 2.5\); None"),
        ("rate", (10, 0), r"not \(10, 0\); None"),
        ("slow_consumer", "drop", "Limits.slow_consumer is one of 'close', 'drop_oldest', 'conflate', not 'drop'"),
        ("slow_consumer", None, "'conflate', not None"),
    ],
)
def test_a_limit_that_makes_no_sense_is_refused_with_its_name(name: str, value: object, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Limits(**{name: value})


def test_a_rate_is_a_number_or_a_pair() -> None:
    assert Limits(rate=5).rate == 5
    assert Limits(rate=(0.5, 20)).rate == (0.5, 20)
    assert Limits(rate=[10, 20]).rate == (10, 20)  # type: ignore[arg-type]


def test_limits_do_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        Limits().inbox = 5
