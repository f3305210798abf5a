"""The memory between the sides: what the last apply left in each bucket.

`.buckia.lock` is meant for version control: one entry a line, sorted, no clocks and no hosts. Each
bucket's `digest` has a line of its own, so that two branches that both applied cannot be merged
into a state that never was: git reports a conflict there.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator, KeysView, Mapping
from io import BytesIO
from typing import Any, Final

import msgspec
from msgspec import Struct

from buckia import documents, manifest
from buckia.columns import Plain
from buckia.errors import DocumentError, NotFoundError, PreconditionError, StaleError
from buckia.hygiene import CARELESS, Hygiene
from buckia.model import Base, Count, Entry, Headers, Published, replace
from buckia.planfile import BaseRef
from buckia.rules import RESERVED_PREFIX
from buckia.sqlite import SIDECARS
from buckia.stores.base import Store

FORMAT: Final = "buckia.lock"
VERSION: Final = "1.0"
KEY: Final = ".buckia.lock"
"""The lockfile's name beside `.buckia`."""

BUCKET_KEY: Final = f"{RESERVED_PREFIX}lock.json"
"""Its key where `state` names a bucket."""

REPAIR: Final = "restore it with `git checkout HEAD -- .buckia.lock`, or delete it to adopt anew"
_REPAIR_BUCKET: Final = "restore an older version of the object, or delete it to adopt anew"

_READS: Final = 8
"""How often a lockfile that others write is read before that is an error."""


class Locked(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True, gc=False):
    """One line of the lockfile: the content at a key, and the bucket's token for it.

    `path` is there only where the local file's own spelling is not the one the layout would make,
    `origin` only where the object was promoted: the other bucket's token for what it came from.
    `headers` are those that rules set.
    """

    size: Count
    sha256: str
    token: str | None = None
    logical: str | None = None
    path: str | None = None
    type: str | None = None
    origin: str | None = None
    headers: Headers | None = None


_MD5: Final = re.compile("[0-9a-f]{32}")
_SPECIAL: Final = (*SIDECARS, manifest.NAME)
"""How keys end that are never just a file."""


class BucketState(Struct, frozen=True, forbid_unknown_fields=True):
    """What is known of one bucket, or of what was promoted from one bucket to another.

    lineage  made at the first apply and never changed: another lineage is another history
    serial   counts the applies that changed something
    digest   of the entries
    plan     the digest of the plan that was applied last
    partial  that plan was not finished
    source   of a promotion, the state of the source that the target holds
    purges   what caches in front may still hold of before: purges that were begun and are not done
    published  the manifests, by folder
    brought  of a promotion, what was moved to the target: not remembered for a later promotion, but
             known to be there
    """

    lineage: str | None
    serial: Count
    digest: str
    plan: str | None
    partial: bool
    entries: dict[str, Locked]
    source: BaseRef | None = None
    purges: tuple[str, ...] = ()
    published: dict[str, Published] = {}
    brought: dict[str, Locked] = {}

    @property
    def ref(self) -> BaseRef:
        """What a plan remembers of this state."""
        return BaseRef(self.lineage, self.serial, self.digest or digest({}))

    def base(self) -> Base:
        """The entries as the third side of a reconcile."""
        return _Remembered(self.entries)

    def plain(self) -> Plain:
        """The entries of files that are nothing but bytes, in columns."""
        known = self.entries
        keys = [
            key
            for key, item in known.items()
            if (token := item.token) is not None
            and item.size
            and not item.headers
            and item.logical is None
            and item.path is None
            and _MD5.fullmatch(token)
            and not key.endswith(_SPECIAL)
        ]
        kept = [known[key] for key in keys]
        return Plain(
            keys,
            array("q", [item.size for item in kept]),
            [item.sha256 for item in kept],
            [item.token or "" for item in kept],
        )


class _Remembered(Mapping[str, Entry]):
    """What the lockfile knows of each key, made an entry when it is asked for: most never are."""

    __slots__ = ("_known",)

    def __init__(self, known: dict[str, Locked]) -> None:
        self._known = known

    def __getitem__(self, key: str) -> Entry:
        item = self._known[key]
        return Entry(
            key,
            item.size,
            item.sha256,
            None,
            None,
            item.logical,
            item.token,
            None,
            item.type,
            item.path,
            item.headers,
        )

    def get(self, key: str, default: Any = None) -> Any:
        """The entry at a key, or `default`."""
        return self[key] if key in self._known else default

    def keys(self) -> KeysView[str]:
        """The keys themselves, so that they are put together with others as those of a dict are."""
        return self._known.keys()

    def __contains__(self, key: object) -> bool:
        return key in self._known

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)


NEW: Final = BucketState(None, 0, "", None, False, {})
"""The state of a bucket before its first apply."""


class Lockfile(Struct, frozen=True, forbid_unknown_fields=True):
    """The states of all buckets of a configuration."""

    format: str
    format_version: str
    buckets: dict[str, BucketState]

    def state(self, bucket: str) -> BucketState:
        """The state of a bucket; an empty one before its first apply."""
        return self.buckets.get(bucket, NEW)

    def with_state(self, bucket: str, state: BucketState) -> Lockfile:
        """The same lockfile with one bucket's state replaced."""
        return replace(self, buckets={**self.buckets, bucket: state})


