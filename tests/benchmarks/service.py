"""The service all work against: a Ceph gateway where its Debian packages are, else moto."""

from __future__ import annotations

import secrets
import shutil
import subprocess  # noqa: TID251  (the gateway's own administration)
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct

from tests.benchmarks.measuring import cpu_of
from tests.servers.rgw import Gateway
from tests.servers.s3 import S3Server
from tests.stores.record import has_gateway


class Service(Struct, frozen=True):
    """A running server. `pids` are its processes, where they are its own."""

    name: str
    row: str
    server: S3Server
    pids: Sequence[int] = ()
    gateway: Gateway | None = None

    @property
    def cpu(self) -> float:
        """Seconds of CPU the server has used so far."""
        return cpu_of(self.pids)

    def make_bucket(self) -> str:
        """A new empty bucket."""
        return self.server.make_bucket()

    def drop(self, bucket: str) -> None:
        """Delete a bucket with all in it, and have the room back."""
        client = self.server.client
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket):
            if found := page.get("Contents"):
                names = [{"Key": item["Key"]} for item in found]
                client.delete_objects(Bucket=bucket, Delete={"Objects": names})  # type: ignore[typeddict-item]
        if self.gateway is not None:
            words = ("-c", str(self.gateway.conf), "-n", "client.rgw", "gc", "process")
            command = ["radosgw-admin", *words, "--include-all"]
            subprocess.run(command, capture_output=True, check=True)


@contextmanager
def serving() -> Iterator[Service]:
    """The server for a benchmark, gone with everything in it afterwards."""
    if not has_gateway():
        from tests.servers.moto import serve_moto

        with serve_moto() as server:
            yield Service("moto", "aws", server)
        return
    home = Path(tempfile.mkdtemp(prefix="buckia-bench-rgw-"))
    gateway = Gateway(home)
    try:
        gateway.start()
        server = S3Server(f"http://127.0.0.1:{gateway.http}", gateway.access, gateway.secret)
        pids = [daemon.pid for daemon in gateway._daemons]
        yield Service("Ceph RADOS Gateway", "ceph", server, pids, gateway)
    finally:
        gateway.stop()
        shutil.rmtree(home, ignore_errors=True)


def new_name() -> str:
    """A name nobody else uses."""
    return f"bench-{secrets.token_hex(6)}"
