"""What is in scope, which deletions may travel, and how many. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Final, Literal

from msgspec import Struct

from buckia.errors import UsageError
from buckia.globs import Matcher, matcher
from buckia.headers import NO_RULES, HeaderRules
from buckia.model import Policy

RESERVED_PREFIX = ".buckia/"
"""Keys under it are buckia's own (leases, trash, staging) and never part of a folder's content."""

STAGE: Final = f"{RESERVED_PREFIX}stage/"
"""Where what plans need of local files is kept until they are applied, each under its sha256."""

_DOCUMENT = re.compile(rf"{re.escape(RESERVED_PREFIX)}[^/]+")
_OWN = re.compile(r"(^|/)\.buckia($|[./-])")
_JUNK = re.compile(r"(^|/)(\.DS_Store|Thumbs\.db|desktop\.ini|\._[^/]*)$")
_SIDECAR = re.compile(r"\.(sqlite3?|s3db|sl3|db3?)-(wal|shm|journal)$", re.IGNORECASE)

BUILT_IN = (
    (_OWN, "buckia's own file"),
    (_JUNK, "a file the operating system leaves behind"),
    (_SIDECAR, "a companion of a SQLite database, never content of its own"),
)
"""What no configuration can include, with the reason people are told."""

_ANY = (".buckia", ".ds_store", "thumbs", "desktop", "._", "-wal", "-shm", "-journal")
"""What every key holds, in lower case, that one of them finds something in: most hold none."""


def _may_be_built_in(key: str) -> bool:
    low = key.lower()
    return not key.isascii() or any(map(low.__contains__, _ANY))


_HOURS: Final = {"h": 1, "d": 24, "w": 24 * 7}
_WORDS: Final = "12h, 30d or 4w: hours, days or weeks"


def seconds(duration: str, *, minutes: bool = False) -> int:
    """A duration such as `12h`, `30d` or `4w` in seconds. Raises `UsageError` for anything else.

    With `minutes` also `15m`: what deletes does not take it, because some would mean months.
    """
    number, unit = duration[:-1], duration[-1:]
    units = {**_HOURS, "m": 1 / 60} if minutes else _HOURS
    if unit not in units or not (number.isascii() and number.isdecimal() and len(number) <= 5):
        words = "15m, 12h or 7d: minutes, hours or days" if minutes else _WORDS
        raise UsageError(f"{duration!r} is no duration; say {words}")
    return round(int(number) * units[unit] * 3600)


class Limits(Struct, frozen=True):
    """How many deletions a plan may hold per side before it is blocked.

    `max_delete` is a count, or a share of base such as "10%"; `min` deletions are always allowed.
    """

    max_delete: int | str = "10%"
    min: int = 10

    def allowed(self, base: int) -> int:
        """The most deletions allowed for a base of this many entries."""
        if isinstance(self.max_delete, int):
            return max(self.min, self.max_delete)
        share = float(self.max_delete.rstrip("%"))
        return max(self.min, int(base * share / 100))

    @property
    def off(self) -> bool:
        """Whether `max_delete: 100%` switched the limit off."""
        return self.max_delete == "100%"


class Overrides(Struct, frozen=True):
    """Limits lifted for one plan, by whoever plans; they stand in the plan for the reviewer.

    allow_deletes  how many deletions per side are meant
    accept_empty   sides that are meant to be empty, or to be another's
    allow_drift    a bucket from which is promoted what no apply left there; "" for none
    keep_going     whether a promotion goes on to its later targets when one has failed
    """

    allow_deletes: int | None = None
    accept_empty: frozenset[str] = frozenset()
    allow_drift: str = ""
    keep_going: bool = False

    @property
    def told(self) -> tuple[dict[str, str], ...]:
        """The overrides as a plan records them."""
        said = [{"rule": "accept_empty", "allow": side} for side in sorted(self.accept_empty)]
        if self.allow_deletes is not None:
            said.append({"rule": "max_delete", "allow": str(self.allow_deletes)})
        if self.allow_drift:
            said.append({"rule": "allow_drift", "allow": self.allow_drift})
        if self.keep_going:
            said.append({"rule": "keep_going", "allow": "later targets"})
        return tuple(said)

    @classmethod
    def of(cls, told: Iterable[Mapping[str, str]]) -> Overrides:
        """The overrides that a plan records."""
        said = [(item["rule"], item["allow"]) for item in told]
        allowed = [int(allow) for rule, allow in said if rule == "max_delete"]
        empty = frozenset(allow for rule, allow in said if rule == "accept_empty")
        drift = [allow for rule, allow in said if rule == "allow_drift"]
        on = any(rule == "keep_going" for rule, _ in said)
        return cls(allowed[0] if allowed else None, empty, drift[0] if drift else "", on)


NO_OVERRIDES: Final = Overrides()


class Rules(Struct, frozen=True, dict=True):
    """The filters, policies and header rules of a bucket.

    `include` and `exclude` are gitignore-style globs over keys; the patterns are regular
    expressions over keys, for the Python API. What is excluded is out of scope on both sides
    alike: it is neither copied nor deleted.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    include_pattern: str | None = None
    exclude_pattern: str | None = None
    delete: Literal["no", "yes", "all"] = "no"
    policy: Policy = Policy.ASK
    limits: Limits = Limits()
    protect: tuple[str, ...] = ()
    headers: HeaderRules = NO_RULES

    def protects(self, key: str) -> bool:
        """Whether no plan may delete this key, on either side."""
        return bool(self._protect and self._protect(key))

    def spares(self, folder: str, names: Sequence[str]) -> bool:
        """Whether `excludes` lets all these names in a folder through, told of all at once; False
        also where only a look at each would tell. `folder` is "" or ends in "/"."""
        return self._unfiltered and not _may_be_built_in(folder + "/".join(names))

    def excludes(self, key: str) -> str | None:
        """Why a key is out of scope, or None when it is in scope."""
        if self._unfiltered and not _may_be_built_in(key):
            return None  # most keys of most buckets
        if built_in := built_in_exclude(key):
            return built_in
        if self._include and not self._include(key):
            return "matches none of `include`"
        if self._exclude and self._exclude(key):
            return "matches `exclude`"
        if self._include_pattern and not self._include_pattern.search(key):
            return "does not match `include_pattern`"
        if self._exclude_pattern and self._exclude_pattern.search(key):
            return "matches `exclude_pattern`"
        return None

    @cached_property
    def _unfiltered(self) -> bool:
        filters = (self.include, self.exclude, self.include_pattern, self.exclude_pattern)
        return not any(filters)

    @cached_property
    def _protect(self) -> Matcher | None:
        return matcher(self.protect)

    @cached_property
    def _include(self) -> Matcher | None:
        return matcher(self.include)

    @cached_property
    def _exclude(self) -> Matcher | None:
        return matcher(self.exclude)

    @cached_property
    def _include_pattern(self) -> re.Pattern[str] | None:
        return re.compile(self.include_pattern) if self.include_pattern else None

    @cached_property
    def _exclude_pattern(self) -> re.Pattern[str] | None:
        return re.compile(self.exclude_pattern) if self.exclude_pattern else None


def is_document(key: str) -> bool:
    """Whether a key is one of buckia's own documents, the lockfile or a lease, which others write
    at the same time."""
    return _DOCUMENT.fullmatch(key) is not None


def built_in_exclude(key: str) -> str | None:
    """Why no configuration can include this key, or None."""
    if not _may_be_built_in(key):
        return None
    return next((why for pattern, why in BUILT_IN if pattern.search(key)), None)


class OutOfScope(Struct, frozen=True):
    """Why a key is out of scope, or None: the rules, and the configuration file whatever its name
    (`own`, relative to its folder; None where there is none)."""

    rules: Rules
    own: str | None = None

    def __call__(self, key: str) -> str | None:
        """Why this key is out of scope, or None."""
        return "the configuration file" if key == self.own else self.rules.excludes(key)

    def spares(self, folder: str, names: Sequence[str]) -> bool:
        """See `Rules.spares`."""
        mine = self.own is not None and self.own.startswith(folder)
        return not mine and self.rules.spares(folder, names)
