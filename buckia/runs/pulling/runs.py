"""One pull: what is published, what is here, what is missing; it is fetched, then swapped in."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from buckia import documents, manifest, pool
from buckia.connect import WORK
from buckia.errors import IncompleteError, LocalError, NotFoundError, UsageError
from buckia.layout import EVERYTHING
from buckia.lease import folder_lock
from buckia.manifest import NAME, File
from buckia.model import Entry, Progress, Tick, replace
from buckia.runs.pulling import state as states
from buckia.runs.pulling.differences import Known, Work, compare, demand_sound
from buckia.runs.pulling.fetching import Room, fetch_all
from buckia.runs.pulling.pauses import Pauses
from buckia.runs.pulling.results import Pulled
from buckia.runs.pulling.state import Held, State
from buckia.runs.pulling.swapping import Coming, Swap, prove
from buckia.sqlite import SIDECARS
from buckia.stores import files
from buckia.stores.hashing import HashCache
from buckia.stores.local import LocalStore
from buckia.stores.paths import Paths
from buckia.stores.tag import NO_TAG, Tag
from buckia.workspace import make_work

if TYPE_CHECKING:
    from buckia.stores.web import Web

MOST_BYTES: Final = 64 * 1024 * 1024
"""Bytes of a manifest at the most: some 300,000 files."""

_BATCH: Final = 64


class Options(Struct, frozen=True):
    """How to pull; see `buckia.runs.pulling.pull`."""

    dry_run: bool
    allow_older: bool
    max_workers: int
    wait: float


class Run:
    """One pull into `root`, which need not exist yet."""

    def __init__(
        self, web: Web, root: Path, options: Options, progress: Progress, stop: threading.Event
    ) -> None:
        self._web = web
        self._root = root
        self._work = root / WORK
        self._options = options
        self._progress = progress
        self._stop = stop
        self._older: int | None = None
        self._cache = HashCache(self._work / "cache.sqlite")
        self._store = self._opened()

    def _opened(self, trash: str = "") -> LocalStore:
        return LocalStore(
            self._root,
            cache=self._cache,
            databases=True,
            work=WORK,
            trash=self._work / "trash" / trash if trash else None,
        )

    # -- the whole of it ---------------------------------------------------------------------------

    def go(self) -> Pulled:
        """Pull."""
        if self._root.exists() and not self._root.is_dir():
            raise LocalError(f"{self._root} is a file; name a folder")
        files.refuse_links(self._work, self._work / states.FOLDER)
        state, held = self._load()
        found, tag = self._read(held, _tag(state, held))
        if self._options.dry_run:
            here = self._look(found, state)
            return self._told(found, compare(found.manifest, state.ours, here), here, "")
        with files.explained(str(self._root)):
            self._root.mkdir(parents=True, exist_ok=True)
        with folder_lock.hold(make_work(self._root), stop=self._stop):
            try:
                return self._pull(found, tag)
            finally:
                self._cache.save()

    def _load(self) -> tuple[State, Held | None]:
        state, held = states.load(self._root)
        if state.url and state.url != self._web.url:
            raise UsageError(
                f"this folder was pulled from {state.url}; name another folder for "
                f"{self._web.url}, or delete {WORK}/{states.FOLDER} in this one to begin anew"
            )
        return state, held

    def _pull(self, held: Held, tag: Tag) -> Pulled:
        state, last = self._load()
        if last is not None and last.manifest.generation > held.manifest.generation:
            held, tag = self._choose(last, _tag(state, last), held, tag)
        made = self._make(self._work / states.FOLDER / "files")
        self._store.tidy()
        files.sweep_beside(made.parent)
        pauses = Pauses(self._options.wait)
        fresh = False
        while True:
            here = self._look(held, state)
            work = compare(held.manifest, state.ours, here)
            room = self._fetch(work, here, made, fresh=fresh)
            if not isinstance(room, str):
                break
            if not pauses.rest(self._stop):
                raise IncompleteError(
                    f"{room}; a publication is under way, or was cut; the folder is as it was and "
                    "what was fetched is kept; run it again later"
                )
            fresh = True
            held, tag = self._read(held, tag, fresh=fresh)
        trash = self._swap(room, work, here, state, held)
        self._settle(state, held, tag, room, here, made)
        return self._told(held, work, here, trash)

    def _make(self, folder: Path) -> Path:
        with files.explained(f"{WORK}/{states.FOLDER}"):
            files.refuse_links(folder)
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder

    # -- the manifest ------------------------------------------------------------------------------

    def _read(self, held: Held | None, tag: Tag, *, fresh: bool = False) -> tuple[Held, Tag]:
        """The manifest that counts: the one published, or the one held if that is of a later
        generation."""
        try:
            found = self._web.document(NAME, MOST_BYTES, tag, fresh=fresh)
        except NotFoundError:
            raise NotFoundError(
                f"{self._web.url} has no manifest; check the URL, or set `manifest: true` on the "
                "bucket and apply"
            ) from None
        if found is None:
            assert held is not None  # noqa: S101  (a tag is of a manifest that is held)
            return held, tag
        published = Held(found.data, manifest.read(found.data))
        demand_sound(published.manifest)
        return self._choose(held, tag, published, found.tag)

    def _choose(
        self, held: Held | None, tag: Tag, published: Held, published_tag: Tag
    ) -> tuple[Held, Tag]:
        if held is None or self._options.allow_older:
            return published, published_tag
        if published.manifest.generation < held.manifest.generation:
            self._older = published.manifest.generation
            return held, tag
        self._older = None
        return published, published_tag

    # -- looking and fetching ----------------------------------------------------------------------

    def _look(self, held: Held, state: State) -> dict[str, Entry]:
        """The files that are at the paths in question. Raises `LocalError` for one that could not
        be replaced."""
        paths = sorted({*(file.path for file in held.manifest.files), *state.ours})

        def look(batch: list[str]) -> list[Entry]:
            return [entry for path in batch if (entry := self._store.head(path))]

        found: dict[str, Entry] = {}
        workers = self._options.max_workers
        for results in pool.each(look, pool.batches(paths, _BATCH), workers=workers, name="hash"):
            found |= {entry.key: entry for batch in results for entry in batch}
            self._progress(Tick("hash", files=len(found), total_files=len(paths)))
        return found

    def _fetch(
        self, work: Work, here: dict[str, Entry], folder: Path, *, fresh: bool
    ) -> list[Coming] | str:
        """All files that have to come, proved; or why one of them is not what it should be."""
        self._demand_room(work, here, folder)
        twins = {e.sha256: e.key for e in here.values() if e.sha256 and not e.logical}
        paths = Paths(self._root, EVERYTHING, {})
        room = Room(folder, self._web, paths, twins, self._stop, fresh=fresh)
        workers = self._options.max_workers
        if problems := fetch_all(room, work.fetch, workers, self._progress, self._stop):
            return min(problems)
        return [prove(file, room.place(file), self._store) for file in work.fetch]

    def _demand_room(self, work: Work, here: dict[str, Entry], folder: Path) -> None:
        """Raise `LocalError` for what could not be written: nothing is fetched for it."""
        for file in work.fetch:
            if (why := self._obstacle(file.path, work, here)) is not None:
                raise LocalError(f"{file.path}: {why}; nothing was changed; move it away")
        needed = sum({f.sha256: f.size for f in work.fetch}.values())
        there = sum(path.stat().st_blocks * 512 for path in folder.iterdir())
        free = shutil.disk_usage(folder).free
        if needed - there > free:
            raise LocalError(
                f"{needed - there:,} bytes have to be fetched and {free:,} are free here; nothing "
                "was changed; free some space"
            )

    def _obstacle(self, path: str, work: Work, here: dict[str, Entry]) -> str | None:
        """Why a file cannot take its place here, as far as a look tells, or None."""
        if path in here or work.in_way:
            return None
        main = next((path.removesuffix(end) for end in SIDECARS if path.endswith(end)), None)
        if main and (beside := self._store.head(main)) and beside.logical:
            return f"it would be taken for a part of the database {main}; move that away"
        return self._store.obstacle(path)

    # -- swapping ----------------------------------------------------------------------------------

    def _swap(
        self, coming: list[Coming], work: Work, here: dict[str, Entry], state: State, held: Held
    ) -> str:
        """Put everything in its place; the folder of what is kept of what was there, if any is."""
        if not coming and not work.removed:
            return ""
        states.intend(self._root, replace(state, url=self._web.url), [c.known for c in coming])
        trash = documents.digest({"pull": held.digest}).removeprefix("sha256:")[:12]
        total, done = len(coming) + len(work.removed), 0

        def tell(path: str) -> None:
            nonlocal done
            done += 1
            self._progress(Tick("swap", path, done, total_files=total))

        Swap(self._store, self._opened(trash), here, work, self._stop)(coming, tell)
        return f"{WORK}/trash/{trash}" if work.kept else ""

    def _settle(
        self,
        state: State,
        held: Held,
        tag: Tag,
        coming: Iterable[Coming],
        here: dict[str, Entry],
        folder: Path,
    ) -> None:
        came = {one.file.path: one.known for one in coming}
        known = tuple(came.get(f.path) or _as_it_is(f, here[f.path]) for f in held.manifest.files)
        settled = State(
            url=self._web.url,
            digest=held.digest,
            etag=tag.etag,
            modified=tag.modified,
            files=known,
        )
        if settled != state:
            states.settle(self._root, settled, held)
        shutil.rmtree(folder, ignore_errors=True)

    def _told(self, held: Held, work: Work, here: dict[str, Entry], trash: str) -> Pulled:
        used = self._web.traffic.usage
        paths = [file.path for file in work.fetch]
        return Pulled(
            held.manifest.generation,
            tuple(path for path in paths if path not in here),
            tuple(path for path in paths if path in here),
            work.removed,
            tuple(sorted(work.kept)),
            trash,
            work.unchanged,
            self._older,
            used.read,
            used.received,
        )


def _tag(state: State, held: Held | None) -> Tag:
    return Tag(state.etag, state.modified) if held else NO_TAG


def _as_it_is(file: File, entry: Entry) -> Known:
    return Known(file.path, file.sha256, entry.version or file.sha256)
