"""`settings` in a configuration: what is refused and how that is said, policies in files, dates."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from buckia.config import BucketConfig, InvalidConfig
from buckia.config.file import InvalidFile, build, check, load
from buckia.documents import digest
from buckia.errors import ConfigError
from tests.settled import CORS, PUBLIC, RULES

POLICY = """\
main:
  provider: s3
  bucket_name: b
  settings:
    policy:
      Version: 2012-10-17
      Statement:
        - {Effect: Allow, Principal: "*", Action: s3:GetObject, Resource: r}
    lifecycle:
      - {id: a, expire_date: 2030-01-31}
"""


def bucket(provider: str = "s3", **options: Any) -> BucketConfig:
    return BucketConfig(provider=provider, bucket_name="b", **options)


def found(folder: Path, settings: str, provider: str = "s3", more: str = "") -> list[str]:
    """What `validate` says of settings, without line and column."""
    path = folder / ".buckia"
    path.write_text(
        f"main:\n  provider: {provider}\n  bucket_name: b\n{more}  settings: {settings}\n"
    )
    return [str(item).partition(": ")[2] for item in check(path) if item.severity == "error"]


@pytest.mark.parametrize(
    ("provider", "settings", "said"),
    [
        ("s3", "{cor: absent}", "main.settings.cor: unknown option; did you mean `cors`?"),
        (
            "s3",
            "{versioning: absent}",
            'main.settings.versioning: found "absent", allowed: enabled, suspended',
        ),
        ("s3", "{cors: }", "main.settings.cors: found nothing, allowed: a list or text"),
        (
            "s3",
            "{cors: none}",
            'main.settings.cors: found "none", allowed: a list of rules, or `absent`',
        ),
        (
            "s3",
            "{lifecycle: [{id: a, expire_days: 0}]}",
            "main.settings.lifecycle[0].expire_days: found 0, allowed: 1 or more",
        ),
        (
            "s3",
            "{lifecycle: [{id: a, prefix: x}]}",
            "main.settings.lifecycle[0]: says when, but not what is to happen: no `expire_days` or "
            "its like",
        ),
        (
            "s3",
            "{lifecycle: [{id: a, expire_days: 1}, {id: a, expire_days: 2}]}",
            "main.settings.lifecycle[0].id: two rules are called `a`",
        ),
        (
            "s3",
            "{lifecycle: [{id: a, expire_days: 1, expire_date: 2030-01-31}]}",
            "main.settings.lifecycle[0].expire_days: a rule has either `expire_date` or "
            "`expire_days`",
        ),
        (
            "s3",
            "{lifecycle: [{id: a, keep_noncurrent: 1, expire_days: 1}]}",
            "main.settings.lifecycle[0].keep_noncurrent: needs `expire_noncurrent_days`",
        ),
        (
            "s3",
            "{lifecycle: [{id: a, transitions: [{storage_class: X}]}]}",
            "main.settings.lifecycle[0].transitions[0]: say either `days` or `date`",
        ),
        (
            "s3",
            "{acl: [{permission: read}]}",
            "main.settings.acl[0]: say either `user` or `group`",
        ),
        (
            "s3",
            "{website: {error_document: e}}",
            "main.settings.website: needs `index_document` or `redirect_all_requests_to`",
        ),
        (
            "s3",
            "{website: {index_document: i, redirect_all_requests_to: {host_name: h}}}",
            "main.settings.website.index_document: means nothing where `redirect_all_requests_to` "
            "redirects everything",
        ),
        (
            "s3",
            "{policy: {Statement: [{Effect: Alow}]}}",
            'main.settings.policy.Statement[0].Effect: found "Alow", allowed: Allow, Deny; did you '
            "mean `Allow`?",
        ),
        (
            "s3",
            "{policy: ../p.json}",
            'main.settings.policy: found "../p.json", allowed: a mapping, the path of a `.json` '
            "file inside the folder of .buckia, or `absent`",
        ),
        (
            "s3",
            "{policy: p.json}",
            "main.settings.policy: the policy p.json cannot be read: No such file or directory; "
            "check its path and permissions",
        ),
        (
            "local",
            "{versioning: enabled}",
            "main.settings: a `local` bucket is a folder and has no settings",
        ),
        (
            "linode",
            "{acceleration: enabled}",
            "main.settings.acceleration: `linode` has no such setting; it has policy, acl, cors, "
            "lifecycle, versioning, website",
        ),
        (
            "b2",
            "{lifecycle: [{prefix: a}]}",
            "main.settings.lifecycle[0]: does not say what is to happen: no `hide_after_days` or "
            "its like",
        ),
        (
            "b2",
            "{lifecycle: [{hide_after_days: 1}, {prefix: '', hide_after_days: 2}]}",
            "main.settings.lifecycle[0]: two rules are for the prefix ``",
        ),
        (
            "bunny",
            "{pull_zone: {enable_logging: true}}",
            "main.settings.pull_zone: which pull zone? name it as `pull_zone` of the bucket",
        ),
        (
            "bunny",
            "{edge_rules: {Old: absent}}",
            "main.settings.edge_rules: which pull zone? name it as `pull_zone` of the bucket",
        ),
    ],
)
def test_what_is_wrong_is_said_where_it_stands(
    tmp_path: Path, provider: str, settings: str, said: str
) -> None:
    """In words that say what to write instead."""
    region = "  region: nl-ams-1\n" if provider == "linode" else ""
    assert said in found(tmp_path, settings, provider, region)


def test_dates_are_what_they_look_like(tmp_path: Path) -> None:
    """YAML would make dates of the version of a policy and of the day of a rule."""
    path = tmp_path / ".buckia"
    path.write_text(POLICY)
    declared = load(path).bucket("main").declared(tmp_path)
    assert declared["policy"] == {
        **PUBLIC,
        "Statement": [{**PUBLIC["Statement"][0], "Resource": "r"}],
    }
    assert declared["lifecycle"] == [{"id": "a", "expire_date": "2030-01-31"}]
    lines = POLICY.splitlines(keepends=True)
    shared = ["buckia:\n", "  defaults:\n", *(f"  {line}" for line in lines[3:])]
    path.write_text("".join([*shared, *lines[:3]]))
    assert load(path).bucket("main").declared(tmp_path) == declared
    path.write_text(POLICY.replace("bucket_name: b", "bucket_name: 2030-01-31"))
    with pytest.raises(InvalidFile, match="reads as a date or time"):
        load(path)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is empty"),
        ("{", "is not valid JSON"),
        ("[]", "is not a JSON object"),
        ('{"Version": "2012-10-17"}', "`Statement` is missing"),
        ('{"Statement": [], "Statement": []}', "appears twice"),
        ('{"Statement": [{"Effect": "Maybe"}]}', r"Statement\[0\]\.Effect: found \"Maybe\""),
        ('{"Statement": [' + " " * 1024**2 + "]}", "larger than any service takes"),
    ],
)
def test_a_file_without_a_policy_is_refused(tmp_path: Path, text: str, why: str) -> None:
    """By name, whoever asks."""
    (tmp_path / "p.json").write_text(text)
    with pytest.raises(ConfigError, match=why) as caught:
        bucket(settings={"policy": "p.json"}).declared(tmp_path)
    assert str(caught.value).startswith("the policy p.json")
    assert any("the policy p.json" in line for line in found(tmp_path, "{policy: p.json}"))


def test_a_policy_in_a_file_is_the_same_as_one_in_place(tmp_path: Path) -> None:
    """`${...}` in it is Amazon's."""
    policy = {**PUBLIC, "Id": "${aws:username}"}
    (tmp_path / "p.json").write_text(json.dumps(policy))
    one = bucket(settings={"policy": "p.json"})
    assert one.declared(tmp_path) == bucket(settings={"policy": policy}).declared(tmp_path)
    assert one.identity()["settings"] == {"policy": "p.json"}


def test_settings_belong_to_the_identity_in_one_spelling() -> None:
    """A plan is for one declaration; a bucket without any is what it was before there were any."""
    plain = bucket().identity()
    assert "settings" not in plain
    one = bucket(settings={"cors": CORS, "lifecycle": RULES})
    two = bucket(settings={"lifecycle": [{**RULES[0], "enabled": True}], "cors": tuple(CORS)})
    assert digest(one.identity()) == digest(two.identity()) != digest(plain)
    other = bucket(settings={"cors": "absent", "lifecycle": RULES})
    assert digest(other.identity()) != digest(one.identity())


def test_python_declares_settings_as_a_file_does() -> None:
    """And is told the same."""
    with pytest.raises(InvalidConfig, match=r"settings\.acceleration: `linode` has no such"):
        bucket("linode", region="r", settings={"acceleration": "enabled"})
    with pytest.raises(InvalidConfig, match="a `local` bucket is a folder and has no settings"):
        bucket("local", settings={"versioning": "enabled"})
    made = build({"main": {"provider": "s3", "bucket_name": "b", "settings": {"cors": CORS}}})
    assert made.bucket("main").settings == {"cors": CORS}
    assert bucket().declared(Path()) == {}
