"""Start a Redis, a Celery worker and the web server: ``python -m examples.notifications``."""

import os
import sys

from examples.starting import end_by_exception, listen, redis_server, running, serve

WORKER = ("-A", "examples.notifications.tasks", "worker", "--concurrency", "2", "--loglevel", "WARNING")
ALONE = ("--without-gossip", "--without-mingle", "--without-heartbeat")  # there is no other worker


def main() -> None:
    end_by_exception()
    listening, url = listen()
    with redis_server() as path:
        # Jobs are in one database of Redis, events in none: pub/sub stores nothing.
        os.environ["BROKER"] = f"redis+socket://{path}?virtual_host=1"
        os.environ["BACKPLANE"] = f"redis+unix://{path}"
        with running(sys.executable, "-m", "celery", "--quiet", *WORKER, *ALONE):
            from examples.notifications.app import app

            print(f"Notifications: {url} (open it in two windows; Ctrl+C stops it)", flush=True)
            serve(app, listening)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        print()
