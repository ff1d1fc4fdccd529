"""A server on loopback that speaks what is used of the Hugging Face Hub: repositories, files."""

import base64
import contextlib
import hashlib
import http.server
import json
import re
import threading

COMMIT = "0123456789" * 4  # of every revision


class Hub(http.server.ThreadingHTTPServer):
    """Files by repository and path, in memory, and the requests that came, as "GET /path"."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.repositories, self.requests = {}, []
        self.url = f"http://127.0.0.1:{self.server_port}"


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def _answer(self, status, body=b"", **headers):
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _file(self):
        self.server.requests.append(f"{self.command} {self.path}")
        found = re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", self.path)
        files = found and self.server.repositories.get(found[1])
        if files is None:
            self._answer(404, X_Error_Code="RepoNotFound")
        elif found[2] not in ("main", COMMIT):
            self._answer(404, X_Error_Code="RevisionNotFound")
        elif found[3] not in files:
            self._answer(404, X_Error_Code="EntryNotFound", X_Repo_Commit=COMMIT)
        else:
            body = files[found[3]]
            etag = f'"{hashlib.sha256(body).hexdigest()}"'
            self._answer(200, body, ETag=etag, X_Repo_Commit=COMMIT)

    do_GET = do_HEAD = _file

    def do_POST(self):
        self.server.requests.append(f"{self.command} {self.path}")
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers["Authorization"] != "Bearer secret":
            self._answer(401, {"error": "Invalid username or password."})
        elif self.path == "/api/repos/create":
            about = json.loads(body)
            name = f"{about['organization']}/{about['name']}"
            is_new = name not in self.server.repositories
            self.server.repositories.setdefault(name, {})
            self._answer(200 if is_new else 409, {"url": f"{self.server.url}/{name}", "id": name})
        elif self.path == "/api/validate-yaml":
            self._answer(200, {"errors": [], "warnings": []})
        elif self.path.endswith("/preupload/main"):
            paths = [file["path"] for file in json.loads(body)["files"]]
            modes = [{"path": p, "uploadMode": "regular", "shouldIgnore": False} for p in paths]
            self._answer(200, {"files": modes})
        elif found := re.fullmatch(r"/api/models/(.+)/commit/main", self.path):
            for line in body.splitlines():
                entry = json.loads(line)
                if entry["key"] == "file":
                    content = base64.b64decode(entry["value"]["content"])
                    self.server.repositories[found[1]][entry["value"]["path"]] = content
            url = f"{self.server.url}/{found[1]}/commit/{COMMIT}"
            self._answer(200, {"commitUrl": url, "commitOid": COMMIT, "success": True})
        else:
            self._answer(404)


@contextlib.contextmanager
def running():
    """A hub that runs until the block ends."""
    hub = Hub()
    thread = threading.Thread(target=hub.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield hub
    finally:
        hub.shutdown()
        thread.join()
        hub.server_close()
