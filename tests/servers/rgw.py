"""A real Ceph RADOS Gateway on loopback: one monitor, one storage daemon in RAM, one gateway.

It needs Debian's radosgw, ceph-mon, ceph-osd, ceph-common and ceph-base. By itself,
`python -m tests.servers.rgw` prints how to reach it and runs until Enter or SIGTERM.
"""

from __future__ import annotations

import contextlib
import secrets
import shutil
import signal
import socket
import subprocess  # noqa: TID251  (the package starts no program; a test server is one)
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers.s3 import S3Server

_CONF = """\
[global]
fsid = {fsid}
mon host = v2:127.0.0.1:{mon}/0
ms bind msgr1 = false
ms bind ipv6 = false
public addr = 127.0.0.1
cluster addr = 127.0.0.1
public network = 127.0.0.0/8
auth allow insecure global id reclaim = false
keyring = {home}/keyring
run dir = {home}
admin socket = {home}/$name.asok
log file = {home}/$name.log
crash dir = {home}/crash
mon cluster log file = {home}/cluster.log
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 8
osd pool default pgp num = 8
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon max pg per osd = 1000
mon data = {home}/mon
mon data avail crit = 1
paxos propose interval = 0.05
paxos min wait = 0.02
ms async op threads = 1
[osd]
osd data = {home}/osd
osd objectstore = memstore
memstore device bytes = 4294967296
osd class load list = *
osd class default list = *
[client.rgw]
rgw data = {home}/rgw
rgw frontends = beast endpoint=127.0.0.1:{http} ssl_endpoint=127.0.0.1:{https} \
ssl_certificate={home}/tls.crt ssl_private_key={home}/tls.key tcp_nodelay=1
rgw dns name = {linode}
rgw thread pool size = 64
rgw enable usage log = false
rgw override bucket index max shards = 1
rgw dynamic resharding = false
"""

LINODE = "nl-ams-1"
"""The region of Linode that the gateway can also stand for: it answers to its host name, with the
bucket in front or in the path, and its certificate covers both."""

_LINODE_HOST = f"{LINODE}.linodeobjects.com"

_ROLES = {
    "mon.": ("mon", "allow *"),
    "client.admin": ("mon", "allow *", "osd", "allow *", "mgr", "allow *"),
    "client.rgw": ("mon", "allow rw", "osd", "allow rwx"),
    "osd.0": ("mon", "allow profile osd", "osd", "allow *"),
}

_PATIENCE = 60.0
"""Seconds any step of the start may take on a slow machine."""


