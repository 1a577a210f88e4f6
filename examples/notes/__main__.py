"""Serve the notes with gunicorn: ``python -m examples.notes``. DATABASE_URL names another database than a file here."""

import os
import sys

from examples.starting import listen

# The settings that matter are explained in docs/en/flask.md.
OPTIONS = ("--worker-class", "gthread", "--threads", "100", "--log-level", "warning")


def main() -> None:
    listening, url = listen()
    listening.set_inheritable(True)
    print(f"Notes: {url} (open it in two windows; Ctrl+C stops it)", flush=True)
    bind = ("--bind", f"fd://{listening.fileno()}")
    os.execv(sys.executable, [sys.executable, "-m", "gunicorn", *OPTIONS, *bind, "examples.notes.app:app"])


if __name__ == "__main__":
    main()
