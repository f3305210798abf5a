"""Who may do what with a bucket of the S3 family: its policy and its ACL. Pure.

A policy is written as Amazon writes it, because everybody copies policies; only what may be spelt
in several ways (IAM user guide, "JSON policy elements") gets one spelling.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from buckia.model import Value
from buckia.settings.kind import Complaint
from buckia.settings.shape import unique

_ORDER: Final = (
    *("Version", "Id", "Statement"),
    *("Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction"),
    *("Resource", "NotResource", "Condition"),
)
_SETS: Final = frozenset({"Action", "NotAction", "Resource", "NotResource"})
_WHO: Final = frozenset({"Principal", "NotPrincipal"})


def canonical_policy(said: Any) -> dict[str, Any]:
    """Statements as a list; sets sorted, a single item as itself; conditions as text."""
    statements = said.get("Statement", [])
    every = statements if isinstance(statements, list) else [statements]
    return _ordered({**said, "Statement": [_statement(item) for item in every]})


def _ordered(value: Mapping[str, Any]) -> dict[str, Any]:
    rank = {name: number for number, name in enumerate(_ORDER)}
    names = sorted(value, key=lambda name: (rank.get(name, len(rank)), name))
    return {name: value[name] for name in names}


def _statement(said: Any) -> Any:
    if not isinstance(said, dict):
        return said
    return _ordered({name: _element(name, value) for name, value in said.items()})


def _element(name: str, value: Any) -> Any:
    if name in _SETS:
        return _folded(value)
    if name in _WHO:
        return _principal(value)
    if name == "Condition" and isinstance(value, dict):
        return {test: _tests(keys) for test, keys in sorted(value.items())}
    return value


def _folded(value: Any) -> Any:
    """A set, or its only item."""
    items = unique(value)
    return items[0] if len(items) == 1 else items


def _principal(value: Any) -> Any:
    """`*` and `{AWS: *}` are the same in the policy of a bucket, and so are an account and its
    root."""
    if not isinstance(value, dict):
        return value
    told = {kind: _folded(_accounts(who)) for kind, who in sorted(value.items())}
    return "*" if told == {"AWS": "*"} else told


def _accounts(who: Any) -> list[Any]:
    every = who if isinstance(who, list) else [who]
    return [
        f"arn:aws:iam::{one}:root" if re.fullmatch(r"[0-9]{12}", str(one)) else one for one in every
    ]


def _tests(keys: Any) -> Any:
    if not isinstance(keys, dict):
        return keys
    return {key: _folded(_texts(values)) for key, values in sorted(keys.items())}


def _texts(values: Any) -> list[str]:
    every = values if isinstance(values, list) else [values]
    return [str(item).lower() if isinstance(item, bool) else str(item) for item in every]


def opens(policy: Any) -> bool:
    """Whether a policy lets anybody in that is not named."""
    statements = policy.get("Statement", []) if isinstance(policy, dict) else []
    return any(
        item.get("Effect") == "Allow" and ("NotPrincipal" in item or "*" in str(item["Principal"]))
        for item in statements
        if isinstance(item, dict) and item.keys() & _WHO
    )


_URI: Final = "http://acs.amazonaws.com/groups/"
_GROUPS: Final = {
    "everyone": f"{_URI}global/AllUsers",
    "authenticated_users": f"{_URI}global/AuthenticatedUsers",
    "log_delivery": f"{_URI}s3/LogDelivery",
}


def _grants(*pairs: tuple[str, str]) -> list[Any]:
    return [{"group": group, "permission": permission} for group, permission in pairs]


CANNED: Final[dict[str, list[Any]]] = {
    "private": [],
    "public-read": _grants(("everyone", "read")),
    "public-read-write": _grants(("everyone", "read"), ("everyone", "write")),
    "authenticated-read": _grants(("authenticated_users", "read")),
    "log-delivery-write": _grants(("log_delivery", "read_acp"), ("log_delivery", "write")),
}
"""What the names of ACLs stand for, beside the owner's full control (Amazon S3 user guide, "Access
control list overview")."""


def canonical_acl(said: Any) -> Value:
    """The name of a list of grants, where it has one."""
    if isinstance(said, str):
        return said
    grants = unique([dict(sorted(grant.items())) for grant in said])
    named: dict[str, Value] = {repr(unique(grants)): name for name, grants in CANNED.items()}
    return named.get(repr(grants), grants)


def read_acl(told: Any) -> Value:
    """The grants of others than the owner."""
    owner = told.get("Owner", {}).get("ID")
    names = {uri: name for name, uri in _GROUPS.items()}
    found = []
    for grant in told.get("Grants", []):
        who, permission = grant["Grantee"], grant["Permission"].lower()
        if who.get("URI"):
            found.append({"group": names.get(who["URI"], who["URI"]), "permission": permission})
        elif who.get("ID") != owner:
            found.append({"user": who.get("ID", ""), "permission": permission})
    return canonical_acl(found)


def write_acl(document: Any) -> list[Any]:
    """The grants of an ACL, without the owner's own."""
    grants = CANNED[document] if isinstance(document, str) else document
    return [{"Grantee": _grantee(one), "Permission": one["permission"].upper()} for one in grants]


def _grantee(grant: Mapping[str, str]) -> dict[str, str]:
    if "user" in grant:
        return {"Type": "CanonicalUser", "ID": grant["user"]}
    return {"Type": "Group", "URI": _GROUPS.get(grant["group"], grant["group"])}


def complain_acl(said: Any) -> Iterator[Complaint]:
    """A grant is for a group or for a user."""
    for number, grant in enumerate(said if isinstance(said, list) else ()):
        if len(grant.keys() & {"user", "group"}) != 1:
            yield (number,), "say either `user` or `group`"
