"""Configurations: what a valid one means, where it is found, and that secrets stay in it."""

from __future__ import annotations

import json
import pickle
import shutil
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from buckia.config import BucketConfig, Config, InvalidConfig
from buckia.config.file import InvalidFile, build, check, find, load
from buckia.config.schema import API_ONLY, options, problems
from buckia.config.template import template
from buckia.documents import digest, schema
from buckia.errors import ConfigError
from buckia.model import Direction, Policy
from buckia.rules import Limits

EXAMPLES = Path(__file__).parent.parent / "examples"
ID = "k7Qm2ZtV9cXw4Rb8LpHs3N"


def s3(**more: Any) -> BucketConfig:
    return BucketConfig(provider="s3", bucket_name="b", **more)


def write(folder: Path, text: str, name: str = ".buckia") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


# -- the schema ------------------------------------------------------------------------------------


def _described(value: Any, where: str) -> Any:
    if isinstance(value, dict):
        for name, item in value.get("properties", {}).items():
            if isinstance(item, dict) and "$ref" not in item:
                yield f"{where}.{name}", item
                yield from _described(item, f"{where}.{name}")
        for name, item in value.get("$defs", {}).items():
            yield from _described(item, name)


def test_the_schema_is_valid_and_its_examples_are_too() -> None:
    whole = schema("config")
    Draft202012Validator.check_schema(whole)
    for example in whole["examples"]:
        assert problems(example) == []
    for name, rules in _described(whole, ""):
        assert rules.get("description"), name
        validator = Draft202012Validator({**rules, "$defs": whole["$defs"]})
        for example in [
            *rules.get("examples", ()),
            *([rules["default"]] if "default" in rules else []),
        ]:
            text = json.dumps(example)
            assert "${" in text or not list(validator.iter_errors(example)), (name, example)


def test_the_schema_and_the_type_have_the_same_options_and_defaults() -> None:
    plain = {f.name: f for f in fields(BucketConfig)} | {}
    assert set(options()) | set(API_ONLY) | {"name", "missing_env"} == set(plain)
    made = s3()
    for name, rules in options().items():
        if "default" in rules and name != "paths":
            wanted = rules["default"]
            assert getattr(made, name) == (tuple(wanted) if isinstance(wanted, list) else wanted), (
                name
            )
    assert made.limits == Limits()


# -- the Python face -------------------------------------------------------------------------------


