"""Every setting and every limit does what it says: here is which test holds it.

A new one needs a test that shows what it changes. That its values are checked is not enough: test_settings and
test_limits do that for all.
"""

import ast
import re
from dataclasses import fields
from functools import cache
from pathlib import Path

import pytest

from wsproto_core import Limits, Settings

TESTS = Path(__file__).parents[1]

SETTINGS = {
    "registry": "adapters/test_fastapi.py::test_starlette_alone_will_do",
    "problem_type_base_url": "core/test_hub.py::test_a_problem_travels_with_its_type_and_its_place",
    "autodiscover": "core/test_hub.py::test_what_is_to_be_discovered_is_discovered_unless_it_is_switched_off",
    "autodiscover_modules": "core/test_hub.py::test_what_is_discovered_can_be_named",
    "autodiscover_packages": "core/test_hub.py::test_what_is_discovered_can_be_named",
    "backplane": "core/test_fanout.py::test_what_another_hub_emits_is_delivered_here",
    "presence": "core/test_attendance.py::test_where_it_is_off_nobody_can_be_asked",
    "require_ids": "core/test_decoding.py::test_ids_may_be_left_out_where_they_are_not_required",
    "allowed_origins": "core/test_admission.py::test_foreign_pages_are_refused_and_the_log_says_how_to_let_them_in",
    "require_origin": "core/test_admission.py::test_who_is_refused_is_written_down",
    "authenticate": "adapters/test_fastapi.py::test_authenticate_sees_what_the_connection_told",
    "tickets": "core/test_admission.py::test_a_ticket_lets_in_whom_it_was_issued_to_once",
    "query_token": "core/test_admission.py::test_an_application_may_say_which_parameter_has_its_token",
    "authorize_subscribe": "core/test_memberships.py::test_a_client_subscribes_where_the_hook_says_yes_and_ends_it",
    "client_wildcards": "core/test_memberships.py::test_wildcards_need_a_setting_and_have_a_bound",
    "limits": "core/test_admission.py::test_places_are_limited_and_held_from_admission_to_the_end",
    "allow_broadcast": "core/test_fanout.py::test_everyone_is_reached_only_where_that_is_allowed",
    "on_connect": "core/test_hub.py::test_on_connect_may_greet_join_and_keep_state",
    "on_disconnect": "adapters/test_asgi.py::test_the_code_and_the_reason_of_the_client_reach_on_disconnect",
    "install_signal_handlers": "core/test_hub.py::test_the_signals_are_left_alone_where_that_is_wanted",
    "asyncapi_url": "core/test_asyncapi_serving.py::test_the_paths_are_those_of_the_settings",
    "docs_url": "core/test_asyncapi_serving.py::test_the_paths_are_those_of_the_settings",
    "problem_pages_url": "core/test_asyncapi_serving.py::test_problems_have_pages_where_the_application_wants_them",
    "authorize_docs": "core/test_asyncapi_serving.py::test_the_application_may_ask_who_reads",
    "title": "core/test_asyncapi_document.py::test_what_the_settings_say_comes_before_what_the_host_says",
    "version": "core/test_asyncapi_document.py::test_what_the_settings_say_comes_before_what_the_host_says",
    "description": "core/test_asyncapi_document.py::test_what_the_settings_say_comes_before_what_the_host_says",
    "terms_of_service": "core/test_asyncapi_document.py::test_what_the_settings_say_comes_before_what_the_host_says",
    "contact": "core/test_asyncapi_document.py::test_what_the_settings_say_comes_before_what_the_host_says",
    "license": "core/test_asyncapi_document.py::test_what_the_settings_say_comes_before_what_the_host_says",
    "servers": "core/test_asyncapi_channels.py::test_addresses_are_as_they_are_reached_from_outside",
    "sockets": "core/test_asyncapi_contract.py::test_the_settings_may_name_the_sockets",
}

LIMITS = {
    "max_connections": "core/test_admission.py::test_places_are_limited_and_held_from_admission_to_the_end",
    "max_connections_per_user": "core/test_admission.py::test_places_of_a_user_are_limited",
    "max_message_bytes": "core/test_session.py::test_a_message_over_the_limit_gets_its_problem_and_the_close_code",
    "inbox": "core/test_turns.py::test_a_full_inbox_stops_the_reader_until_there_is_room",
    "inbox_bytes": "core/test_turns.py::test_the_inbox_is_bounded_in_bytes_too",
    "outbox_messages": "core/test_outbox.py::test_a_push_into_a_full_outbox_is_refused_and_the_owner_told",
    "outbox_bytes": "core/test_outbox.py::test_the_outbox_is_bounded_in_bytes",
    "slow_consumer": "core/test_session.py::test_what_a_slow_client_never_gets_shows_in_the_numbers_and_is_counted",
    "rate": "core/test_session.py::test_a_client_that_sends_too_much_is_told_when_to_go_on",
    "heartbeat_interval": "core/test_lifetimes.py::test_a_client_is_told_to_speak_before_its_time_is_over",
    "idle_timeout": "adapters/test_rates_and_lifetimes.py::test_a_client_that_speaks_is_not_idle",
    "max_lifetime": "core/test_lifetimes.py::test_every_connection_has_its_age",
    "action_timeout": "core/test_dispatcher.py::test_a_thread_that_takes_too_long_is_ended_at_once_"
    "and_the_next_message_waits_for_it",
    "authentication_timeout": "core/test_session.py::test_who_does_not_authenticate_in_time_is_closed",
    "credential_grace": "core/test_session.py::test_a_credential_that_ends_closes_the_connection",
    "send_timeout": "core/test_outbox.py::test_a_write_that_takes_too_long_is_a_slow_consumer",
    "drain_timeout": "core/test_hub.py::test_a_drain_tells_those_that_do_not_end_in_time",
}


@cache
def sources_of(file: str) -> dict[str, str]:
    """Return the source of the tests of a file by their names, decorators and all."""
    text = (TESTS / file).read_text(encoding="utf-8")
    nodes = [node for node in ast.walk(ast.parse(text)) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
    lines = text.splitlines()
    return {
        node.name: "\n".join(
            lines[min([node.lineno, *(each.lineno for each in node.decorator_list)]) - 1 : node.end_lineno]
        )
        for node in nodes
    }


def test_each_setting_and_each_limit_has_its_test() -> None:
    assert {each.name for each in fields(Settings)} == SETTINGS.keys()
    assert {each.name for each in fields(Limits)} == LIMITS.keys()


@pytest.mark.parametrize(("name", "where"), [*SETTINGS.items(), *LIMITS.items()])
def test_that_test_is_there_and_sets_it(name: str, where: str) -> None:
    file, _, function = where.partition("::")
    found = sources_of(file)
    assert function in found, f"{file} has no {function}"
    assert re.search(rf'\b{name}=|"{name}"|"{name.upper()}"', found[function]), f"{function} does not set {name}"
