"""The settings of buckets of the S3 family. Pure.

Names and rules are those of the Amazon S3 API reference; what a service leaves out of them it
refuses by itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from buckia.model import Value
from buckia.settings.kind import Complaint, Kind, Kinds
from buckia.settings.s3_policy import (
    canonical_acl,
    canonical_policy,
    complain_acl,
    read_acl,
    write_acl,
)
from buckia.settings.shape import Field, Shape

_DOORS: Final = Shape(
    (
        Field("block_public_acls", "BlockPublicAcls"),
        Field("ignore_public_acls", "IgnorePublicAcls"),
        Field("block_public_policy", "BlockPublicPolicy"),
        Field("restrict_public_buckets", "RestrictPublicBuckets"),
    )
)
_CORS: Final = Shape(
    (
        Field("id", "ID"),
        Field("allowed_origins", "AllowedOrigins", unordered=True),
        Field("allowed_methods", "AllowedMethods", unordered=True),
        Field("allowed_headers", "AllowedHeaders", [], unordered=True),
        Field("expose_headers", "ExposeHeaders", [], unordered=True),
        Field("max_age_seconds", "MaxAgeSeconds"),
    )
)
_WEBSITE: Final = Shape(
    (
        Field("index_document", "IndexDocument"),
        Field("error_document", "ErrorDocument"),
        Field(
            "redirect_all_requests_to",
            "RedirectAllRequestsTo",
            inner=Shape((Field("host_name", "HostName"), Field("protocol", "Protocol"))),
        ),
        Field(
            "routing_rules",
            "RoutingRules",
            [],
            inner=Shape(
                (
                    Field(
                        "condition",
                        "Condition",
                        inner=Shape(
                            (
                                Field("key_prefix_equals", "KeyPrefixEquals"),
                                Field("http_error_code_equals", "HttpErrorCodeReturnedEquals"),
                            )
                        ),
                    ),
                    Field(
                        "redirect",
                        "Redirect",
                        inner=Shape(
                            (
                                Field("host_name", "HostName"),
                                Field("protocol", "Protocol"),
                                Field("http_redirect_code", "HttpRedirectCode"),
                                Field("replace_key_prefix_with", "ReplaceKeyPrefixWith"),
                                Field("replace_key_with", "ReplaceKeyWith"),
                            )
                        ),
                    ),
                )
            ),
        ),
    )
)
_MOVES: Final = Shape(
    (
        Field("days", "Days"),
        Field("date", "Date"),
        Field("storage_class", "StorageClass"),
    )
)
_OLD_MOVES: Final = Shape(
    (
        Field("days", "NoncurrentDays"),
        Field("keep", "NewerNoncurrentVersions"),
        Field("storage_class", "StorageClass"),
    )
)
_RULE: Final = Shape(
    (
        Field("id", "ID"),
        Field("enabled", "Status", True),
        Field("prefix", "Prefix", ""),
        Field("tags", "Tags", {}),
        Field("larger_than", "ObjectSizeGreaterThan"),
        Field("smaller_than", "ObjectSizeLessThan"),
        Field("expire_days", "Days"),
        Field("expire_date", "Date"),
        Field("expire_delete_markers", "ExpiredObjectDeleteMarker", False),
        Field("expire_noncurrent_days", "NoncurrentDays"),
        Field("keep_noncurrent", "NewerNoncurrentVersions"),
        Field("abort_multipart_days", "DaysAfterInitiation"),
        Field("transitions", "Transitions", [], inner=_MOVES),
        Field("noncurrent_transitions", "NoncurrentVersionTransitions", [], inner=_OLD_MOVES),
    )
)
"""A rule with its parts side by side, as `_flat` makes it of Amazon's."""

_FILTER: Final = ("Prefix", "ObjectSizeGreaterThan", "ObjectSizeLessThan")
_PARTS: Final = {
    "Expiration": ("Days", "Date", "ExpiredObjectDeleteMarker"),
    "NoncurrentVersionExpiration": ("NoncurrentDays", "NewerNoncurrentVersions"),
    "AbortIncompleteMultipartUpload": ("DaysAfterInitiation",),
}


def _canonical_lifecycle(said: Any) -> list[Any]:
    """Rules by their ids: their order means nothing."""
    rules = [_RULE.canonical(rule) for rule in said]
    return sorted(rules, key=lambda rule: str(rule.get("id", "")))


def _read_lifecycle(told: Any) -> list[Any] | None:
    return _canonical_lifecycle([_RULE.read(_flat(rule)) for rule in told]) or None


def _flat(rule: Mapping[str, Any]) -> dict[str, Any]:
    """A rule of the API without its inner mappings, whichever way its filter is written."""
    found = {**rule}
    where = {**found.pop("Filter", {})}
    where |= where.pop("And", {})
    tags = [*where.pop("Tags", ()), *([where.pop("Tag")] if "Tag" in where else ())]
    for name in _PARTS:
        found |= found.pop(name, {})
    found |= where
    found["Status"] = found.get("Status") == "Enabled"
    found["Tags"] = {tag["Key"]: tag["Value"] for tag in sorted(tags, key=lambda t: str(t["Key"]))}
    found["Transitions"] = [_dated(move) for move in found.get("Transitions", ())]
    return _dated(found)


def _dated(found: Mapping[str, Any]) -> dict[str, Any]:
    """With a date as text; the API knows midnights only."""
    date = found.get("Date")
    text = date.date().isoformat() if isinstance(date, datetime) else str(date or "")[:10]
    return {**found, **({"Date": text} if date else {})}


def _write_lifecycle(document: Any) -> list[Any]:
    return [_deep(_RULE.write(rule)) for rule in document]


