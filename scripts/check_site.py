"""What is wrong with a built site: links and anchors, requests to other hosts, names that the reference lacks."""

from __future__ import annotations

import importlib
import inspect
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from docs.site.reference import PUBLIC

__all__ = ["faults_of"]

# Attributes that make a browser ask for something by itself; `href` of <a> does not.
LOADED = {("script", "src"), ("img", "src"), ("iframe", "src"), ("source", "src"), ("source", "srcset"),
          ("video", "src"), ("object", "data"), ("use", "href"), ("input", "src")}  # fmt: skip
LOADED_LINKS = {"stylesheet", "icon", "shortcut icon", "preload", "prefetch", "preconnect", "dns-prefetch", "manifest"}
IN_STYLES = re.compile(r"(?:url\(|@import)\s*['\"]?\s*(?:https?:)?//", re.IGNORECASE)
IN_SCRIPTS = re.compile(r"(?:fetch|importScripts|import|sendBeacon|Worker|WebSocket)\s*\(\s*['\"`](?:https?:|wss?:)?//")


class Page(HTMLParser):
    """The anchors, links and requests of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take down what a tag says."""
        values = {name: value or "" for name, value in attrs}
        self.anchors |= {values[name] for name in ("id", "name") if name in values}
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        self.loads += [value for name, value in values.items() if (tag, name) in LOADED]
        if tag == "link" and values.get("rel", "").lower() in LOADED_LINKS:
            self.loads.append(values.get("href", ""))


def faults_of(site: Path, languages: Sequence[str]) -> list[str]:
    """Return a sentence for each fault of a built site."""
    pages = {path.resolve(): Page(path) for path in sorted(site.glob("**/*.html"))}
    faults = [f"{path.relative_to(site.resolve())}: {fault}" for path in pages for fault in _of_page(path, pages)]
    for path in sorted(path for path in site.glob("**/*") if path.suffix in {".css", ".html", ".js", ".svg"}):
        # What a page shows in a block of code is no code of its own.
        text = re.sub(r"<pre>.*?</pre>", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        if IN_STYLES.search(text) or (path.suffix in {".html", ".js"} and IN_SCRIPTS.search(text)):
            faults.append(f"{path.relative_to(site)}: asks another host for something")
    for language in languages:
        faults += [f"{language}: {fault}" for fault in _of_reference(site / language, pages)]
    return faults


def _of_page(path: Path, pages: dict[Path, Page]) -> Iterator[str]:
    page = pages[path]
    for link in page.loads:
        address = urlsplit(link)
        if address.netloc or address.scheme not in {"", "data"}:
            yield f"asks another host for {link}"
        elif address.path and not (path.parent / unquote(address.path)).exists():
            yield f"there is no {link}"
    for link in page.links:
        address = urlsplit(link)
        if address.scheme or address.netloc:
            continue
        there = (path.parent / unquote(address.path)).resolve() if address.path else path
        if not there.exists():
            yield f"the link {link} leads nowhere"
        elif there in pages and address.fragment and unquote(address.fragment) not in pages[there].anchors:
            yield f"the link {link} has no such anchor"


def _of_reference(folder: Path, pages: dict[Path, Page]) -> Iterator[str]:
    """Each public name has one place in the reference, where its anchor is."""
    places = Counter(
        anchor
        for path, page in pages.items()
        if path.is_relative_to((folder / "reference").resolve())
        for anchor in page.anchors
    )
    for module in PUBLIC:
        public = importlib.import_module(module)
        for name in public.__all__:
            if not inspect.ismodule(getattr(public, name)) and places[f"{module}.{name}"] != 1:
                yield f"{module}.{name} is {places[f'{module}.{name}']} times in the reference, not once"