def test_python_values_are_normalised() -> None:
    made = s3(
        paths="demo/",
        folders=[f"{ID}/"],
        include=["*.png"],
        files={"./a.json": "a.json"},
        delete_orphaned=True,
        conflict_resolution="local_wins",
        limits={"max_delete": "5%"},
        max_workers=4.0,
    )
    assert made.paths == ("demo/",)
    assert made.rules.delete == "yes"
    assert made.rules.policy is made.conflict_resolution is Policy.LOCAL_WINS
    assert made.rules.limits == made.limits == Limits("5%", 10)
    assert made.layout.mappings[0].folders == (ID,)
    assert made.layout.mappings[1].path == "a.json"
    assert (made.name, made.max_workers, type(made.max_workers)) == ("b", 4, int)
    assert replace(made, max_workers=2) == replace(made, max_workers=2)
    assert pickle.loads(pickle.dumps(made)) == made
    assert s3(paths=[Path("demo")]).layout.mappings[0].path == "demo/"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"provider": "amazon"}, 'provider: found "amazon", allowed: local, s3, linode, b2, bunny'),
        ({"provider": "bunnny"}, "did you mean `bunny`?"),
        ({"bucket_name": ""}, 'bucket_name: found "", allowed: text'),
        ({"bucket_name": None}, "`bucket_name` is missing"),
        ({"max_workers": 0}, "max_workers: found 0, allowed: 1 to 256"),
        ({"max_workers": True}, "max_workers: found true, allowed: a whole number"),
        ({"max_workers": "8"}, 'max_workers: found "8", allowed: a whole number'),
        ({"paths": 5}, "paths: found 5, allowed: a list"),
        ({"paths": [None]}, "paths[0]: found nothing, allowed: text or a mapping"),
        ({"paths": [{"prefix": "a"}]}, "paths[0]: `path` is missing"),
        (
            {"paths": [{"path": "a", "prefx": "b"}]},
            "paths[0].prefx: unknown option; did you mean `prefix`?",
        ),
        ({"paths": [{"path": "a", "direction": "down"}]}, "allowed: both, upload, download"),
        ({"paths": ["../a"]}, 'paths[0]: found "../a", allowed: a path inside the folder'),
        ({"paths": ["a/../b"]}, "no `..`"),
        ({"paths": ["/etc"]}, "not absolute"),
        ({"paths": ["~/a"]}, "no `~`"),
        ({"paths": ["C:/a"]}, "no drive letter"),
        ({"paths": ["a\\b"]}, "no backslash"),
        ({"paths": ["a\n"]}, "control character"),
        ({"folders": ["a/b"]}, "folders[0]: found"),
        ({"folders": ["con"]}, "a device name on Windows"),
        ({"folders": ["a", "a"]}, "each value once"),
        ({"folders": {"a"}}, "found a value of type set, allowed: a list"),
        ({"files": {"a": "/k"}}, "files.a: found"),
        ({"files": {"a/": "k"}}, "the path of one file"),
        ({"files": {1: "k"}}, "the name is not text"),
        ({"files": {"a": "x/.buckia/y"}}, "buckia's own file"),
        ({"upload_files": {".buckia": "k"}}, "buckia's own file"),
        ({"files": {"a": "con"}}, "a device name on Windows"),
        ({"limits": {"max_delete": "101%"}}, "at most `100%`"),
        ({"limits": {"max": 1}}, "limits.max: unknown option"),
        ({"limits": {"min": -1}}, "limits.min: found -1, allowed: 0 or more"),
        ({"delete_orphaned": "yes"}, 'found "yes", allowed: false, true, all'),
        ({"conflict_resolution": "local-wins"}, "did you mean `local_wins`?"),
        ({"checksum_algorithm": "crc32"}, "no provider reports another digest"),
        ({"domain": "https://user:pw@host"}, "without user name or password"),
        ({"region": "us east"}, "region: found"),
        ({"provider": "linode"}, "`linode` needs `region`"),
        ({"include": ["!"]}, "include[0]: `!` is not a pattern"),
        ({"include_pattern": "("}, "include_pattern: is not a regular expression"),
        ({"credentials": {"Key": "x"}}, "a name such as `access_key_id`"),
        ({"bucket_name": "a\nb"}, "control character"),
    ],
)
def test_wrong_values_are_refused_in_one_line(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        BucketConfig(**{"provider": "s3", "bucket_name": "b", **wrong})
    first = str(caught.value).splitlines()[0]
    assert first.startswith("bucket `")
    assert said in first


BREAKING = ("a#b", "a?b", "a/b", "a b", "a%20b", "a@b", "a:b", "a\\b", "\u00fc", ".", "..")
"""Names that would make another URL of the one that they stand in."""


@pytest.mark.parametrize("provider", ["s3", "linode", "b2", "bunny"])
@pytest.mark.parametrize("name", BREAKING)
def test_a_name_that_breaks_urls_is_refused_where_it_stands(
    tmp_path: Path, provider: str, name: str
) -> None:
    """In a file by its line, and before anything is asked of a service."""
    with pytest.raises(ConfigError, match=r"bucket_name: found .*, allowed: .*letters, digits"):
        BucketConfig(provider=provider, bucket_name=name, region="us-east-1")
    path = write(tmp_path, f"a:\n  provider: {provider}\n  bucket_name: {json.dumps(name)}\n")
    with pytest.raises(InvalidFile, match=r":3:16: a\.bucket_name: found") as caught:
        load(path)
    assert caught.value.exit_code == 78


@pytest.mark.parametrize(
    ("provider", "name"),
    [
        ("s3", "acme-common"),
        ("s3", "acme.example.org"),
        ("s3", "Old_Bucket.Of-Virginia" + "x" * 233),
        ("linode", "My_Bucket"),
        ("b2", "Acme-Common-" + "1" * 51),
        ("bunny", "Acme_Zone-1"),
        ("local", "../buckets/a#b c?"),
    ],
)
def test_names_that_some_service_has_given_are_taken(provider: str, name: str) -> None:
    """Such as those of old buckets of Amazon, which are longer and of both cases."""
    made = BucketConfig(provider=provider, bucket_name=name, region="us-east-1", paths=["x"])
    assert made.bucket_name == name


@pytest.mark.parametrize(("provider", "most"), [("s3", 255), ("b2", 63), ("bunny", 255)])
def test_a_name_longer_than_any_service_has_is_refused(provider: str, most: int) -> None:
    BucketConfig(provider=provider, bucket_name="x" * most)
    with pytest.raises(ConfigError, match=f"at most {most}"):
        BucketConfig(provider=provider, bucket_name="x" * (most + 1))


def test_the_name_of_a_zone_is_the_one_that_stands_in_urls() -> None:
    """Beside it `bucket_name` is no more than a name."""
    made = BucketConfig(provider="bunny", bucket_name="My zone", storage_zone="my-zone")
    assert made.storage_zone == "my-zone"
    for name in BREAKING:
        with pytest.raises(ConfigError, match=r"storage_zone: found .*, allowed: a name"):
            BucketConfig(provider="bunny", bucket_name="x", storage_zone=name)


def test_two_local_files_for_one_key_are_both_named() -> None:
    with pytest.raises(ConfigError, match="`a` and `c/d` are two local files for one key, `k`"):
        s3(files={"a": "k"}, upload_files={"c/d": "k"})
    with pytest.raises(ConfigError, match="`a` stands here twice for `k`"):
        s3(files={"a": "k"}, upload_files={"a": "k"})
    with pytest.raises(ConfigError, match=r"`\./a` would be written from two keys, `k` and `l`"):
        s3(files={"a": "k", "./a": "l"})
    assert len(s3(upload_files={"a": "k", "./a": "l"}).layout.mappings) == 2


@pytest.mark.parametrize(
    ("bucket", "paths", "said"),
    [
        ("b", ["./"], "`b` lies inside the mapped path `./`"),
        ("a/b", ["a"], "`a/b` lies inside the mapped path `a/`"),
        ("..", ["a"], "`..` contains the mapped path `a/`"),
        ("a/../b", ["b/c"], "`a/../b` contains the mapped path `b/c/`"),
        ("/tmp/b", ["a"], "relative to the folder of .buckia"),
        ("~/b", ["a"], "relative to the folder of .buckia"),
    ],
)
def test_a_local_bucket_cannot_sync_into_itself(bucket: str, paths: list[str], said: str) -> None:
    with pytest.raises(ConfigError, match=said.replace(".", r"\.")):
        BucketConfig(provider="local", bucket_name=bucket, paths=paths)
    BucketConfig(provider="local", bucket_name="../b", paths=paths)


def test_links_count_when_a_bucket_would_sync_into_itself(tmp_path: Path) -> None:
    (tmp_path / "assets").mkdir()
    (tmp_path / "elsewhere").symlink_to("assets")
    path = write(tmp_path, "a: {provider: local, bucket_name: elsewhere/b, paths: [assets]}\n")
    with pytest.raises(ConfigError, match="lies inside the mapped path `assets/`"):
        load(path)


# -- layout ----------------------------------------------------------------------------------------


def test_the_original_example_means_what_it_says() -> None:
    made = BucketConfig(
        provider="bunny",
        bucket_name="common-assets",
        domain="storage.bunnycdn.net",
        region="eu-central",
        api_key="YOUR_API_KEY",
        storage_api_key="YOUR_STORAGE_API_KEY",
        password="YOUR_PASSWORD",
        folders=["123-456-789-ABC"],
        paths=["demo/", "static/data/"],
        delete_orphaned=True,
        max_workers=8,
        checksum_algorithm="sha256",
        conflict_resolution="local_wins",
    )
    demo, data = made.layout.mappings
    assert (demo.path, demo.prefix, demo.direction) == ("demo/", "", Direction.BOTH)
    assert (data.path, data.prefix, data.direction) == ("static/data/", "", Direction.UPLOAD)
    assert made.layout.prefixes == ("123-456-789-ABC/",)
    assert made.layout.path_of("123-456-789-ABC/x.png") == "demo/123-456-789-ABC/x.png"
    assert made.layout.path_of("other/x.png") is None


def test_written_out_paths_say_their_own_prefix_and_direction() -> None:
    made = s3(
        folders=[ID],
        paths=[
            {"path": "a"},
            {"path": "b", "prefix": "x/y"},
            {"path": "c", "direction": "download"},
        ],
    )
    told = [(m.path, m.prefix, str(m.direction), m.folders) for m in made.layout.mappings]
    assert told == [
        ("a/", "", "both", (ID,)),
        ("b/", "x/y/", "upload", ()),
        ("c/", "", "download", (ID,)),
    ]


def test_single_files_stand_alone_unless_paths_are_given() -> None:
    assert [m.path for m in s3().layout.mappings] == [""]
    alone = s3(files={"a.json": "conf/a.json"}, upload_files={"b": "b"}).layout.mappings
    assert [(m.path, m.prefix, str(m.direction), m.single) for m in alone] == [
        ("a.json", "conf/a.json", "both", True),
        ("b", "b", "upload", True),
    ]


# -- headers ---------------------------------------------------------------------------------------


def test_header_rules_are_kept_in_their_order_and_by_their_names() -> None:
    """As the rules of the bucket, every header under the name it has everywhere."""
    made = s3(
        headers=[
            {"match": "*", "cache_control": "no-cache", "metadata": {"a": "1"}},
            {
                "match": ["*.jpg", "!x.jpg"],
                "content_type": "image/jpeg",
                "content_disposition": "inline",
                "content_encoding": "br",
                "storage_class": "STANDARD_IA",
            },
        ]
    )
    first, second = made.rules.headers.rules
    assert (first.globs, first.headers) == (("*",), {"cache-control": "no-cache", "meta-a": "1"})
    assert second.globs == ("*.jpg", "!x.jpg")
    assert second.headers == {
        "content-type": "image/jpeg",
        "content-disposition": "inline",
        "content-encoding": "br",
        "storage-class": "STANDARD_IA",
    }
    assert made.rules.headers.in_place
    assert s3().rules.headers.rules == ()


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"match": "*"}, "a rule with `match` and at least one header"),
        ({"cache_control": "a"}, "headers[0]: `match` is missing"),
        ({"match": "*", "cache_control": "a\r\nX: b"}, "a line break or another control"),
        ({"match": "*", "cache_control": "für immer"}, "ASCII text of one line"),
        ({"match": "*", "cache_control": " a"}, "no space at either end"),
        ({"match": "*", "cache_control": "a" * 1025}, "at most 1,024 characters"),
        ({"match": "*", "cache_controll": "a"}, "did you mean `cache_control`?"),
        ({"match": "*", "content_type": "html"}, "a media type such as"),
        ({"match": "*", "content_type": "text/html\r\nX: y"}, "control character"),
        ({"match": "*", "content_encoding": "gzip br"}, "encodings such as `gzip`"),
        ({"match": "*", "storage_class": "cold"}, "a storage class such as"),
        ({"match": "*", "metadata": {}}, "metadata"),
        ({"match": "*", "metadata": {"A": "b"}}, "a name of lower-case letters"),
        ({"match": "*", "metadata": {"a_b": "c"}}, "a name of lower-case letters"),
        ({"match": "*", "metadata": {"sha256": "c"}}, "which are taken"),
        ({"match": "*", "metadata": {"b2-a": "c"}}, "which are taken"),
        ({"match": "*", "metadata": {"a\nb": "c"}}, "control character"),
        ({"match": "*", "metadata": {"a": "b\nc"}}, "control character"),
        ({"match": "*", "metadata": {"a": 1}}, "allowed: text"),
        ({"match": [], "cache_control": "a"}, "at least one entry"),
        ({"match": "!*.jpg", "cache_control": "a"}, "`!` only takes back"),
        ({"match": "a**[", "cache_control": "a", "metadata": {"a": "x" * 1024, "b": "x" * 900}},
         "1926 bytes of `metadata`"),
    ],
)  # fmt: skip
def test_a_bad_header_rule_is_told_with_its_place(rule: dict[str, Any], words: str) -> None:
    """Whatever would break a header, or that no object can have."""
    with pytest.raises(InvalidConfig) as caught:
        s3(headers=[rule])
    assert words in str(caught.value)
    assert "headers" in str(caught.value)


