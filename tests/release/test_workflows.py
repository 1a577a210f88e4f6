"""The workflows of the repository: what they try, what they may, and that what is published is what was tested."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts import interpreters

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
ADAPTERS = {folder.name.removeprefix("wsproto_") for folder in (ROOT / "src/adapters").glob("wsproto_*")}


def read(name: str) -> dict[str, Any]:
    # BaseLoader leaves `on` and versions what they are: text.
    workflow: dict[str, Any] = yaml.load((ROOT / f".github/workflows/{name}.yml").read_text(), yaml.BaseLoader)
    return workflow


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_and_nothing_is_allowed_that_is_not_named(path: Path) -> None:
    for used, comment in re.findall(r"uses: (\S+)(.*)", path.read_text()):
        if not used.startswith("./"):
            assert re.fullmatch(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}", used), used
            assert re.fullmatch(r" # v\d+\.\d+\.\d+", comment), f"{used}: say which release it is"
    workflow = read(path.stem)
    assert workflow["permissions"] == {}
    for name, job in workflow["jobs"].items():
        assert "permissions" in job, name
        assert "uses" in job or "timeout-minutes" in job, name


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_the_targets_of_make_exist(path: Path) -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert set(re.findall(r"run: make ([a-z-]+)", path.read_text())) <= set(targets)


def test_each_adapter_is_tried_on_each_python_and_with_the_oldest_releases() -> None:
    matrix = read("ci")["jobs"]["adapter"]["strategy"]["matrix"]
    assert set(matrix["adapter"]) == ADAPTERS
    assert matrix["python"] == list(interpreters.SUPPORTED)
    oldest = [(each["adapter"], each["resolution"], each["python"]) for each in matrix["include"]]
    assert sorted(oldest) == sorted((name, "lowest-direct", interpreters.SUPPORTED[0]) for name in ADAPTERS)
    assert read("ci")["jobs"]["core"]["strategy"]["matrix"]["python"] == list(interpreters.SUPPORTED)


def test_a_release_publishes_what_was_built_once_and_tested() -> None:
    jobs = read("release")["jobs"]
    text = {name: yaml.dump(job) for name, job in jobs.items()}
    assert [name for name in jobs if "make build" in text[name]] == ["build"]
    assert "make build RELEASE=" in text["build"]
    assert jobs["gate"]["uses"] == "./.github/workflows/ci.yml"
    assert "workflow_call" in read("ci")["on"]
    assert "make test-wheel WHEEL_ARGS=" in text["test"]
    assert "--dist dist" in text["test"]
    assert jobs["test"]["strategy"]["matrix"]["python"] == list(interpreters.SUPPORTED)
    publish = jobs["publish"]
    assert set(publish["needs"]) == {"build", "gate", "test"}
    used = [step.get("uses", "").partition("@")[0] for step in publish["steps"]]
    assert used == ["actions/download-artifact", "actions/attest-build-provenance", "pypa/gh-action-pypi-publish"]


def test_only_the_job_that_publishes_can_prove_who_it_is() -> None:
    workflow = read("release")
    assert workflow["on"] == {"push": {"tags": ["v[0-9]+.[0-9]+.[0-9]+*"]}}
    jobs = workflow["jobs"]
    assert [name for name, job in jobs.items() if "id-token" in job["permissions"]] == ["publish"]
    assert jobs["publish"]["environment"] == "pypi"
    assert jobs["publish"]["permissions"] == {"id-token": "write", "attestations": "write"}
    writing = [name for name, job in jobs.items() if "write" in job["permissions"].values()]
    assert writing == ["publish", "announce"]
    assert "secrets." not in (ROOT / ".github/workflows/release.yml").read_text(), "there is none to lose"