def _deep(flat: dict[str, Any]) -> dict[str, Any]:
    """The inverse of `_flat`."""
    rule = {"ID": flat["ID"], "Status": "Enabled" if flat.get("Status", True) else "Disabled"}
    tags = [{"Key": key, "Value": value} for key, value in flat.get("Tags", {}).items()]
    where = {name: flat[name] for name in _FILTER if name in flat}
    if len(where) + len(tags) > 1:
        rule["Filter"] = {"And": where | ({"Tags": tags} if tags else {})}
    elif tags:
        rule["Filter"] = {"Tag": tags[0]}
    else:
        rule["Filter"] = where or {"Prefix": ""}
    for part, names in _PARTS.items():
        held = {name: _midnight(name, flat[name]) for name in names if name in flat}
        rule |= {part: held} if held else {}
    for name in ("Transitions", "NoncurrentVersionTransitions"):
        moves = [{key: _midnight(key, move[key]) for key in move} for move in flat.get(name, ())]
        rule |= {name: moves} if moves else {}
    return rule


def _midnight(name: str, value: Any) -> Any:
    return f"{value}T00:00:00Z" if name == "Date" else value


def _complain_lifecycle(said: Any) -> Iterator[Complaint]:
    counts = Counter(rule["id"] for rule in said)
    does = {field.ours for field in _RULE.fields[6:]} - {"keep_noncurrent"}
    for number, rule in enumerate(said):
        if counts[rule["id"]] > 1:
            yield (number, "id"), f"two rules are called `{rule['id']}`"
        if not rule.keys() & does:
            yield (number,), "says when, but not what is to happen: no `expire_days` or its like"
        ends = sorted(rule.keys() & {"expire_days", "expire_date", "expire_delete_markers"})
        if len(ends) > 1:
            yield (number, ends[1]), f"a rule has either `{ends[0]}` or `{ends[1]}`"
        if "keep_noncurrent" in rule and "expire_noncurrent_days" not in rule:
            yield (number, "keep_noncurrent"), "needs `expire_noncurrent_days`"
        for at, move in enumerate(rule.get("transitions", ())):
            if len(move.keys() & {"days", "date"}) != 1:
                yield (number, "transitions", at), "say either `days` or `date`"


def _canonical_doors(said: Any) -> Value:
    """True or False where all four are alike."""
    if isinstance(said, bool):
        return said
    four = {field.ours: bool(said.get(field.ours)) for field in _DOORS.fields}
    same = set(four.values())
    return same.pop() if len(same) == 1 else four


def _write_doors(document: Any) -> dict[str, Any]:
    if isinstance(document, bool):
        document = {field.ours: document for field in _DOORS.fields}
    return _DOORS.write(document)


def _read_website(told: Any) -> dict[str, Any] | None:
    """A page is told as a mapping of one text."""
    pages = {
        name: told[name][part]
        for name, part in (("IndexDocument", "Suffix"), ("ErrorDocument", "Key"))
        if told.get(name)
    }
    return _WEBSITE.read({**told, **pages}) or None


def _write_website(document: Any) -> dict[str, Any]:
    told = _WEBSITE.write(document)
    for name, part in (("IndexDocument", "Suffix"), ("ErrorDocument", "Key")):
        if name in told:
            told[name] = {part: told[name]}
    return told


def _complain_website(said: Any) -> Iterator[Complaint]:
    others = sorted(said.keys() - {"redirect_all_requests_to"})
    if "redirect_all_requests_to" in said and others:
        yield (others[0],), "means nothing where `redirect_all_requests_to` redirects everything"
    if not said.keys() & {"redirect_all_requests_to", "index_document"}:
        yield (), "needs `index_document` or `redirect_all_requests_to`"


_STATES: Final = {"enabled": "Enabled", "suspended": "Suspended"}
_OWNERS: Final = {
    "bucket_owner_enforced": "BucketOwnerEnforced",
    "bucket_owner_preferred": "BucketOwnerPreferred",
    "object_writer": "ObjectWriter",
}


def _worded(words: Mapping[str, str]) -> Kind:
    """A setting that is one word, and that cannot be taken back once it was said."""
    ours = {theirs: word for word, theirs in words.items()}
    return Kind(
        read=lambda told: ours.get(told, told) or None,
        write=lambda document: words.get(document, document),
        removable=False,
    )


S3: Final[Kinds] = {
    "policy": Kind(canonical_policy, canonical_policy),
    "acl": Kind(
        canonical_acl,
        read_acl,
        write_acl,
        removable=False,
        usual="private",
        complain=complain_acl,
    ),
    "ownership": _worded(_OWNERS),
    "public_access_block": Kind(
        _canonical_doors,
        lambda told: _canonical_doors(_DOORS.read(told)),
        _write_doors,
        removable=False,
        usual=False,
    ),
    "cors": Kind(
        lambda said: [_CORS.canonical(rule) for rule in said],
        lambda told: [_CORS.read(rule) for rule in told] or None,
        lambda document: [_CORS.write(rule) for rule in document],
    ),
    "lifecycle": Kind(
        _canonical_lifecycle, _read_lifecycle, _write_lifecycle, complain=_complain_lifecycle
    ),
    "versioning": _worded(_STATES),
    "acceleration": _worded(_STATES),
    "website": Kind(_WEBSITE.canonical, _read_website, _write_website, complain=_complain_website),
}

LINODE: Final[Kinds] = {
    name: S3[name] for name in ("policy", "acl", "cors", "lifecycle", "versioning", "website")
}
"""What Akamai documents for its Object Storage."""
