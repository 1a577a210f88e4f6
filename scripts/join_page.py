"""Join clients/console into the page that is shipped: ``python -m scripts.join_page``.

Each script is an ES module. In the page they are one: their imports are left out, the files stand in an order in which
whatever is used while the page loads is there, and what they export is simply known to those behind. Comments on lines
of their own and the indentation are left out, since browsers load it; so no text in a script may go over lines.
"""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCES = ROOT / "clients" / "console"
PAGE = ROOT / "src" / "wsproto_core" / "asyncapi" / "page.html"

_IMPORT = re.compile(r'^import \{([^}]*)\} from "\./([\w-]+\.js)";\n', re.MULTILINE)
_EXPORT_LIST = re.compile(r"^export \{[^}]*\};\n", re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:const|let|function|class)\b)", re.MULTILINE)
_COMMENT = re.compile(r"^[ ]*(//[^\n]*|/\*.*?\*/)\n", re.MULTILINE | re.DOTALL)
_INDENTATION = re.compile(r"^[ \n]+", re.MULTILINE)
_NOTE = "/* Made by `python -m scripts.join_page` from clients/console: change it there. */\n"


def join() -> str:
    """Return the page."""
    page = (SOURCES / "page.html").read_text()
    style = _NOTE + _tight((SOURCES / "style.css").read_text())
    script = _NOTE + "\n".join(_inside(name) for name in _order("main.js"))
    for tag, content in (("<style>", style), ('<script type="module">', script)):
        assert page.count(tag) == 1, f"page.html has {tag} once"
        assert "</" not in content, f"what goes into {tag} must not seem to end it"
        page = page.replace(tag, f"{tag}\n{content}")
    return page


def _order(name: str, before: tuple[str, ...] = ()) -> list[str]:
    """Return a module behind all that it imports."""
    assert name not in before, f"{name} imports itself by {' and '.join(before)}"
    found: list[str] = []
    for _, imported in _IMPORT.findall((SOURCES / name).read_text()):
        found += [each for each in _order(imported, (*before, name)) if each not in found]
    return [*found, name]


def _inside(name: str) -> str:
    text = (SOURCES / name).read_text()
    inside = _EXPORT.sub("", _EXPORT_LIST.sub("", _IMPORT.sub("", text)))
    assert not re.search(r"^(import|export)\b", inside, re.MULTILINE), f"{name} imports or exports in another form"
    assert " as " not in "".join(names for names, _ in _IMPORT.findall(text)), f"{name} renames what it imports"
    return _tight(inside)


def _tight(text: str) -> str:
    return _INDENTATION.sub("", _COMMENT.sub("", text)).strip() + "\n"


if __name__ == "__main__":
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(join())
    print(f"{PAGE.relative_to(ROOT)}: {PAGE.stat().st_size:,} bytes")
