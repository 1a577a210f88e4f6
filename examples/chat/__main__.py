"""Serve the chat: ``python -m examples.chat``. The environment variable PORT says where; 0 takes any free port."""

from examples.chat.app import app
from examples.starting import listen, serve


def main() -> None:
    listening, url = listen()
    print(f"Chat: {url} (open it in two windows; Ctrl+C stops it)", flush=True)
    serve(app, listening)


if __name__ == "__main__":
    main()
