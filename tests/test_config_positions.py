"""Errors and warnings of a configuration file: which line, which column, which words."""

from __future__ import annotations

from pathlib import Path

import pytest

from buckia.config.file import InvalidFile, check, load
from buckia.config.source import MAX_BYTES

ID = "k7Qm2ZtV9cXw4Rb8LpHs3N"
HEAD = "a:\n  provider: s3\n  bucket_name: x\n"


def said(folder: Path, text: str | bytes, name: str = ".buckia") -> list[str]:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return [str(item) for item in check(path, {})]


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("", "1:1: at least one bucket"),
        ("{}", "1:1: at least one bucket: a name, and under it `provider`"),
        ("buckia: {version: 1}\n", "1:1: at least one bucket"),
        ("- a\n", "1:1: found a list, allowed: a mapping"),
        ("provider: s3\nbucket_name: x\n", "1:1: provider: is an option of a bucket"),
        ("a:\n", "1:3: a: found nothing, allowed: a mapping"),
        ("a: {bucket_name: x}\n", "1:1: a: `provider` is missing"),
        ("a: {provider: s3}\n", "1:1: a: `bucket_name` is missing"),
        ("a b: {provider: s3, bucket_name: x}\n", '1:1: a b: found "a b", allowed: a name'),
        (HEAD + "  regoin: eu\n", "4:3: a.regoin: unknown option; did you mean `region`?"),
        (HEAD + "  zzz: eu\n", "4:3: a.zzz: unknown option; allowed: provider, bucket_name,"),
        (HEAD + "  include_pattern: x\n", "4:3: a.include_pattern: is for the Python API; in"),
        (HEAD + "  paths: []\n", "4:10: a.paths: found an empty list, allowed: at least one entry"),
        (HEAD + "  paths:\n  - ok/\n  - ../no\n", '6:5: a.paths[1]: found "../no", allowed: a'),
        (HEAD + "  max_workers: many\n", '4:16: a.max_workers: found "many", allowed: a whole'),
        (HEAD + "  region:\n", "4:10: a.region: found nothing, allowed: text"),
        (HEAD + "  files: {a: k, b: k}\n", "4:17: a.files.b: `a` and `b` are two local files"),
        (HEAD + "  folders: [0123]\n", "4:13: a.folders[0]: found `0123` that YAML reads as a"),
        (HEAD + "  folders: [on]\n", "4:13: a.folders[0]: found `on` that YAML reads as true"),
        (HEAD + "  folders: [2024-01-31]\n", "4:13: a.folders[0]: found `2024-01-31` that YAML"),
        (HEAD + "  folders: [2024-99-31]\n", "4:13: a.folders[0]: `2024-99-31` looks like a"),
        (HEAD + "  bucket_name: y\n", "4:3: a.bucket_name: stands here twice, first in line 3"),
        ("on: {provider: s3, bucket_name: x}\n", "1:1: on: YAML reads the name `on` as a bool"),
        ("007: {provider: s3, bucket_name: x}\n", "1:1: 007: YAML reads the name `007` as a int"),
        ("a:\n\tprovider: s3\n", "2:1: a tab cannot indent YAML; use spaces"),
        ("a: [1\nb: 2\n", "2:2: is not valid YAML"),
        ("a: *nobody\n", "1:4: is not valid YAML"),
        ("a: !!python/object:os.system {}\n", "1:4: the tag"),
        ("a: {provider: s3}\n---\nb: {}\n", "2:1: is not valid YAML"),
        (b"a: ok\nb: \xff\n", "2:4: the file is not UTF-8"),
        ("a: x\x07y\n", "1:5: the character U+0007 is not allowed"),
        ("a: " + "[" * 40 + "]" * 40, "1:20: nested deeper than 16 levels"),
        ("a: " + "[" * 600, "1:1: nested deeper than 16 levels"),
        ("a: 1" + "0" * 5000, "1:4: a: `1000"),
        ("a: 0x" + "f" * 5000, "1:4: a: `0xff"),
        ('"\\ud800": {}\n', "1:1: \\ud800: the name holds a line break"),
        ("buckia: {state: {bucket: b}}\n" + HEAD, "1:26: buckia.state.bucket: there is no"),
        ("buckia: {defaults: {bucket_name: b}}\n" + HEAD, "1:21: buckia.defaults.bucket_name: ev"),
        ("buckia: {version: 2}\n" + HEAD, "1:19: buckia.version: found 2, allowed: 1"),
        ("buckia:\n  defaults:\n    max_workers: 0\n" + HEAD, "3:18: buckia.defaults.max"),
    ],
)  # fmt: skip
def test_yaml_errors_say_where(tmp_path: Path, text: str | bytes, first: str) -> None:
    assert said(tmp_path, text)[0].startswith(first)
    with pytest.raises(InvalidFile) as caught:
        load(tmp_path / ".buckia", {})
    assert str(caught.value).splitlines()[0].startswith(f"{tmp_path}/.buckia:{first}")


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("[a]\nprovider = s3\n", "2:12: is not valid TOML"),
        ("[a]\nprovider = 's3'\nprovider = 's3'\n", "3:"),
        (
            "[a]\nprovider = 's3'\nbucket_name = 'x'\nregoin = 'x'\n",
            "4:1: a.regoin: unknown option",
        ),
        ("[a]\nprovider = 's3'\n[a.limits]\nmin = 'x'\n", "1:2: a: `bucket_name` is missing"),
        (
            "a.provider = 's3'\na.bucket_name = 'x'\na.max_workers = 0\n",
            "3:1: a.max_workers: found 0",
        ),
        (
            "[a]\nprovider='s3'\nbucket_name='x'\nfolders = [2024-01-01]\n",
            "4:1: a.folders[0]: found a",
        ),
        ("a = " + "[" * 5000, "1:1: nested deeper"),
        ("a = 0x" + "f" * 5000, "1:1: holds a number too large"),
        ("[", "1:2: is not valid TOML"),
    ],
)
def test_toml_errors_say_where(tmp_path: Path, text: str, first: str) -> None:
    assert said(tmp_path, text, ".buckia.toml")[0].startswith(first)