EMPTY: Final = Lockfile(FORMAT, VERSION, {})
"""The lockfile of a configuration before its first apply."""


class Held(Struct, frozen=True):
    """A lockfile together with what it replaces when it is written back."""

    lock: Lockfile
    entry: Entry | None


def digest(entries: Mapping[str, Locked]) -> str:
    """The digest of a bucket's entries."""
    return documents.digest_of_many(entries)


def write(lock: Lockfile) -> bytes:
    """The document. Equal lockfiles are equal bytes."""
    buckets = ",\n".join(
        f"{_json(name)}: {_state(lock.buckets[name])}" for name in sorted(lock.buckets)
    )
    head = f'{{\n"format": "{lock.format}",\n"format_version": "{lock.format_version}",\n'
    return (
        head + (f'"buckets": {{\n{buckets}\n}}' if buckets else '"buckets": {}') + "\n}\n"
    ).encode()


def _state(state: BucketState) -> str:
    head = "".join(
        f"{_json(name)}: {_json(getattr(state, name))},\n"
        for name in ("lineage", "serial", "digest", "plan", "partial", "source")
        if name != "source" or state.source is not None
    )
    keys = sorted(state.entries)  # and so by bytes
    if state.purges:
        owed = ",\n".join(map(_json, state.purges))
        head += f'"purges": [\n{owed}\n],\n'
    for name in ("published", "brought"):
        if items := getattr(state, name):
            told = documents.render_members(items, sorted(items))
            head += f'"{name}": {{\n{told}\n}},\n'
    lines = documents.render_members(state.entries, keys) + ",\n" if keys else ""
    return f'{{\n{head}"entries": {{\n{lines}{_LAST}\n}}\n}}'


_LAST: Final = '"": {"size":0,"sha256":""}'
"""An entry for no key, always last: every real entry's line ends in a comma, so that adding one at
the end leaves the line before it as it was."""


def _json(value: object) -> str:
    return documents.escape(msgspec.json.encode(value).decode())


def read(data: bytes, what: str = KEY) -> Lockfile:
    """The lockfile in a document. Damage of any kind is a `DocumentError`, never "no state"."""
    documents.refuse_damage(data, what)
    repair = _REPAIR_BUCKET if what == BUCKET_KEY else REPAIR
    try:
        lock = msgspec.json.decode(data, type=Lockfile)
    except (*_DAMAGE, RecursionError) as problem:
        raise DocumentError(f"{what}: {_version_hint(data) or problem}; {repair}") from None
    if lock.format != FORMAT:
        raise DocumentError(f"{what} is not a lockfile: its `format` is {lock.format!r}; {repair}")
    if hint := _version_hint(data):
        raise DocumentError(f"{what}: {hint}; use that one, or {repair}")
    for name, state in lock.buckets.items():
        state.entries.pop("", None)
        if digest(state.entries) != state.digest:
            raise DocumentError(
                f"{what}: the entries of {name!r} do not match their digest (edited, or merged "
                f"from two branches); {repair}"
            )
    return lock


_DAMAGE: Final = (msgspec.DecodeError, UnicodeDecodeError)


class _Version(Struct):
    format_version: str = VERSION


def _version_hint(data: bytes) -> str | None:
    """What to say of a document of another major version; None for this one and for damage."""
    try:
        found = msgspec.json.decode(data, type=_Version).format_version
    except (*_DAMAGE, RecursionError):
        return None
    if found.partition(".")[0] == VERSION.partition(".")[0]:
        return None
    return f"format version {found!r} needs another buckia than this one, which reads {VERSION}"


def load(store: Store, key: str = KEY) -> Held:
    """The lockfile kept at a key of a store; an empty one if there is none yet."""
    for _ in range(_READS):
        entry = store.head(key)
        if entry is None:
            return Held(EMPTY, None)
        documents.refuse_size(entry.size, key)
        try:
            with store.open(entry) as body:
                return Held(read(documents.load(body, key), key), entry)
        except (NotFoundError, PreconditionError):
            continue  # somebody else's run has just written it
    raise StaleError(f"{key} changed each time it was read; try again")


def save(
    store: Store, held: Held, lock: Lockfile, key: str = KEY, hygiene: Hygiene = CARELESS
) -> Held:
    """Write the lockfile over exactly the one that was read; unchanged content is not written.

    Raises `StaleError` if somebody else wrote it meanwhile.
    """
    if held.entry is not None and lock == held.lock:
        return held
    data = hygiene.demand_clean(write(lock), key)
    documents.refuse_size(len(data), key)  # nobody could read it again
    try:
        return Held(lock, store.put(Entry(key, len(data)), BytesIO(data), replacing=held.entry))
    except (NotFoundError, PreconditionError):
        raise StaleError(
            f"{key} was changed by another run meanwhile; nothing of it was overwritten; plan again"
        ) from None
