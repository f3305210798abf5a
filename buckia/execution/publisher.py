"""A manifest composed and put into its bucket, or taken away. Runs on worker threads.

Whoever reads the bucket goes by it. So nothing is named that is not known to be there, and what is
not known beyond doubt is asked of the bucket.
"""

from __future__ import annotations

import hashlib
from io import BytesIO
from typing import Final

from buckia import manifest
from buckia.decisions.drafts import Draft
from buckia.decisions.preflight import State
from buckia.decisions.publications import digest_of, kind
from buckia.errors import BuckiaError, DocumentError, NotFoundError, PreconditionError
from buckia.execution.tasks import Task
from buckia.headers import TYPE, agrees
from buckia.lockfile import Locked
from buckia.manifest import Blocks, File, Manifest
from buckia.model import Action, Entry, Outcome, Published
from buckia.stores.base import Store
from buckia.streams.flight import watched
from buckia.streams.passing import Passing

MOST_BYTES: Final = 256 * 1024**2
"""A larger object is no manifest of anybody."""


def publish(task: Task) -> Outcome:
    """Do the action. A `BuckiaError` becomes the outcome's error."""
    action, draft = task.action, task.draft
    assert draft  # noqa: S101  (the engine made it)
    try:
        told = _write(task, draft) if action.publication else _take_away(task, draft)
        _leave(task)
    except BuckiaError as problem:
        return _outcome(action, error=str(problem))
    return _outcome(action, published=told)


def _outcome(
    action: Action, *, published: Published | None = None, error: str | None = None
) -> Outcome:
    done = error is None
    return Outcome(
        action.id, action.op, action.bucket, action.key, done, error=error, published=published
    )


def read(store: Store, entry: Entry) -> Manifest | None:
    """The manifest that an object holds; None where it holds something else."""
    if entry.size > MOST_BYTES:
        return None
    try:
        with store.open(entry) as body:
            return manifest.read(body.read(), entry.key)
    except DocumentError:
        return None


def _take_away(task: Task, draft: Draft) -> Published | None:
    """Delete the manifest: the folder is no longer for anybody to read by it."""
    action, found = task.action, task.view.remote
    if action.expect is None:  # there is only one in the source
        return None
    if found:
        task.stores.remote.delete(found)
    return Published(draft.record.generation if draft.record else 1)


def _leave(task: Task) -> None:
    """In a move: the manifest of the source goes, once that of the target is there."""
    source, store = task.action.source, task.stores.source
    if source and source.key and store:
        store.delete(Entry(source.key, 0, version=source.version))


