import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsproto_core.closing import CloseCode, check_close_code, close_reason, is_sendable_close_code

# Protocol section 11: whether a client comes back after each code.
RECONNECT = {
    1000: False,
    1001: True,
    1002: False,
    1003: False,
    1005: False,
    1006: True,
    1007: False,
    1008: False,
    1009: False,
    1011: True,
    1012: True,
    1013: True,
    3000: False,
    3003: False,
    3008: True,
}


def test_every_close_code_says_whether_to_come_back() -> None:
    assert {int(code): code.reconnect for code in CloseCode} == RECONNECT


@pytest.mark.parametrize("code", [1000, 1001, 1003, 1007, 1014, 3000, 3008, 4000, 4999])
def test_what_a_close_frame_may_carry_can_be_sent(code: int) -> None:
    assert is_sendable_close_code(code)
    check_close_code(code)


@pytest.mark.parametrize("code", [-1, 0, 999, 1004, 1005, 1006, 1015, 1016, 2000, 2999, 5000, 65_536])
def test_what_it_may_not_carry_is_refused_with_what_it_may(code: int) -> None:
    assert not is_sendable_close_code(code)
    with pytest.raises(ValueError, match=f"^{code} cannot be sent as a close code; use 1000 or 3000 to 4999"):
        check_close_code(code)


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("", ""),
        ("a" * 123, "a" * 123),
        ("a" * 124, "a" * 123),
        ("ż" * 62, "ż" * 61),  # two bytes each; a half one is no text
        ("a" + "🙂" * 31, "a" + "🙂" * 30),
        ("lone \ud800", "lone ?"),
    ],
)
def test_a_reason_is_cut_between_characters_at_123_bytes(text: str, cut: str) -> None:
    assert close_reason(text) == cut


@given(st.text(st.characters(exclude_categories=[])))
def test_whatever_the_reason_it_fits_into_a_close_frame(text: str) -> None:
    reason = close_reason(text)
    assert len(reason.encode()) <= 123
    assert text.encode("utf-8", "replace").decode().startswith(reason)
