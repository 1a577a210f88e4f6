import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import RFC_4122, UUID

import pytest

from tests.interpreter import run_python
from wsproto_core.ids import ConnectionIds, MessageIds, canonical_uuid, new_connection_id, new_id, process_of


@pytest.mark.parametrize("make", [new_id, MessageIds(), MessageIds(lambda size: b"\xff" * size)])
def test_an_id_is_a_version_4_uuid_in_lower_case(make: Callable[[], str]) -> None:
    for text in (make() for _ in range(1_000)):
        parsed = UUID(text)
        assert (parsed.version, parsed.variant, str(parsed)) == (4, RFC_4122, text)
        assert canonical_uuid(text) == text


@pytest.mark.parametrize("make", [MessageIds(), new_connection_id])
def test_no_id_is_made_twice_in_whatever_thread(make: Callable[[], str]) -> None:
    with ThreadPoolExecutor(8) as pool:
        batches = list(pool.map(lambda _: [make() for _ in range(1_000)], range(16)))
    assert len({text for batch in batches for text in batch}) == 16_000


def test_message_ids_are_counted_on_from_where_the_source_says() -> None:
    make = MessageIds(lambda size: bytes(range(size)))
    assert [make(), make()] == ["00010203-0405-4607-8809-050586068707", "00010203-0405-4607-8809-050586068708"]


def test_the_counter_has_half_of_its_range_before_it() -> None:
    highest = MessageIds(lambda size: b"\xff" * size)
    assert highest() == "ffffffff-ffff-4fff-bfff-7fffffffffff"


def test_beginning_again_asks_the_source_again() -> None:
    blocks = iter([b"\x00" * 16, b"\x11" * 16])
    make = MessageIds(lambda size: next(blocks)[:size])
    before = make()
    make.begin()
    assert before[:8] == "00000000"
    assert make()[:8] == "11111111"


def test_connection_ids_have_their_process_in_common_and_122_random_bits() -> None:
    ids = [new_connection_id() for _ in range(200)]
    assert len({process_of(each) for each in ids}) == 1
    made = [UUID(each.partition(".")[2]).int for each in ids]
    varying = 0
    for number in made:
        varying |= number ^ made[0]
    assert varying.bit_count() == 122


@pytest.mark.parametrize("given", ["c1", "", "0123456789abcdef", "0123456789abcdef.", f"{'g' * 16}.{UUID(int=0)}"])
def test_an_id_that_the_application_gave_belongs_to_no_process(given: str) -> None:
    assert process_of(given) is None
    assert process_of(f"{new_connection_id()}{given or ' '}") is None


def test_each_process_has_ids_of_its_own() -> None:
    one, other = ConnectionIds(), ConnectionIds()
    assert process_of(one()) == process_of(one()) != process_of(other())
    before = process_of(one())
    one.begin()
    assert process_of(one()) != before


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_forked_process_does_not_repeat_the_ids_of_its_parent() -> None:
    told = run_python(
        "import os\n"
        "from wsproto_core.ids import new_id\n"
        "new_id()\n"
        "reader, writer = os.pipe()\n"
        "if os.fork() == 0:\n"
        "    os.write(writer, new_id()[:23].encode())\n"
        "    os._exit(0)\n"
        "os.wait()\n"
        "print(os.read(reader, 23).decode(), new_id()[:23])\n"
    )
    child, parent = told.split()
    assert child != parent


@pytest.mark.parametrize(
    "text",
    [
        "123e4567-e89b-12d3-a456-426614174000",
        "00000000-0000-0000-0000-000000000000",
        "FFFFFFFF-ffff-FFFF-ffff-aaaaAAAAaaaa",
    ],
)
def test_the_36_character_form_is_read_in_either_case(text: str) -> None:
    assert canonical_uuid(text) == text.lower()


@pytest.mark.parametrize(
    "value",
    [
        "urn:uuid:123e4567-e89b-12d3-a456-426614174000",
        "{123e4567-e89b-12d3-a456-426614174000}",
        "123e4567e89b12d3a456426614174000",
        "123e4567-e89b-12d3-a456-426614174000\n",
        " 123e4567-e89b-12d3-a456-426614174000",
        "123e4567-e89b-12d3-a456-42661417400_",
        "123e4567-e89b-12d3-a456-4266141740\u06600",
        "123e4567-e89b-12d3-a456_426614174000",
        "123e4567-e89b-12d3-a456-42661417400g",
        "",
        UUID("123e4567-e89b-12d3-a456-426614174000"),
        b"123e4567-e89b-12d3-a456-426614174000",
        42,
        None,
    ],
)
def test_nothing_else_is_a_uuid(value: object) -> None:
    assert canonical_uuid(value) is None