def test_a_rule_of_a_file_is_told_by_line_and_column(tmp_path: Path) -> None:
    """Down to the header of the rule."""
    path = write(
        tmp_path,
        "a:\n  provider: s3\n  bucket_name: b\n  headers:\n"
        "    - match: '*.jpg'\n      cache_control: 'grün'\n",
    )
    (finding,) = check(path)
    assert str(finding).startswith("6:22: a.headers[0].cache_control: found")


# -- identity and secrets --------------------------------------------------------------------------

SECRET = "s3cr3t-v4lue"


def test_secrets_are_in_secrets_and_nowhere_else(tmp_path: Path) -> None:
    made = s3(api_key=SECRET, password=SECRET + "2", credentials={"access_key_id": SECRET + "3"})
    assert made.secrets == (SECRET, SECRET + "2", SECRET + "3")
    config = Config(tmp_path, None, {"b": made})
    for text in (repr(made), str(made), repr(config), json.dumps(made.identity())):
        assert SECRET not in text
    for wrong in (
        {"api_key": SECRET + "\n"},
        {"credentials": {"a": [SECRET]}},
        {"password": [SECRET]},
    ):
        with pytest.raises(ConfigError) as caught:
            s3(**wrong)
        assert SECRET not in str(caught.value)


def test_secrets_never_reach_a_finding(tmp_path: Path) -> None:
    env = {"KEY": SECRET, "BAD": SECRET + "\n"}
    path = write(
        tmp_path,
        f"a: {{provider: s3, bucket_name: b, api_key: 01234567, password: '{SECRET}'}}\n"
        "b: {provider: s3, bucket_name: b, api_key: '${BAD}', max_workers: '${KEY}'}\n"
        f"c: {{provider: s3, bucket_name: b, credentials: '{SECRET}'}}\n",
    )
    said = "\n".join(map(str, check(path, env)))
    assert "a.api_key: found a value that YAML reads as a number unless it stands in quotes" in said
    assert "b.api_key: text holds a line break" in said
    assert 'b.max_workers: found "${KEY}"' in said
    assert "c.credentials: found text, allowed: a mapping" in said
    assert SECRET not in said and "01234567" not in said


