"""Servers that outputs are written to, both ours: as much of the JSON API of Google Cloud Storage, and of a
registry's API, as writing needs, with the refusals that the real ones give."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import ssl
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from source_servers import serving


@dataclass
class Held:
    """What a server holds, and how it misbehaves."""

    files: dict[str, tuple[bytes, str]] = field(default_factory=dict)
    """Object, blob or tag: content and version."""
    sessions: dict[str, dict[str, Any]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    cut: list[int] = field(default_factory=list)
    """For each of the next parts: bytes of it that arrive before the connection ends."""
    busy: int = 0
    """So many of the next requests are answered with 503."""
    denied: bool = False
    generation: int = 0


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    held: Held

    def log_message(self, *_: Any) -> None:
        pass

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except ConnectionError:
            self.close_connection = True

    def _begin(self) -> bool:
        split = urlsplit(self.path)
        self.place, self.query = split.path, {k: v[0] for k, v in parse_qs(split.query).items()}
        self.held.asked.append(f"{self.command} {self.place}")
        if self.held.denied:
            self._answer(403, b"")
            return False
        if self.held.busy:
            self.held.busy -= 1
            self._answer(503, b"")
            return False
        return True

    def do_GET(self) -> None:
        if self._begin():
            self.get()

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_POST(self) -> None:
        if self._begin():
            self.post(self._body())

    def do_PUT(self) -> None:
        length = int(self.headers["Content-Length"])
        if length and self.held.cut:
            arrived = self.rfile.read(min(length, self.held.cut.pop(0)))
            self.arrived(arrived)
            self.close_connection = True
        elif self._begin():
            self.put(self._body())

    def do_DELETE(self) -> None:
        if self._begin():
            self.delete()

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


class _Storage(_Handler):
    def get(self) -> None:
        name = self.place.partition("/o/")[2]
        if not name:
            items = [
                self._told(name) for name in sorted(self.held.files) if name.startswith(self.query["prefix"])
            ]
            self._answer(200, json.dumps({"items": items}).encode())
        elif unquote(name) not in self.held.files:
            self._answer(404, b"")
        elif self.query.get("alt") == "media":
            self._answer(200, self.held.files[unquote(name)][0])
        else:
            self._answer(200, json.dumps(self._told(unquote(name))).encode())

    def post(self, body: bytes) -> None:
        name = self.query["name"]
        if self.query["uploadType"] == "resumable":
            session = f"/session/{len(self.held.sessions)}"
            self.held.sessions[session] = {"name": name, "body": b"", **json.loads(body)}
            self._answer(200, b"", Location=f"http://{self.headers['Host']}{session}")
            return
        now = self.held.files.get(name, (b"", "0"))[1]
        if self.query.get("ifGenerationMatch", now) != now:
            self._answer(412, b"")
            return
        self._keep(name, body)

    def put(self, body: bytes) -> None:
        session = self.held.sessions[self.place]
        found = re.fullmatch(r"bytes (?:(\d+)-(\d+)|\*)/(\d+)", self.headers["Content-Range"])
        assert found is not None
        if found[1]:
            assert int(found[1]) == len(session["body"])
            assert len(body) == int(found[2]) - int(found[1]) + 1
            session["body"] += body
        if len(session["body"]) < int(found[3]):
            have = {"Range": f"bytes=0-{len(session['body']) - 1}"} if session["body"] else {}
            self._answer(308, b"", **have)
        elif base64.b64encode(hashlib.md5(session["body"]).digest()).decode() != session["md5Hash"]:
            self._answer(400, b"")
        else:
            self._keep(session["name"], session["body"])

    def arrived(self, part: bytes) -> None:
        self.held.sessions[self.path]["body"] += part

    def delete(self) -> None:
        gone = self.held.files.pop(unquote(self.place.partition("/o/")[2]), None)
        self._answer(404 if gone is None else 204, b"")

    def _keep(self, name: str, body: bytes) -> None:
        self.held.generation += 1
        self.held.files[name] = (body, str(self.held.generation))
        self._answer(200, json.dumps(self._told(name)).encode())

    def _told(self, name: str) -> dict[str, str]:
        body, generation = self.held.files[name]
        return {"name": name, "generation": generation, "size": str(len(body))}


class _Registry(_Handler):
    def get(self) -> None:
        found = self.held.files.get(self.place)
        if found is None:
            self._answer(404, b"")
        else:
            self._answer(200, found[0])

    def post(self, body: bytes) -> None:
        """The place of an upload has a query of its own, as registries may give it."""
        place = self.place.replace("/blobs/uploads/", f"/blobs/uploads/{len(self.held.asked)}")
        self._answer(202, b"", Location=f"{place}?state=x")

    def put(self, body: bytes) -> None:
        digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
        if "/blobs/uploads/" in self.place:
            if self.query != {"state": "x", "digest": digest}:
                self._answer(400, b"")
                return
            self.held.files[f"{self.place.partition('/uploads/')[0]}/{digest}"] = (body, digest)
        else:
            manifest = json.loads(body)
            blobs = self.place.partition("/manifests/")[0] + "/blobs/"
            for layer in [manifest["config"], *manifest["layers"]]:
                if f"{blobs}{layer['digest']}" not in self.held.files:
                    self._answer(404, b"")
                    return
            self.held.files[self.place] = (body, digest)
        self._answer(201, b"")

    def arrived(self, part: bytes) -> None:
        """Of a blob that was cut nothing stays."""


def storage(held: Held) -> Any:
    """Yields "localhost:PORT", without TLS."""
    return serving(_Storage, held=held)


def registry(held: Held, tls: ssl.SSLContext) -> Any:
    """Yields "localhost:PORT"."""
    return serving(_Registry, tls, held=held)
