"""What botocore knows of S3, read once for all buckets.

To read and parse it takes longer than most requests, and botocore does so for each session.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from botocore.loaders import Loader


class _Shared(Loader):
    """A loader that many sessions have, to which boto3 would add its own place for each of them."""

    @property
    def search_paths(self) -> list[str]:
        """A list that nobody else adds to."""
        return [*super().search_paths]


@cache
def known(places: str | None) -> Loader:
    """The loader that also looks in these places, as AWS_DATA_PATH has them."""
    given = places.split(os.pathsep) if places else []
    return _Shared([str(Path(place).expanduser()) for place in given])
