"""A stand-in for Hugging Face: what huggingface_hub asks of it, on this machine, with the faults that networks have."""

import base64
import hashlib
import json
import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

import gguf_files as files
from lookhere.hub import download

REPO = "Qwen/Qwen3-VL-2B-Instruct-GGUF"
MODEL, SECOND = "Qwen3VL-2B-Instruct-Q4_K_M.gguf", "Qwen3VL-2B-Instruct-Q8_0.gguf"
PROJECTOR = "mmproj-Qwen3VL-2B-F16.gguf"
LARGE = 2_000
"""Bytes from which a file is in LFS, and so has a sha256."""


def gguf(path, values):
    """The bytes of a GGUF file of some length, unlike every other one."""
    return files.write(path, {**values, "general.note": path.name}).read_bytes() + path.name.encode() * 600


def in_place_of_the_hub(server, monkeypatch):
    """huggingface_hub asks the stand-in from now on, and may."""
    from huggingface_hub import constants

    template = server.url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", server.url)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr("huggingface_hub.file_download.HUGGINGFACE_CO_URL_TEMPLATE", template, raising=False)
    monkeypatch.setattr(download, "PAUSE", 0.01)


@dataclass
class Repository:
    """files: by path. gated, private: who has no token is refused. cut: bytes after which each connection to a file
    breaks. corrupt: what is sent is not what was listed. pause: seconds before each answer with a file."""

    files: dict[str, bytes] = field(default_factory=dict)
    licence: str = "apache-2.0"
    gated: bool = False
    private: bool = False
    cut: int = 0
    corrupt: bool = False
    pause: float = 0.0
    revisions: tuple[str, ...] = ("main",)

    @property
    def commit(self):
        """Of what it holds."""
        return hashlib.sha1("".join(sorted(self.files)).encode()).hexdigest()


