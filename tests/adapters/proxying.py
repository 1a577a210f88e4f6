"""nginx in front of a server, with the configuration that the documentation shows."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from tests.adapters.serving import PATIENCE, ROOT, Server, reserve_port

FRAME = """
daemon off;
master_process off;
pid {folder}/pid;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
{sites}
}}
"""
# What is left out, or said otherwise, of the location that the documentation shows.
_TRAPS = {
    "no-host": ("        proxy_set_header Host $http_host;\n", ""),
    "no-port": ("Host $http_host;", "Host $host;"),
    "no-scheme": ("        proxy_set_header X-Forwarded-Proto $scheme;\n", ""),
}


class Nginx(Server):
    """nginx in front of a server, below ``/app/``; below ``/no-host/`` and so on with a mistake.

    Attributes:
        port: that it speaks TLS on.
        plain_port: that it speaks plain HTTP on.
    """

    def __init__(self, behind: Server, folder: Path) -> None:
        program = os.environ.get("NGINX") or shutil.which("nginx") or "/usr/sbin/nginx"
        assert Path(program).exists(), "no nginx: install it, or set NGINX=/path/to/it"
        configuration = folder / "nginx.conf"
        super().__init__(
            ["-e", "stderr", "-p", str(folder), "-c", str(configuration)], folder / "nginx.log", {}, program
        )
        self._plain = reserve_port()
        self.plain_port: int = self._plain.getsockname()[1]
        certificate, key = make_certificate(folder)
        shown = _documented()
        location = _found(r"    location /app/ \{\n.*?\n    \}\n", shown)
        traps = ""
        for name, (right, wrong) in _TRAPS.items():
            traps += _replaced(_replaced(location, "/app/", f"/{name}/"), right, wrong)
        site = _replaced(shown, location, location + traps)
        site = _replaced(site, "listen 443 ssl;", f"listen 127.0.0.1:{self.port} ssl;")
        site = _replaced(site, "/etc/ssl/example.com.pem", str(certificate))
        site = _replaced(site, "/etc/ssl/example.com.key", str(key))
        plain = f"server {{\n    listen 127.0.0.1:{self.plain_port};\n{location}}}\n"
        sites = _replaced(site + plain, "http://127.0.0.1:8000/", f"http://127.0.0.1:{behind.port}/")
        configuration.write_text(FRAME.format(folder=folder, sites=sites))

    @property
    def site(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    @property
    def plain_site(self) -> str:
        return f"http://127.0.0.1:{self.plain_port}"

    def url(self, path: str) -> str:
        return f"wss://127.0.0.1:{self.port}{path}"

    def _kill(self) -> None:
        super()._kill()
        self._plain.close()


def _documented() -> str:
    return _found(r"(?<=```nginx\n).*?(?=```)", (ROOT / "docs/en/asgi.md").read_text())


def _found(pattern: str, text: str) -> str:
    found = re.search(pattern, text, re.DOTALL)
    assert found, f"the documentation shows nothing like {pattern}"
    return found[0]


def _replaced(text: str, old: str, new: str) -> str:
    assert old in text, f"the documentation does not say {old!r}"
    return text.replace(old, new)


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """Make a certificate that nobody but ourselves has signed, and its key."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
            *("-keyout", str(key), "-out", str(certificate), "-days", "2"),
            *("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"),
        ],
        check=True,
        capture_output=True,
        timeout=PATIENCE,
    )
    return certificate, key