def _write(task: Task, draft: Draft) -> Published:
    action, remote, current = task.action, task.stores.remote, task.view.remote
    assert action.publication  # noqa: S101  (by the caller)
    made = _Composing(task, draft)
    files = [made.file(key, candidates) for key, candidates in draft.files.items()]
    if current and (found := made.same(files)):
        return made.told(found, current.version, manifest.write(found))
    if task.state is State.HALF:
        raise PreconditionError(f"{action.key}: somebody else has published it; plan again")
    data = manifest.write(manifest.make(action.publication.generation, files))
    headers = draft.headers
    entry = Entry(
        action.key,
        len(data),
        type=headers.get(TYPE, manifest.TYPE),
        headers=headers,
    )
    stored = remote.put(entry, BytesIO(data), replacing=current)
    return made.told(manifest.read(data), stored.version, data)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class _Composing:
    """All that one manifest is made of."""

    def __init__(self, task: Task, draft: Draft) -> None:
        self.task = task
        self.draft = draft
        self.remote = task.stores.remote
        self.passing = task.stores.passing or Passing()
        self.current = task.view.remote
        self._named: dict[str, Locked] = {}
        self._prefix = f"{task.action.key.partition('/')[0]}/"
        record, version = draft.record, self.current.version if self.current else None
        ours = record is not None and record.token == version
        self.previous = None
        if self.current and (not ours or self._is_useful()):
            self.previous = read(self.remote, self.current)
        self._before = self.previous.by_path() if self.previous else {}
        self._tokens = record.databases if record and ours else {}
        self._blocks = {
            file.sha256: Blocks(file.block_size, file.blocks)
            for file in self._large()
            if file.block_size and file.blocks
        }

    def _is_useful(self) -> bool:
        """Whether the manifest before tells anything that is not known: blocks, and the bytes of
        databases."""
        items = (item for candidates in self.draft.files.values() for item in candidates)
        return any(item.logical or item.size >= manifest.LEAST for item in items)

    def _large(self) -> list[File]:
        """Files whose blocks others have published: here before, or in the source."""
        found = list(self.previous.files) if self.previous else []
        source, key = self.task.stores.source, self.task.action.key
        if source is not None and self._is_useful() and (there := source.head(key)):
            told = read(source, there)
            found += told.files if told else ()
        return found

    def file(self, key: str, candidates: list[Locked]) -> File:
        """One line of the manifest."""
        item = self._known(key, candidates)
        self._named[key] = item
        path = key.removeprefix(self._prefix)
        size, sha256 = self._content(key, path, item)
        told = kind(key, item)
        if blocks := self._blocks_of(key, size, sha256):
            return File(path, size, sha256, told, blocks.size, blocks.digests)
        return File(path, size, sha256, told)

    def same(self, files: list[File]) -> Manifest | None:
        """The manifest in the bucket, if it says just this already and is served as wanted."""
        found = self.previous or self._remembered(files)
        if found is None or self.current is None:
            return None
        if manifest.make(found.generation, files) != found:
            return None
        looked = self.remote.head(self.current.key)
        if looked is None or looked.version != self.current.version:
            raise PreconditionError(f"{self.current.key}: it has changed meanwhile; plan again")
        told = looked.headers is not None and self.remote.capabilities.headers_in_place
        return found if not told or agrees(looked, self.draft.headers) else None

    def _remembered(self, files: list[File]) -> Manifest | None:
        """The manifest that was published last, if it was just this and still is there."""
        record = self.draft.record
        if record is None or not (self.current and self.current.version == record.token):
            return None
        found = manifest.make(record.generation, files)
        return found if _sha256(manifest.write(found)) == record.sha256 else None

    def _known(self, key: str, candidates: list[Locked]) -> Locked:
        """What is known of the object that is there."""
        if len(candidates) == 1:
            return candidates[0]
        found = self.remote.head(key)
        same = (item for item in candidates if found and found.version == item.token)
        if item := next(same, None):
            return item
        raise PreconditionError(f"{key}: it has changed meanwhile; plan again")

    def _content(self, key: str, path: str, item: Locked) -> tuple[int, str]:
        """The bytes in the bucket. Of a database the lockfile may know those of the file here."""
        if item.logical is None:
            return item.size, item.sha256
        before = self._before.get(path)
        if before and item.token and self._tokens.get(path) == item.token:
            return before.size, before.sha256
        found = self.remote.head(key)
        if found is None or found.version != item.token:
            raise PreconditionError(f"{key}: it has changed meanwhile; plan again")
        if found.sha256:
            return found.size, found.sha256
        with self.remote.open(found) as body:
            flying = watched(body, self.task.stores.stop)
            sha256, size = self.passing.read(flying, found.size)
        return size, sha256

    def _blocks_of(self, key: str, size: int, sha256: str) -> Blocks | None:
        """The blocks of a large file, where they are known without fetching it."""
        if manifest.block_size(size) is None:
            return None
        passing = self.passing
        if (known := self._blocks.get(sha256) or passing.blocks(sha256)) is not None:
            return known
        stores = self.task.stores
        mine = stores.local.head(key) if stores.source is None else None
        if mine is None or mine.sha256 != sha256:
            return None
        try:
            with stores.local.open(mine) as body:
                passing.read(watched(body, stores.stop), size)
        except (NotFoundError, PreconditionError):  # edited meanwhile: it is not what is there
            return None
        return passing.blocks(sha256)

    def told(self, found: Manifest, token: str | None, data: bytes) -> Published:
        """What is to be remembered."""
        tokens = {
            key.removeprefix(self._prefix): item.token
            for key, item in sorted(self._named.items())
            if item.logical and item.token
        }
        return Published(
            found.generation,
            token,
            _sha256(data),
            digest_of(self._named, self.draft.headers),
            tokens,
        )
