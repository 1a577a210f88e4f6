"""Builds the sdist and the wheel, so that whoever builds the same commit gets the same bytes.

- Every date inside is that of the last commit. $SOURCE_DATE_EPOCH comes first, and has to be set where there is no git.
- The wheel is built from the sdist, with the build backend of the day that pyproject.toml pins.
- The sdist holds what git knows of, and nothing else; neither of them names a folder of this machine.

With `--release v1.2.3` the version, the tag, the changelog and the documentation have to agree, or nothing is built
(see release.py).
"""

import argparse
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZipFile

ROOT = Path(__file__).resolve().parents[1]
MADE_BY_THE_BUILD = {"PKG-INFO"}


def main() -> None:
    """Build into a folder, which is emptied of older distributions before."""
    parser = argparse.ArgumentParser(description="Build the sdist and the wheel.")
    parser.add_argument("--out-dir", type=Path, default=ROOT / "dist", help="where they go (default: dist)")
    parser.add_argument("--release", metavar="TAG", help="refuse to build what is not ready to be released as this tag")
    options = parser.parse_args()
    if options.release:
        # By its path: this program runs with any Python, from any folder.
        release = Path(__file__).with_name("release.py")
        if subprocess.run([sys.executable, str(release), "check", options.release], check=False).returncode:
            sys.exit(1)
    for file in build(options.out_dir.resolve()):
        print(file)


def build(folder: Path) -> list[Path]:
    """Build into the folder; return the sdist and the wheel, once both have been looked into."""
    uv = os.environ.get("UV") or shutil.which("uv") or sys.exit("uv is missing: make build brings it")
    for old in [*folder.glob("wsproto_core-*.whl"), *folder.glob("wsproto_core-*.tar.gz")]:
        old.unlink()
    words = [uv, "build", "--quiet", "--no-create-gitignore", "--python", sys.executable, "--out-dir", str(folder)]
    environment = {**os.environ, "SOURCE_DATE_EPOCH": epoch(), "UV_PYTHON_DOWNLOADS": "never"}
    if subprocess.run(words, cwd=ROOT, env=environment, check=False).returncode:
        sys.exit("the build failed")
    (sdist,), (wheel,) = folder.glob("wsproto_core-*.tar.gz"), folder.glob("wsproto_core-*.whl")
    check(sdist, wheel)
    return [sdist, wheel]


def epoch() -> str:
    """Return the time of the last commit, in seconds since 1970."""
    if given := os.environ.get("SOURCE_DATE_EPOCH"):
        return given
    found = git("log", "-1", "--format=%ct")
    if found is None:
        sys.exit("this is no clone: set SOURCE_DATE_EPOCH to the time of the release, in seconds since 1970")
    return found.strip()


def git(*arguments: str) -> str | None:
    """Return what git says of the checkout, or None where there is no clone."""
    # Not of a repository around the unpacked sdist.
    environment = {**os.environ, "GIT_CEILING_DIRECTORIES": str(ROOT.parent)}
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        return None
    return done.stdout if done.returncode == 0 else None


def check(sdist: Path, wheel: Path) -> None:
    """End here if one of them holds what it should not."""
    inside = {name.partition("/")[2] for name, _ in members(sdist)}
    # What is not committed yet counts as known, so that work in progress can be built; what git ignores does not.
    known = git("ls-files", "-z", "--cached", "--others", "--exclude-standard")
    if known is not None and (strangers := inside - set(known.split("\0")) - MADE_BY_THE_BUILD):
        sys.exit(f"the sdist holds what git does not know: {sorted(strangers)}")
    here = [f"{folder}/".encode() for folder in (ROOT, Path.home()) if folder != folder.parent]
    for archive in (sdist, wheel):
        for name, content in members(archive):
            if named := [folder.decode() for folder in here if folder in content]:
                sys.exit(f"{name} in {archive.name} names a folder of this machine: {named}")


def members(archive: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the files of an sdist or a wheel with what they hold."""
    if archive.suffix == ".whl":
        with ZipFile(archive) as wheel:
            yield from ((name, wheel.read(name)) for name in wheel.namelist())
        return
    with tarfile.open(archive) as sdist:
        for each in sdist:
            if (opened := sdist.extractfile(each)) is not None:
                yield each.name, opened.read()


if __name__ == "__main__":
    main()
