"""Whether this checkout is ready to be released, and what the release is told with.

    release.py check v1.2.3     ends with 1 and says what is missing, or with 0
    release.py notes v1.2.3     prints the entry of the changelog

The version is written in src/wsproto_core/_version.py and nowhere else: the build, the package and this program read it
there, so an archive without git's history has it too. The tag has to say the same.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# As PyPA's version specifiers write it (PEP 440), without epochs, developmental and local releases.
VERSION = r"\d+\.\d+\.\d+(?:(?:a|b|rc)\d+)?(?:\.post\d+)?"
# What pages say until there is a release.
BEFORE_THE_FIRST = re.compile(r"there is no release yet|until the first release|nie ma jeszcze żadnego wydania", re.I)


def version(root: Path = ROOT) -> str:
    """Return the version of the checkout."""
    found = re.search(r'^__version__ = "(.+)"$', _read(root / "src/wsproto_core/_version.py"), re.MULTILINE)
    if found is None:
        sys.exit('src/wsproto_core/_version.py does not say `__version__ = "…"`')
    return found[1]


def entry(wanted: str, root: Path = ROOT) -> tuple[str, str] | None:
    """Return the date and the text of a version's entry in the changelog, or None if there is none."""
    found = re.search(
        rf"^## {re.escape(wanted)} - (\d{{4}}-\d\d-\d\d)\n(.*?)(?=^## |\Z)",
        _read(root / "CHANGELOG.md"),
        re.MULTILINE | re.DOTALL,
    )
    return (found[1], found[2].strip()) if found else None


def faults(tag: str, root: Path = ROOT) -> list[str]:
    """Return what keeps this checkout from being released under the tag, a sentence each."""
    found = []
    ours = version(root)
    if not re.fullmatch(f"v{VERSION}", tag):
        found.append(f"{tag!r} is no tag of a release: it is v and a version, such as v1.2.3 or v1.2.3rc1.")
    elif tag != f"v{ours}":
        found.append(f"The tag {tag} and src/wsproto_core/_version.py ({ours}) disagree: change one of them.")
    told = entry(ours, root)
    if told is None:
        found.append(f"CHANGELOG.md has no entry for it: write `## {ours} - YYYY-MM-DD` above what has changed.")
    elif not re.search(r"^- ", told[1], re.MULTILINE):
        found.append(f"The entry for {ours} in CHANGELOG.md says nothing.")
    unreleased = re.search(r"^## Unreleased\n(.*?)(?=^## |\Z)", _read(root / "CHANGELOG.md"), re.MULTILINE | re.DOTALL)
    if unreleased and unreleased[1].strip():
        found.append(f"CHANGELOG.md still has changes under `## Unreleased`: put them under {ours}.")
    for page in [root / "README.md", root / "SECURITY.md", *sorted((root / "docs").glob("**/*.md"))]:
        if outdated := BEFORE_THE_FIRST.search(_read(page)):
            found.append(f"{page.relative_to(root).as_posix()} still says {outdated[0]!r}.")
    return found


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def main(arguments: list[str]) -> None:
    """Check, or print the notes."""
    match arguments:
        case ["check", tag]:
            if found := faults(tag):
                sys.exit("\n".join([f"not ready to be released as {tag}:", *(f"- {fault}" for fault in found)]))
            print(f"ready to be released as {tag}")
        case ["notes", tag]:
            told = entry(tag.removeprefix("v"))
            print(told[1] if told else sys.exit(f"CHANGELOG.md has no entry for {tag}"))
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
