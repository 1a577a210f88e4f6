import logging
import threading
from typing import Any

import pytest

from tests.core.peer import hub_of, peer
from wsproto_core import ConnectionInfo, Headers, security_log
from wsproto_core.security_log import SecurityLog

INFO = ConnectionInfo(
    path="/ws/\nforged line",
    query="ticket=SECRET",
    headers=Headers([("Origin", "https://evil.example"), ("Authorization", "Bearer SECRET"), ("Cookie", "s=SECRET")]),
    peer=("203.0.113.7", 4711),
    token="SECRET",
    source="bearer",
)


@pytest.fixture(autouse=True)
def _captured(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="wsproto_core.security")


def test_a_refused_handshake_says_who_where_and_why(caplog: pytest.LogCaptureFixture) -> None:
    SecurityLog().handshake("origin", INFO, "origin refused: %r", "https://evil.example")
    (record,) = caplog.records
    assert record.name == "wsproto_core.security"
    assert record.levelno == logging.WARNING
    assert record.getMessage() == (
        "origin refused: 'https://evil.example' (on '/ws/\\nforged line', from 203.0.113.7:4711)"
    )
    extras: dict[str, Any] = vars(record)
    assert (extras["reason"], extras["origin"], extras["peer"]) == ("origin", "https://evil.example", INFO.peer)
    assert "SECRET" not in repr(extras)


async def test_what_is_refused_to_a_connection_says_which_and_whose(caplog: pytest.LogCaptureFixture) -> None:
    async with peer(hub_of(), user_id="ada") as client:
        SecurityLog().message("forbidden", client.session, "action %r refused", "delete")
        (record,) = caplog.records
        assert record.getMessage() == (f"action 'delete' refused (connection {client.id}, user 'ada', from unknown)")
        extras: dict[str, Any] = vars(record)
        assert (extras["connection_id"], extras["user_id"], extras["reason"]) == (client.id, "ada", "forbidden")


def test_an_attacker_cannot_fill_the_log(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_000.0
    monkeypatch.setattr(security_log, "monotonic", lambda: now)
    log = SecurityLog()

    def flood() -> None:
        for _ in range(1_000):
            log.handshake("origin", INFO, "origin refused")

    threads = [threading.Thread(target=flood) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(caplog.records) == 20
    log.handshake("credential", INFO, "refused: %s", "100%")
    assert len(caplog.records) == 21
    now += 1.0
    log.handshake("origin", INFO, "origin refused")
    assert caplog.records[-1].getMessage().endswith("; 3980 more like it were not logged")
    assert vars(caplog.records[-1])["left_out"] == 3_980
    now += 1.0
    log.handshake("origin", INFO, "origin refused")
    assert "more like it" not in caplog.records[-1].getMessage()
