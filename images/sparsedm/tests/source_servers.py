"""Servers of the tests of sources, each real: TLS by the ssl module under an authority of the test's own, S3
by moto, and a small one of ours that speaks as much of the hub's HTTP API as reading needs."""

from __future__ import annotations

import datetime
import hashlib
import json
import socket
import socketserver
import ssl
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


@dataclass
class Files:
    """What a server holds, and how it misbehaves."""

    content: dict[str, bytes] = field(default_factory=dict)
    cuts: list[int] = field(default_factory=list)
    """For each of the next answers with a body: bytes after which the connection ends."""
    silence: threading.Event | None = None
    """Until it is set, the next cut is followed by silence; the connection ends after that."""
    trickle: Callable[[], None] | None = None
    """Called before each of the small pieces in which bodies are then sent."""
    refusals: list[tuple[int, dict[str, str], bytes]] = field(default_factory=list)
    """Answers instead of the next ones: status, headers, body."""
    needs: dict[str, str] = field(default_factory=dict)
    """Headers without which a request is answered with 401."""
    challenge: str = ""
    """WWW-Authenticate of a 401."""
    refused_once: set[str] = field(default_factory=set)
    """Paths that are answered with 401 the first time."""
    etags: bool = True
    ranges: bool = True
    redirects: dict[str, str] = field(default_factory=dict)
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    """Path, Range and Authorization of each request."""
    answer: Callable[[str], Any] = lambda path: None
    """JSON for a path, or the code of a hub's 404, before files are looked for."""


TRICKLE_BYTES = 500_000


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    files: Files

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        wanted, range_ = self.path.partition("?")[0], self.headers.get("Range", "")
        self.files.asked.append((wanted, range_, self.headers.get("Authorization", "")))
        if self.files.refusals:
            self._send(*self.files.refusals.pop(0))
        elif wanted in self.files.refused_once or self._lacks_a_header():
            self.files.refused_once.discard(wanted)
            self._send(401, {"WWW-Authenticate": self.files.challenge}, b"")
        elif wanted in self.files.redirects:
            self._send(302, {"Location": self.files.redirects[wanted]}, b"")
        elif isinstance(found := self.files.answer(wanted), str):
            self._send(404, {"X-Error-Code": found}, b"")
        elif found is not None:
            self._send(200, {"Content-Type": "application/json"}, json.dumps(found).encode())
        elif wanted not in self.files.content:
            self._send(404, {}, b"")
        else:
            self._file(self.files.content[wanted], range_)

    def _lacks_a_header(self) -> bool:
        return any(self.headers.get(name) != value for name, value in self.files.needs.items())

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    def do_HEAD(self) -> None:
        self._send(405, {}, b"")

    def _file(self, body: bytes, range_: str) -> None:
        headers = {"ETag": f'"{hashlib.md5(body).hexdigest()}"'} if self.files.etags else {}
        if not range_ or not self.files.ranges:
            self._send(200, headers, body)
            return
        first, _, last = range_.removeprefix("bytes=").partition("-")
        start, end = int(first), min(int(last) + 1 if last else len(body), len(body))
        if start >= len(body):
            self._send(416, {**headers, "Content-Range": f"bytes */{len(body)}"}, b"")
            return
        span = {"Content-Range": f"bytes {start}-{end - 1}/{len(body)}"}
        self._send(206, {**headers, **span}, body[start:end])

    def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        cut = self.files.cuts.pop(0) if len(body) > 1 and status < 300 and self.files.cuts else len(body)
        if self.files.trickle is None:
            self.wfile.write(body[:cut])
        else:
            for start in range(0, cut, TRICKLE_BYTES):
                self.files.trickle()
                self.wfile.write(body[start : min(cut, start + TRICKLE_BYTES)])
        if cut < len(body):
            self.close_connection = True
            silence, self.files.silence = self.files.silence, None
            if silence is not None:
                silence.wait()


@contextmanager
def serving(
    handler: type[BaseHTTPRequestHandler], tls: ssl.SSLContext | None = None, **known: Any
) -> Iterator[str]:
    """Yields "localhost:PORT". `known`: attributes of each handler."""
    server = ThreadingHTTPServer(("localhost", 0), type("Handler", (handler,), known))
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"localhost:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def web_server(files: Files, tls: ssl.SSLContext | None = None) -> AbstractContextManager[str]:
    """Yields "localhost:PORT"."""
    return serving(Handler, tls, files=files)


