"""A server that speaks bytes, not HTTP: whatever a real one might say, cut and ended anywhere."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress

_ABRUPTLY = struct.pack("ii", 1, 0)


class Peer:
    """One connection, as the server has it."""

    def __init__(self, line: socket.socket, asked: list[bytes]) -> None:
        self.line = line
        self._asked = asked
        self._left = b""

    def hear(self) -> bytes:
        """The next request, whole. Raises `ConnectionError` where none comes any more."""
        head = self._until(lambda: b"\r\n\r\n" in self._left).index(b"\r\n\r\n") + 4
        lines = self._left[:head].lower().split(b"\r\n")
        size = next((int(line[15:]) for line in lines if line.startswith(b"content-length:")), 0)
        self._until(lambda: len(self._left) >= head + size)
        found, self._left = self._left[: head + size], self._left[head + size :]
        self._asked.append(found)
        return found

    def say(self, words: bytes) -> None:
        """Send bytes."""
        self.line.sendall(words)

    def end(self, *, abruptly: bool = False) -> None:
        """End the connection, with a reset if need be."""
        if abruptly:
            self.line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABRUPTLY)
        self.line.close()

    def wait(self) -> None:
        """Do nothing until the other side ends it."""
        while self.line.recv(4096):
            pass

    def _until(self, enough: Callable[[], bool]) -> bytes:
        while not enough():
            piece = self.line.recv(65536)
            if not piece:
                raise ConnectionResetError
            self._left += piece
        return self._left


Script = Callable[[Peer], None]


class Scripted:
    """Where it listens, all requests that came, and how many connections there were."""

    def __init__(self, port: int, scheme: str) -> None:
        self.url = f"{scheme}://127.0.0.1:{port}"
        self.asked: list[bytes] = []
        self.connections = 0
        self.problems: list[BaseException] = []


def saying(*answers: bytes) -> Script:
    """Give these answers, one for each request on whatever connection, then none."""
    left = iter(answers)

    def script(peer: Peer) -> None:
        while True:
            peer.hear()
            peer.say(next(left, b""))

    return script


@contextmanager
def serve_script(script: Script, tls: ssl.SSLContext | None = None) -> Iterator[Scripted]:
    """A server that runs a script on each connection, in a thread of its own."""
    with closing(socket.create_server(("127.0.0.1", 0))) as door:
        serving = Scripted(door.getsockname()[1], "https" if tls else "http")
        open_lines: list[socket.socket] = []
        threads: list[threading.Thread] = []
        over = threading.Event()

        def run(line: socket.socket) -> None:
            try:
                with closing(tls.wrap_socket(line, server_side=True) if tls else line) as talking:
                    open_lines.append(talking)
                    script(Peer(talking, serving.asked))
            except OSError:
                line.close()
            except BaseException as problem:
                serving.problems.append(problem)

        def accept() -> None:
            while True:
                line, _ = door.accept()
                if over.is_set():
                    line.close()
                    return
                line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                serving.connections += 1
                threads.append(threading.Thread(target=run, args=(line,)))
                threads[-1].start()

        accepting = threading.Thread(target=accept)
        accepting.start()
        try:
            yield serving
        finally:
            over.set()
            socket.create_connection(door.getsockname()).close()
            accepting.join()
            for line in open_lines:
                with suppress(OSError):
                    line.shutdown(socket.SHUT_RDWR)
            for thread in threads:
                thread.join()
    for problem in serving.problems:
        raise problem
