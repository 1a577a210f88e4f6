"""What is changed in a page on its way from GitHub's Markdown to the site."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator

__all__ = ["REPOSITORY", "navigation", "outside_of_code", "prepare"]

REPOSITORY = "https://github.com/beeflow/wsproto-core/blob/main/"
OTHER_LANGUAGE = re.compile(r"^\[(English|Polski)\]\((\.\./)+(en|pl)/\S+\)\n+", re.MULTILINE)
SECTION = re.compile(r"^## (.+)$")
ENTRY = re.compile(r"^- \[[^\]]+\]\(([\w/-]+)\.md\)")
LINK = re.compile(r"\]\((\.\./[^)\s]+)\)")


def navigation(index: str) -> list[tuple[str, list[str]]]:
    """Return the sections of ``index.md``, each with the pages that its list names. There is no other table."""
    sections: list[tuple[str, list[str]]] = []
    for line in index.splitlines():
        if found := SECTION.match(line):
            sections.append((found[1], []))
        elif sections and (found := ENTRY.match(line)):
            sections[-1][1].append(found[1])
    return [(title, pages) for title, pages in sections if pages]


def prepare(text: str, page: str, language: str, expand: Callable[[str], str]) -> str:
    """Return the text that Sphinx reads.

    The line with the other language goes (each page of the site has a switch), and so do comments; links to files
    outside of the documentation go to the repository; `expand` makes something of the blocks of the reference.
    """
    text = OTHER_LANGUAGE.sub("", text, count=1)

    def outside(part: str) -> str:
        part = re.sub(r"^<!-- .* -->\n", "", part, flags=re.MULTILINE)
        return LINK.sub(lambda found: f"]({_target(found[1], page, language)})", part)

    parts = [expand(part) if is_code else outside(part) for is_code, part in outside_of_code(text)]
    text = "".join(parts)
    if page == "index":
        for title, pages in navigation(text):
            text += "\n".join(["", "```{toctree}", ":hidden:", f":caption: {title}", "", *pages, "```", ""])
    return text


def outside_of_code(text: str) -> Iterator[tuple[bool, str]]:
    """Yield the text in parts, each with whether it is a code block."""
    for part in re.split(r"(^```.*?^```\n)", text, flags=re.MULTILINE | re.DOTALL):
        yield part.startswith("```"), part


def _target(link: str, page: str, language: str) -> str:
    path = posixpath.normpath(posixpath.join("docs", language, posixpath.dirname(page), link))
    if path.startswith(("docs/en/", "docs/pl/", "docs/images/")):
        return link
    return REPOSITORY + path
