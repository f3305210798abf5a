"""Bucket settings from the command line: declared, applied, changed by hand, imported."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from buckia.config import file as config_file
from tests.cli.console import buckia
from tests.servers.moto import serve_moto
from tests.servers.rgw import serve_rgw
from tests.servers.s3 import S3Server

SETTINGS = """\
  # what the bucket is
  settings:
    policy:
      Version: 2012-10-17
      Statement:
        - Sid: read
          Effect: Allow
          Principal: "*"
          Action: s3:GetObject
          Resource: arn:aws:s3:::BUCKET/*
          Condition: {StringNotEquals: {"aws:UserAgent": "$${nobody}"}}
    cors:
      - id: pages
        allowed_origins: ["https://b.example", "https://a.example"]
        allowed_methods: [GET, HEAD]
        max_age_seconds: 3600
    lifecycle:
      - {id: tmp, prefix: tmp/, expire_days: 3}
      - {id: old, expire_noncurrent_days: 60, abort_multipart_days: 7}
    versioning: enabled
"""


@dataclass(frozen=True)
class There:
    """A bucket on a server."""

    server: S3Server
    bucket: str
    folder: Path

    @property
    def client(self) -> Any:
        """What changes it by hand."""
        return self.server.client

    def declare(self, settings: str) -> None:
        """Write the configuration."""
        (self.folder / ".buckia").write_text(
            f"main:\n  provider: s3\n  bucket_name: {self.bucket}\n"
            f"  domain: {self.server.endpoint}\n  region: us-east-1\n  paths: [assets/]\n"
            f"{settings.replace('BUCKET', self.bucket)}\n"
            "# another\nhere:\n  provider: local\n  bucket_name: ../bucket\n  paths: [other/]\n"
        )


@pytest.fixture(scope="module", params=["moto", pytest.param("rgw", marks=pytest.mark.rgw)])
def server(request: pytest.FixtureRequest) -> Iterator[S3Server]:
    """moto, or a real Ceph gateway."""
    if request.param == "moto":
        with serve_moto() as running:
            yield running
    else:
        with serve_rgw() as (running, _):
            yield running


@pytest.fixture
def there(server: S3Server, workspace: Path) -> There:
    """A new bucket and a folder for it."""
    os.environ.update(AWS_ACCESS_KEY_ID=server.access_key, AWS_SECRET_ACCESS_KEY=server.secret_key)
    (workspace / "assets").mkdir()
    (workspace / "other").mkdir()
    (workspace.parent / "bucket").mkdir()
    return There(server, server.make_bucket(), workspace)


def planned(*words: str) -> dict[str, Any]:
    """The plan that is made now."""
    ended = buckia("plan", "main", "--out", "-", *words)
    assert ended.code == 0, ended.err
    found: dict[str, Any] = json.loads(ended.out)
    return found


def keys(plan: dict[str, Any]) -> list[str]:
    return [action["key"] for action in plan["actions"]]


def test_settings_make_the_round(there: There) -> None:
    """Declared, applied, nothing to do; changed by hand and shown; imported, the same again."""
    there.declare(SETTINGS)
    (there.folder / "assets" / "a.txt").write_text("a")
    plan = planned()
    assert keys(plan) == ["cors", "lifecycle", "policy", "versioning", "a.txt"]
    (there.folder / "plan.json").write_bytes(json.dumps(plan).encode())
    ended = buckia("apply", "plan.json")
    assert ended.code == 0 and "Applied: 4 configured, 1 uploaded" in ended.err, ended.err
    assert "applied already" in buckia("apply", "plan.json").err
    assert keys(planned()) == []

    imported = buckia("import", "main")
    assert imported.code == 0, imported.err
    declared = config_file.load(there.folder / ".buckia").bucket("main")
    said = yaml.safe_load(imported.out)["main"]["settings"]
    again = config_file.build({"main": {"provider": "s3", "bucket_name": "b", "settings": said}})
    assert again.bucket("main").declared(there.folder) == declared.declared(there.folder)

    there.client.put_bucket_cors(
        Bucket=there.bucket,
        CORSConfiguration={"CORSRules": [{"AllowedOrigins": ["*"], "AllowedMethods": ["GET"]}]},
    )
    assert keys(planned()) == ["cors"]
    (there.folder / "plan.json").write_bytes(json.dumps(planned()).encode())
    shown = buckia("show", "plan.json").out.splitlines()
    assert "       -   - allowed_origins: ['*']" in shown
    assert "       +     allowed_methods: [GET, HEAD]" in shown
    assert "settings   1: cors" in buckia("status", "main").out
    verified = buckia("verify", "main")
    assert verified.code == 2 and "1 setting, not as declared" in verified.out
    assert "allowed_origins: ['*']" in buckia("import", "main").out
    assert buckia("apply", "plan.json").code == 0
    assert buckia("import", "main").out == imported.out
    assert keys(planned()) == []


def test_import_writes_into_the_file_and_nothing_else_changes(there: There) -> None:
    """Adopting a bucket that somebody has set up by hand."""
    there.declare("")
    there.client.put_bucket_versioning(
        Bucket=there.bucket, VersioningConfiguration={"Status": "Enabled"}
    )
    before = (there.folder / ".buckia").read_text()
    ended = buckia("import", "main", "--write")
    assert ended.code == 0 and "Wrote 1 setting of main to .buckia." in ended.err, ended.err
    after = (there.folder / ".buckia").read_text()
    assert after.replace("  settings:\n    versioning: enabled\n", "") == before
    assert buckia("validate").code == 0
    assert keys(planned()) == []


def test_an_absent_setting_is_removed(there: There) -> None:
    """And what is not declared stays."""
    there.declare(SETTINGS)
    assert buckia("apply", "--yes").code == 0
    there.declare("  settings: {policy: absent}\n")
    plan = planned()
    assert [(a["key"], a["content"]) for a in plan["actions"]] == [("policy", None)]
    assert buckia("apply", "--yes").code == 0
    assert keys(planned()) == []
    rules = there.client.get_bucket_lifecycle_configuration(Bucket=there.bucket)["Rules"]
    assert len(rules) == 2


def test_what_has_no_settings_says_so(there: There) -> None:
    """A folder, or a bucket that is not there."""
    there.declare("")
    for name, code, words in (
        ("here", 78, "`local` has no settings to import"),
        ("nowhere", 78, "there is no bucket `nowhere`"),
    ):
        ended = buckia("import", name)
        assert ended.code == code and words in ended.err, ended
    text = (there.folder / ".buckia").read_text()
    (there.folder / ".buckia").write_text(f"{text}  settings: {{versioning: enabled}}\n")
    ended = buckia("validate")
    assert ended.code == 78
    assert "here.settings: a `local` bucket is a folder and has no settings" in ended.err


def test_a_right_that_is_missing_ends_with_8_and_the_rest_is_done(
    there: There, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Named with the right it takes."""
    from buckia.errors import AccessError
    from buckia.stores.s3_settings import S3Settings

    there.declare(SETTINGS)
    (there.folder / "assets" / "a.txt").write_text("a")
    read = S3Settings._read

    def denied(self: S3Settings, name: str) -> Any:
        if name == "cors":
            raise AccessError("cors: access denied; the key needs s3:GetBucketCORS")
        return read(self, name)

    monkeypatch.setattr(S3Settings, "_read", denied)
    ended = buckia("plan", "main", "--out", "plan.json")
    assert ended.code == 8
    assert "1 declared setting could not be read: cors: access denied" in ended.err
    applied = buckia("apply", "--yes")
    assert applied.code == 8 and "Applied: 3 configured, 1 uploaded" in applied.err, applied.err
    imported = buckia("import", "main")
    assert imported.code == 8 and "left out: cors" in imported.err
    assert "versioning: enabled" in imported.out
    assert buckia("status", "main").code == 8
