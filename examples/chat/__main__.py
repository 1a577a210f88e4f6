"""Serve the chat: ``python -m examples.chat``. The environment variable PORT says where; 0 takes any free port."""

import os
import socket
import sys

import uvicorn

from examples.chat.app import app


def main() -> None:
    port = int(os.environ.get("PORT", "8000"))
    try:
        listening = socket.create_server(("127.0.0.1", port))
    except OSError as error:
        sys.exit(f"Port {port} cannot be used ({error.strerror}); choose another: PORT={port + 1}")
    print(f"Chat: http://127.0.0.1:{listening.getsockname()[1]} (open it in two windows; Ctrl+C stops it)", flush=True)
    uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listening])


if __name__ == "__main__":
    main()
