"""Archives made in memory, and a server on loopback that can fail in the ways servers do."""

import contextlib
import http.server
import io
import tarfile
import threading
import zipfile


class Server(http.server.ThreadingHTTPServer):
    """What it serves and how it fails are attributes; `requests` is what it was asked.

    Attributes:
        files: bytes by path.
        etag: of all files; None: it gives no validator.
        ranges: whether it answers ranges.
        heeds: whether it heeds If-Range.
        off: by how much it names another range than it was asked for.
        cut: bytes of an answer after which it closes the connection; None: never.
        chunked: whether answers come in chunks, without a length.
        status: of whole answers.
        headers: of all answers, beside the usual ones.
        gate: answers wait for it before their last byte.
        requests: (path, Range, If-Range).
    """

    daemon_threads = False

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files, self.etag, self.ranges, self.cut = {}, '"1"', True, None
        self.heeds, self.off = True, 0
        self.chunked, self.status, self.headers = False, 200, {}
        self.content_type, self.requests, self.gate = "application/zip", [], threading.Event()
        self.gate.set()

    def url(self, path):
        return f"http://127.0.0.1:{self.server_port}/{path}"


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        server, asked = self.server, self.headers.get("Range")
        server.requests.append((self.path[1:], asked, self.headers.get("If-Range")))
        whole = server.files.get(self.path[1:])
        if whole is None:
            self.send_error(404)
            return
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
        changed = server.heeds and self.headers.get("If-Range") != server.etag
        if changed or not server.ranges:
            start = 0
        if start and start >= len(whole):
            self.send_error(416)
            return
        self.send_response(206 if start else server.status)
        if start:
            self.send_header(
                "Content-Range", f"bytes {start + server.off}-{len(whole) - 1}/{len(whole)}"
            )
        if server.etag:
            self.send_header("ETag", server.etag)
        self.send_header("Content-Type", server.content_type)
        for name, value in server.headers.items():
            self.send_header(name, value)
        body = whole[start:][: server.cut]
        if server.chunked:
            self.send_header("Transfer-Encoding", "chunked")
            cut = server.cut is not None
            body = b"%x\r\n%s%s" % (len(body) + cut, body, b"" if cut else b"\r\n0\r\n\r\n")
        else:
            self.send_header("Content-Length", str(len(whole) - start))
        self.end_headers()
        with contextlib.suppress(ConnectionError):
            self.wfile.write(body[:-1])
            server.gate.wait(10)
            self.wfile.write(body[-1:])

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def serving():
    """Runs a server in a thread."""
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.gate.set()
            server.shutdown()
            thread.join()


def packed(entries):
    """A .zip of (name or ZipInfo, content)."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as bundle:
        for name, content in entries:
            bundle.writestr(name, content)
    return stream.getvalue()


def tarred(*members):
    """A .tar.gz of (name, content or type, link)."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as bundle:
        for name, content, link in members:
            info = tarfile.TarInfo(name)
            info.linkname = link
            if isinstance(content, str):
                info.size = len(content)
                bundle.addfile(info, io.BytesIO(content.encode()))
            else:
                info.type = content
                bundle.addfile(info)
    return stream.getvalue()
