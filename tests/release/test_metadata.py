"""What a package page shows: the metadata of a wheel that is built for it, and the README."""

import os
import re
import subprocess
import sys
from email import message_from_bytes
from email.message import Message
from pathlib import Path
from zipfile import ZipFile

import pytest
from readme_renderer import markdown
from trove_classifiers import classifiers, deprecated_classifiers

import wsproto_core
from scripts import interpreters

ROOT = Path(__file__).parents[2]
HERE = "https://github.com/beeflow/wsproto-core"


@pytest.fixture(scope="module")
def metadata(tmp_path_factory: pytest.TempPathFactory) -> Message:
    folder = tmp_path_factory.mktemp("dist")
    found = subprocess.run([ROOT / "scripts/ensure-uv.sh"], capture_output=True, text=True, check=True)
    environment = {**os.environ, "UV": found.stdout.strip(), "SOURCE_DATE_EPOCH": "1700000000"}
    words = [sys.executable, str(ROOT / "scripts/build.py"), "--out-dir", str(folder)]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (wheel,) = folder.glob("*.whl")
    with ZipFile(wheel) as archive:
        assert {entry.date_time[0] for entry in archive.infolist()} == {2023}
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        (license_file,) = [name for name in archive.namelist() if name.endswith(".dist-info/licenses/LICENSE")]
        assert archive.read(license_file) == (ROOT / "LICENSE").read_bytes()
        return message_from_bytes(archive.read(name))


def test_the_readme_is_shown_as_it_should_be(metadata: Message) -> None:
    assert metadata["Description-Content-Type"] == "text/markdown"
    text = metadata.get_payload()
    assert isinstance(text, str)
    shown = markdown.render(text)
    assert shown is not None
    assert re.search(r"<h1[^>]*>wsproto-core<", shown)
    assert "&lt;!--" not in shown
    targets = re.findall(r'(?:href|src)="([^"]*)"', shown)
    release = re.escape(f"v{wsproto_core.__version__}")
    of_ours = [match[1] for target in targets if (match := re.match(rf"{HERE}/(?:blob|raw)/{release}/([^#]*)", target))]
    assert "docs/en/quickstart.md" in of_ours
    assert "docs/images/demo.png" in of_ours
    assert [path for path in of_ours if not (ROOT / path).exists()] == []
    assert [target for target in targets if not target.startswith(("https://", "#"))] == []


def test_the_metadata_are_complete(metadata: Message) -> None:
    assert (metadata["Name"], metadata["Version"]) == ("wsproto-core", wsproto_core.__version__)
    assert metadata["Requires-Python"] == f">={interpreters.SUPPORTED[0]}"
    assert (metadata["License-Expression"], metadata["License-File"]) == ("MIT", "LICENSE")
    assert metadata["Metadata-Version"] == "2.4"
    assert metadata["Summary"]
    assert len(metadata["Keywords"].split(",")) > 5
    urls = dict(each.split(", ") for each in metadata.get_all("Project-URL", []))
    assert {"Repository", "Documentation", "Changelog", "Issues", "Security"} <= urls.keys()
    assert [url for url in urls.values() if not url.startswith(HERE)] == []
    inside = [re.sub(rf"^{HERE}/(?:blob|tree)/main/", "", url) for url in urls.values() if "/main/" in url]
    assert [path for path in inside if not (ROOT / path).exists()] == []


def test_the_classifiers_exist_and_name_every_python(metadata: Message) -> None:
    ours = metadata.get_all("Classifier", [])
    assert [each for each in ours if each not in classifiers or each in deprecated_classifiers] == []
    assert not any(each.startswith("License ::") for each in ours), "the licence is an expression"
    pythons = [each.rpartition(" ")[2] for each in ours if re.search(r"Python :: 3\.\d+$", each)]
    assert pythons == list(interpreters.SUPPORTED)
    assert "Typing :: Typed" in ours