def test_identity_is_stable_and_holds_only_what_plans_depend_on() -> None:
    one = s3(paths=["./a/", "b"], folders=["y", "x"], max_workers=3, api_key="k", profile="p")
    two = s3(paths=["a", {"path": "b/.", "direction": "upload"}], folders=["x/", "y"])
    assert digest(one.identity()) == digest(two.identity())
    assert one.identity() == json.loads(json.dumps(one.identity()))
    rules = [{"match": "*", "cache_control": "a"}]
    changes = ({"exclude": ["*.tmp"]}, {"delete_orphaned": "all"}, {"trash": False})
    for change in (*changes, {"headers": rules}):
        assert digest(replace(one, **change).identity()) != digest(one.identity())


# -- files -----------------------------------------------------------------------------------------

TWO = (
    "common: {provider: local, bucket_name: ../c}\n"
    "production: {provider: local, bucket_name: ../p}\n"
)


def test_search_order(tmp_path: Path) -> None:
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    with pytest.raises(ConfigError, match=r"no \.buckia, .* in .* or above; `buckia init`"):
        find(inner, env={})
    top = write(tmp_path, TWO)
    assert find(inner, env={}) == top
    toml = write(inner, "", ".buckia.toml")
    assert find(inner, env={}) == toml
    yaml = write(inner, TWO, ".buckia.yaml")
    assert find(inner, env={}) == yaml
    (inner / ".buckia").mkdir()
    assert find(inner, env={}) == yaml
    other = write(inner, TWO, "other")
    assert find(inner, env={"BUCKIA_CONFIG": "other"}) == other
    assert find(inner, "../../.buckia", {"BUCKIA_CONFIG": "other"}).resolve() == top
    with pytest.raises(ConfigError, match="--config: nowhere does not exist"):
        find(inner, "nowhere", {})
    with pytest.raises(ConfigError, match=r"BUCKIA_CONFIG: \.buckia is a directory"):
        find(inner, None, {"BUCKIA_CONFIG": ".buckia"})


