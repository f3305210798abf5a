"""Headers that become what rules want, without their bytes: actions and warnings. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from buckia import headers, mime
from buckia.headers import TYPE, HeaderRules
from buckia.model import (
    KEPT,
    Action,
    Content,
    Entry,
    Headers,
    Listing,
    Notice,
    Op,
    Source,
    action_id,
    content_of,
    replace,
)
from buckia.reconcile import Decision, Verdict
from buckia.stores.base import Capabilities

_ALONE = "this bucket cannot set {fields}"
_LATER = (
    "headers are only set by an upload here: objects that are there keep theirs until their "
    "content changes"
)


def changes(bucket: str, decisions: Iterable[Decision], able: Capabilities) -> Iterator[Action]:
    """The copies onto their own keys, also those of what is downloaded and lacks headers."""
    if not able.headers_in_place:
        return
    for item in decisions:
        if item.reason == KEPT:  # that copy sets them
            continue
        late = item.verdict is Verdict.DOWNLOAD and not recorded(item) and item.headers
        if item.verdict is Verdict.COPY or late:
            yield _change(bucket, item)


def recorded(item: Decision) -> Headers | None:
    """The headers of an object that stays as it is, as far as rules want and somebody saw them."""
    right = item.remote is not None and headers.agrees(item.remote, item.headers)
    return item.headers if right else None


def _change(bucket: str, item: Decision) -> Action:
    """The local file of a key that is downloaded is the affair of the download."""
    assert item.remote  # noqa: S101  (by the verdicts)
    mine = item.local if item.verdict is Verdict.COPY else None
    before, after = _told_before(item), _told_after(item)
    return Action(
        id=action_id(Op.COPY, bucket, item.key),
        op=Op.COPY,
        bucket=bucket,
        key=item.key,
        reason="headers_changed",
        source=Source(mine.path if mine else None, key=item.key, version=item.remote.version),
        content=replace(
            _content(item, mine),
            type=after.get(TYPE) or _type_of(item),
            headers=item.headers,
        ),
        expect=replace(
            content_of(item.remote),
            type=_type_of(item),
            headers=item.base.headers if item.base else None,
        ),
        undo=None,
        changes=headers.differences(before, after),
    )


def _content(item: Decision, mine: Entry | None) -> Content:
    """The object's bytes, with what base or an equal local file know of them."""
    assert item.remote  # noqa: S101  (by the verdicts)
    found, then = replace(content_of(item.remote), version=None), item.base
    if then and then.version == item.remote.version:
        return replace(found, sha256=found.sha256 or then.sha256, logical=then.logical)
    if mine is None:
        return found
    sha256 = None if mine.logical else mine.sha256
    return replace(found, sha256=found.sha256 or sha256, logical=mine.logical)


def _type_of(item: Decision) -> str | None:
    """The content type the object has, as far as anybody knows."""
    known = item.remote.type if item.remote else None
    return known or (item.base.type if item.base else None)


def _told_before(item: Decision) -> Headers:
    """What is known of the headers in question."""
    seen = (item.remote.headers if item.remote else None) or {}
    was = {name: value for name, value in seen.items() if name in (item.headers or {})}
    was |= (item.base.headers if item.base else None) or {}
    kind = _type_of(item)
    return was | {TYPE: kind} if kind and TYPE in (item.headers or {}) else was


def _told_after(item: Decision) -> Headers:
    """What they become; a content type that no rule sets any more is told by the name again."""
    want = item.headers or {}
    had = (item.base.headers if item.base else None) or {}
    return want | {TYPE: mime.guess(item.key)} if TYPE in had and TYPE not in want else want


def warnings(
    bucket: str,
    rules: HeaderRules,
    able: Capabilities,
    settled: Iterable[str],
    base: Mapping[str, Entry],
) -> Iterator[Notice]:
    """What rules want and this bucket cannot do, once a rule; `settled` are the keys with nothing
    to do."""
    for rule, left in rules.beyond(able.headers):
        yield Notice("headers_ignored", bucket, rule.shown, _ALONE.format(fields=", ".join(left)))
    possible = rules.within(able.headers, in_place=able.headers_in_place)
    if able.headers_in_place or not possible.rules:
        return
    old = (key for key in settled if key in base and not possible.fit(key, base[key]))
    for rule in possible.behind(old):
        yield Notice("headers_kept", bucket, rule.shown, _LATER)


def listed_alike(decisions: Iterable[Decision], local: Listing, remote: Listing) -> Iterator[str]:
    """Keys on both sides about which nothing was decided."""
    busy = {item.key for item in decisions}
    return (key for key in local.entries if key in remote.entries and key not in busy)
