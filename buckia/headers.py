"""Which headers an object is to have, by its key. Pure.

A header has one name everywhere, in rules, plans, lockfile and stores: `content-type`,
`cache-control`, `content-disposition`, `content-encoding`, `storage-class`, and `meta-NAME` for
user metadata. `Entry.headers` of a local wish, a plan or the lockfile are those that rules set; of
an object that was looked at, those it has. There the content type is in `Entry.type`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Final

from msgspec import Struct

from buckia import mime
from buckia.globs import Matcher, matcher
from buckia.model import Content, Entry, Headers

TYPE: Final = "content-type"
STORAGE: Final = "storage-class"
METADATA: Final = "metadata"
META: Final = "meta-"
"""What the name of a piece of user metadata begins with; `METADATA` stands for all of them."""

FIELDS: Final = (TYPE, "cache-control", "content-disposition", "content-encoding", STORAGE)
"""The names that are no metadata."""

ALL: Final = frozenset((*FIELDS, METADATA))
"""Everything a rule can set."""

OWN: Final = frozenset({"sha256"})
"""Names of metadata that buckia uses itself."""

MOST_METADATA: Final = 1900
"""Bytes of names and values together: S3 allows 2,048 in one object (Amazon S3 user guide,
"object metadata"), and buckia's own sha256 has its part of them."""

_NAME: Final = re.compile(r"meta-[a-z0-9][a-z0-9-]{0,44}")
_VALUE: Final = re.compile(r"[!-~]([ -~]{0,1022}[!-~])?")


class HeaderRule(Struct, frozen=True):
    """Headers for the keys that match; `globs` are written as in .gitignore."""

    globs: tuple[str, ...]
    headers: Headers

    @property
    def shown(self) -> str:
        """How a person calls it."""
        return ", ".join(self.globs)


class HeaderRules(Struct, frozen=True, dict=True):
    """The header rules of a bucket: of all that match a key, the last has its way, name by name.

    `in_place` tells whether a changed rule changes objects that are there already.
    """

    rules: tuple[HeaderRule, ...] = ()
    in_place: bool = True

    def wanted(self, key: str) -> Headers | None:
        """The headers that rules want for a key; None where no rule says anything."""
        if not self.rules:
            return None
        hits = tuple(number for number, matches in enumerate(self._matchers) if matches(key))
        if hits not in self._known:
            merged = {n: v for number in hits for n, v in self.rules[number].headers.items()}
            self._known[hits] = dict(sorted(merged.items())) or None
        return self._known[hits]

    def fit(self, key: str, held: Entry) -> bool:
        """Whether what the lockfile says was set for a key is what rules want now."""
        return fits(self.wanted(key), held)

    def within(self, settable: frozenset[str], *, in_place: bool) -> HeaderRules:
        """The same rules without what a store cannot set."""
        kept = [HeaderRule(r.globs, dict(_settable(r, settable))) for r in self.rules]
        return HeaderRules(tuple(rule for rule in kept if rule.headers), in_place)

    def beyond(self, settable: frozenset[str]) -> Iterator[tuple[HeaderRule, list[str]]]:
        """Each rule with the headers that a store cannot set, where there are any."""
        for rule in self.rules:
            kept = dict(_settable(rule, settable))
            if left := sorted({kind_of(name) for name in rule.headers.keys() - kept.keys()}):
                yield rule, left

    def behind(self, keys: Iterable[str]) -> list[HeaderRule]:
        """The rules that say something about any of these keys."""
        hits = {n for key in keys for n, matches in enumerate(self._matchers) if matches(key)}
        return [self.rules[number] for number in sorted(hits)]

    @cached_property
    def _matchers(self) -> tuple[Matcher, ...]:
        return tuple(found for rule in self.rules if (found := matcher(rule.globs)))

    @cached_property
    def _known(self) -> dict[tuple[int, ...], Headers | None]:
        """What rules come to together, so that a million keys share a few dictionaries."""
        return {}


NO_RULES: Final = HeaderRules()


def kind_of(name: str) -> str:
    """The name, or `METADATA` for any piece of user metadata."""
    return METADATA if name.startswith(META) else name


def type_for(key: str, headers: Headers | None) -> str:
    """The content type of a key: what a rule says, else what its ending tells."""
    return (headers or {}).get(TYPE) or mime.guess(key)


def fits(wanted: Headers | None, held: Entry | Content) -> bool:
    """Whether the headers that were set for an object are just those that are wanted.

    A wanted content type that the object was given without any rule counts, too.
    """
    have, want = held.headers or {}, wanted or {}
    if have == want:
        return True
    return TYPE not in have and have | {TYPE: held.type} == want


def agrees(found: Entry | Content, wanted: Headers | None) -> bool:
    """Whether an object that was looked at has every header that is wanted; it may have more."""
    have = {**(found.headers or {}), TYPE: found.type}
    return all(have.get(name) == value for name, value in (wanted or {}).items())


def contradicts(found: Entry, wanted: Headers | None) -> bool:
    """Whether an object is known to have another header than is wanted."""
    want, have = wanted or {}, {TYPE: found.type} if found.type else {}
    if found.headers is not None:
        have |= {name: found.headers.get(name, "") for name in want if name != TYPE}
    return any(have[name] != value for name, value in want.items() if name in have)


def wears(found: Entry, content: Content) -> bool:
    """Whether an object that was looked at has the headers and the type that a plan leaves."""
    return agrees(found, content.headers) and content.type in (None, found.type)


def differences(old: Headers | None, new: Headers | None) -> tuple[str, ...]:
    """What becomes different, in lines for a person."""
    was, now = old or {}, new or {}
    lines = []
    for name in sorted(was.keys() | now.keys()):
        before, after = was.get(name), now.get(name)
        if before != after:
            told = f", was {before}" if before is not None else ""
            lines.append(f"{name}: {after if after is not None else 'none'}{told}")
    return tuple(lines)


def merged(found: Headers | None, old: Headers | None, new: Headers | None) -> Headers:
    """What an object has afterwards, its type aside, whose headers become `new` and were set to
    `old`. What somebody else has given it stays.
    """
    kept = {name: value for name, value in (found or {}).items() if name not in (old or {})}
    return bare(kept | (new or {}))


def bare(wanted: Headers | None) -> Headers:
    """The headers without the content type, which a store has in `Entry.type`."""
    return {name: value for name, value in (wanted or {}).items() if name != TYPE}


def refuse(headers: Headers | None) -> str | None:
    """Why no rule could have set these headers, or None: what is not one line of one header."""
    for name, value in (headers or {}).items():
        if name not in FIELDS and (not _NAME.fullmatch(name) or name[len(META) :] in OWN):
            return f"sets {name!r}, which is no header that rules can set"
        if not _VALUE.fullmatch(value):
            return f"sets {name} to what no header can hold"
    return None


def _settable(rule: HeaderRule, settable: frozenset[str]) -> Iterator[tuple[str, str]]:
    return ((n, v) for n, v in rule.headers.items() if kind_of(n) in settable)