def test_a_bucket_is_named_or_the_near_one_is_suggested(tmp_path: Path) -> None:
    config = load(write(tmp_path, TWO))
    assert (config.root, config.path) == (tmp_path, tmp_path / ".buckia")
    assert config.bucket("common").bucket_name == "../c"
    with pytest.raises(ConfigError, match=r"no bucket `prodction` .*; did you mean `production`\?"):
        config.bucket("prodction")
    with pytest.raises(ConfigError, match=r"no bucket `x` .*; there is common, production"):
        config.bucket("x")


def test_environment(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "a:\n  provider: ${P}\n  bucket_name: x-${N}\n  prefix: $${N}/\n  max_workers: ${W}\n"
        "  delete_orphaned: ${D}\n  api_key: ${KEY}\n  credentials: {session_token: '${A}${B}'}\n"
        "b: {provider: s3, bucket_name: x}\n",
    )
    env = {"P": "s3", "N": "1", "W": "3", "D": "true", "KEY": "k", "A": "a", "B": "b"}
    made = load(path, env).bucket("a")
    assert (made.bucket_name, made.max_workers, made.delete_orphaned) == ("x-1", 3, True)
    assert made.prefix == "${N}/"
    assert (made.api_key, made.credentials) == ("k", {"session_token": "ab"})

    config = load(path, {**env, "KEY": "", "A": ""})
    config.bucket("b")
    assert config.buckets["a"].api_key is None
    with pytest.raises(ConfigError, match=r"not set: KEY for `api_key`, A for `credentials\."):
        config.bucket("a")
    warnings = [str(item) for item in check(path, {**env, "KEY": ""})]
    assert any(
        line.startswith("7:12: warning: a.api_key: ") and "KEY is not set" in line
        for line in warnings
    )

    with pytest.raises(InvalidFile, match=r":3:16: a\.bucket_name: .* variable N is not set"):
        load(path, {**env, "N": ""})
    with pytest.raises(ConfigError, match="found `\\$\\{` without a name"):
        build({"a": {"provider": "s3", "bucket_name": "${x-y}"}})


