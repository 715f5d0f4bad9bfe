"""OHIF's files and an archive's DICOMweb service on one loopback origin, as OHIF wants them."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

# Without these two a browser gives a page no SharedArrayBuffer, which OHIF's volumes live in.
ISOLATION = {"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp"}
SERVICE = "/dicom-web"
CONFIGURATION: dict[str, Any] = {
    "routerBasename": None,
    "extensions": [],
    "modes": [],
    "showStudyList": True,
    "maxNumberOfWebWorkers": 2,
    "showCPUFallbackMessage": False,
    "strictZSpacingForVolumeViewport": True,
    "investigationalUseDialog": {"option": "never"},
    "defaultDataSourceName": "archive",
    "dataSources": [
        {
            "namespace": "@ohif/extension-default.dataSourcesModule.dicomweb",
            "sourceName": "archive",
            "configuration": {
                "friendlyName": "Orthanc",
                "name": "archive",
                "qidoRoot": SERVICE,
                "wadoRoot": SERVICE,
                "wadoUriRoot": SERVICE,
                "qidoSupportsIncludeField": False,
                "imageRendering": "wadors",
                "thumbnailRendering": "wadors",
                "enableStudyLazyLoad": True,
                "supportsFuzzyMatching": False,
                "supportsWildcard": True,
                "bulkDataURI": {"enabled": True},
            },
        }
    ],
}


@contextmanager
def running_site(ohif: Path, archive: str) -> Iterator[str]:
    """Serve the folder ``ohif`` and the archive at ``archive`` (http://host:port); yields the site's own address."""

    class Handler(_Handler):
        upstream = urlsplit(archive).netloc

        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments, directory=str(ohif))

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(SimpleHTTPRequestHandler):
    """OHIF's files, its configuration, and the archive under /dicom-web; any other path is a route of OHIF's own."""

    protocol_version = "HTTP/1.1"
    upstream: str

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if path.startswith(f"{SERVICE}/"):
            self._ask_archive()
        elif path == "/app-config.js":
            self._answer(200, "text/javascript", f"window.config = {json.dumps(CONFIGURATION)};".encode())
        else:
            if not Path(self.translate_path(path)).is_file():
                self.path = "/index.html"
            super().do_GET()

    def _ask_archive(self) -> None:
        """Pass the request on. Orthanc builds the addresses in its answers from the Host header: it stays ours."""
        connection = http.client.HTTPConnection(self.upstream, timeout=60)
        try:
            headers = {name: value for name in ("Host", "Accept") if (value := self.headers.get(name))}
            connection.request("GET", self.path, headers=headers)
            answer = connection.getresponse()
            self._answer(answer.status, answer.getheader("Content-Type", "application/octet-stream"), answer.read())
        finally:
            connection.close()

    def _answer(self, status: int, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def end_headers(self) -> None:
        for name, value in ISOLATION.items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing: what fails shows in the page."""
