"""What a folder remembers of the pulls into it, in `.buckia.d/pull/`.

Two files: the manifest as it came, and a state that says which manifest it means. A manifest that
is not the one meant, after a crash between the two, is as none: it is asked for again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from buckia import documents, manifest
from buckia.connect import WORK
from buckia.errors import DocumentError, LocalError
from buckia.manifest import Manifest
from buckia.model import replace
from buckia.runs.pulling.differences import Known
from buckia.stores import files

FOLDER: Final = "pull"
"""In `.buckia.d/`."""

_STATE: Final = "state.json"
_MANIFEST: Final = "manifest.json"
_FORMAT: Final = "buckia.pull-state"
_VERSION: Final = "1.0"


class State(Struct, frozen=True, forbid_unknown_fields=True):
    """What the folder is.

    url       where it came from, without a query
    digest    sha256 of the manifest that it is
    etag, modified  what the server called that manifest
    files     what pulls put here
    """

    format: str = _FORMAT
    format_version: str = _VERSION
    url: str = ""
    digest: str = ""
    etag: str = ""
    modified: str = ""
    files: tuple[Known, ...] = ()

    @property
    def ours(self) -> dict[str, list[Known]]:
        """The files by their paths."""
        found: dict[str, list[Known]] = {}
        for known in self.files:
            found.setdefault(known.path, []).append(known)
        return found


NOTHING: Final = State()


class Held(Struct, frozen=True):
    """A manifest with the bytes that it was read from."""

    data: bytes
    manifest: Manifest

    @property
    def digest(self) -> str:
        """What names it in a state."""
        return hashlib.sha256(self.data).hexdigest()


def load(root: Path) -> tuple[State, Held | None]:
    """What a folder remembers; nothing where nothing was pulled. Raises `DocumentError` for damage:
    taken for nothing it would make everything here somebody else's."""
    folder = root / WORK / FOLDER
    name = f"{WORK}/{FOLDER}/{_STATE}"
    data = _read(folder / _STATE, name)
    if data is None:
        return NOTHING, None
    try:
        state = msgspec.convert(documents.parse(data, name), State)
        if (state.format, state.format_version) != (_FORMAT, _VERSION):
            raise DocumentError(f"{name} is of another version")
    except (msgspec.ValidationError, DocumentError) as problem:
        raise DocumentError(
            f"{name}: {problem}; delete {WORK}/{FOLDER} to begin anew, then what is in the folder "
            "counts as yours"
        ) from None
    kept = _read(folder / _MANIFEST, f"{WORK}/{FOLDER}/{_MANIFEST}")
    if kept is None or hashlib.sha256(kept).hexdigest() != state.digest:
        return state, None
    return state, Held(kept, manifest.read(kept, f"{WORK}/{FOLDER}/{_MANIFEST}"))


def _read(path: Path, name: str) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as problem:
        raise LocalError(f"{name}: {problem.strerror}; check its permissions") from None


def intend(root: Path, state: State, coming: Iterable[Known]) -> None:
    """Write down what is about to be put here, before it is: a run that is cut then knows it."""
    both = dict.fromkeys((*state.files, *coming))
    _save(root, replace(state, files=tuple(both)))


def settle(root: Path, state: State, held: Held) -> None:
    """Write down that the folder is what a manifest says."""
    with files.explained(f"{WORK}/{FOLDER}/{_MANIFEST}"):
        files.write_atomically(root / WORK / FOLDER / _MANIFEST, held.data)
    _save(root, state)


def _save(root: Path, state: State) -> None:
    head = {name: value for name, value in msgspec.structs.asdict(state).items() if name != "files"}
    with files.explained(f"{WORK}/{FOLDER}/{_STATE}"):
        data = documents.render(head, {"files": state.files})
        files.write_atomically(root / WORK / FOLDER / _STATE, data)
