"""A server on loopback that speaks TLS, under a certificate of an authority nobody knows."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_EMPTY: Final = (
    b'<?xml version="1.0"?><ListBucketResult><Name>b</Name><Prefix></Prefix>'
    b"<IsTruncated>false</IsTruncated></ListBucketResult>"
)


@dataclass(frozen=True)
class Listener:
    """Where it listens, whose certificates it takes to trust it, and what it was asked."""

    endpoint: str
    authority: Path
    asked: list[str] = field(default_factory=list)


@contextmanager
def serve_tls(folder: Path, authority: str = "nobody's authority") -> Iterator[Listener]:
    """A bucket without an object. Certificates are made in `folder`, by an authority of that
    name."""
    certificate = certify(folder, authority)
    asked: list[str] = []

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.send_header("Content-Length", str(len(_EMPTY)))
            self.end_headers()
            self.wfile.write(_EMPTY)

        def do_HEAD(self) -> None:
            asked.append(self.path)
            self.send_response(404)
            self.end_headers()

        do_PUT = do_POST = do_HEAD  # noqa: N815

        def log_message(self, *words: Any) -> None:
            """Say nothing."""

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with _Quiet(("127.0.0.1", 0), Answer) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        port = server.server_address[1]
        yield Listener(f"https://127.0.0.1:{port}", folder / "authority.pem", asked)
        server.shutdown()
        thread.join()


class _Quiet(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that refuses the certificate is what is tested."""


def certify(folder: Path, authority: str) -> Path:
    """An authority and a certificate of it for 127.0.0.1; the file with the certificate."""
    root, leaf = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, authority)])
    signed = _signed(name, name, root, root, x509.BasicConstraints(ca=True, path_length=None))
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    own = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    shown = _signed(own, name, leaf, root, address)
    encoding = serialization.Encoding.PEM
    (folder / "authority.pem").write_bytes(signed.public_bytes(encoding))
    key = leaf.private_bytes(
        encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "server.pem").write_bytes(shown.public_bytes(encoding) + key)
    return folder / "server.pem"


def _signed(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    signer: ec.EllipticCurvePrivateKey,
    extension: x509.ExtensionType,
) -> x509.Certificate:
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder(
        issuer, subject, key.public_key(), x509.random_serial_number()
    )
    return (
        builder.not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(extension, critical=False)
        .sign(signer, hashes.SHA256())
    )
