"""Attacks on the server: by pages of other sites, by names, bodies, images, addresses. None gets what it wants, each is
told why, and the server goes on."""

import base64
import http.server
import socket
import threading
import time
import zlib

import numpy as np
import pytest

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")

from live_server import asking, data_uri, message, serving
from lookhere.errors import ImageError, OptionError
from lookhere.server.gate import address, body
from lookhere.server.gate.address import Fetcher, is_public
from lookhere.server.settings import DEMO, Settings

TOKEN = "secret-token"
LONG = 60
"""Seconds that a server takes at least."""


@pytest.fixture
def live(model):
    with serving(model, body=2**20, pixels=10_000) as found:
        yield found
        live_still(found)


def live_still(live):
    reply = live.chat()
    assert reply.status == 200, reply.body
    live.until(lambda: live.desk.places.inside == 0)


# who asks


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:80",
        "localhost.evil.example",
        "",
        "[::2]:80",
        "127.0.0.1.evil.example",
        "192.168.1.5",
    ],
)
def test_another_name_that_was_bound_to_loopback(live, host):
    for method, path in (("POST", "/v1/chat/completions"), ("GET", "/v1/models"), ("GET", "/health")):
        reply = live.ask(method, path, asking() if method == "POST" else None, Host=host)
        assert (reply.status, reply.error["code"]) == (403, "wrong_host"), host


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8000", "127.0.0.1:1", "[::1]:80", "localhost."])
def test_names_of_this_machine(live, host):
    assert live.get("/v1/models", Host=host).status == 200


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "https://localhost:9",
        "null",
        "",
        "http://localhost:9",
        "http://localhost.evil.example",
        "file://",
        "http://127.0.0.1@evil.example",
        "chrome-extension://localhost",
    ],
)
def test_a_page_of_another_site(live, origin):
    reply = live.ask("POST", "/v1/chat/completions", asking(), Origin=origin)
    assert (reply.status, reply.error["code"]) == (403, "wrong_origin")
    assert "access-control-allow-origin" not in reply.headers
    asked_first = live.ask("OPTIONS", "/v1/chat/completions", None, Origin=origin)
    assert asked_first.status == 403
    assert live.get("/v1/models", Origin=origin).status == 403


def test_its_own_page(live):
    own = f"http://127.0.0.1:{live.port}"
    assert live.ask("POST", "/v1/chat/completions", asking(), Origin=own).status == 200


@pytest.mark.parametrize(
    "kind",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "", None, "text/plain;application/json"],
)
def test_what_a_form_can_send(live, kind):
    reply = live.ask("POST", "/v1/chat/completions", asking(), Content_Type=kind)
    assert (reply.status, reply.error["code"]) == (415, "wrong_content_type")


def test_a_token(model):
    with serving(model, token=TOKEN) as live:
        for path in ("/v1/models", "/metrics", "/v1/nothing"):
            for given in (None, "Bearer", "Bearer wrong", TOKEN, "Basic " + TOKEN, f"Bearer {TOKEN}x", "Bearer \xe4"):
                reply = live.get(path, Authorization=given)
                assert (reply.status, reply.error["code"]) == (401, "wrong_token"), given
                assert reply.headers["www-authenticate"] == "Bearer"
        assert live.get("/v1/models", Authorization=f"Bearer {TOKEN}").status == 200
        assert live.get("/health").status == 200
        assert live.ask("POST", "/v1/chat/completions", asking()).status == 401


def test_elsewhere_a_token_is_needed():
    for host in ("0.0.0.0", "::", "192.168.1.5", "example.org"):
        with pytest.raises(OptionError, match="token"):
            Settings(host=host)
        assert Settings(host=host, token=TOKEN).known_hosts is None
    for token in ("short", "with a space", "ümläut-token", ""):
        with pytest.raises(OptionError, match="token"):
            Settings(token=token)
    assert Settings(**DEMO).fixed
    assert "demo.example" in Settings(hosts=("demo.example",)).known_hosts


