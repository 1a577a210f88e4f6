import hashlib
import hmac

import pytest

from wsproto_core import ConfigurationError
from wsproto_core.signing import Signer

KEY, OTHER = "k" * 16, b"o" * 32


def test_what_is_signed_is_opened() -> None:
    signed = Signer(KEY).sign("room/a", b'{"v":1}')
    assert Signer(KEY.encode()).open("room/a", signed) == b'{"v":1}'


def test_the_signature_is_what_the_documentation_says() -> None:
    digest = hmac.new(KEY.encode(), b"room/a\0hi", hashlib.sha256).hexdigest()
    assert Signer(KEY).sign("room/a", b"hi") == f"hs256.{digest}.hi".encode()


def test_without_a_key_everything_passes() -> None:
    assert Signer().sign("a", b"hi") == Signer().open("a", b"hi") == b"hi"


def test_a_key_can_be_changed_while_processes_run() -> None:
    old, new = Signer([KEY, OTHER]), Signer([OTHER, KEY])
    for speaker, listener in ((old, new), (new, old), (new, Signer(OTHER))):
        assert listener.open("a", speaker.sign("a", b"hi")) == b"hi"


@pytest.mark.parametrize(
    ("topic", "message"),
    [
        ("room/b", Signer(KEY).sign("room/a", b"hi")),
        ("room/a", Signer(OTHER).sign("room/a", b"hi")),
        ("room/a", Signer(KEY).sign("room/a", b"hi") + b"!"),
        ("room/a", b"hi"),
        ("room/a", b""),
        ("room/a", b"hs256."),
        ("room/a", b"hs256." + b"0" * 64),
        ("room/a", b"hs256." + b"\xff" * 64 + b".hi"),
    ],
    ids=["topic", "key", "message", "unsigned", "empty", "prefix", "cut", "no digits"],
)
def test_what_was_signed_otherwise_or_not_at_all_is_refused(topic: str, message: bytes) -> None:
    with pytest.raises(ValueError, match="sign"):
        Signer(KEY).open(topic, message)


@pytest.mark.parametrize("keys", ["", "short", b"", [], [KEY, "short"], 5, [KEY, 5]], ids=range(7))
def test_a_key_that_is_none_is_refused_and_not_shown(keys: object) -> None:
    with pytest.raises(ConfigurationError, match="signing_key") as refusal:
        Signer(keys)  # type: ignore[arg-type]
    assert "short" not in str(refusal.value)