def test_defaults_limits_and_sets(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        f"buckia:\n  version: 1\n  state: {{bucket: b}}\n  sets: {{demo: [{ID}/]}}\n"
        "  limits: {max_delete: 5}\n  defaults: {provider: local, folders: [" + ID + "]}\n"
        "a: {bucket_name: ../a}\n"
        "b: {bucket_name: ../b, limits: {min: 3}, folders: [other-folder]}\n",
    )
    config = load(path)
    assert config.settings.state_bucket == "b"
    assert config.settings.sets == {"demo": (ID,)}
    assert config.bucket("a").rules.limits == config.settings.limits == Limits(5, 10)
    assert config.bucket("b").rules.limits == Limits("10%", 3)
    assert config.bucket("b").folders == ("other-folder",)


def test_toml_says_the_same_as_yaml(tmp_path: Path) -> None:
    yaml = write(
        tmp_path, "a:\n  provider: s3\n  bucket_name: x\n  paths: [p, {path: q, prefix: r}]\n"
    )
    toml = write(
        tmp_path,
        '[a]\nprovider = "s3"\nbucket_name = "x"\npaths = ["p", {path = "q", prefix = "r"}]\n',
        ".buckia.toml",
    )
    assert load(yaml).buckets == load(toml).buckets


def test_build_takes_the_same_shape_from_python() -> None:
    config = build({"a": {"provider": "s3", "bucket_name": "x"}}, root=Path("/r"))
    assert (config.root, config.path, list(config.buckets)) == (Path("/r"), None, ["a"])
    with pytest.raises(InvalidConfig, match=r"a\.bucket_nam: unknown option; did you mean"):
        build({"a": {"provider": "s3", "bucket_nam": "x"}})


