import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from wsproto_core import Hub, Registry, Settings
from wsproto_core.asyncapi.__main__ import main


class Broken:
    def asyncapi(self) -> dict[str, Any]:
        raise ValueError("out of order")


@pytest.fixture
def module(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A module that has whatever a contract is found in."""
    made = ModuleType("shop_of_a_test")
    hub = Hub(Settings(registry=registry, title="Shop"))

    @registry.action("buy")
    async def buy() -> None: ...

    names: dict[str, Any] = {
        "registry": registry,
        "hub": hub,
        "fastapi": SimpleNamespace(state=SimpleNamespace(wsproto_hub=hub)),
        "flask": SimpleNamespace(extensions={"wsproto_core": hub}),
        "asgi": SimpleNamespace(hub=hub),
        "django": SimpleNamespace(application_mapping={}),
        "broken": Broken(),
        "nothing": 5,
    }
    vars(made).update(names)
    monkeypatch.setitem(sys.modules, "shop_of_a_test", made)
    monkeypatch.setitem(sys.modules, "wsproto_channels.configuration", SimpleNamespace(get_hub=lambda: hub))  # type: ignore[arg-type]
    return made


@pytest.mark.parametrize("name", ["registry", "hub", "fastapi", "flask", "asgi", "django", "asgi.hub"])
def test_a_contract_is_found_in(name: str, module: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([f"shop_of_a_test:{name}"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert "action.buy" in document["operations"]
    assert document["info"]["title"] == ("WebSocket API" if name == "registry" else "Shop")


def test_a_module_alone_stands_for_what_it_registers(module: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["shop_of_a_test"]) == 0
    assert "action.health" in json.loads(capsys.readouterr().out)["operations"]


def test_it_writes_yaml_to_a_file_under_a_title(module: ModuleType, tmp_path: Path) -> None:
    file = tmp_path / "asyncapi.yaml"
    assert main(["shop_of_a_test:hub", "--yaml", "-o", str(file), "--title", "Żółw", "--version", "1.2"]) == 0
    assert file.read_text(encoding="utf-8").startswith('asyncapi: "3.1.0"\ninfo:\n  title: "Żółw"\n  version: "1.2"\n')


@pytest.mark.parametrize(
    ("what", "hint"),
    [
        ("no_such_module:app", "no module 'no_such_module'"),
        ("shop_of_a_test.inner:app", "no module 'shop_of_a_test.inner'"),
        ("shop_of_a_test:no_such", "has no 'no_such'"),
        ("shop_of_a_test:nothing", "name a Registry, a Hub, or an application"),
        ("shop_of_a_test:broken", "No document can be made: ValueError: out of order"),
        (":app", "names no module"),
        ("fails_in_a_test:app", "fails_in_a_test cannot be imported: RuntimeError: no"),
        ("lacks_in_a_test:app", "lacks_in_a_test cannot be imported: No module named 'no_such_library'"),
    ],
)
def test_what_cannot_be_had_is_told(
    what: str, hint: str, module: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    (tmp_path / "fails_in_a_test.py").write_text("raise RuntimeError('no')")
    (tmp_path / "lacks_in_a_test.py").write_text("import no_such_library")
    monkeypatch.syspath_prepend(tmp_path)
    assert main([what]) == 1
    told = capsys.readouterr()
    assert hint in told.err
    assert told.err.count("\n") == 1
    assert told.out == ""


def test_a_file_that_cannot_be_written_is_told(module: ModuleType, tmp_path: Path, capsys: Any) -> None:
    assert main(["shop_of_a_test:hub", "-o", str(tmp_path / "none" / "file")]) == 1
    assert "cannot be written: No such file or directory." in capsys.readouterr().err


def test_a_wrong_command_is_a_wrong_command(capsys: Any) -> None:
    with pytest.raises(SystemExit) as exit_:
        main([])
    assert exit_.value.code == 2
    assert "WHAT" in capsys.readouterr().err
