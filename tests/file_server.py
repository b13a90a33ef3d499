"""A web server of a few files on this machine, with the habits and faults of those that downloads meet."""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import NamedTuple

PIECE_BYTES = 2**15


class Asked(NamedTuple):
    """One request: the path, and the headers that matter to a download that goes on."""

    path: str
    range: str | None
    if_range: str | None


class FileServer(ThreadingHTTPServer):
    """Serves `files`; what it does wrong is set on it."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, bytes] = {}
        self.moved: dict[str, str] = {}
        """Path to the path it redirects to."""
        self.asked: list[Asked] = []
        self.sent_bytes = 0
        self.status = 0
        """Answer every request with this one."""
        self.ranges = True
        self.etags = True
        self.heeds_if_range = True
        self.cut_after: int | None = None
        """Drop the connection when this many bytes of a body are sent."""
        self.pause_s = 0.0
        """Wait before every piece."""

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is no news."""


@contextlib.contextmanager
def serving() -> Iterator[FileServer]:
    with FileServer() as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@dataclass
class _Answer:
    status: int
    body: bytes
    headers: dict[str, str]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FileServer

    def do_GET(self) -> None:
        self.server.asked.append(Asked(self.path, self.headers["Range"], self.headers["If-Range"]))
        if self.path in self.server.moved:
            self.send_response(302)
            self.send_header("Location", self.server.moved[self.path])
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if self.server.status or self.path[1:] not in self.server.files:
            self.send_error(self.server.status or 404)
            return
        answer = self._answer(self.server.files[self.path[1:]])
        self.send_response(answer.status)
        for name, value in (answer.headers | {"Content-Length": str(len(answer.body))}).items():
            self.send_header(name, value)
        self.end_headers()
        self._send(answer.body)

    def _answer(self, data: bytes) -> _Answer:
        etag = f'"{hashlib.md5(data).hexdigest()}"'
        headers = {"Content-Type": "text/html"} if self.path.endswith("/") else {}
        headers |= {"ETag": etag} if self.server.etags else {}
        same = not self.server.heeds_if_range or self.headers["If-Range"] in (None, etag)
        if not (self.server.ranges and self.headers["Range"] and same):
            return _Answer(200, data, headers)
        start = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-"))
        if start >= len(data):
            return _Answer(416, b"", headers | {"Content-Range": f"bytes */{len(data)}"})
        place = f"bytes {start}-{len(data) - 1}/{len(data)}"
        return _Answer(206, data[start:], headers | {"Content-Range": place})

    def _send(self, body: bytes) -> None:
        whole, body = body, body[: self.server.cut_after]
        for first in range(0, len(body), PIECE_BYTES):
            time.sleep(self.server.pause_s)
            piece = body[first : first + PIECE_BYTES]
            self.wfile.write(piece)
            self.server.sent_bytes += len(piece)
        self.close_connection = len(body) < len(whole)

    def log_message(self, *args: object) -> None:
        """Quiet: stderr belongs to the command under test."""
