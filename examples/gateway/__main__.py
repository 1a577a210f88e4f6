"""The service in a process of its own, and the gateway before it: ``python -m examples.gateway [PORT [BEHIND]]``."""

import os
import signal
import subprocess
import sys

import uvicorn


def main() -> None:
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8000
    behind = int(sys.argv[2]) if len(sys.argv) > 2 else 8001
    os.environ["SERVICE"] = f"ws://127.0.0.1:{behind}/ws/"
    # uvicorn passes the signal on when it is done; by default that would end this process before the service.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    service = subprocess.Popen([sys.executable, "-m", "examples.gateway.service", str(behind)])
    try:
        uvicorn.run("examples.gateway.app:app", port=port)
    finally:
        service.terminate()
        service.wait()


if __name__ == "__main__":
    main()
