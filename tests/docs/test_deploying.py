"""What the documentation shows of other programs is what these programs take."""

import os
import re
import shutil
import signal
import subprocess
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import yaml

from tests.adapters.hosts import FASTAPI
from tests.adapters.proxying import FRAME
from tests.adapters.serving import PATIENCE, ROOT, Server, reserve_port

PAGE = ROOT / "docs/en/deploying.md"


def blocks(language: str) -> list[str]:
    found = re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert found
    return found


@pytest.mark.browser  # as the other tests that need a program of the system
def test_nginx_takes_its_configuration(tmp_path: Path) -> None:
    program = os.environ.get("NGINX") or shutil.which("nginx") or "/usr/sbin/nginx"
    for number, block in enumerate(blocks("nginx")):
        configuration = tmp_path / f"{number}.conf"
        with reserve_port() as reserved:  # nginx tries to listen, also when it only looks
            site = block.replace("listen 80;", f"listen 127.0.0.1:{reserved.getsockname()[1]};")
            configuration.write_text(FRAME.format(folder=tmp_path, sites=site))
            command = [program, "-t", "-e", "stderr", "-p", str(tmp_path), "-c", str(configuration)]
            done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
        assert done.returncode == 0, done.stderr
        assert "[warn]" not in done.stderr


def test_the_manifest_gives_a_drain_enough_time_and_asks_what_the_application_answers() -> None:
    (manifest,) = [yaml.safe_load(block) for block in blocks("yaml")]
    pod = manifest["spec"]["template"]
    assert manifest["spec"]["selector"]["matchLabels"] == pod["metadata"]["labels"]
    (container,) = pod["spec"]["containers"]
    pause = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    drain = 2 * 10 + 5  # twice Limits.drain_timeout, and five seconds
    assert pod["spec"]["terminationGracePeriodSeconds"] > pause + drain
    python = "".join(blocks("python"))
    for probe in ("livenessProbe", "readinessProbe"):
        get = container[probe]["httpGet"]
        assert f'@app.get("{get["path"]}")' in python
        assert get["port"] == container["ports"][0]["containerPort"]
    subprocess.run(
        [sys.executable, "-m", "uvicorn", *container["command"][1:], "--version"], check=True, timeout=PATIENCE
    )


@pytest.mark.parametrize(
    "command",
    [
        ("-m", "uvicorn", FASTAPI, "--host", "127.0.0.1", "--port", "{port}", "--workers", "2"),
        (
            *("-m", "gunicorn", FASTAPI, "--bind", "127.0.0.1:{port}", "--workers", "2"),
            *("--worker-class", "uvicorn_worker.UvicornWorker"),
        ),
    ],
    ids=["uvicorn", "gunicorn"],
)
async def test_every_worker_tells_its_clients_that_it_restarts(command: tuple[str, ...], tmp_path: Path) -> None:
    with Server(command, tmp_path / "log", {}) as server:
        async with AsyncExitStack() as stack:
            clients = [await stack.enter_async_context(server.connect()) for _ in range(10)]
            for client in clients:
                assert await client.is_served()
            server.signal(signal.SIGTERM)
            ends = [await client.closed() for client in clients]
        assert set(ends) == {(1012, "The server restarts.")}
        assert await server.exit_code() == 0
