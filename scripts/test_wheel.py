"""Tests what users install: builds the distributions and tries them in fresh environments, away from the checkout.

- The wheel holds the import packages of the project, each with its py.typed, and nothing else.
- The wheel that is built from the sdist is the same.
- Installed alone, the wheel works with nothing but its dependencies (tests/wheel/smoke_core.py).
- Installed with [fastapi], the README's application works on a real port (tests/wheel/smoke_fastapi.py).
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from zipfile import ZipFile

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
UV = os.environ.get("UV") or shutil.which("uv") or sys.exit("uv is missing: make test-wheel brings it")


def run(*command: str | Path, cwd: Path) -> None:
    """Run a command outside every environment of ours; end here when it fails."""
    environment = {
        name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV", "PYTHONHOME"}
    }
    words = list(map(str, command))
    if subprocess.run(words, cwd=cwd, env=environment | {"UV_PYTHON_DOWNLOADS": "never"}, check=False).returncode:
        sys.exit(f"failed: {' '.join(words)}")


def build(folder: Path) -> Path:
    """Build the wheel from the checkout, and from the sdist; return it, once both are seen to be the same."""
    run(UV, "build", "--quiet", "--python", sys.executable, "--wheel", "--out-dir", folder / "direct", cwd=ROOT)
    run(UV, "build", "--quiet", "--python", sys.executable, "--out-dir", folder / "by-sdist", cwd=ROOT)
    (direct,) = (folder / "direct").glob("*.whl")
    (by_sdist,) = (folder / "by-sdist").glob("*.whl")
    if contents(direct) != contents(by_sdist):
        sys.exit(f"the wheel from the sdist differs: {sorted(contents(direct).items() ^ contents(by_sdist).items())}")
    return direct


def contents(wheel: Path) -> dict[str, int]:
    """Return the files of a wheel with their checksums."""
    with ZipFile(wheel) as archive:
        return {entry.filename: entry.CRC for entry in archive.infolist()}


def check_contents(wheel: Path) -> None:
    """Compare what the wheel holds with the packages in src/."""
    packages = {"wsproto_core", *(folder.name for folder in (ROOT / "src/adapters").glob("wsproto_*"))}
    files = contents(wheel)
    found = {name.partition("/")[0] for name in files if ".dist-info/" not in name}
    if found != packages:
        sys.exit(f"top-level packages of the wheel: {sorted(found)}, expected {sorted(packages)}")
    if missing := [package for package in packages if f"{package}/py.typed" not in files]:
        sys.exit(f"no py.typed in {missing}")
    print("contents:", ", ".join(sorted(found)), f"({len(files)} files)", flush=True)


def install(folder: Path, *requirements: str) -> Path:
    """Make a fresh environment with the requirements in it; return its Python."""
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    run(UV, "venv", "--quiet", "--python", sys.executable, folder, cwd=folder.parent)
    # The same releases as everywhere else; outside the checkout uv does not see our settings.
    date = PROJECT["tool"]["uv"]["exclude-newer"]
    run(UV, "pip", "install", "--quiet", "--python", python, "--exclude-newer", date, *requirements, cwd=folder.parent)
    return python


def readme_application() -> str:
    """Return the first Python example of the README, which has to define `app`."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    example = re.search(r"^```python\n(.*?)^```$", readme, re.MULTILINE | re.DOTALL)
    if example is None or not re.search(r"^app = ", example[1], re.MULTILINE):
        sys.exit("the first Python example of README.md does not define `app`")
    return example[1]


def main() -> None:
    """Build, look inside, install, try."""
    with tempfile.TemporaryDirectory(prefix="wsproto-wheel-") as name:
        folder = Path(name)
        wheel = build(folder)
        check_contents(wheel)

        # -I: neither the current folder nor PYTHONPATH may lend what the wheel lacks.
        core = install(folder / "core", f"wsproto-core @ {wheel.as_uri()}")
        run(core, "-I", ROOT / "tests/wheel/smoke_core.py", cwd=folder)

        demo = PROJECT["dependency-groups"]["demo"]
        fastapi = install(folder / "fastapi", f"wsproto-core[fastapi] @ {wheel.as_uri()}", *demo)
        (folder / "app.py").write_text(readme_application(), encoding="utf-8")
        run(fastapi, "-I", ROOT / "tests/wheel/smoke_fastapi.py", cwd=folder)


if __name__ == "__main__":
    main()
