"""Copies inside S3, in one request or in parts: to another key, or to the same with new headers."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from buckia.errors import StoreError, UnavailableError
from buckia.headers import agrees, merged
from buckia.model import Entry, replace
from buckia.rules import RESERVED_PREFIX
from buckia.stores import s3_signed
from buckia.stores.s3_carriers import Condition, condition_headers, conditions, is_rewritten
from buckia.stores.s3_classes import USUAL
from buckia.stores.s3_errors import persist
from buckia.stores.s3_guard import Guard
from buckia.stores.s3_headers import CLASS, SHA256, STAYING, for_boto, of_boto, of_http
from buckia.stores.s3_listing import is_md5
from buckia.stores.s3_parts import Part, Request, complete, copy_parts, multipart
from buckia.stores.s3_services import SOURCE

_KEPT: Final = (
    "CacheControl",
    "ContentDisposition",
    "ContentEncoding",
    "ContentType",
    "Metadata",
    "StorageClass",
    *STAYING,
)
"""What a copy in parts has to carry over by itself."""

_GRANTS: Final = {
    "FULL_CONTROL": "GrantFullControl",
    "READ": "GrantRead",
    "READ_ACP": "GrantReadACP",
    "WRITE_ACP": "GrantWriteACP",
}
"""Permissions of an ACL, and the parameters that give them again."""


def copy(source: Guard, target: Guard, entry: Entry, key: str, replacing: Entry | None) -> Entry:
    """Copy an object with its headers; its storage class, which a plain copy resets, too.

    It is looked at before, unless a listing has told its class and the service checks its version;
    or the copy is buckia's own, as one in the trash is: nobody else reads it, so it is enough that
    its ETag tells afterwards which version it is of.
    """
    ends = source.full(entry.key), target.full(key)
    if entry.size > target.session.options.copy_limit or any(map(is_rewritten, ends)):
        return _copy_any(source, target, entry, key, replacing)
    listed = source.session.classes.of(ends[0]) if entry.headers is None else None
    wanted = replace(entry, key=key, modified=None)
    proof = _proof(target, wanted)
    told = _looked(source, entry) if listed is None else None
    unseen = told is None and not source.conditions.source
    late = unseen and proof and key.startswith(RESERVED_PREFIX)
    if unseen and not late:
        source.look(entry.key, entry)
    place = f"{source.session.options.bucket}/{ends[0]}"
    rank = listed if told is None else told.get(CLASS)
    request = {SOURCE: entry.version or ""}
    request |= {CLASS: rank} if rank and rank != USUAL else {}

    def act(condition: Condition) -> str:
        checked = {**request, **condition_headers(condition)}
        return s3_signed.copy(target.session, ends[1], place, entry.size, checked)

    made = target.write(wanted, replacing, target.conditions.copy, act, _recognised(wanted))
    if made and made == proof:
        wanted = replace(wanted, version=made)
        if told is None:
            return wanted
        return replace(wanted, type=told.get("Content-Type"), headers=of_http(told))
    if late and made:
        source.compare(Entry(entry.key, entry.size, version=made), entry)
    return target.confirm(wanted, made)


def _proof(target: Guard, wanted: Entry) -> str | None:
    """The ETag that proves what is in a copy; None where no ETag would."""
    tags = (tag for tag in (wanted.md5, wanted.version) if tag and is_md5(tag))
    return next(tags, None) if target.md5_etags else None


def _looked(guard: Guard, entry: Entry) -> s3_signed.Told:
    """The headers of an object, if it still is this version."""
    look = partial(s3_signed.look, guard.session, guard.full(entry.key))
    told = persist(look, guard.place(entry.key))
    held = Entry(entry.key, entry.size, version=told.get("ETag", "").strip('"'))
    guard.compare(held, entry)
    return told


def _copy_any(
    source: Guard, target: Guard, entry: Entry, key: str, replacing: Entry | None
) -> Entry:
    """The same for any size and any key, by botocore."""
    found = _told(source, entry)
    exactly = _exactly(source, entry)
    wanted = replace(entry, key=key, size=found["ContentLength"])
    if wanted.size > target.session.options.copy_limit:
        about = {name: value for name, value in found.items() if name in _KEPT}
        version = _in_parts(target, wanted, replacing, about, exactly)
    else:
        rank = {"StorageClass": found["StorageClass"]} if "StorageClass" in found else {}
        version = _at_once(target, wanted, replacing, {**exactly, **rank})
    return target.confirm(wanted, version)


def change_headers(guard: Guard, entry: Entry, replacing: Entry) -> Entry:
    """Copy an object onto itself under other headers.

    All that a copy would lose goes along: what others have set, our digest, and the grants of its
    ACL, without which an object that everybody may read would become private.
    """
    found = _told(guard, replacing)
    about = _about(entry, replacing, found) | _grants(guard, entry.key)
    wanted = replace(entry, size=found["ContentLength"], sha256=found["Metadata"].get(SHA256))
    exactly = _exactly(guard, replacing)
    if wanted.size > guard.session.options.copy_limit:
        made = _in_parts(guard, wanted, replacing, about, exactly)
    else:
        request = {**exactly, "MetadataDirective": "REPLACE", **about}
        made = _at_once(guard, wanted, replacing, request)
    return guard.confirm(wanted, made)


def _told(guard: Guard, entry: Entry) -> Any:
    """All that the service tells of an object, if it still is this version."""
    place, origin = guard.place(entry.key), guard.origin(entry.key)
    found = persist(lambda: guard.session.client.head_object(**origin), place)
    held = Entry(entry.key, found["ContentLength"], version=str(found["ETag"]).strip('"'))
    guard.compare(held, entry)
    return found


def _exactly(guard: Guard, entry: Entry) -> Request:
    """This version of an object as the source of a copy."""
    return {"CopySource": guard.origin(entry.key), "CopySourceIfMatch": entry.version}


def _about(entry: Entry, replacing: Entry, found: Any) -> Request:
    """What the object carries afterwards, as botocore wants it."""
    changed = merged(of_boto(found), replacing.headers, entry.headers)
    held = Entry(entry.key, 0, type=entry.type or found.get("ContentType"), headers=changed)
    staying = {name: found[name] for name in STAYING if name in found}
    return staying | for_boto(replace(held, sha256=found["Metadata"].get(SHA256)))


def _grants(guard: Guard, key: str) -> Request:
    """What gives the object's own grants again; nothing where only its owner has any.

    Nothing also where nobody can tell: buckets without ACLs refuse to be asked for one.
    """
    ask = guard.session.client.get_object_acl
    try:
        told = persist(lambda: ask(**guard.origin(key)), guard.place(key))
    except UnavailableError:
        raise
    except StoreError:
        return {}
    owner = told.get("Owner", {}).get("ID")
    held = [(grant["Permission"], grant["Grantee"]) for grant in told.get("Grants", ())]
    if all(who.get("ID") == owner for _, who in held):
        return {}
    found: dict[str, list[str]] = {}
    for permission, who in held:
        named = f'uri="{who["URI"]}"' if "URI" in who else f'id="{who.get("ID", "")}"'
        found.setdefault(_GRANTS.get(permission, ""), []).append(named)
    return {name: ", ".join(whom) for name, whom in found.items() if name}


def _at_once(guard: Guard, wanted: Entry, replacing: Entry | None, request: Request) -> str:
    def act(condition: Condition) -> str:
        copied = guard.session.client.copy_object(
            **guard.origin(wanted.key), **request, **conditions(condition)
        )
        return copied["CopyObjectResult"].get("ETag", "").strip('"')

    return guard.write(wanted, replacing, guard.conditions.copy, act, _recognised(wanted))


def _in_parts(
    guard: Guard, wanted: Entry, replacing: Entry | None, about: Request, exactly: Request
) -> str:
    with multipart(guard.session, guard.full(wanted.key), about) as upload:
        parts: list[Part] = copy_parts(guard.session, upload, exactly, wanted.size)

        def act(condition: Condition) -> str:
            return complete(guard.session, upload, parts, condition)

        enforced = guard.conditions.complete
        return guard.write(wanted, replacing, enforced, act, _recognised(wanted))


def _recognised(wanted: Entry) -> Any:
    """Whether an object with the right bytes is one of ours: bytes alone do not tell it from what
    it was before its headers changed."""
    return lambda held: agrees(held, wanted.headers)
