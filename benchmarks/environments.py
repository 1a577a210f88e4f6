"""The interpreters and packages that the contestants run with: one virtual environment for each set of pins."""

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts import interpreters

ROOT = Path(__file__).resolve().parent.parent
VENVS = ROOT / ".venvs"
PREFERRED_PYTHONS = ("3.13", "3.14", "3.12")  # beeflow-websocket needs 3.12; a run compares within one interpreter

_COMMON = ("pydantic==2.14.3", "uvicorn==0.54.0", "uvloop==0.23.0", "websockets==17.4")
_FLASK = ("flask==3.1.3", "flask-sock==0.7.0", "gunicorn==27.0.1", "simple-websocket==1.1.0")
PINS = {
    "current": (*_COMMON, *_FLASK, "fastapi==0.163.2", "beeflow-websocket[fastapi,flask]==0.3.0"),
    "channels": (*_COMMON, "channels==4.3.2", "daphne==4.2.3", "django==6.1.3", "beeflow-websocket[django]==0.3.0"),
    "fastws": (*_COMMON, "fastws==0.1.7"),  # it requires fastapi==0.100.0
    "hawkapi": (*_COMMON, "hawkapi-websockets==0.3.0"),
    "backplane": (
        *_COMMON,
        "channels==4.3.2",
        "channels-redis==4.3.0",
        "django==6.1.3",
        "fastapi==0.163.2",
        "fastapi-distributed-websocket==0.2.0",
        "hawkapi-websockets==0.3.0",
        "hiredis==3.5.0",
        "nats-py==2.16.0",
        "python-socketio==5.18.1",
        "redis==8.1.0",
    ),
    "distributed": (*_COMMON, "fastapi==0.163.2", "fastapi-distributed-websocket==0.2.0"),
}


@dataclass(frozen=True)
class Environment:
    """A virtual environment of one contestant or several. The checkout's own packages come from `src/`."""

    name: str

    @property
    def folder(self) -> Path:
        return VENVS / f"bench-{self.name}"

    @property
    def python(self) -> Path:
        return self.folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

    def prepare(self) -> None:
        """Make the environment, unless it is there with these very pins."""
        stamp = self.folder / "pins.txt"
        pins = "\n".join(PINS[self.name])
        if stamp.exists() and stamp.read_text() == pins:
            return
        print(f"making the environment {self.folder.name}", file=sys.stderr)
        _uv("venv", "--clear", "--python", find_python(), str(self.folder))
        _uv("pip", "install", "--python", str(self.python), *PINS[self.name])
        stamp.write_text(pins)

    def command(self, module: str, *arguments: str) -> list[str]:
        return [str(self.python), "-m", module, *arguments]

    @staticmethod
    def variables() -> dict[str, str]:
        """What the processes of an environment are started with."""
        path = os.pathsep.join(str(ROOT / folder) for folder in ("src", "src/adapters"))
        return {**os.environ, "PYTHONPATH": path, "PYTHONWARNINGS": "ignore"}


def prepare(names: Sequence[str]) -> None:
    for name in dict.fromkeys(names):
        Environment(name).prepare()


def find_python() -> str:
    """An interpreter of this machine, in order of preference; else a version that uv may be able to fetch."""
    found = {minor: path for minor, _, path in interpreters.find()}
    return next((found[minor] for minor in PREFERRED_PYTHONS if minor in found), PREFERRED_PYTHONS[0])


def _uv(*arguments: str) -> None:
    subprocess.run(["uv", "--quiet", *arguments], check=True)
