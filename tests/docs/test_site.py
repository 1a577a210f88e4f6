"""The look at a built site finds what is wrong with it."""

from pathlib import Path

import pytest

from scripts.check_site import faults_of

GOOD = """<!doctype html><link rel="stylesheet" href="style.css"><h1 id="here">Page</h1>
<a href="#here">up</a> <a href="other.html#there">other</a> <a href="https://example.com/">elsewhere</a>"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "index.html").write_text(GOOD)
    (tmp_path / "other.html").write_text('<p id="there">Other</p>')
    (tmp_path / "style.css").write_text("p { background: url(data:image/png;base64,AA) }")
    return tmp_path


def test_a_site_that_is_well_has_no_faults(site: Path) -> None:
    assert faults_of(site, ()) == []


@pytest.mark.parametrize(
    ("mistake", "said"),
    [
        ('<a href="gone.html">x</a>', "leads nowhere"),
        ('<a href="other.html#gone">x</a>', "no such anchor"),
        ('<a href="#gone">x</a>', "no such anchor"),
        ('<img src="gone.png">', "there is no gone.png"),
        ('<img src="https://example.com/a.png">', "another host"),
        ('<script src="//cdn.example.com/a.js"></script>', "another host"),
        ('<link rel="stylesheet" href="https://fonts.example.com/a.css">', "another host"),
        ('<link rel="preconnect" href="https://fonts.example.com">', "another host"),
        ("<script>fetch('https://example.com/count')</script>", "another host"),
        ("<style>@import 'https://example.com/a.css';</style>", "another host"),
    ],
)
def test_a_mistake_is_found(site: Path, mistake: str, said: str) -> None:
    (site / "index.html").write_text(GOOD + mistake)
    (fault,) = faults_of(site, ())
    assert said in fault
    assert "index.html" in fault


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("style.css", "@font-face { src: url('https://fonts.example.com/a.woff2') }"),
        ("style.css", '@import "//example.com/a.css";'),
        ("script.js", 'fetch("https://example.com/count")'),
        ("script.js", "import('https://example.com/a.js')"),
    ],
)
def test_a_file_that_asks_another_host_is_found(site: Path, name: str, text: str) -> None:
    (site / name).write_text(text)
    assert faults_of(site, ()) == [f"{name}: asks another host for something"]


def test_names_that_the_reference_lacks_are_found(site: Path) -> None:
    assert any("wsproto_core.Hub is 0 times" in fault for fault in faults_of(site, ("en",)))
