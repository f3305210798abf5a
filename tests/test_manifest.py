"""The manifest as a document: exact bytes, exact blocks, and nothing hostile gets through."""

from __future__ import annotations

import hashlib
import io
import json
from base64 import b64decode, b64encode
from typing import Any, Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from buckia import manifest
from buckia.documents import schema
from buckia.errors import DocumentError
from buckia.manifest import LEAST, BlockMeter, File
from buckia.rules import built_in_exclude
from tests.strategies import examples

A: Final = File("images/a.jpg", 3, "a" * 64, "image/jpeg")
BIG: Final = File(
    "App.sqlite", LEAST, "b" * 64, "application/vnd.sqlite3", 65536, b64encode(bytes(256)).decode()
)


def test_the_document_is_one_file_a_line_sorted_by_the_bytes_of_its_path() -> None:
    """Also for those who write readers: exactly these bytes."""
    name = File("é.txt", 0, "c" * 64, "text/plain")
    assert manifest.write(manifest.make(7, [name, A])).decode() == (
        '{\n"format": "buckia.manifest",\n"format_version": "1.0",\n"generation": 7,\n"files": [\n'
        f'{{"path":"images/a.jpg","size":3,"sha256":"{"a" * 64}","type":"image/jpeg"}},\n'
        f'{{"path":"é.txt","size":0,"sha256":"{"c" * 64}","type":"text/plain"}}\n]\n}}\n'
    )


def test_what_is_written_is_read() -> None:
    made = manifest.make(1, [A, BIG])
    assert manifest.read(manifest.write(made)) == made
    assert manifest.write(manifest.make(1, [BIG, A])) == manifest.write(made)
    assert made.by_path()["App.sqlite"].digests == (bytes(16),) * 16
    assert A.digests == ()


def test_a_manifest_keeps_its_schema() -> None:
    """The schema is good enough to make the reference from, lists what is read, and takes what is
    written."""
    whole = schema("manifest")
    Draft202012Validator.check_schema(whole)
    document = json.loads(manifest.write(manifest.make(2, [A, BIG])))
    assert Draft202012Validator(whole).is_valid(document)
    for part, kind in ((whole, manifest.Manifest), (whole["$defs"]["file"], File)):
        fields = msgspec.structs.fields(kind)
        assert set(part["properties"]) == {field.name for field in fields}
        assert set(part["required"]) == {field.name for field in fields if field.required}


def test_fields_of_a_later_version_are_ignored() -> None:
    value = json.loads(manifest.write(manifest.make(2, [A])))
    value |= {"format_version": "1.7", "more": 1}
    value["files"][0]["more"] = []
    assert manifest.read(json.dumps(value).encode()).files == (A,)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"format": "other"}, "not a manifest"),
        ({"format_version": "2.0"}, "format version '2.0'"),
        ({"generation": 0}, "damaged"),
        ({"files": [{"path": "a"}]}, "damaged"),
        ({"files": [A, A]}, "twice"),
        ({"files": [A, BIG]}, "not in order"),
        ({"files": [msgspec.structs.replace(A, path="../a")]}, "segment `..`"),
        ({"files": [msgspec.structs.replace(A, path="/a")]}, "empty segment"),
        ({"files": [msgspec.structs.replace(A, path=manifest.NAME)]}, "buckia's own"),
        ({"files": [msgspec.structs.replace(A, sha256="A" * 64)]}, "no SHA-256"),
        ({"files": [msgspec.structs.replace(BIG, blocks=None)]}, "without blocks"),
        ({"files": [msgspec.structs.replace(BIG, block_size=None)]}, "without their size"),
        ({"files": [msgspec.structs.replace(BIG, block_size=0)]}, "more or fewer blocks"),
        ({"files": [msgspec.structs.replace(BIG, size=LEAST + 1)]}, "more or fewer blocks"),
        ({"files": [msgspec.structs.replace(BIG, blocks="=")]}, "not base64"),
    ],
)
def test_what_no_manifest_has_is_refused(change: dict[str, Any], why: str) -> None:
    """Paths come from a network and lead to files; a list of blocks leads to ranges."""
    value = json.loads(manifest.write(manifest.make(2, [A]))) | change
    with pytest.raises(DocumentError, match=why):
        manifest.read(msgspec.json.encode(value))


def test_its_name_is_reserved_and_belongs_to_top_level_folders() -> None:
    key = manifest.key_of("TEAM")
    assert built_in_exclude(key)
    assert manifest.is_manifest(key)
    assert not any(map(manifest.is_manifest, (manifest.NAME, f"/{manifest.NAME}", f"a/{key}")))
    assert [manifest.folder_of(at) for at in ("TEAM/a/b", "top.txt")] == ["TEAM", None]


@pytest.mark.parametrize(
    ("size", "block"),
    [
        (0, None),
        (LEAST - 1, None),
        (LEAST, 65536),
        (32 * LEAST, 65536),
        (32 * LEAST + 1, 131072),
        (64 * LEAST, 131072),
        (5 * 1024**4, 16 * 1024**3),
    ],
)
def test_blocks_are_the_smallest_power_of_two_that_makes_few(size: int, block: int | None) -> None:
    assert manifest.block_size(size) == block


@examples(15)
@given(st.integers(0, 200_000), st.integers(5_000, 300_000))
def test_blocks_are_the_same_however_the_bytes_come(over: int, step: int) -> None:
    """And each is the beginning of the digest of its own bytes."""
    data = (bytes(range(251)) * 5000)[: LEAST + over]
    meter = BlockMeter(len(data))
    for at in range(0, len(data), step):
        meter.add(memoryview(data)[at : at + step])
    found = meter.finish()
    assert found is not None
    assert found == manifest.blocks_of(io.BytesIO(data), len(data))
    wanted = (data[at : at + found.size] for at in range(0, len(data), found.size))
    assert b64decode(found.digests) == b"".join(hashlib.sha256(one).digest()[:16] for one in wanted)


def test_other_bytes_than_were_announced_have_no_blocks() -> None:
    assert manifest.blocks_of(io.BytesIO(bytes(LEAST)), LEAST + 1) is None
    assert manifest.blocks_of(io.BytesIO(bytes(10)), 10) is None
