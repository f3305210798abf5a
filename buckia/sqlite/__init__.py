"""A SQLite database is data, not bytes: read it whole, compare its rows, replace it safely.

What was committed may be only in the `-wal` beside the file, a copy of the file alone may be an
empty database, and a leftover `-wal` can undo a replaced one (sqlite.org/wal.html,
sqlite.org/howtocorrupt.html). So a database that may be in use is read through SQLite alone.
"""

from __future__ import annotations

from pathlib import Path

from buckia.errors import LocalError
from buckia.sqlite.diff import Difference as Difference
from buckia.sqlite.diff import TableDifference as TableDifference
from buckia.sqlite.diff import describe as describe
from buckia.sqlite.diff import difference as difference
from buckia.sqlite.file import BEGINNING as BEGINNING
from buckia.sqlite.file import SIDECARS as SIDECARS
from buckia.sqlite.file import begins_so as begins_so
from buckia.sqlite.file import is_database as is_database
from buckia.sqlite.file import reported, verify
from buckia.sqlite.hash import logical_hash as logical_hash
from buckia.sqlite.merge import TableMerge as TableMerge
from buckia.sqlite.merge import demand_free as demand_free
from buckia.sqlite.merge import merge as merge
from buckia.sqlite.merge import rehearse as rehearse
from buckia.sqlite.references import referred as referred
from buckia.sqlite.removal import discard as discard
from buckia.sqlite.removal import displace as displace
from buckia.sqlite.replacement import replace as replace
from buckia.sqlite.snapshots import copy_aside as copy_aside
from buckia.sqlite.snapshots import dirty_key as dirty_key
from buckia.sqlite.snapshots import snapshot as snapshot


def check(path: Path) -> None:
    """Prove that a database at rest, such as a download, is whole: a full `integrity_check`.

    What needs a function or collation that only its own program has goes unchecked. Raises
    LocalError with the first fault.
    """
    if not is_database(path):
        raise LocalError(f"{path} is not a SQLite database; restore it from a good copy")
    with reported(path):
        verify(path, thorough=True)
