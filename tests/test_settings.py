"""Settings as values: one spelling for one meaning, to and from each provider's, told in lines."""

from __future__ import annotations

import copy
import json
import random
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buckia import settings
from buckia.config.schema import problems
from buckia.documents import schema
from buckia.model import Value
from buckia.settings import ABSENT, KINDS, bunny
from buckia.settings.s3_policy import opens
from buckia.settings.shape import Field, Shape
from tests.strategies import examples

PARTS: Final = {"s3": "s3_settings", "b2": "b2_settings", "bunny": "bunny_settings"}


def of_schema(rule: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values that a part of the schema of configurations allows; texts are plain."""
    if "$ref" in rule:
        rule = {**schema("config")["$defs"][rule["$ref"].rpartition("/")[2]], **rule}
    if "else" in rule:
        rule = {"type": "array", "items": rule["then"]["items"], "minItems": 1}
    if "enum" in rule:
        return st.sampled_from(rule["enum"])
    kinds = rule["type"] if isinstance(rule["type"], list) else [rule["type"]]
    return st.one_of([_of_kind(kind, rule) for kind in kinds])


def _of_kind(kind: str, rule: dict[str, Any]) -> st.SearchStrategy[Any]:
    match kind:
        case "boolean":
            return st.booleans()
        case "integer" | "number":
            return st.integers(rule["minimum"], min(rule.get("maximum", 10**6), 10**6))
        case "string" if "pattern" in rule:
            return st.from_regex(rule["pattern"].replace("$", r"\Z"), fullmatch=True).filter(
                str.isprintable
            )
        case "string":
            return st.text("abcXYZ019-_./* ", min_size=1, max_size=8)
        case "array":
            items = of_schema(rule["items"]) if "items" in rule else st.text("abc:*", min_size=1)
            return st.lists(items, min_size=1, max_size=4)
    return _mappings(rule)


def _mappings(rule: dict[str, Any]) -> st.SearchStrategy[Any]:
    more = rule.get("additionalProperties")
    if isinstance(more, dict):
        names = st.text("abcXY ", min_size=2, max_size=5).map(lambda name: f"a{name.strip()}z")
        return st.dictionaries(names, of_schema(more), min_size=1, max_size=3)
    parts = {name: of_schema(part) for name, part in rule.get("properties", {}).items()}
    wanted = rule.get("required", ())
    needed = {name: part for name, part in parts.items() if name in wanted}
    others = {name: part for name, part in parts.items() if name not in wanted}
    return st.fixed_dictionaries(needed, optional=others)


def declarations(provider: str) -> st.SearchStrategy[dict[str, Any]]:
    """What a bucket of a provider may declare."""
    rules = schema("config")["$defs"][PARTS[provider]]["properties"]
    part = st.fixed_dictionaries({}, optional={name: of_schema(r) for name, r in rules.items()})
    return part.filter(lambda said: sound(provider, said))


def sound(provider: str, said: dict[str, Any]) -> bool:
    if isinstance(said.get("policy"), str):
        del said["policy"]
    bucket = {"provider": provider, "bucket_name": "b", "region": "r", "settings": said}
    return not problems(bucket, "bucket") and not list(settings.complaints(provider, said))


def spelt_otherwise(value: Any, chance: random.Random) -> Any:
    """The same document as somebody else might write it: mappings in another order."""
    if isinstance(value, dict):
        names = chance.sample(sorted(value), len(value))
        return {name: spelt_otherwise(value[name], chance) for name in names}
    return [spelt_otherwise(item, chance) for item in value] if isinstance(value, list) else value


# -- documents -------------------------------------------------------------------------------------


@pytest.mark.parametrize("provider", PARTS)
@examples(25)
@given(data=st.data())
def test_a_canonical_document_is_a_declaration_and_stays_as_it_is(
    provider: str, data: st.DataObject
) -> None:
    """What import writes can be declared, and means the same."""
    said = data.draw(declarations(provider))
    before = copy.deepcopy(said)
    documents = settings.declared(provider, said)
    again = settings.nested(documents)
    assert said == before
    assert sound(provider, copy.deepcopy(again)), again
    assert settings.declared(provider, again) == documents
    other = spelt_otherwise(said, data.draw(st.randoms(use_true_random=False)))
    assert settings.declared(provider, other) == documents
    content = {name: settings.content(document) for name, document in documents.items()}
    told = {n: settings.content(d) for n, d in settings.declared(provider, other).items()}
    assert told == content


@pytest.mark.parametrize("provider", PARTS)
@examples(25)
@given(data=st.data())
def test_what_is_written_is_read_back(provider: str, data: st.DataObject) -> None:
    """Through the JSON that a service keeps."""
    for name, document in settings.declared(provider, data.draw(declarations(provider))).items():
        kind = settings.kind_of(provider, name)
        assert kind is not None
        if document is None or (provider, name) == ("s3", "acl"):
            continue
        told = json.loads(json.dumps(kind.write(document)))
        assert kind.read(told) == document, name


@pytest.mark.parametrize("provider", PARTS)
@examples(25)
@given(data=st.data())
def test_equal_documents_have_no_differences_and_others_have_some(
    provider: str, data: st.DataObject
) -> None:
    """What goes, and what comes, is in the lines; what is neither stays out."""
    said, other = data.draw(declarations(provider)), data.draw(declarations(provider))
    one, two = settings.declared(provider, said), settings.declared(provider, other)
    for name in one.keys() & two.keys():
        told = settings.differences(name, one[name], two[name])
        assert (told == ()) == (one[name] == two[name])
        assert all(line[:2] in ("+ ", "- ", "  ") and line.isprintable() for line in told)
    for name, document in one.items():
        new = settings.differences(name, None, document)
        old = settings.differences(name, document, None)
        assert [line[1:] for line in new] == [line[1:] for line in old]
        assert {line[0] for line in new} == ({"+"} if document is not None else set())


def test_every_setting_of_the_schema_is_known_and_the_other_way_round() -> None:
    """One list of settings, in two places that have to agree."""
    parts = schema("config")["$defs"]
    for provider, part in PARTS.items():
        assert list(parts[part]["properties"]) == list(KINDS[provider])
    assert KINDS["linode"].keys() < KINDS["s3"].keys()
    bunny_parts = parts["bunny_settings"]["properties"]
    for name, fields in (
        ("pull_zone", bunny.PULL_ZONE_FIELDS),
        ("storage_zone", bunny.STORAGE_ZONE_FIELDS),
    ):
        assert list(bunny_parts[name]["properties"]) == [bunny.snake(field) for field in fields]
    rule = parts["bunny_edge_rule"]["properties"]
    assert rule["action"]["enum"] == list(bunny.ACTIONS)
    assert rule["triggers"]["items"]["properties"]["type"]["enum"] == list(bunny.TRIGGERS)


def test_no_secret_of_bunny_is_a_setting() -> None:
    """Keys are in the same answer, and must not come into a plan."""
    secrets = ("ZoneSecurityKey", "AWSSigningSecret", "AWSSigningKey", "LogForwardingToken")
    assert not {*secrets, "Password", "ReadOnlyPassword"} & {
        *bunny.PULL_ZONE_FIELDS,
        *bunny.STORAGE_ZONE_FIELDS,
    }
    read = KINDS["bunny"]["pull_zone"].read
    assert read({"ZoneSecurityKey": "secret", "EnableLogging": True}) == {"enable_logging": True}


# -- policies and ACLs -----------------------------------------------------------------------------


def policy(**parts: Any) -> dict[str, Any]:
    whole = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "r"}
    return {"Version": "2012-10-17", "Statement": [{**whole, **parts}]}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (policy(), {**policy(), "Statement": policy()["Statement"][0]}),
        (policy(), policy(Action=["s3:GetObject"], Resource=["r", "r"])),
        (policy(), policy(Principal={"AWS": "*"})),
        (policy(), policy(Principal={"AWS": ["*"]})),
        (policy(Action=["s3:A", "s3:B"]), policy(Action=["s3:B", "s3:A", "s3:B"])),
        (
            policy(Principal={"AWS": "123456789012"}),
            policy(Principal={"AWS": ["arn:aws:iam::123456789012:root"]}),
        ),
        (
            policy(Condition={"Bool": {"aws:SecureTransport": True}}),
            policy(Condition={"Bool": {"aws:SecureTransport": ["true"]}}),
        ),
        (
            policy(Condition={"NumericLessThan": {"s3:max-keys": 10}}),
            policy(Condition={"NumericLessThan": {"s3:max-keys": "10"}}),
        ),
    ],
)
def test_two_spellings_of_a_policy_are_one(one: Any, other: Any) -> None:
    """A service may give another one back than it got."""
    canonical = KINDS["s3"]["policy"].canonical
    assert canonical(one) == canonical(other)
    assert json.dumps(canonical(one)) == json.dumps(canonical(other))


@pytest.mark.parametrize(
    "other",
    [
        policy(Effect="Deny"),
        policy(Principal={"AWS": "arn:aws:iam::123456789012:root"}),
        policy(Principal={"AWS": "*", "Service": "x"}),
        policy(Action="s3:PutObject"),
        policy(Sid="a"),
        policy(Condition={"Bool": {"aws:SecureTransport": "true"}}),
        {**policy(), "Version": "2008-10-17"},
    ],
)
def test_what_means_something_else_stays_another_policy(other: Any) -> None:
    """Nothing that counts is normalised away."""
    canonical = KINDS["s3"]["policy"].canonical
    assert canonical(other) != canonical(policy())


@pytest.mark.parametrize(
    ("parts", "public"),
    [
        ({}, True),
        ({"Principal": {"AWS": "*"}}, True),
        ({"Principal": {"AWS": ["arn:aws:iam::1:root", "*"]}}, True),
        ({"Principal": {"AWS": "arn:aws:iam::123456789012:root"}}, False),
        ({"Effect": "Deny"}, False),
    ],
)
def test_a_policy_for_everybody_opens(parts: dict[str, Any], public: bool) -> None:
    """It is set after what closes, and the others before what opens."""
    assert opens(policy(**parts)) is public
    assert opens({"Statement": [{"Effect": "Allow", "NotPrincipal": {"AWS": "a"}}]})
    assert not opens(None)


OWNER: Final = {"Type": "CanonicalUser", "ID": "me"}
EVERYBODY: Final = {"Type": "Group", "URI": "http://acs.amazonaws.com/groups/global/AllUsers"}


@pytest.mark.parametrize(
    ("grants", "document"),
    [
        ([(OWNER, "FULL_CONTROL")], "private"),
        ([(EVERYBODY, "READ"), (OWNER, "FULL_CONTROL")], "public-read"),
        (
            [(OWNER, "FULL_CONTROL"), (EVERYBODY, "WRITE"), (EVERYBODY, "READ")],
            "public-read-write",
        ),
        (
            [(OWNER, "FULL_CONTROL"), ({"Type": "CanonicalUser", "ID": "you"}, "READ_ACP")],
            [{"permission": "read_acp", "user": "you"}],
        ),
    ],
)
def test_an_acl_is_its_name_or_its_grants(grants: list[Any], document: Value) -> None:
    """Whatever the order in which a service tells them, and without the owner's own."""
    kind = KINDS["s3"]["acl"]
    told = {
        "Owner": {"ID": "me"},
        "Grants": [{"Grantee": who, "Permission": what} for who, what in grants],
    }
    assert kind.read(told) == document
    own = {"Grantee": OWNER, "Permission": "FULL_CONTROL"}
    back = {"Owner": {"ID": "me"}, "Grants": [*kind.write(document), own]}
    assert kind.read(back) == document


# -- other shapes ----------------------------------------------------------------------------------


def test_a_lifecycle_rule_is_read_in_every_form_services_tell_it() -> None:
    """Ceph puts a prefix beside `And`, and tells one without a filter outside of it."""
    read = KINDS["s3"]["lifecycle"].read
    plain = {"ID": "a", "Status": "Enabled", "Expiration": {"Days": 3}}
    for where in (
        {"Prefix": "l/"},
        {"Filter": {"Prefix": "l/"}},
        {"Filter": {"And": {"Prefix": "l/", "Tags": []}}},
    ):
        assert read([{**plain, **where}]) == [{"id": "a", "prefix": "l/", "expire_days": 3}]
    tags = [{"Key": "k", "Value": "v"}]
    wheres: list[Any] = [
        {"Filter": {"Prefix": "l/", "And": {"Tags": tags}}},
        {"Filter": {"And": {"Prefix": "l/", "Tags": tags}}},
        {"Prefix": "l/", "Filter": {"Tag": tags[0]}},
    ]
    for where in wheres:
        rule = {"id": "a", "prefix": "l/", "tags": {"k": "v"}, "expire_days": 3}
        assert read([{**plain, **where}]) == [rule]
    assert read([]) is None


def test_what_is_unknown_of_a_rule_is_shown_and_not_hidden() -> None:
    """Before it is overwritten, a reviewer sees that it goes."""
    read = KINDS["s3"]["lifecycle"].read
    found = read([{"ID": "a", "Status": "Enabled", "Expiration": {"Days": 3}, "Novelty": "x"}])
    assert found == [{"id": "a", "expire_days": 3, "Novelty": "x"}]
    assert any("Novelty" in line for line in settings.differences("lifecycle", found, None))


DOORS: Final = schema("config")["$defs"]["s3_settings"]["properties"]["public_access_block"][
    "properties"
]


def test_a_closed_shape_leaves_the_rest_alone() -> None:
    """Of a document that is declared in parts."""
    shape = Shape((Field("one", "One"),), closed=True)
    assert shape.read({"One": 1, "Two": 2}) == {"one": 1}
    assert shape.canonical({"one": 1}) == {"one": 1}


@pytest.mark.parametrize(
    ("said", "found"),
    [
        (True, True),
        (False, False),
        ({}, False),
        ({"block_public_acls": False}, False),
        (dict.fromkeys(DOORS, True), True),
        (dict.fromkeys(DOORS, False), False),
    ],
)
def test_four_doors_that_are_alike_are_one_word(said: Any, found: bool) -> None:
    assert KINDS["s3"]["public_access_block"].canonical(said) is found
    told = KINDS["s3"]["public_access_block"].write(found)
    assert set(told.values()) == {found} and len(told) == 4


def test_settings_that_close_come_before_those_that_open() -> None:
    """Whatever fails in between, a bucket is not more open than it is meant to be."""
    order: list[tuple[str, Any]] = [
        ("acl", "private"),
        ("policy", policy(Effect="Deny")),
        ("public_access_block", False),
        ("ownership", "object_writer"),
        ("acl", "public-read"),
        ("policy", policy()),
        ("ownership", "bucket_owner_enforced"),
        ("cors", None),
    ]
    ranks = [settings.rank(name, then) for name, then in order]
    assert ranks == sorted(ranks)
    assert (min(ranks), max(ranks)) == (0, settings.LAST)
    assert settings.rank("policy", None) == 0


def test_absent_is_no_document() -> None:
    """It is what a setting is declared that is to go."""
    documents = settings.declared("s3", {"cors": ABSENT, "versioning": "enabled"})
    assert documents == {"cors": None, "versioning": "enabled"}
    assert settings.nested(documents) == {"cors": ABSENT, "versioning": "enabled"}
    assert settings.content(None) is None


def test_a_family_is_a_setting_for_each_of_its_names() -> None:
    """So that one can be set without the others."""
    rule = {"action": "force_ssl", "triggers": [{"type": "url", "patterns": ["*"]}]}
    said = {"edge_rules": {"TLS only": rule, "Old": ABSENT}}
    documents = settings.declared("bunny", said)
    assert documents == {"edge_rules/Old": None, "edge_rules/TLS only": rule}
    assert settings.nested(documents) == said
    assert settings.kind_of("bunny", "edge_rules") is None
    assert settings.kind_of("bunny", "pull_zone/x") is None
    assert settings.kind_of("bunny", "edge_rules/x") is KINDS["bunny"]["edge_rules"]
    assert settings.kind_of("local", "cors") is None