def test_two_hosts(live):
    with socket.create_connection(("127.0.0.1", live.port), 10) as raw:
        raw.sendall(b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n")
        assert b" 400 " in raw.recv(100)


# what is sent


def test_bodies_that_are_too_large(live):
    large = asking(messages=[message("x" * 2**20)])
    reply = live.post("/v1/chat/completions", large)
    assert (reply.status, reply.error["code"]) == (413, "body_too_large")
    with socket.create_connection(("127.0.0.1", live.port), 10) as raw:  # in chunks, without a length
        raw.sendall(
            b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
        )
        for _ in range(20):
            raw.sendall(b"10000\r\n" + b" " * 0x10000 + b"\r\n")
        raw.sendall(b"0\r\n\r\n")
        assert b" 413 " in raw.recv(100)
    reply = live.post("/v1/lookhere/runs/x/look_at", b" " * (2**20 + 1))
    assert reply.status == 413


def test_a_body_that_never_comes(live, monkeypatch):
    monkeypatch.setattr(body, "SECONDS", 0.2)
    with socket.create_connection(("127.0.0.1", live.port), 10) as raw:
        raw.sendall(
            b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Content-Length: 100\r\n\r\n{"
        )
        live.until(lambda: live.desk.places.inside == 1)
        assert b" 408 " in raw.recv(100)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b'"x"',
        b"null",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"messages": NaN}',
        b'{"temperature": Infinity}',
        b"1" * 10_000,
        b'{"seed": ' + b"9" * 5000 + b"}",
    ],
)
def test_bodies_that_are_no_json(live, data):
    for path in ("/v1/chat/completions", "/v1/lookhere/describe"):
        reply = live.post(path, data)
        assert (reply.status, reply.error["type"]) == (400, "invalid_request_error"), reply.body


def test_lone_surrogates_and_odd_names(live):
    reply = live.post("/v1/chat/completions", b'{"messages": [{"role": "user", "content": "\\ud800"}]}')
    assert reply.status == 400
    reply = live.chat(**{"a\r\nSet-Cookie: x": 1, "ü": 2, "n" * 500: 3})
    assert reply.status == 200
    assert "set-cookie" not in reply.headers
    assert reply.headers["x-lookhere-ignored"] == f"a??Set-Cookie??x, {'n' * 64}, ?"
    assert live.chat(**{f"f{k}": k for k in range(5000)}).status == 200


def test_too_much_of_anything(live):
    panel = {"kind": "panel", "row": 1, "col": 1, "rows": 1, "cols": 6}
    corner = [[k % 90, k % 30] for k in range(20_000)]
    for fields in (
        {"lookhere": {"at": [panel] * 300}},
        {"lookhere": {"at": {"kind": "polygon", "corners": corner}}},
        {"lookhere": {"schedule": {"targets": [None] * 300}}},
        {"messages": [{"role": "user", "content": "x"}] * 2001},
        {"messages": [message("x", *[data_uri(np.zeros((4, 4, 3), np.uint8))] * 65)]},
        {"stop": ["x"] * 17},
        {"stop": "x" * 1001},
        {"max_tokens": 4097},
    ):
        reply = live.chat(**fields)
        assert reply.status == 400, reply.body
    reply = live.post("/v1/lookhere/describe", {"image": data_uri(), "at": [panel] * 65})
    assert reply.status == 400


# images


@pytest.fixture
def secret(tmp_path):
    path = tmp_path / "secret.png"
    path.write_bytes(base64.b64decode(data_uri().partition(",")[2]))
    return path


def test_files_of_this_machine(live, secret, monkeypatch):
    monkeypatch.chdir(secret.parent)
    opened = []
    plain = open
    monkeypatch.setattr(
        "builtins.open", lambda file, *more, **options: opened.append(str(file)) or plain(file, *more, **options)
    )
    names = [
        str(secret),
        "secret.png",
        f"file://{secret}",
        f"file://localhost{secret}",
        f"FILE://{secret}",
        "~/x.png",
        f"../{secret.parent.name}/secret.png",
        "/dev/zero",
        "/proc/self/environ",
        f"ftp://localhost{secret}",
        "\\\\server\\share\\x.png",
        "",
        " ",
        f"\n{secret}",
    ]
    for name in names:
        for part in (
            {"type": "image_url", "image_url": {"url": name}},
            {"type": "image_url", "image_url": name},
            {"type": "image", "image": name},
            {"type": "image", "path": name},
            {"type": "image", "url": name},
        ):
            reply = live.chat(messages=[{"role": "user", "content": [part]}])
            assert reply.status == 400, (part, reply.body)
        reply = live.post("/v1/lookhere/describe", {"image": name, "at": [None]})
        assert reply.status == 400
        for at in ({"kind": "mask", "file": name}, f"mask:{name}"):
            assert live.chat(lookhere={"at": at}).status == 400
            assert live.chat(lookhere={"schedule": {"targets": [at]}}).status == 400
            assert live.post("/v1/lookhere/describe", {"image": data_uri(), "at": [at]}).status == 400
        if name:
            assert live.chat(lookhere={"heads": name}).status == 400
    assert not [each for each in opened if "secret" in each or each.startswith(("/dev", "/proc"))]


def test_what_is_no_image(live):
    for uri in (
        "data:",
        "data:,",
        "data:image/png;base64,",
        "data:image/png;base64,!!!!",
        "data:image/png;base64,AAAA",
        data_uri()[:70],
        "data:text/html,<b>",
    ):
        reply = live.chat(messages=[message("?", uri)])
        assert (reply.status, reply.error["code"]) == (400, "invalid_image"), (uri, reply.body)
    for source in (5, None, [], {"a": 1}, True):
        reply = live.chat(messages=[{"role": "user", "content": [{"type": "image", "image": source}]}])
        assert reply.status == 400


