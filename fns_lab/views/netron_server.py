"""Serve Netron's page with a model, on this machine or through the server of a notebook.

Netron's Python package contains its web page. It is served without the parts that a local viewer does not need: the
usage report, the prompt to allow cookies, for which it asks a server where the reader is, and the notice that blocks an
old version. A content security policy keeps the page from asking any other server.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import json
import mimetypes
import os
import re
import secrets
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit
from urllib.request import ProxyHandler, Request, build_opener

from onnx import ModelProto

from fns_lab import weights
from fns_lab.errors import InputError, MissingError

ANSWER_S = 5
"""Time that the notebook's server has to answer, in seconds."""


@dataclass(frozen=True)
class Server:
    """A server of Netron with one model at `url`, until `close` or the end of the process.

    `url` is an address on this machine, or, if `is_proxied`, a path on the server of the notebook.
    """

    url: str
    _http: ThreadingHTTPServer
    is_proxied: bool = False

    def close(self) -> None:
        """End the server."""
        self._http.shutdown()
        self._http.server_close()


def serve(model: ModelProto, port: int = 0, *, in_notebook: bool = False) -> Server:
    """Serve Netron with `model` on localhost and return the server; port 0 means any free port.

    `in_notebook`: its `url` is a path on the server of the notebook that calls this, if that has jupyter-server-proxy.

    The address holds a secret word, and a request must name this machine as its host: so neither another user nor a web
    page whose name was made to lead here can read the model. A proxy passes on the host that the reader knows, so there
    the secret word protects alone, and only who may use the notebook reaches it. Raises `InputError` for a port in use.
    """
    content, token = weights.inside(model).SerializeToString(), secrets.token_urlsafe(16)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            is_allowed = self.path.startswith(f"/{token}/") and (path or self.headers.get("Host") in hosts)
            file = served_file(self.path.removeprefix(f"/{token}"), content) if is_allowed else None
            self.send_response(200 if file else 404)
            body, content_type = file or (b"", "text/plain")
            self.send_header("X-Content-Type-Options", "nosniff")
            self.send_header("Referrer-Policy", "no-referrer")
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    path = None
    try:
        http = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    except OSError as error:
        raise InputError(f"port {port}: {error.strerror}; give another, or 0 for any free one") from None
    hosts = [f"{name}:{http.server_port}" for name in ("localhost", "127.0.0.1")]
    http.daemon_threads = True
    threading.Thread(target=http.serve_forever, name="netron", daemon=True).start()
    path = _proxied(http.server_port, token) if in_notebook else None
    return Server(path or f"http://localhost:{http.server_port}/{token}/", http, is_proxied=path is not None)


def _proxied(port: int, token: str) -> str | None:
    """Return the path under which the notebook's own server passes requests on to this port, or None if it does not.

    A JupyterHub's server is not asked, since it knows readers by their login: it is taken to have what this Python has.
    """
    path = f"proxy/{port}/{token}/"
    if prefix := os.environ.get("JUPYTERHUB_SERVICE_PREFIX"):
        return prefix + path if importlib.util.find_spec("jupyter_server_proxy") else None
    try:
        from jupyter_core.paths import jupyter_runtime_dir

        file = Path(jupyter_runtime_dir(), f"jpserver-{os.environ['JPY_PARENT_PID']}.json")
        server = json.loads(file.read_text(encoding="utf-8"))
        headers = {"Host": f"localhost:{port}", "Authorization": f"token {server['token']}"}
        request = Request(server["url"] + path, headers=headers)
        with build_opener(ProxyHandler({})).open(request, timeout=ANSWER_S) as answer:
            is_ours = answer.url == request.full_url  # not that of a page to log in
            return server["base_url"] + path if is_ours else None
    except (ImportError, OSError, ValueError, KeyError):
        return None


def _folder() -> Path:
    try:
        import netron
    except ImportError:
        raise MissingError("netron is not installed: run `make setup`, then `fns-lab doctor`") from None
    return Path(netron.__file__).parent


def check_installed() -> None:
    """Raise `MissingError` if Netron is not installed."""
    _folder()


def served_file(url: str, model: bytes) -> tuple[bytes, str] | None:
    """Return content and content type of a file of Netron's page or of the model; None if there is no such file."""
    path = unquote(urlsplit(url).path).lstrip("/") or "index.html"
    if path == "data/model.onnx":
        return model, "application/octet-stream"
    folder = _folder()
    try:
        file = (folder / path).resolve()
        if not file.is_relative_to(folder.resolve()) or not file.is_file() or file.suffix == ".py":
            return None
    except (OSError, ValueError):  # a name that no file can have
        return None
    body = file.read_bytes()
    if path == "index.html":
        body = _local_page(body.decode()).encode()
    content_type = {".js": "text/javascript"}.get(file.suffix) or mimetypes.guess_type(file.name)[0]
    return body, content_type or "application/octet-stream"


def _local_page(page: str) -> str:
    """Return Netron's page changed so that it opens the model, reports no usage (version 0.0.0) and has no date."""
    page = re.sub(r'<meta name="date"[^>]*>', "", page)
    model = '<meta name="version" content="0.0.0"><meta name="file" content="data/model.onnx">'
    page = re.sub(r'<meta name="version"[^>]*>', model, page)
    page = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page)
    digest = base64.b64encode(hashlib.sha256(_FIRST_SCRIPT.encode()).digest()).decode()
    policy = f"default-src 'self' data: blob:; script-src 'self' 'sha256-{digest}'; style-src 'self' 'unsafe-inline'"
    head = f'<meta http-equiv="Content-Security-Policy" content="{policy}"><script>{_FIRST_SCRIPT}</script>'
    return page.replace("<head>", f"<head>{head}", 1)


_FIRST_SCRIPT = """
Object.defineProperty(document, 'cookie', {get: () => 'consent=1', set() {}});
const own = window.eval;
Object.defineProperty(window, 'eval', {get: () => own, set() {}});
"""
"""Keeps no cookie, whatever a browser allows a frame, and the `eval` that the export of the image needs."""
