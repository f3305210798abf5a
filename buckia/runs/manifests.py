"""The manifests of a bucket as a plan sees them: what the listing shows of them, and what is looked
up where it does not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from buckia.connect import WORK
from buckia.decisions import publications
from buckia.decisions.planner import BucketPlan, Publish, publishes_nothing
from buckia.decisions.publications import GONE, View, Wanted
from buckia.decisions.selection import Wish
from buckia.execution import publisher
from buckia.layout import Layout, overlap
from buckia.layout import Mapping as Place
from buckia.lockfile import Lockfile
from buckia.manifest import folder_of, key_of
from buckia.model import Action, Direction, Entry, Listing, Op, Source, replace
from buckia.pairs import Pair
from buckia.sides import references
from buckia.sides.references import Found, Scene
from buckia.snapshot import Sides
from buckia.stores.base import Store
from buckia.stores.local import LocalStore
from buckia.workspace import Workspace


def of_bucket(
    space: Workspace,
    name: str,
    lock: Lockfile,
    listing: Listing,
    wish: Wish,
    within: tuple[str, ...],
) -> Publish:
    """Which manifests of a bucket follow the actions of its own plan; none where the plan brings
    nothing to the bucket. `within` is what was listed."""
    if wish.direction is Direction.DOWNLOAD:
        return publishes_nothing
    bucket, refuse = space.config.bucket(name), space.refuse(name)
    layout = bucket.layout
    prefixes = overlap(layout.prefixes, within)

    def covers(key: str) -> bool:
        return key.startswith(prefixes) and layout.owner(key) is not None and not refuse(key)

    view = _view(space.remote(name), listing, covers, prefixes)
    headers = space.manifest_headers(name)
    wanted = Wanted(name, bucket.manifest, headers, touched=bool(wish.paths))
    return lambda actions: publications.plan(wanted, lock, actions, view)


def references_of_bucket(
    space: Workspace,
    name: str,
    lock: Lockfile,
    part: BucketPlan,
    sides: Sides,
    wish: Wish,
    local: LocalStore,
) -> BucketPlan:
    """The part of a plan, blocked where a database would refer to what is not there."""
    bucket = space.config.bucket(name)
    if bucket.media_refs is None or wish.direction is Direction.DOWNLOAD:
        return part
    known = _known(lock, name)
    there = _named(
        part.actions, sides.remote, known, manifest=bucket.manifest, whole=not wish.paths
    )
    target, base = space.remote(name), lock.state(name).base()
    query = bucket.media_refs
    scene = Scene(name, query, part.actions, there, local, target, sides.remote, base)
    return _with(part, references.check(scene))


def references_of_pair(
    space: Workspace, pair: Pair, lock: Lockfile, part: BucketPlan, target: Listing
) -> BucketPlan:
    """The same of a promotion. The databases are fetched from the source."""
    bucket = space.config.bucket(pair.target)
    if bucket.media_refs is None:
        return part
    there = _named(part.actions, target, _known(lock, pair.target), manifest=bucket.manifest)
    base = lock.state(pair.name).base()
    store, source = space.remote(pair.target), space.remote(pair.source)
    room, query = LocalStore(space.root, work=WORK), bucket.media_refs
    scene = Scene(pair.name, query, part.actions, there, room, store, target, base, source)
    return _with(part, references.check(scene))


def _known(lock: Lockfile, bucket: str) -> frozenset[str]:
    return frozenset(key for found in publications.known(lock, bucket).values() for key in found)


def _with(part: BucketPlan, found: Found) -> BucketPlan:
    blocked, notices = [*part.blocked, *found.blocked], [*part.notices, *found.notices]
    return replace(part, blocked=blocked, notices=notices)


def _named(
    actions: Iterable[Action],
    listing: Listing,
    known: frozenset[str],
    *,
    manifest: bool,
    whole: bool = True,
) -> Callable[[str], bool]:
    """Whether readers of the bucket find an object: in it, or, with a manifest, named by that.

    Where not the `whole` bucket was listed the rest counts as it is known.
    """
    omits = {key for item in actions if item.publication for key in item.publication.omits}

    def there(key: str) -> bool:
        if manifest or not (whole or key in listing.entries):
            return key in known and key not in omits
        return key in listing.entries

    return there


def of_pair(
    space: Workspace, pair: Pair, lock: Lockfile, sides: Sides, folders: Sequence[str]
) -> Publish:
    """Which manifests follow a promotion: those of the target, and of what moves away none stays
    in the source."""
    target = space.config.bucket(pair.target)
    layout = Layout((Place(folders=tuple(folders)),))
    view = _view(
        space.remote(pair.target),
        sides.remote,
        lambda key: layout.owner(key) is not None,
        layout.prefixes,
    )
    headers = space.manifest_headers(pair.target)
    wanted = Wanted(pair.name, target.manifest, headers, frozenset(folders))

    def publish(actions: Sequence[Action]) -> list[Action]:
        made = publications.plan(wanted, lock, actions, view) if target.manifest else []
        return list(_without_source(pair, sides.local, actions, made))

    return publish


def _without_source(
    pair: Pair, source: Listing, actions: Iterable[Action], made: Iterable[Action]
) -> Iterable[Action]:
    """The actions, those of folders that move with the manifest of the source to be taken away."""
    moves = {folder_of(action.key) for action in actions if action.op is Op.MOVE}
    known = {folder_of(action.key): action for action in made}
    for folder in sorted(filter(None, moves), key=str.encode):
        key = key_of(folder)
        if (there := source.manifests.get(key)) is None:
            continue
        origin = Source(bucket=pair.source, key=key, version=there.version)
        action = known.get(folder) or publications.make(pair.name, folder, GONE, None)
        known[folder] = replace(action, source=origin)
    yield from known.values()


def _view(
    store: Store,
    listing: Listing,
    covers: Callable[[str], bool],
    prefixes: tuple[str, ...],
) -> View:
    def is_sure(key: str) -> bool:
        return covers(key) and (listing.complete or key in listing.entries)

    def manifest(folder: str) -> Entry | None:
        key = key_of(folder)
        if key in listing.manifests or key.startswith(prefixes):
            return listing.manifests.get(key)
        return store.head(key)

    def generation(found: Entry) -> int:
        told = publisher.read(store, found)
        return told.generation if told else 0

    return View(listing.entries.get, is_sure, manifest, generation)
