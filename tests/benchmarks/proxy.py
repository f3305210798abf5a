"""A proxy that adds what a real network has: a round-trip time and a bandwidth; and that counts.

By itself it prints its port, then answers each line of its input with what passed since the last
one, and ends with its input.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import subprocess  # noqa: TID251  (a process of its own, so that its CPU is its own)
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final
from urllib.parse import urlsplit

from msgspec import Struct, convert

_REQUEST: Final = re.compile(rb"(?:GET|HEAD|PUT|POST|DELETE|OPTIONS) [^\r\n]* HTTP/1\.1\r\n")
_PIECE: Final = 64 * 1024


class Passed(Struct, frozen=True):
    """What went through: requests, connections, bytes to the server and from it."""

    requests: int
    connections: int
    up: int
    down: int


class Proxy:
    """A running proxy process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.endpoint = f"http://127.0.0.1:{int(self._line())}"

    def passed(self) -> Passed:
        """What went through since it was asked last."""
        assert self._process.stdin
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return convert(json.loads(self._line()), Passed)

    def _line(self) -> str:
        assert self._process.stdout
        return self._process.stdout.readline()


@contextmanager
def proxied(endpoint: str, *, rtt: float = 0.0, rate: float = 0.0) -> Iterator[Proxy]:
    """A proxy before a server. `rtt` in seconds, `rate` in bytes a second each way; 0: no bound."""
    command = [sys.executable, "-m", "tests.benchmarks.proxy", endpoint, str(rtt), str(rate)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield Proxy(process)
        finally:
            process.terminate()


class _Pipe:
    """One direction: every byte leaves half a round trip after it came, and no faster than may
    be. The line is shared by all connections."""

    def __init__(self, delay: float, rate: float) -> None:
        self.delay = delay
        self.rate = rate
        self.free = 0.0
        self.bytes = 0

    def due(self, size: int) -> float:
        """When so many bytes that come now have arrived."""
        now = asyncio.get_running_loop().time()
        self.bytes += size
        if self.rate:
            self.free = max(self.free, now) + size / self.rate
        return max(now, self.free) + self.delay


class _Counter:
    def __init__(self, host: str, port: int, rtt: float, rate: float) -> None:
        self.host, self.port, self.rtt = host, port, rtt
        self.up, self.down = _Pipe(rtt / 2, rate), _Pipe(rtt / 2, rate)
        self.requests = self.connections = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, both ways."""
        self.connections += 1
        await asyncio.sleep(self.rtt)  # the handshake
        try:
            far_reader, far_writer = await asyncio.open_connection(self.host, self.port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(
            self._flow(reader, far_writer, self.up, counting=True),
            self._flow(far_reader, writer, self.down, counting=False),
        )

    async def _flow(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        pipe: _Pipe,
        *,
        counting: bool,
    ) -> None:
        queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(256)
        sender = asyncio.create_task(_send(queue, writer))
        with suppress(OSError):
            while data := await reader.read(_PIECE):
                if counting:
                    self.requests += len(_REQUEST.findall(data))
                await queue.put((pipe.due(len(data)), data))
        await queue.put((0.0, b""))
        await sender

    def told(self) -> Passed:
        """What passed since this was asked last."""
        now = Passed(self.requests, self.connections, self.up.bytes, self.down.bytes)
        self.requests = self.connections = self.up.bytes = self.down.bytes = 0
        return now


async def _send(queue: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter) -> None:
    loop = asyncio.get_running_loop()
    with suppress(OSError):
        while True:
            due, data = await queue.get()
            if not data:
                break
            if (rest := due - loop.time()) > 0:
                await asyncio.sleep(rest)
            writer.write(data)
            await writer.drain()
    while not queue.empty():
        queue.get_nowait()
    with suppress(OSError):
        writer.close()


async def _main(endpoint: str, rtt: float, rate: float) -> None:
    where = urlsplit(endpoint)
    counter = _Counter(where.hostname or "127.0.0.1", where.port or 80, rtt, rate)
    server = await asyncio.start_server(counter.serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    loop = asyncio.get_running_loop()
    while await loop.run_in_executor(None, sys.stdin.readline):
        told = counter.told()
        fields = {name: getattr(told, name) for name in told.__struct_fields__}
        print(json.dumps(fields), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("endpoint")
    parser.add_argument("rtt", type=float)
    parser.add_argument("rate", type=float)
    said = parser.parse_args()
    asyncio.run(_main(said.endpoint, said.rtt, said.rate))
