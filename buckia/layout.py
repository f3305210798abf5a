"""Which local path is which key, and which names can be neither. Pure.

A mapping says that the content of a local folder and the content of a key prefix are the same
thing. Paths are relative to the folder of `.buckia`, use `/`, and never leave it.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property

from msgspec import Struct

from buckia.model import Direction

MAX_KEY_BYTES = 1024
"""Longest key S3 and B2 accept, in UTF-8 bytes (Amazon S3 "Object key names")."""

MAX_SEGMENT_BYTES = 250
"""Longest path segment B2 accepts; file systems end at 255 bytes (Backblaze "Files")."""

_RESERVED = frozenset(
    ["con", "prn", "aux", "nul"]
    + [f"{device}{digit}" for device in ("com", "lpt") for digit in "123456789¹²³"]
)
_INVISIBLE = frozenset("\u061c\u200b\u200e\u200f\u2028\u2029\u2060\ufeff") | {
    chr(code) for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))
}


_PLAIN = re.compile(r"(?:[\w.-]*[\w-]/)*[\w.-]*[\w-]", re.ASCII)
"""Keys of letters, digits, `_`, `-` and inner dots: most keys there are, told in one match."""

_DEVICE = re.compile(r"(?:^|/)(?:con|prn|aux|nul|com\d|lpt\d)(?:[./]|$)", re.IGNORECASE)


_DEVICES = ("/con", "/prn", "/aux", "/nul", "/com", "/lpt")
"""What a key holds, after a slash, that `_DEVICE` finds something in."""

_DRIVE = re.compile(r"[A-Za-z]:/")
_WINDOWS = os.name == "nt"


class Mapping(Struct, frozen=True):
    """One local place and the keys it stands for.

    For a folder, `path` and `prefix` are "" or end in "/"; for a single file they are a whole path
    and a whole key. `folders` limits a folder mapping to these top-level folders of the prefix.
    """

    path: str = ""
    prefix: str = ""
    direction: Direction = Direction.BOTH
    single: bool = False
    folders: tuple[str, ...] = ()

    def key_of(self, path: str) -> str | None:
        """The key a local path stands for, or None outside the mapping. Keys are in NFC."""
        if self.single:
            return self.prefix if path == self.path else None
        if not path.startswith(self.path):
            return None
        key = self.prefix + unicodedata.normalize("NFC", path[len(self.path) :])
        return key if self.covers(key) else None

    def path_of(self, key: str) -> str | None:
        """The local path a key stands for, or None outside the mapping."""
        if not self.covers(key):
            return None
        return self.path if self.single else self.path + key[len(self.prefix) :]

    def covers(self, key: str) -> bool:
        """Whether the key belongs to this mapping."""
        if self.single:
            return key == self.prefix
        if not key.startswith(self.prefix) or len(key) == len(self.prefix):
            return False
        if not self.folders:
            return True
        top, _, rest = key[len(self.prefix) :].partition("/")
        return bool(rest) and top in self.folders

    @property
    def prefixes(self) -> tuple[str, ...]:
        """What to list in the bucket so that every covered key is seen."""
        if self.folders and not self.single:
            return tuple(f"{self.prefix}{folder}/" for folder in self.folders)
        return (self.prefix,)

    @property
    def roots(self) -> tuple[str, ...]:
        """What to walk in the local tree so that every covered path is seen."""
        if self.folders and not self.single:
            return tuple(f"{self.path}{folder}/" for folder in self.folders)
        return (self.path,)


class Layout(Struct, frozen=True, dict=True):
    """All mappings of a bucket, in the order of the configuration."""

    mappings: tuple[Mapping, ...] = (Mapping(),)

    @cached_property
    def _ranked(self) -> tuple[Mapping, ...]:
        return tuple(sorted(self.mappings, key=lambda m: (not m.single, -len(m.prefix))))

    @cached_property
    def coverage(self) -> Callable[[str], bool]:
        """Whether a key belongs to any mapping: told at once where one has all keys."""
        whole = any(not (m.single or m.prefix or m.folders) for m in self.mappings)
        return bool if whole else lambda key: self.owner(key) is not None

    def owner(self, key: str) -> Mapping | None:
        """The mapping a key belongs to: a single file before a folder, a longer prefix before a
        shorter one, an earlier entry before a later one."""
        return next((mapping for mapping in self._ranked if mapping.covers(key)), None)

    def path_of(self, key: str) -> str | None:
        """The local path where a key that exists nowhere locally would be written."""
        mapping = self.owner(key)
        return mapping.path_of(key) if mapping else None

    def direction_of(self, key: str, path: str | None = None) -> Direction | None:
        """Which way a key may travel; `path` names the mapping that really holds the file."""
        if path is not None:
            for mapping in self._ranked:
                if mapping.key_of(path) == key:
                    return mapping.direction
        owner = self.owner(key)
        return owner.direction if owner else None

    @property
    def prefixes(self) -> tuple[str, ...]:
        """The fewest key prefixes that, listed, show every covered key. Sorted, disjoint."""
        return disjoint({p for m in self.mappings if not m.single for p in m.prefixes})

    @property
    def single_keys(self) -> tuple[str, ...]:
        """Keys of single-file mappings that no listed prefix shows."""
        seen = self.prefixes
        keys = {m.prefix for m in self.mappings if m.single}
        return tuple(sorted(key for key in keys if not key.startswith(seen or ("\0",))))

    def narrow(self, selection: Iterable[str]) -> Selection:
        """The part of the layout that `--paths` asks for; see `Selection`."""
        return Selection(self, tuple(clean(item) for item in selection))


EVERYWHERE = ("",)
"""The prefixes of all keys."""


def disjoint(prefixes: Iterable[str]) -> tuple[str, ...]:
    """The prefixes without those that begin with another. Sorted."""
    kept: list[str] = []
    for prefix in sorted(prefixes):
        if not kept or not prefix.startswith(kept[-1]):
            kept.append(prefix)
    return tuple(kept)


def overlap(one: Iterable[str], other: Iterable[str]) -> tuple[str, ...]:
    """The prefixes of what begins with one of each. Sorted, disjoint."""
    pairs = [(a, b) for a in one for b in other]
    return disjoint({max(a, b, key=len) for a, b in pairs if a.startswith(b) or b.startswith(a)})


class Selection(Struct, frozen=True):
    """A wish such as `images/` or `documents/report.pdf`: local paths or keys, files or folders."""

    layout: Layout
    wishes: tuple[str, ...] = ()

    def holds(self, key: str, path: str | None = None) -> bool:
        """Whether a key is asked for, by its own name or by the name of its local file."""
        if not self.wishes:
            return True
        names = [key, path or self.layout.path_of(key) or key]
        return any(
            name == wish or name.startswith(f"{wish}/") or not wish
            for wish in self.wishes
            for name in names
        )

    @property
    def prefixes(self) -> tuple[str, ...]:
        """The fewest key prefixes below which every key lies that is held. Sorted, disjoint."""
        if not self.wishes:
            return EVERYWHERE
        wanted = {prefix for wish in self.wishes for prefix in self._prefixes(wish)}
        return disjoint(wanted | {unicodedata.normalize("NFC", prefix) for prefix in wanted})

    def _prefixes(self, wish: str) -> Iterable[str]:
        """The wish as a key, and the keys of the local files it may mean."""
        yield wish
        for mapping in self.layout.mappings:
            if mapping.path == wish or mapping.path.startswith(f"{wish}/"):
                yield mapping.prefix
            elif not mapping.single and wish.startswith(mapping.path):
                yield mapping.prefix + wish[len(mapping.path) :]


def clean(path: str) -> str:
    """A path as people type it, without `./`, doubled and trailing slashes."""
    return "/".join(part for part in path.replace("\\", "/").split("/") if part not in ("", "."))


def refuse_key(key: str) -> str | None:
    """Why a key cannot be a local file on every system apps run on; None when it can.

    Never repaired, only refused: two keys that repair to one name would overwrite each other.
    """
    if len(key) <= MAX_SEGMENT_BYTES and _is_plain(key):
        return None
    return _find_fault(key)


def all_fine(folder: str, names: Sequence[str]) -> bool:
    """Whether `refuse_key` has nothing against any of these names in a folder, told of all at once;
    False also where only a look at each would tell. `folder` is "" or ends in "/"."""
    longest = max(map(len, names), default=0) + len(folder)
    return longest <= MAX_SEGMENT_BYTES and _is_plain(folder + "/".join(names))


def _is_plain(key: str) -> bool:
    if not _PLAIN.fullmatch(key):
        return False
    low = f"/{key.lower()}"
    return not any(map(low.__contains__, _DEVICES)) or not _DEVICE.search(key)


def _find_fault(key: str) -> str | None:
    if not key:
        return "is empty"
    try:
        size = len(key.encode("utf-8"))
    except UnicodeEncodeError:
        return "is not valid UTF-8"
    if size > MAX_KEY_BYTES:
        return f"is longer than {MAX_KEY_BYTES} bytes"
    if any(ord(char) < 32 or 127 <= ord(char) < 160 for char in key):
        return "holds a control character"
    if not _INVISIBLE.isdisjoint(key):
        return "holds an invisible or direction-changing character"
    if "\\" in key:
        return "holds a backslash"
    if _DRIVE.match(key):
        return "begins like a drive letter"
    if _WINDOWS and ":" in key:
        return "holds a colon, which Windows takes for a drive or a stream"
    if key.endswith("/"):
        return "ends in a slash: it marks a folder"
    if not unicodedata.is_normalized("NFC", key):
        return "is not in Unicode normal form C"
    return next((why for part in key.split("/") if (why := _refuse_segment(part))), None)


def as_text(key: str) -> str:
    """A name as a document can hold it: bytes that are no UTF-8 as `\\udcXX`."""
    return key.encode("utf-8", "backslashreplace").decode()


def _refuse_segment(part: str) -> str | None:
    if not part:
        return "holds an empty segment"
    if part in (".", ".."):
        return f"holds the segment `{part}`"
    if len(part.encode("utf-8")) > MAX_SEGMENT_BYTES:
        return f"holds a segment longer than {MAX_SEGMENT_BYTES} bytes"
    if part[-1] in ". " or part[0] == " ":
        return "holds a segment that begins or ends in a space, or ends in a dot"
    if part.partition(".")[0].casefold() in _RESERVED:
        return f"holds `{part}`, a device name on Windows"
    return None


def collisions(keys: Iterable[str]) -> list[tuple[str, ...]]:
    """Groups of keys that are one file on a system blind to case or Unicode form, sorted."""
    keys = list(keys)
    if _all_differ(keys):
        return []
    groups: dict[str, list[str]] = {}
    for key in keys:
        groups.setdefault(fold(key), []).append(key)
    return sorted(tuple(sorted(group)) for group in groups.values() if len(group) > 1)


def _all_differ(keys: Sequence[str]) -> bool:
    """Whether no two keys are the same folded, told of all at once, since neither case nor Unicode
    form reaches over a line break; False also where a key holds one."""
    folded = fold("\n".join(keys)).split("\n")
    return len(set(folded)) == len(folded) == len(keys)


def fold(key: str) -> str:
    """A key as a case-insensitive, normalising file system compares it."""
    return key if key.isascii() and key.islower() else _fold(key)


def _fold(key: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", key).casefold())


def shadowed(keys: Iterable[str]) -> list[str]:
    """Keys that are also a folder of other keys (`a` beside `a/b`), sorted."""
    known = set(keys)
    return sorted(known & folders_of(known))


def folders_of(keys: Iterable[str]) -> set[str]:
    """The folders that keys lie in, at any depth, without their slashes."""
    nearest = {key.rpartition("/")[0] for key in keys if "/" in key}
    return nearest.union(*map(parents, nearest))


def parents(key: str) -> Iterable[str]:
    """The folders a key lies in, the outermost first, without their slashes."""
    at = key.find("/")
    while at >= 0:
        yield key[:at]
        at = key.find("/", at + 1)


EVERYTHING = Layout()
"""The layout of a folder that stands for a whole bucket: every path is its own key."""
