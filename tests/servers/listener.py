"""The HTTP server below every server of the tests."""

from __future__ import annotations

import sys
from http.server import ThreadingHTTPServer
from typing import Any


class Listener(ThreadingHTTPServer):
    """Serves each connection in a thread of its own; clients that go away are no news."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Tell of a mistake in a server, and of nothing a client does."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)
