"""Build the documentation into ``site/``, both languages, and look at what came out: ``python -m scripts.build_site``.

A warning of Sphinx, a link that leads nowhere, a request to another host, or a public name that the reference lacks
ends it with status 1.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from scripts.check_site import faults_of

__all__ = ["main"]

ROOT = Path(__file__).parents[1]
SITE = ROOT / "site"
LANGUAGES = ("en", "pl")

INDEX = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>wsproto-core</title>
<script>
location.replace(navigator.language.startsWith("pl") ? "pl/index.html" : "en/index.html");
</script>
<p><a href="en/index.html" lang="en">English</a> · <a href="pl/index.html" lang="pl">Polski</a></p>
</html>
"""


def main() -> int:
    """Build, check, and return the exit status."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        compile_messages(folder)
        builds = [start(language, folder) for language in LANGUAGES]
        failed = [language for language, build in zip(LANGUAGES, builds, strict=True) if build.wait()]
    if failed:
        print(f"not built: {', '.join(failed)}", file=sys.stderr)
        return 1
    (SITE / "index.html").write_text(INDEX, encoding="utf-8")
    faults = faults_of(SITE, LANGUAGES)
    print(*faults, sep="\n", end="\n" if faults else "", file=sys.stderr)
    pages = len(list(SITE.glob("**/*.html")))
    print(f"{pages} pages in {SITE.name}/, {len(faults)} faults, {time.monotonic() - began:.0f} s")
    return 1 if faults else 0


def compile_messages(folder: Path) -> None:
    """Translate what the theme has in English only, and what Sphinx says otherwise than we do."""
    for language in LANGUAGES:
        there = folder / "locales" / language / "LC_MESSAGES"
        there.mkdir(parents=True)
        with (ROOT / f"docs/site/{language}.po").open("rb") as source, (there / "sphinx.mo").open("wb") as target:
            write_mo(target, read_po(source, locale=language))


def start(language: str, folder: Path) -> subprocess.Popen[bytes]:
    """Start to build one language, from nothing: what is left of a page that is gone would be found by the search."""
    command = [sys.executable, "-m", "sphinx", "--builder", "html", "--fresh-env", "--write-all", "--quiet"]
    command += ["--fail-on-warning", "--conf-dir", "docs/site", "--doctree-dir", str(folder / language)]
    command += [f"docs/{language}", str(SITE / language)]
    environment = {**os.environ, "SITE_LANGUAGE": language, "SITE_LOCALES": str(folder / "locales")}
    return subprocess.Popen(command, cwd=ROOT, env=environment)


if __name__ == "__main__":
    raise SystemExit(main())
