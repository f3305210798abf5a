"""A folder as its manifest says, from a web server or a CDN that gives out files and lists nothing.

Everything is fetched and proved before the first file is swapped in: plain files first, databases
after them and through SQLite, deletions last. docs/app-clients.md specifies the same for clients in
other languages.
"""

from __future__ import annotations

import threading
from pathlib import Path

from buckia import stores
from buckia.manifest import NAME
from buckia.model import Progress, silent
from buckia.runs.pulling.results import Pulled as Pulled
from buckia.runs.pulling.runs import Options, Run


def pull(
    url: str,
    folder: str | Path,
    *,
    dry_run: bool = False,
    allow_older: bool = False,
    max_workers: int = 8,
    wait: float = 60.0,
    progress: Progress = silent,
    stop: threading.Event | None = None,
) -> Pulled:
    """Make a local folder what the manifest of a published folder says.

    url          the folder's, or that of its manifest; a query, such as a token, goes with every
                 request and is kept nowhere
    folder       made if it is missing; files in it that no pull put there stay, and one in the
                 place of a published file goes to the trash in `.buckia.d/`
    dry_run      only tell; the manifest is read, and the folder is not changed
    allow_older  take a manifest of an earlier generation than the folder has
    max_workers  how many files are fetched at once
    wait         seconds to wait, at the most, while a publication is under way

    Cut short and run again it goes on. Raises `DocumentError` for a manifest that is not sound,
    `IncompleteError` where files are not what it says for longer than `wait`, `LockedError` while
    another run is at work in the folder, and the errors of a store.
    """
    web = stores.load("buckia.stores.web", "pull")
    place = web.address(url, NAME)
    options = Options(dry_run, allow_older, max_workers, wait)
    source = web.Web(place, max_workers)
    try:
        return Run(source, Path(folder), options, progress, stop or threading.Event()).go()
    finally:
        source.close()
