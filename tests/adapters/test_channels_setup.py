"""What a Django project is told about its set-up: by `manage.py check`, and when a server starts."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.adapters.serving import ROOT
from tests.interpreter import import_error

Run = Callable[..., tuple[int, str]]

IN_MEMORY = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
OTHER = {"default": {"BACKEND": "tests.adapters.django_project.layer.TcpChannelLayer", "CONFIG": {"port": 1}}}


def run(*arguments: str, path: str = "", workers: str = "", **settings: Any) -> tuple[int, str]:
    """Run Python with the settings of the project and some others; return the exit code and what it prints."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([*sys.path[1:], path]),
            "DJANGO_SETTINGS_MODULE": "tests.adapters.django_project.settings_site",
            "TEST_SETTINGS": json.dumps(settings),
            "WEB_CONCURRENCY": workers,
        },
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def check(**options: Any) -> tuple[int, str]:
    return run("-m", "django", "check", **options)


def start(**options: Any) -> tuple[int, str]:
    """Import what a server imports."""
    return run("-c", "import tests.adapters.django_project.asgi", **options)


def test_a_good_set_up_is_not_criticised() -> None:
    assert check() == (0, "System check identified no issues (0 silenced).\n")
    assert check(DEBUG=False, CHANNEL_LAYERS=OTHER)[1].startswith("System check identified no issues")
    assert start() == (0, "")


@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        ({"ASGI_APPLICATION": None}, "W002", 'Set ASGI_APPLICATION = "project.asgi.application"'),
        ({"CHANNEL_LAYERS": {}}, "W003", "Configure a layer such as channels_redis.core.RedisChannelLayer"),
        ({"DEBUG": False, "CHANNEL_LAYERS": IN_MEMORY}, "W004", "with several workers events get lost"),
        ({"workers": "4", "CHANNEL_LAYERS": IN_MEMORY}, "W004", "with several workers events get lost"),
        ({"DEBUG": False, "CHANNEL_LAYERS": OTHER, "WSPROTO": {"THREAD_SENSITIVE": True}}, "W001", "only for tests"),
    ],
)
def test_a_doubtful_set_up_is_explained(options: dict[str, Any], code: str, says: str) -> None:
    exit_code, output = check(**options)
    assert exit_code == 0
    assert f"wsproto.{code}" in output
    assert says in output


@pytest.mark.parametrize(
    "options",
    [
        {"CHANNEL_LAYERS": {}, "WSPROTO": {"BACKPLANE": "memory://"}},
        {"DEBUG": False, "CHANNEL_LAYERS": IN_MEMORY, "WSPROTO": {"BACKPLANE": "channels://default"}},
    ],
)
def test_whoever_chooses_is_not_asked_again(options: dict[str, Any]) -> None:
    assert "no issues" in check(**options)[1]


WRONG: list[tuple[object, str]] = [
    ({"REQUIRE_IDS": "yes"}, "WSPROTO: require_ids must be True or False, not 'yes'."),
    ({"REQUIRE_ID": True}, "WSPROTO: there is no setting 'REQUIRE_ID'. Did you mean 'REQUIRE_IDS'?"),
    ({"require_ids": True}, "WSPROTO: there is no setting 'require_ids'. Did you mean 'REQUIRE_IDS'?"),
    ({"COLOUR": 1}, "There are: THREAD_SENSITIVE, REGISTRY, PROBLEM_TYPE_BASE_URL"),
    (["REQUIRE_IDS"], "WSPROTO must be a dict, not list."),
    ({"THREAD_SENSITIVE": 1}, "WSPROTO: THREAD_SENSITIVE must be True or False, not 1."),
    ({"LIMITS": {"MAX_CONECTIONS": 1}}, "WSPROTO: LIMITS: there is no limit 'MAX_CONECTIONS'. Did you mean 'MAX_CON"),
    ({"LIMITS": {"MAX_CONNECTIONS": 0}}, "Limits.max_connections must be above 0"),
    ({"LIMITS": 5}, "WSPROTO: limits must be a Limits(...), not int."),
    ({"AUTHENTICATE": "nowhere.at_all"}, "WSPROTO: AUTHENTICATE: 'nowhere.at_all' cannot be imported"),
    ({"ON_CONNECT": 5}, "WSPROTO: on_connect must be a function or None, not int."),
    ({"REGISTRY": "os.path"}, "WSPROTO: registry must be a Registry, not module."),
    ({"BACKPLANE": "channels://other"}, "WSPROTO: BACKPLANE: there is no channel layer 'other' in CHANNEL_LAYERS."),
    ({"BACKPLANE": "rabbit://host"}, "WSPROTO: backplane: the scheme 'rabbit' is unknown"),
    ({"BACKPLANE": "os.sep"}, "WSPROTO: backplane: that is no URL"),
]
TRY_ALL = """
import django, json, sys
django.setup()
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings
from wsproto_channels import WebSocketConsumer
told = []
for wrong in json.loads(sys.argv[1]):
    with override_settings(WSPROTO=wrong):
        found = [(each.id, each.msg) for each in run_checks() if each.id == "wsproto.E001"]
        try:
            WebSocketConsumer.as_asgi()
        except ImproperlyConfigured as error:
            found.append(("start", str(error)))
        told.append(found)
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def told() -> list[list[list[str]]]:
    """What each of the wrong settings is answered with, by the check and when a socket is mounted."""
    exit_code, output = run("-c", TRY_ALL, json.dumps([settings for settings, _ in WRONG]))
    assert exit_code == 0, output
    return list(json.loads(output))


@pytest.mark.parametrize("number", range(len(WRONG)), ids=lambda number: str(WRONG[number][0]))
def test_wrong_settings_are_told_by_the_check_and_where_a_socket_is_mounted(
    told: list[list[list[str]]], number: int
) -> None:
    assert [where for where, _ in told[number]] == ["wsproto.E001", "start"]
    for _, message in told[number]:
        assert WRONG[number][1] in message


def test_wrong_settings_fail_the_check_and_the_start_of_a_server() -> None:
    exit_code, output = check(WSPROTO={"REQUIRE_ID": True})
    assert exit_code == 1
    assert "wsproto.E001" in output
    assert "Traceback" not in output
    exit_code, output = start(WSPROTO={"REQUIRE_ID": True})
    assert exit_code == 1
    assert output.splitlines()[-1].startswith("django.core.exceptions.ImproperlyConfigured: WSPROTO")


def test_they_are_told_too_where_the_routing_is_imported_before_django_is_set_up() -> None:
    program = "import wsproto_channels.routing, django; django.setup()"
    exit_code, output = run("-c", program, WSPROTO={"REQUIRE_ID": True})
    assert exit_code == 1
    assert "Did you mean 'REQUIRE_IDS'?" in output.splitlines()[-1]
    assert run("-c", program) == (0, "")


GOOD = """
import django; django.setup()
from wsproto_channels import ChannelLayerBackplane, get_hub
hub = get_hub()
assert hub is get_hub()
print(hub.limits.max_connections, hub.settings.backplane if isinstance(hub.settings.backplane, str)
    else (type(hub.settings.backplane).__name__, hub.settings.backplane.alias))