def test_every_error_is_told_at_once(tmp_path: Path) -> None:
    text = (
        "buckia: {limits: {max_delete: lots}, state: {bucket: nope}}\n"
        "a:\n  provider: amazon\n  bucket_name: x\n  trash: maybe\n"
        "b:\n  provider: s3\n  bucket_name: x\n  regoin: eu\n  files: {p: k, q: k}\n"
    )
    assert [line.partition(": ")[0] for line in said(tmp_path, text)] == [
        "1:31", "1:54", "3:13", "5:10", "9:3", "10:17",
    ]  # fmt: skip
    with pytest.raises(InvalidFile) as caught:
        load(tmp_path / ".buckia", {})
    assert "(and 5 more: `buckia validate` shows all)" in str(caught.value).splitlines()[0]
    assert len(caught.value.findings) == 6


def test_a_default_that_is_wrong_is_told_once_and_where_it_stands(tmp_path: Path) -> None:
    defaults = "buckia:\n  defaults:\n    provider: s3\n    paths: [/x]\n"
    text = defaults + "a: {bucket_name: a}\nb: {bucket_name: b}\n"
    (only,) = said(tmp_path, text)
    assert only.startswith('4:13: buckia.defaults.paths[0]: found "/x"')


@pytest.mark.promise("HYG-3")
def test_aliases_and_merges_work_and_are_bounded(tmp_path: Path) -> None:
    text = "a: &a {provider: s3, bucket_name: x, region: eu}\nb: {<<: *a, bucket_name: y}\n"
    assert said(tmp_path, text) == []
    bucket = load(tmp_path / ".buckia").bucket("b")
    assert (bucket.bucket_name, bucket.region) == ("y", "eu")
    laughs = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{chr(98 + n)}: &{chr(98 + n)} [{','.join([f'*{chr(97 + n)}'] * 9)}]\n" for n in range(8)
    )
    assert "values, aliases counted" in said(tmp_path, laughs)[0]
    assert "nested deeper" in said(tmp_path, "a: &a [*a]\n")[0]


