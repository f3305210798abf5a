"""What a top-level folder holds, as one document that an app reads instead of a listing. Pure.

The document is the object `.buckia-manifest.json` in the folder. Equal folders of equal generation
are equal bytes. The schema is `schemas/manifest.schema.json`.
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Iterable
from typing import Annotated, BinaryIO, Final

import msgspec
from msgspec import Meta, Struct

from buckia import documents
from buckia.errors import DocumentError
from buckia.layout import refuse_key
from buckia.model import Count
from buckia.rules import built_in_exclude

FORMAT: Final = "buckia.manifest"
VERSION: Final = "1.0"
TYPE: Final = "application/json"
"""The content type of the object."""

NAME: Final = ".buckia-manifest.json"
"""The object's name in its folder: reserved, never a file of anybody."""

LEAST: Final = 1024 * 1024
"""Smaller files (in bytes) have no blocks: they are fetched whole."""

_SMALLEST_BLOCK: Final = 64 * 1024
_MOST_BLOCKS: Final = 512
DIGEST_BYTES: Final = 16
"""How many bytes of a block's SHA-256 are kept: blocks save bytes, the file's sha256 decides."""

_CHUNK: Final = 1024 * 1024
_SHA256: Final = re.compile(r"[0-9a-f]{64}")


class File(Struct, frozen=True, omit_defaults=True):
    """One file of the folder. `blocks` are as in the document; None where nobody knows them."""

    path: str
    size: Count
    sha256: str
    type: str
    block_size: int | None = None
    blocks: str | None = None

    @property
    def digests(self) -> tuple[bytes, ...]:
        """The digest of each block, in order; none where they are not known."""
        raw = b64decode(self.blocks or "")
        return tuple(raw[at : at + DIGEST_BYTES] for at in range(0, len(raw), DIGEST_BYTES))


class Manifest(Struct, frozen=True):
    """What a folder holds. `generation` counts how often it was published, from 1."""

    format: str
    format_version: str
    generation: Annotated[int, Meta(ge=1)]
    files: tuple[File, ...]

    def by_path(self) -> dict[str, File]:
        """The files by their path in the folder."""
        return {file.path: file for file in self.files}


def make(generation: int, files: Iterable[File]) -> Manifest:
    """The manifest of these files, in whatever order they come."""
    ordered = tuple(sorted(files, key=lambda file: file.path.encode()))
    return Manifest(FORMAT, VERSION, generation, ordered)


def key_of(folder: str) -> str:
    """Where the manifest of a top-level folder is."""
    return f"{folder}/{NAME}"


def folder_of(key: str) -> str | None:
    """The top-level folder whose manifest names a key; None for a key in no folder."""
    folder, slash, _ = key.partition("/")
    return folder if slash else None


def is_manifest(key: str) -> bool:
    """Whether a key is where the manifest of some folder is."""
    folder, _, rest = key.partition("/")
    return bool(folder) and rest == NAME


def write(manifest: Manifest) -> bytes:
    """The document. Equal manifests are equal bytes."""
    head = {name: getattr(manifest, name) for name in ("format", "format_version", "generation")}
    return documents.render(head, {"files": manifest.files})


def read(data: bytes, what: str = NAME) -> Manifest:
    """The manifest in a document; `what` names it in errors. What is not known is ignored.

    Raises `DocumentError` for damage, another major version, and for a path, digest or block list
    that no manifest has: paths come from a network, and lead to files.
    """
    value = documents.parse(data, what)
    if value.get("format") != FORMAT:
        raise DocumentError(
            f"{what} is not a manifest: its `format` is {value.get('format')!r}; check the URL"
        )
    version = str(value.get("format_version", ""))
    if version.partition(".")[0] != VERSION.partition(".")[0]:
        raise DocumentError(
            f"{what} has format version {version!r}; this buckia reads {VERSION}: use a later one"
        )
    try:
        found = msgspec.convert(value, Manifest)
    except msgspec.ValidationError as problem:
        raise DocumentError(f"{what} is damaged: {problem}; publish it anew") from None
    if why := _fault(found):
        raise DocumentError(f"{what} is not sound: {why}; publish it anew")
    return found


def _fault(found: Manifest) -> str | None:
    """What is wrong with the files of a manifest, or None."""
    paths = [file.path for file in found.files]
    wrong = (f"{file.path!r} {why}" for file in found.files if (why := _file_fault(file)))
    if why := next(wrong, None):
        return why
    if paths != sorted(set(paths), key=lambda path: path.encode()):
        return "its files are not in order, or one is there twice"
    return None


def _file_fault(file: File) -> str | None:
    if why := refuse_key(file.path) or built_in_exclude(file.path):
        return f"cannot be a file: it {why}" if not why.startswith("a ") else f"is {why}"
    if not _SHA256.fullmatch(file.sha256):
        return "has no SHA-256"
    if (file.blocks is None) != (file.block_size is None):
        return "has blocks without their size, or a size without blocks"
    return _blocks_fault(file) if file.blocks is not None else None


def _blocks_fault(file: File) -> str | None:
    try:
        raw = b64decode(file.blocks or "", validate=True)
    except (Base64Error, ValueError):
        return "has blocks that are not base64"
    size = file.block_size or 0
    if size < 1 or len(raw) != -(-file.size // size) * DIGEST_BYTES:
        return "has more or fewer blocks than its size makes"
    return None


# -- blocks ----------------------------------------------------------------------------------------


class Blocks(Struct, frozen=True):
    """The digests of a file's blocks: the size of each but the last, and all digests in base64."""

    size: int
    digests: str


def block_size(size: int) -> int | None:
    """How large the blocks of a file of so many bytes are; None where it has none."""
    if size < LEAST:
        return None
    least = max(_SMALLEST_BLOCK, -(-size // _MOST_BLOCKS))
    return 1 << (least - 1).bit_length()


class BlockMeter:
    """The digests of the blocks of everything given to `add`. Not for sharing between threads.

    Made for a file of `size` bytes, which `finish` holds against what came.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._block = block_size(size)
        self._seen = 0
        self._filled = 0
        self._hash = hashlib.sha256()
        self._digests: list[bytes] = []

    def add(self, chunk: bytes | memoryview) -> None:
        """Take the next bytes."""
        rest = memoryview(chunk)
        self._seen += len(rest)
        while self._block and rest:
            piece = rest[: self._block - self._filled]
            self._hash.update(piece)
            self._filled += len(piece)
            rest = rest[len(piece) :]
            if self._filled == self._block:
                self._close()

    def finish(self) -> Blocks | None:
        """The blocks; None for a small file, and where other than `size` bytes came."""
        if self._block is None or self._seen != self._size:
            return None
        if self._filled:
            self._close()
        return Blocks(self._block, b64encode(b"".join(self._digests)).decode())

    def _close(self) -> None:
        self._digests.append(self._hash.digest()[:DIGEST_BYTES])
        self._hash, self._filled = hashlib.sha256(), 0


def blocks_of(body: BinaryIO, size: int) -> Blocks | None:
    """The blocks of a file of `size` bytes, which is read to its end; None for a small one."""
    meter = BlockMeter(size)
    while chunk := body.read(_CHUNK):
        meter.add(chunk)
    return meter.finish()