"""


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({}, "10000 ('ChannelLayerBackplane', 'default')"),
        ({"CHANNEL_LAYERS": {}}, "10000 memory://"),
        ({"WSPROTO": {"BACKPLANE": "memory://", "LIMITS": {"MAX_CONNECTIONS": 7}}}, "7 memory://"),
        (
            {"WSPROTO": {"BACKPLANE": "wsproto_channels.ChannelLayerBackplane"}},
            "10000 ('ChannelLayerBackplane', 'default')",
        ),
        (
            {
                "CHANNEL_LAYERS": {**IN_MEMORY, "events": IN_MEMORY["default"]},
                "WSPROTO": {"BACKPLANE": "channels://events"},
            },
            "10000 ('ChannelLayerBackplane', 'events')",
        ),
    ],
)
def test_the_hub_is_made_of_the_settings(settings: dict[str, Any], says: str) -> None:
    assert run("-c", GOOD, **settings) == (0, f"{says}\n")


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A Django application of its own."""
    folder = tmp_path / "shop"
    (folder / "ws").mkdir(parents=True)
    for each in (folder, folder / "ws"):
        (each / "__init__.py").touch()
    return folder


APPS = ["django.contrib.auth", "django.contrib.contenttypes", "wsproto_channels", "shop"]
ACTIONS = """
from wsproto_core import action

@action("{name}")
async def handler() -> None: ...
"""
MODULES = ["actions", "events", "recipients", "ws/actions", "ws/events", "ws/recipients"]
NAMES = """
import django; django.setup()
from wsproto_core import default_registry
print(sorted(name for name in default_registry.actions if name.startswith("shop/")))
"""


def test_what_installed_applications_declare_is_found(shop: Path) -> None:
    for module in MODULES:
        (shop / f"{module}.py").write_text(ACTIONS.format(name=f"shop/{module}"))
    (shop / "other.py").write_text("raise AssertionError('nobody asked for this module')")
    exit_code, output = run("-c", NAMES, path=str(shop.parent), INSTALLED_APPS=APPS)
    assert exit_code == 0, output
    assert output == str([f"shop/{module}" for module in MODULES]) + "\n"


def test_autodiscovery_can_be_switched_off_or_told_where(shop: Path) -> None:
    (shop / "actions.py").write_text(ACTIONS.format(name="shop/actions"))
    (shop / "sockets.py").write_text(ACTIONS.format(name="shop/sockets"))
    options: dict[str, Any] = {"path": str(shop.parent), "INSTALLED_APPS": APPS}
    assert run("-c", NAMES, WSPROTO={"AUTODISCOVER": False}, **options) == (0, "[]\n")
    assert run("-c", NAMES, WSPROTO={"AUTODISCOVER_MODULES": ["sockets"]}, **options) == (0, "['shop/sockets']\n")
    modules = {"AUTODISCOVER_MODULES": [], "AUTODISCOVER_PACKAGES": ["shop.sockets"]}
    assert run("-c", NAMES, WSPROTO=modules, **options) == (0, "['shop/sockets']\n")


def test_a_module_that_fails_to_import_fails_the_start(shop: Path) -> None:
    (shop / "actions.py").write_text("import no_such_module")
    exit_code, output = run("-c", NAMES, path=str(shop.parent), INSTALLED_APPS=APPS)
    assert exit_code == 1
    assert output.splitlines()[-1] == "ModuleNotFoundError: No module named 'no_such_module'"


def test_users_of_another_kind_do_without_django_s(shop: Path) -> None:
    program = (
        "import django; django.setup(); from wsproto_channels.authentication import _Nobody; user = _Nobody();"
        "print(user.is_authenticated, user.is_anonymous, user.pk)"
    )
    options: dict[str, Any] = {"path": str(shop.parent), "INSTALLED_APPS": ["wsproto_channels"]}
    assert run("-c", program, **options) == (0, "False True None\n")


@pytest.mark.parametrize("without", ["channels", "django"])
def test_without_its_frameworks_it_names_the_extra(without: str) -> None:
    assert import_error("wsproto_channels", without=without) == (
        "wsproto_channels needs Django and Channels, which are not installed: pip install 'wsproto-core[channels]'."
    )
