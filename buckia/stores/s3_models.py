"""What botocore knows of S3, read once for all buckets.

To read and parse it takes longer than most requests, and botocore does so for each session.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from botocore.loaders import Loader


@cache
def known(places: str | None) -> Loader:
    """The loader that also looks in these places, as AWS_DATA_PATH has them."""
    given = places.split(os.pathsep) if places else []
    return Loader([str(Path(place).expanduser()) for place in given])