def bomb(width, height):
    """A PNG of a few bytes that says it is large."""

    def chunk(kind, data):
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    head = width.to_bytes(4, "big") + height.to_bytes(4, "big") + b"\x08\x02\0\0\0"
    rows = zlib.compress(b"\0" * 1000)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    return "data:image/png;base64," + base64.b64encode(data).decode()


def test_images_that_are_too_large(live, monkeypatch):
    from lookhere.images import decode

    def never(*_args):
        raise AssertionError("it was decoded")

    with monkeypatch.context() as patch:
        patch.setattr(decode, "decoded", never)
        for size in ((101, 100), (13_000, 13_000)):
            reply = live.chat(messages=[message("?", bomb(*size))])
            assert (reply.status, reply.error["code"]) == (413, "too_many_pixels")
            assert live.post("/v1/lookhere/describe", {"image": bomb(*size), "at": [None]}).status == 413
    for size in ((60_000, 60_000), (2**31 - 1, 2**31 - 1)):
        reply = live.chat(messages=[message("?", bomb(*size))])
        assert (reply.status, reply.error["code"]) == (400, "invalid_image")
    small = np.zeros((60, 60, 3), np.uint8)
    assert live.chat(messages=[message("?", *[data_uri(small)] * 2)]).status == 200
    reply = live.chat(messages=[message("?", *[data_uri(small)] * 3)])  # together
    assert (reply.status, reply.error["code"]) == (413, "too_many_pixels")


def test_masks_that_unpack_to_more_than_they_say(live):
    packed = base64.b64encode(zlib.compress(b"\0" * 10**7)).decode()
    for side in (100_000, 101, 3):
        at = {"kind": "mask", "width": side, "height": side, "values": packed}
        assert live.chat(lookhere={"at": at}).status == 400
    assert live.chat(lookhere={"at": {"kind": "mask", "file": bomb(30_000, 30_000)}}).status == 400


def test_masks_that_are_brought_along(live):
    mask = np.zeros((32, 96, 3), np.uint8)
    mask[:, 32:48] = 255
    reply = live.chat(lookhere={"at": {"kind": "mask", "file": data_uri(mask)}})
    assert reply.text.startswith("row 0, column 2")


# addresses


class Site:
    """A web server of strange manners. asked: the paths, and the Host of each. over: nobody waits any more."""

    def __init__(self):
        site = self
        self.asked, self.over = [], threading.Event()

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_args):
                pass

            def do_GET(self):
                site.asked.append((self.path, self.headers["Host"]))
                png = base64.b64decode(data_uri().partition(",")[2])
                name = self.path.partition("?")[0]
                if name.startswith("/to/"):
                    self.send_response(302)
                    self.send_header("Location", self.path.removeprefix("/to/"))
                    self.end_headers()
                elif name == "/loop":
                    self.send_response(302)
                    self.send_header("Location", "/loop")
                    self.end_headers()
                elif name == "/slow":
                    self.send_response(200)
                    self.send_header("Content-Type", "image/png")
                    self.end_headers()
                    try:
                        while not site.over.wait(0.05):
                            self.wfile.write(b"x")
                    except OSError:
                        pass
                elif name == "/silent":
                    site.over.wait(LONG)
                elif name == "/endless":
                    self.send_response(200)
                    self.send_header("Content-Type", "image/png")
                    self.end_headers()
                    try:
                        for _ in range(10_000):
                            self.wfile.write(b"x" * 10_000)
                    except OSError:
                        pass
                else:
                    self.send_response({"/gone.png": 404}.get(name, 200))
                    self.send_header("Content-Type", "text/html" if name == "/page" else "image/png")
                    self.end_headers()
                    self.wfile.write(png)

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def at(self, path, host="img.example"):
        return f"http://{host}:{self.port}{path}"


@pytest.fixture
def site():
    found = Site()
    yield found
    found.over.set()
    found.server.shutdown()
    found.server.server_close()


@pytest.fixture
def fetcher():
    """Names end here, and here is the open internet; but not in.example."""
    names = {"img.example": ["127.0.0.1"], "in.example": ["10.0.0.1"], "both.example": ["127.0.0.1", "10.0.0.1"]}

    def resolve(host, port):
        if host in names:
            return names[host]
        raise OSError("no such name")

    return Fetcher(100_000, public=lambda ip: ip == "127.0.0.1", resolve=resolve)


