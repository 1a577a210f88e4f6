"""What is not ready is not released: scripts/release.py, and the build that asks it."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import wsproto_core
from scripts import release

ROOT = Path(__file__).parents[2]
CHANGELOG = """\
# Changelog

## Unreleased

## 1.2.3 - 2026-11-21

### New

- A thing.

## 1.2.2 - 2026-11-01

- Another.
"""


@pytest.fixture
def ready(tmp_path: Path) -> Path:
    """A checkout that is ready to be released as v1.2.3."""
    (tmp_path / "src/wsproto_core").mkdir(parents=True)
    (tmp_path / "docs/en").mkdir(parents=True)
    (tmp_path / "src/wsproto_core/_version.py").write_text('"""Version."""\n\n__version__ = "1.2.3"\n')
    (tmp_path / "CHANGELOG.md").write_text(CHANGELOG)
    for page in ("README.md", "SECURITY.md", "docs/en/quickstart.md"):
        (tmp_path / page).write_text("# wsproto-core\n")
    return tmp_path


def test_what_is_ready_has_no_faults(ready: Path) -> None:
    assert release.faults("v1.2.3", ready) == []


@pytest.mark.parametrize("tag", ["v1.2.4", "v1.2.3rc1", "v1.2.3.post1"])
def test_a_tag_that_is_another_version_is_told(ready: Path, tag: str) -> None:
    (fault,) = release.faults(tag, ready)
    assert tag in fault
    assert "_version.py (1.2.3) disagree" in fault


@pytest.mark.parametrize("tag", ["1.2.3", "v1.2", "v1.2.3-beta", "version", ""])
def test_what_is_no_tag_of_a_release_is_told(ready: Path, tag: str) -> None:
    assert "is no tag of a release" in release.faults(tag, ready)[0]


@pytest.mark.parametrize(
    ("before", "after", "fault"),
    [
        ("## 1.2.3 - 2026-11-21", "## 1.2.1 - 2026-11-21", "has no entry for it"),
        ("## 1.2.3 - 2026-11-21", "## 1.2.3", "has no entry for it"),
        ("- A thing.", "", "says nothing"),
        ("## Unreleased\n", "## Unreleased\n\n- Not told yet.\n", "still has changes under `## Unreleased`"),
    ],
)
def test_a_changelog_that_is_not_ready_is_told(ready: Path, before: str, after: str, fault: str) -> None:
    (ready / "CHANGELOG.md").write_text(CHANGELOG.replace(before, after))
    (found,) = release.faults("v1.2.3", ready)
    assert fault in found


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("README.md", "There is no release yet: until then, …"),
        ("SECURITY.md", "| `main` | yes; until the first release it is what there is |"),
        ("docs/pl/quickstart.md", "Nie ma jeszcze żadnego wydania."),
    ],
)
def test_pages_that_speak_of_a_time_before_releases_are_told(ready: Path, page: str, text: str) -> None:
    (ready / page).parent.mkdir(parents=True, exist_ok=True)
    (ready / page).write_text(text)
    (found,) = release.faults("v1.2.3", ready)
    assert found.startswith(f"{page} still says")


def test_the_pages_of_this_checkout_are_looked_at() -> None:
    """Until there is a release, they say so in words that the check knows."""
    speaks = [page for page in ("README.md", "docs/en/quickstart.md", "docs/pl/quickstart.md") if says_so(page)]
    assert len(speaks) in {0, 3}


def says_so(page: str) -> bool:
    return release.BEFORE_THE_FIRST.search((ROOT / page).read_text(encoding="utf-8")) is not None


def test_the_notes_are_the_entry_of_the_changelog(ready: Path) -> None:
    assert release.entry("1.2.3", ready) == ("2026-11-21", "### New\n\n- A thing.")
    assert release.entry("1.2.2", ready) == ("2026-11-01", "- Another.")
    assert release.entry("1.2", ready) is None


def test_the_version_is_written_once() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert "version" in project["project"]["dynamic"]
    assert "version" not in project["project"]
    assert release.version() == wsproto_core.__version__
    assert re.fullmatch(release.VERSION, release.version())


def test_the_build_refuses_what_is_not_ready(tmp_path: Path) -> None:
    done = run_build("--out-dir", str(tmp_path / "dist"), "--release", "v0.0.0")
    assert done.returncode == 1
    assert "The tag v0.0.0 and src/wsproto_core/_version.py" in done.stderr
    assert not (tmp_path / "dist").exists()


def test_the_build_without_git_asks_for_the_time(tmp_path: Path) -> None:
    (tmp_path / "scripts").mkdir()
    for file in (ROOT / "scripts").glob("*.py"):
        shutil.copy(file, tmp_path / "scripts")
    done = run_build("--out-dir", str(tmp_path / "dist"), root=tmp_path)
    assert done.returncode == 1
    assert "set SOURCE_DATE_EPOCH to the time of the release" in done.stderr


def run_build(*arguments: str, root: Path = ROOT) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "SOURCE_DATE_EPOCH"}
    words = [sys.executable, str(root / "scripts/build.py"), *arguments]
    return subprocess.run(words, env={**environment, "UV": "uv"}, capture_output=True, text=True, check=False)
