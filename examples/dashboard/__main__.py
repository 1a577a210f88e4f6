"""Serve the dashboard: ``python -m examples.dashboard``. INTERVAL says how many seconds are between two values."""

from examples.dashboard.app import app
from examples.starting import listen, serve


def main() -> None:
    listening, url = listen()
    print(f"Dashboard: {url} (Ctrl+C stops it)", flush=True)
    serve(app, listening)


if __name__ == "__main__":
    main()