@pytest.mark.parametrize(
    "ip",
    [
        "127.0.0.1",
        "127.9.9.9",
        "0.0.0.0",
        "10.1.2.3",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.0.1",
        "169.254.169.254",
        "100.64.0.1",
        "224.0.0.1",
        "239.1.1.1",
        "240.0.0.1",
        "255.255.255.255",
        "192.0.2.1",
        "198.18.0.1",
        "192.0.0.8",
        "::",
        "::1",
        "fe80::1",
        "fe80::1%eth0",
        "fc00::1",
        "fd12::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "2002:7f00:1::",
        "2002:a00:1::",
        "64:ff9b::7f00:1",
        "64:ff9b::a00:1",
        "2001:db8::1",
        "fec0::1",
        "::127.0.0.1",
    ],
)
def test_addresses_inside(ip):
    assert not is_public(ip)


@pytest.mark.parametrize("ip", ["8.8.8.8", "93.184.216.34", "172.32.0.1", "2606:4700::1111", "2a00:1450:4001::8a"])
def test_addresses_outside(ip):
    assert is_public(ip)


def test_no_address_is_asked_unless_allowed(live, site):
    for url in (site.at("/x.png", "127.0.0.1"), "HTTP://127.0.0.1/x"):
        reply = live.chat(messages=[message("?", url)])
        assert (reply.status, reply.error["code"]) == (400, "no_addresses")
    assert not site.asked


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::1]", "2130706433", "0x7f.1", "0", "127.1", "[::ffff:127.0.0.1]"]
)
def test_no_address_inside_is_asked(model, site, host):
    with serving(model, allow_url=True) as live:
        reply = live.chat(messages=[message("?", site.at("/x.png", host))])
        assert (reply.status, reply.error["code"]) == (400, "invalid_image"), reply.body
    assert not site.asked


def test_an_image_that_may_be_fetched(model, site, fetcher):
    with serving(model, allow_url=True) as live:
        live.desk._fetcher = fetcher
        reply = live.chat(messages=[message("?", site.at("/x.png?a=b"))], lookhere={"at": "panel:3/6"})
        assert reply.text.startswith("row 0, column 2")
        assert site.asked == [("/x.png?a=b", f"img.example:{site.port}")]
        reply = live.chat(messages=[message("?", site.at("/to//x.png"))])
        assert reply.status == 200


@pytest.mark.parametrize(
    "path",
    [
        "/to/http://in.example/x",
        "/to/http://127.0.0.2/x",
        "/loop",
        "/to/file:///etc/passwd",
        "/to/",
        "/gone.png",
        "/page",
        "/endless",
        "/to/ftp://img.example/x",
        "/to/http://me:pw@img.example/x",
        "/to///in.example/x",
    ],
)
def test_redirects_types_and_sizes(site, fetcher, path):
    with pytest.raises(ImageError):
        fetcher.fetch(site.at(path))
    assert len(site.asked) <= 4


@pytest.mark.parametrize(
    "url",
    [
        "http://in.example/x",
        "http://both.example/x",
        "http://none.example/x",
        "http://",
        "http:///x",
        "http://[::1/x",
        "http://img.example:99999/x",
        "http://img.example:x/",
        "http://me:pw@img.example/x",
        "http://img.example/ x",
        "http://img.example/\r\nHost: x",
        "http://img.example\\@in.example/x",
        "http://ïmg.example/x",
    ],
)
def test_addresses_that_are_none(fetcher, url):
    with pytest.raises(ImageError):
        fetcher.fetch(url)


def test_a_name_is_resolved_once(site):
    """It cannot mean something else once it was checked."""
    answers = iter([["127.0.0.1"], ["10.0.0.1"]])
    found = Fetcher(100_000, public=lambda ip: ip == "127.0.0.1", resolve=lambda host, port: next(answers))
    assert found.fetch(site.at("/x.png")).startswith(b"\x89PNG")
    with pytest.raises(ImageError, match="open internet"):
        found.fetch(site.at("/x.png"))


@pytest.mark.parametrize("path", ["/slow", "/silent"])
def test_servers_that_take_their_time(site, fetcher, monkeypatch, path):
    monkeypatch.setattr(address, "SECONDS", 0.3)
    began = time.monotonic()
    with pytest.raises(ImageError):
        fetcher.fetch(site.at(path))
    assert time.monotonic() - began < LONG  # the server would have gone on


# fixed


def test_fixed_heads(model):
    with serving(model, **DEMO) as live:
        for fields in ({"heads": "all"}, {"heads": 1}, {"readers": [[0, 0]]}, {"head_gaze": True}):
            reply = live.chat(lookhere={"at": "panel:3/6", **fields}, stream=True)
            assert (reply.status, reply.error["code"]) == (403, "fixed")
        assert live.post("/v1/lookhere/describe", {"image": data_uri(), "at": [None], "heads": "all"}).status == 403
        assert live.chat(max_tokens=101).status == 400
        assert live.chat(lookhere={"at": "panel:3/6", "strength": 3}).text.startswith("row 0, column 2")
