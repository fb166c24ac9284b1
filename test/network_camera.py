# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""A network camera on this machine, for tests of streams."""

import contextlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import cv2
import numpy as np

BRIGHTNESS = (0, 50, 100, 150, 200)


class _Stream(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        for value in BRIGHTNESS:
            jpeg = cv2.imencode(".jpg", np.full((48, 64, 3), value, np.uint8))[1].tobytes()
            self.wfile.write(b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(jpeg) + jpeg + b"\r\n")

    def log_message(self, *arguments):
        pass


@contextlib.contextmanager
def network_camera() -> Iterator[str]:
    """Serves images of 64x48 pixels and rising brightness as MJPEG over HTTP, five per connection; yields their URL."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Stream) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/video.mjpg"
        finally:
            server.shutdown()
            thread.join()