@pytest.mark.parametrize("provider", ["local", "s3", "linode", "b2", "bunny"])
def test_the_template_is_valid_for_each_provider(tmp_path: Path, provider: str) -> None:
    path = write(tmp_path, template(provider, "my-assets"))
    assert load(path, {}).buckets["my-assets"].provider == provider
    assert all("is not set" in item.message for item in check(path, {}))
    assert load(write(tmp_path, template(provider, "on")), {}).buckets.keys() == {"on"}


def test_the_template_refuses_what_cannot_be_written() -> None:
    with pytest.raises(ConfigError, match="allowed: local, s3, linode, b2, bunny"):
        template("amazon")
    with pytest.raises(ConfigError, match="a name of letters"):
        template("s3", "a: b")


@pytest.mark.parametrize("name", ["single", "tiers", "backup"])
def test_examples_are_valid_without_a_warning(tmp_path: Path, name: str) -> None:
    root = shutil.copytree(EXAMPLES / name, tmp_path / name)
    config = load(root / ".buckia", {})
    assert check(root / ".buckia", {}) == []
    for bucket in config.buckets.values():
        assert bucket.provider == "local"
        for place in bucket.layout.mappings:
            assert (root / place.path).is_dir()


# -- hostile bytes ---------------------------------------------------------------------------------

_LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.dates(),
    st.sampled_from(["${X}", "${", "s3", "local", "../x", "a", "10%", "all"]),
)  # fmt: skip
_NAMES = st.one_of(
    st.sampled_from([*options(), "buckia", "defaults", "sets", "state"]), st.text(max_size=6)
)
_TREES = st.recursive(
    _LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(
    content=st.binary(max_size=200) | st.text(alphabet="a:-[]{}&*!<'\"\n\t #%0.${}=", max_size=60)
)
def test_arbitrary_bytes_end_in_findings(tmp_path_factory: Any, content: bytes | str) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzz"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    for named in (path, path.with_suffix(".toml")):
        named.write_bytes(path.read_bytes())
        _examine(named)


@settings(max_examples=150, deadline=None)
@given(tree=st.dictionaries(_NAMES, _TREES, max_size=3))
def test_arbitrary_data_ends_in_findings(tmp_path_factory: Any, tree: dict[str, Any]) -> None:
    import yaml

    path = tmp_path_factory.getbasetemp() / "fuzz.yaml"
    path.write_text(yaml.safe_dump(tree), encoding="utf-8")
    _examine(path)


def _examine(path: Path) -> None:
    findings = check(path, {})
    assert all(str(item).isprintable() for item in findings)
    try:
        load(path, {})
    except InvalidFile as problem:
        errors = [item for item in findings if item.severity == "error"]
        assert list(problem.findings) == errors != []
    else:
        assert all(item.severity == "warning" for item in findings)
