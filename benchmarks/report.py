"""The report of a topic: one markdown file, the same text that is printed."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from benchmarks.machine import description

RESULTS = Path(__file__).parent / "results"


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    rule = ["---", *("---:" for _ in columns[1:])]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (columns, rule, *rows))


def publish(
    topic: str, title: str, explanation: str, body: str, versions: Mapping[str, Mapping[str, str]], *, keep: bool
) -> None:
    """Print the report, and if it is a whole one keep it in `results/`."""
    used = "\n".join(f"- {name}: {_listed(found)}" for name, found in versions.items())
    measured = f"\n\nMeasured with ({description()}):\n\n{used}" if versions else ""
    text = f"# {title}\n\n{explanation}\n\n{body}{measured}\n"
    if keep:
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / f"{topic}.md").write_text(text)
    print(text)


def _listed(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())