@pytest.mark.promise("HYG-3")
def test_size_and_access(tmp_path: Path) -> None:
    assert said(tmp_path, b"#" * (MAX_BYTES + 1)) == ["1:1: the file is larger than 10 MB"]
    (only,) = check(tmp_path / "missing", {})
    assert "cannot be read: No such file or directory" in only.message


@pytest.mark.parametrize(
    ("rest", "warning"),
    [
        ("  api_key: AKIA123\n", "4:12: warning: a.api_key: a secret stands in the file"),
        (
            "  credentials: {session_token: t}\n",
            "4:32: warning: a.credentials.session_token: a secret",
        ),
        ("  folders: [TEAM]\n", "4:13: warning: a.folders[0]: `TEAM` is short (4 characters)"),
        ("  folders: [abcdefghijklmnopqr]\n", "a.folders[0]: `abcdefghijklmnopqr` is a sequence"),
        ("  folders: ['12345678901234567890']\n", "is a number"),
        ("  folders: [enterprise-customer-photos]\n", "is made of words"),
        ("  folders: [team-2024-frankfurt-office]\n", "is made of words"),
        ("  folders: [00000000-0000-0000-0000-000000000001]\n", "is a number"),
        ("  folders: [abababababababababab]\n", "repeats itself"),
        ("  pull_zone: z\n", "4:3: warning: a.pull_zone: `s3` ignores it; it is for bunny"),
        (
            "  paths: [p, p/q]\n",
            "4:14: warning: a.paths[1]: `p/q/` overlaps `p/`: a file in both has",
        ),
        ("  paths: [p, ./p/]\n", "a.paths[1]: `p/` stands here twice; entry 1 counts"),
        ("  paths: [p, {path: q, direction: download}]\n", "both receive what is new in the root"),
        (
            "  delete_orphaned: all\n",
            "4:20: warning: a.delete_orphaned: `all` only deletes foreign",
        ),
        (f"  folders: [{ID}]\n  files: {{p: k}}\n", "4:3: warning: a.folders: limits nothing"),
    ],
)
def test_warnings_say_where(tmp_path: Path, rest: str, warning: str) -> None:
    (only,) = said(tmp_path, HEAD + rest)
    assert warning in only and " warning: " in only
    assert load(tmp_path / ".buckia", {}).buckets.keys() == {"a"}


@pytest.mark.parametrize(
    "rest",
    [
        "  api_key: ${UNSET_KEY}\n",
        f"  folders: [{ID}, 550e8400-e29b-41d4-a716-446655440000]\n",
        "  paths: [demo/, static/data/]\n",
        "  paths: [demo/, {path: static/, prefix: data/, direction: upload}]\n",
        "  paths: [{path: demo/, direction: upload}]\n  delete_orphaned: all\n",
    ],
)
def test_what_is_fine_is_not_warned_about(tmp_path: Path, rest: str) -> None:
    assert [line for line in said(tmp_path, HEAD + rest) if "is not set" not in line] == []


def test_guessable_ids_in_sets_and_inline_secrets_in_defaults(tmp_path: Path) -> None:
    text = "buckia:\n  sets: {demo: [TEAM]}\n  defaults: {password: pw}\n" + HEAD
    assert [line.partition(": a")[0].partition(" and ")[0] for line in said(tmp_path, text)] == [
        "2:17: warning: buckia.sets.demo[0]: `TEAM` is short (4 characters)",
        "3:24: warning: buckia.defaults.password",
    ]
