"""What Sphinx is taught: pages as GitHub has them, the reference, the other language, search in Polish."""

from __future__ import annotations

import dataclasses
import posixpath
from typing import Any

from docutils.nodes import Element
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.search import SearchLanguage
from sphinx.util.nodes import make_refnode
from sphinx.util.typing import ExtensionMetadata

from docs.site import polish
from docs.site.pages import prepare
from docs.site.reference import PUBLIC, expand

__all__ = ["SearchPolish", "setup"]

OTHER = {"en": ("pl", "Polski"), "pl": ("en", "English")}


class SearchPolish(SearchLanguage):
    """Polish, as `docs.site.polish` has it."""

    lang = "pl"
    language_name = "Polish"
    stopwords = polish.STOP_WORDS
    js_stemmer_code = polish.STEMMER

    def stem(self, word: str) -> str:
        """Return the beginning that the forms of a word share."""
        return polish.stem(word)


def read_page(app: Sphinx, page: str, source: list[str]) -> None:
    """Prepare a page, when Sphinx has read its file."""
    source[0] = prepare(source[0], page, str(app.config.language), expand)


def add_other_language(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: object) -> None:
    """Tell the templates where the same page is in the other language."""
    other, name = OTHER[str(app.config.language)]
    up = "../" * (page.count("/") + 1)
    context["other_language"] = {"code": other, "name": name, "url": posixpath.join(up, other, f"{page}.html")}


def resolve_where_it_is_defined(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, text: Element
) -> Element | None:
    """Find `wsproto_core.hub.Hub`, as annotations have it, under its public name `wsproto_core.Hub`."""
    package, _, rest = node.get("reftarget", "").partition(".")
    name = rest.rpartition(".")[2]
    if not package.startswith("wsproto_") or not name:
        return None
    domain = env.domains.python_domain
    for module in (module for module in PUBLIC if module.startswith(package)):
        if found := domain.objects.get(f"{module}.{name}"):
            title = f"{module}.{name}"
            return make_refnode(app.builder, node["refdoc"], found.docname, found.node_id, text, title)
    return None


def show_what_factories_make(
    app: Sphinx, what: str, name: str, obj: object, options: object, signature: str | None, returns: str | None
) -> tuple[str | None, str | None] | None:
    """Write `limits: Limits = Limits()` for a default that is ``<factory>`` in the signature of a dataclass."""
    if signature is None or not dataclasses.is_dataclass(obj):
        return None
    for field in dataclasses.fields(obj):
        if field.init and field.default_factory is not dataclasses.MISSING:
            made = getattr(field.default_factory, "__name__", "...")
            signature = signature.replace("<factory>", f"{made}()", 1)
    return signature, returns


def list_options(app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """Make arguments of what is nested below ``options:`` in the arguments of a docstring.

    To napoleon, which comes after this, the nested lines are one paragraph.
    """
    start = next((number for number, line in enumerate(lines) if line.strip() == "options:"), None)
    if start is None:
        return
    indent = len(lines[start]) - len(lines[start].lstrip())
    end = start + 1
    while end < len(lines) and len(lines[end]) - len(lines[end].lstrip()) > indent:
        end += 1
    lines[start:end] = [line[4:] for line in lines[start + 1 : end]]


def setup(app: Sphinx) -> ExtensionMetadata:
    """Connect all of it."""
    app.add_search_language(SearchPolish)
    app.connect("source-read", read_page)
    app.connect("autodoc-process-docstring", list_options, priority=100)  # before napoleon
    app.connect("autodoc-process-signature", show_what_factories_make)
    app.connect("missing-reference", resolve_where_it_is_defined)
    app.connect("html-page-context", add_other_language)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
