"""A stand-in for a package index: one project with one wheel, with the faults that networks have."""

import hashlib
import io
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def wheel(name, version, files, needs=()):
    """The bytes of a wheel. files: bytes by path. needs: packages that it depends on."""
    stem = name.replace("-", "_")
    info = f"{stem}-{version}.dist-info"
    metadata = [
        f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}",
        *(f"Requires-Dist: {each}" for each in needs),
    ]
    held = {
        **files,
        f"{info}/METADATA": "\n".join(metadata).encode() + b"\n",
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},,\n" for path in (*held, f"{info}/RECORD"))
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in {**held, f"{info}/RECORD": record.encode()}.items():
            archive.writestr(path, content)
    return data.getvalue()


class Index:
    """The server; a context manager. data: of the wheel. cut: bytes after which a connection breaks. pause: seconds
    before the wheel is sent. honest: the page states the wheel's sha256. asked: every path. served: bytes of the wheel
    that were sent."""

    def __init__(self, name, version, data):
        self.name, self.data = name, data
        self.file = f"{name.replace('-', '_')}-{version}-py3-none-any.whl"
        self.cut, self.pause, self.honest = 0, 0.0, True
        self.asked, self.served = [], 0
        handler = type("Handler", (_Handler,), {"index": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/simple/"

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    index: Index

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        index = self.index
        index.asked.append(self.path)
        if self.path == f"/simple/{index.name}/":
            stated = f"#sha256={hashlib.sha256(index.data).hexdigest()}" if index.honest else ""
            page = f'<!DOCTYPE html><html><body><a href="/files/{index.file}{stated}">{index.file}</a></body></html>'
            self._send(page.encode(), "text/html")
        elif self.path == f"/files/{index.file}":
            threading.Event().wait(index.pause)
            self._send(index.data, "application/zip", index.cut)
        else:
            self.send_error(404)

    def _send(self, data, kind, cut=0):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command == "GET":
            sent = data[:cut] if cut else data
            self.wfile.write(sent)
            self.index.served += len(sent) if kind == "application/zip" else 0