class Gateway:
    """The daemons of one gateway and the folder they live in."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.conf = home / "ceph.conf"
        self.fsid = str(uuid.uuid4())
        self.mon, self.http, self.https = free_ports(3)
        self.access, self.secret = secrets.token_hex(10), secrets.token_hex(20)
        self._daemons: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """Start everything and wait until the gateway answers."""
        for folder in ("mon", "osd", "rgw", "crash"):
            (self.home / folder).mkdir()
        self.conf.write_text(
            _CONF.format(
                fsid=self.fsid,
                home=self.home,
                mon=self.mon,
                http=self.http,
                https=self.https,
                linode=_LINODE_HOST,
            )
        )
        self._make_certificate()
        self._make_keys()
        self._start_monitor()
        self._start_storage()
        self._start_gateway()

    def stop(self) -> None:
        """End the daemons, the last one first, and nothing else."""
        for daemon in reversed(self._daemons):
            daemon.terminate()
            try:
                daemon.wait(10)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()

    def _make_certificate(self) -> None:
        """An authority and a certificate of it: one that signs itself is refused by some TLS."""
        new = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
        ca, key = self.home / "ca.crt", self.home / "ca.key"
        self._run(*new.split(), "-subj", "/CN=buckia tests", "-keyout", key, "-out", ca)
        known = f"DNS:localhost,IP:127.0.0.1,DNS:{_LINODE_HOST},DNS:*.{_LINODE_HOST}"
        names = ("-addext", f"subjectAltName={known}", "-subj", "/CN=localhost")
        leaf = ("-addext", "basicConstraints=critical,CA:FALSE", "-CA", ca, "-CAkey", key)
        files = ("-keyout", self.home / "tls.key", "-out", self.home / "tls.crt")
        self._run(*new.split(), *names, *leaf, *files)

    def _make_keys(self) -> None:
        ring = self.home / "keyring"
        ring.touch(0o600)
        for name, rights in _ROLES.items():
            caps = zip(rights[::2], rights[1::2], strict=True)
            given = [word for cap in caps for word in ("--cap", *cap)]
            self._run("ceph-authtool", ring, "--gen-key", "-n", name, *given)

    def _start_monitor(self) -> None:
        monmap, address = self.home / "monmap", f"v2:127.0.0.1:{self.mon}/0"
        create = ("--create", "--fsid", self.fsid, "--addv", "a", address, monmap)
        self._run("monmaptool", "-c", self.conf, *create)
        keys = ("--keyring", self.home / "keyring")
        self._run("ceph-mon", "-c", self.conf, "--mkfs", "-i", "a", "--monmap", monmap, *keys)
        self._launch("ceph-mon", "-i", "a")
        wait_for("the monitor", lambda: self._ceph("mon", "stat").returncode == 0)

    def _start_storage(self) -> None:
        osd = str(uuid.uuid4())
        self._ceph("osd", "new", osd, check=True)
        self._run("ceph-osd", "-c", self.conf, "-i", "0", "--mkfs", "--osd-uuid", osd)
        self._ceph("osd", "crush", "add", "osd.0", "1.0", "host=localhost", "root=default")
        self._launch("ceph-osd", "-i", "0")
        wait_for("the storage daemon", lambda: b" 1 up" in self._ceph("osd", "stat").stdout)

    def _start_gateway(self) -> None:
        self._launch("radosgw", "-n", "client.rgw")
        wait_for("the gateway", lambda: answers(self.http))
        user = ("user", "create", "--uid=buckia", "--display-name=buckia")
        keys = (f"--access-key={self.access}", f"--secret={self.secret}")
        self._run("radosgw-admin", "-c", self.conf, "-n", "client.rgw", *user, *keys)

    def _ceph(self, *words: str, check: bool = False) -> subprocess.CompletedProcess[bytes]:
        command = ("ceph", "-c", str(self.conf), "--connect-timeout", "5", *words)
        return subprocess.run(command, capture_output=True, check=check)

    def _launch(self, *words: str) -> None:
        command = (words[0], "-c", str(self.conf), *words[1:], "-f")
        log = (self.home / f"{words[0]}.out").open("wb")
        with log:
            self._daemons.append(
                subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            )

    @staticmethod
    def _run(*words: str | Path) -> None:
        subprocess.run([str(word) for word in words], capture_output=True, check=True)


@contextmanager
def serve_rgw() -> Iterator[tuple[S3Server, S3Server]]:
    """A running gateway, over HTTP and over TLS; gone with everything in it afterwards."""
    home = Path(tempfile.mkdtemp(prefix="buckia-rgw-"))
    gateway = Gateway(home)
    try:
        gateway.start()
        keys, log = (gateway.access, gateway.secret), home / "client.rgw.log"
        yield (
            S3Server(f"http://127.0.0.1:{gateway.http}", *keys, log=log),
            S3Server(f"https://127.0.0.1:{gateway.https}", *keys, home / "ca.crt", log),
        )
    finally:
        gateway.stop()
        shutil.rmtree(home, ignore_errors=True)


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nobody listened on a moment ago."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def wait_for(what: str, ready: Callable[[], bool]) -> None:
    """Return once `ready` says so; raise when it takes too long."""
    deadline = time.monotonic() + _PATIENCE
    while not ready():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not come up in {_PATIENCE:.0f} s")
        time.sleep(0.1)


def answers(port: int) -> bool:
    """Whether somebody listens on a port of 127.0.0.1."""
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def main() -> None:
    """Serve until Enter or SIGTERM, after printing how to reach the gateway."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with serve_rgw() as (plain, tls):
        print(f"RGW_ENDPOINT={plain.endpoint}")
        print(f"RGW_TLS_ENDPOINT={tls.endpoint}")
        print(f"RGW_TLS_CA={tls.ca}")
        print(f"AWS_ACCESS_KEY_ID={plain.access_key}")
        print(f"AWS_SECRET_ACCESS_KEY={plain.secret_key}", flush=True)
        if not sys.stdin.readline():
            signal.pause()


if __name__ == "__main__":
    main()