BEHIND_PROXY = "files.internal"
"""A name that no resolver knows, only the proxy."""


class _Tunnel(socketserver.StreamRequestHandler):
    target: tuple[str, int]
    asked: list[str]

    def handle(self) -> None:
        self.asked.append(self.rfile.readline().decode().strip())
        while self.rfile.readline().strip():
            pass
        with socket.create_connection(self.target) as upstream:
            self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=_copy, args=(upstream, self.connection), daemon=True)
            back.start()
            _copy(self.connection, upstream)
            back.join()


def _copy(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while part := source.recv(65_536):
            sink.sendall(part)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


@contextmanager
def connect_proxy(host: str) -> Iterator[tuple[str, list[str]]]:
    """A proxy that leads every CONNECT to `host`. Yields its URL and the requests that it got."""
    name, _, port = host.partition(":")
    asked: list[str] = []
    handler = type("Tunnel", (_Tunnel,), {"target": (name, int(port)), "asked": asked})
    with socketserver.ThreadingTCPServer(("localhost", 0), handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield f"http://localhost:{server.server_address[1]}", asked
        finally:
            server.shutdown()
            thread.join()


def private_authority(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """An authority's certificate as PEM, and the TLS settings of a server that it signed for, on localhost
    and BEHIND_PROXY."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    def name(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    now = datetime.datetime.now(datetime.UTC)
    key, own = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())

    def certificate(subject: str, public: Any, is_ca: bool) -> x509.Certificate:
        names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.DNSName(BEHIND_PROXY)])
        return (
            x509.CertificateBuilder()
            .subject_name(name(subject))
            .issuer_name(name("test authority"))
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
            .add_extension(names, critical=False)
            .sign(key, hashes.SHA256())
        )

    pem, server = folder / "ca.pem", folder / "server.pem"
    encoding = serialization.Encoding.PEM
    pem.write_bytes(certificate("test authority", key.public_key(), True).public_bytes(encoding))
    server.write_bytes(
        own.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate("localhost", own.public_key(), False).public_bytes(encoding)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(server)
    return pem, context


def hub(repos: dict[str, dict[str, dict[str, bytes]]], branches: dict[str, str]) -> Files:
    """A hub with repositories of commits of files, by "OWNER/REPO", and of what branches stand for. Files
    that end in .safetensors are in LFS, whose digest the hub tells."""
    files = Files()

    def answer(path: str) -> Any:
        parts = path.strip("/").split("/")
        if parts[:2] not in (["api", "models"], ["api", "datasets"]):
            return None
        repo, kind = "/".join(parts[2:4]), parts[4] if len(parts) > 4 else ""
        if repo not in repos:
            return "RepoNotFound"
        commit = branches.get(parts[5], parts[5]) if len(parts) > 5 else branches["main"]
        if commit not in repos[repo]:
            return "RevisionNotFound"
        if kind == "revision" or not kind:
            return {"id": repo, "sha": commit, "siblings": []}
        return [_tree_entry(name, body) for name, body in repos[repo][commit].items()]

    files.answer = answer
    for repo, commits in repos.items():
        for commit, held in commits.items():
            for name, body in held.items():
                for kind in ("", "/datasets"):
                    files.content[f"{kind}/{repo}/resolve/{commit}/{name}"] = body
    return files


def _tree_entry(name: str, body: bytes) -> dict[str, Any]:
    entry = {"type": "file", "path": name, "size": len(body), "oid": hashlib.sha1(body).hexdigest()}
    if name.endswith(".safetensors"):
        digest = hashlib.sha256(body).hexdigest()
        entry["lfs"] = {"oid": digest, "size": len(body), "pointerSize": 134}
    return entry


@contextmanager
def s3_server() -> Iterator[str]:
    """moto's server. Yields its URL."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        url = "http://{}:{}".format(*server.get_host_and_port())
        # All its servers in a process hold the same buckets.
        urllib.request.urlopen(f"{url}/moto-api/reset", b"").close()
        yield url
    finally:
        server.stop()