class Hub:
    """The server; a context manager. url: its address. asked: every request. served: bytes sent of each file."""

    def __init__(self, cdn=False):
        self.repositories = {}
        self.asked, self.served, self.tokens = [], {}, set()
        self.status = 0
        self._cdn = Hub() if cdn else None
        handler = type("Handler", (_Handler,), {"hub": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def cdn(self):
        """The server that files are redirected to, if there is one."""
        return self._cdn

    def add(self, name, files, **options):
        """A repository; files: bytes by path."""
        self.repositories[name] = Repository(dict(files), **options)
        if self._cdn:
            self._cdn.repositories[name] = self.repositories[name]
        return self.repositories[name]

    def downloads(self):
        """The files that were asked for, in order."""
        return [path for method, path, _ in self.asked if method == "GET" and "/resolve/" in path]

    def __enter__(self):
        self._thread.start()
        if self._cdn:
            self._cdn.__enter__()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()
        if self._cdn:
            self._cdn.__exit__()


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self._answer("HEAD")

    def do_GET(self):
        self._answer("GET")

    def do_POST(self):
        self._answer("POST")

    def _answer(self, method):
        path = unquote(urlsplit(self.path).path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.hub.asked.append((method, path, {key.lower(): value for key, value in self.headers.items()}))
        if self.hub.status:
            self._send(self.hub.status, {})
        elif found := re.fullmatch(r"/api/models/([^/]+/[^/]+?)(?:/revision/([^/]+))?", path):
            self._info(found[1], found[2] or "main")
        elif found := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            self._file(method, found[1], found[2], found[3])
        elif method == "POST":
            self._written(path, body)
        else:
            self._send(404, {})

    def _known(self, name, revision):
        repository = self.hub.repositories.get(name)
        token = self.headers.get("Authorization", "")
        if repository is None or (repository.private and not token):
            return self._fault(404 if token else 401, "RepoNotFound", "Repository not found")
        if revision not in (*repository.revisions, repository.commit):
            return self._fault(404, "RevisionNotFound", "Invalid rev id")
        return repository

    def _info(self, name, revision):
        repository = self._known(name, revision)
        if repository is None:
            return
        siblings = []
        for path, data in sorted(repository.files.items()):
            entry = {"rfilename": path, "size": len(data), "blobId": hashlib.sha1(data).hexdigest()}
            if len(data) >= LARGE:
                entry["lfs"] = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 134}
            siblings.append(entry)
        self._send(200, {
            "_id": "0", "id": name, "modelId": name, "sha": repository.commit, "siblings": siblings, "private": False,
            "gated": "manual" if repository.gated else False, "downloads": 0, "likes": 0,
            "tags": [f"license:{repository.licence}"], "cardData": {"license": repository.licence},
        })  # fmt: skip

    def _file(self, method, name, revision, path):
        repository = self._known(name, revision)
        if repository is None:
            return
        if path not in repository.files:
            self._fault(404, "EntryNotFound", "Entry not found")
            return
        if repository.gated and not self.headers.get("Authorization"):
            self._fault(403, "GatedRepo", "Access to this model is restricted")
            return
        data = repository.files[path]
        digest = hashlib.sha256(data).hexdigest() if len(data) >= LARGE else hashlib.sha1(data).hexdigest()
        headers = {"X-Repo-Commit": repository.commit, "ETag": f'"{digest}"', "Accept-Ranges": "bytes"}
        if self.hub.cdn:
            headers |= {"X-Linked-Etag": f'"{digest}"', "X-Linked-Size": str(len(data))}
            headers["Location"] = f"{self.hub.cdn.url}{self.path}".replace("127.0.0.1", "localhost")  # another host
            self._send(302, b"", headers)
            return
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = int(asked[1]) if asked else 0
        rest = data[start:]
        if asked:
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        self._body(method, path, rest, headers, 206 if asked else 200, repository)

    def _body(self, method, path, rest, headers, status, repository):
        threading.Event().wait(repository.pause if method == "GET" else 0)
        self.send_response(status)
        for key, value in {**headers, "Content-Length": str(len(rest))}.items():
            self.send_header(key, value)
        self.end_headers()
        if method != "GET":
            return
        sent = rest[: repository.cut] if repository.cut else rest
        if repository.corrupt:
            sent = bytes(255 - byte for byte in sent)
        self.wfile.write(sent)
        self.hub.served[path] = self.hub.served.get(path, 0) + len(sent)
        if len(sent) < len(rest):
            self.wfile.flush()
            self.connection.close()
            self.close_connection = True

    def _written(self, path, body):
        """Uploads: repositories are made, and small files committed."""
        if self.headers.get("Authorization", "").removeprefix("Bearer ") not in self.hub.tokens:
            self._fault(403, "", "Forbidden: token without the right to write")
        elif path == "/api/repos/create":
            asked = json.loads(body)
            name = f"{asked['organization']}/{asked['name']}" if asked.get("organization") else asked["name"]
            there = name in self.hub.repositories
            if not there:
                self.hub.add(name, {}, private=bool(asked.get("private")) or asked.get("visibility") == "private")
            self._send(409 if there else 200, {"url": f"{self.hub.url}/{name}", "name": name})
        elif path == "/api/validate-yaml":
            self._send(200, {"errors": [], "warnings": []})
        elif found := re.fullmatch(r"/api/models/([^/]+/[^/]+)/preupload/main", path):
            files = [
                {"path": each["path"], "uploadMode": "regular", "shouldIgnore": False}
                for each in json.loads(body)["files"]
            ]
            self._send(200, {"files": files})
        elif found := re.fullmatch(r"/api/models/([^/]+/[^/]+)/commit/main", path):
            repository = self.hub.repositories[found[1]]
            for line in filter(None, body.splitlines()):
                entry = json.loads(line)
                if entry["key"] == "file":
                    repository.files[entry["value"]["path"]] = base64.b64decode(entry["value"]["content"])
            url = f"{self.hub.url}/{found[1]}/commit/{repository.commit}"
            self._send(200, {"success": True, "commitOid": repository.commit, "commitUrl": url})
        else:
            self._send(404, {})

    def _fault(self, status, code, message):
        self._send(status, {"error": message}, {"X-Error-Code": code, "X-Error-Message": message} if code else {})

    def _send(self, status, body, headers=None):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for key, value in {"Content-Length": str(len(data)), **(headers or {})}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)
