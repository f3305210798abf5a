"""The simulator that comes with Backblaze's b2sdk, in this process and without HTTP.

It is told a few truths about the service: bodies may be bytes, what is hidden is not found, a large
file that is not finished hides nothing, a prefix may begin anywhere, one request at a time.
"""

from __future__ import annotations

import io
import itertools
import threading
from collections.abc import Iterator
from typing import Any

from b2sdk.v3 import (  # type: ignore[import-untyped]
    B2Api,
    B2HttpApiConfig,
    InMemoryAccountInfo,
    RawSimulator,
)
from b2sdk.v3.exception import FileNotPresent  # type: ignore[import-untyped]

_Bucket: Any = RawSimulator.BUCKET_SIMULATOR_CLASS


class Bucket(_Bucket):  # type: ignore[misc]
    """What is at a name: its newest version that is not a large file under way."""

    def current(self, name: str) -> Any:
        """What is at a name, or None."""
        held = sorted(found for found in self.file_name_and_id_to_file if found[0] == name)
        files = (self.file_name_and_id_to_file[found] for found in held)
        newest = next((file for file in files if file.action != "start"), None)
        return newest if newest and newest.is_visible() else None

    def list_file_names(
        self, token: str, start: str | None = None, count: int | None = None, prefix: str = ""
    ) -> Any:
        """Names in their order, from `start` on."""
        names = {name for name, _ in self.file_name_and_id_to_file}
        found = [self.current(n) for n in sorted(names) if n >= (start or "")]
        shown = [file for file in found if file and file.name.startswith(prefix or "")]
        rest = shown[count or 100 :]
        told = [file.as_list_files_dict(token) for file in shown[: count or 100]]
        return {"files": told, "nextFileName": rest[0].name if rest else None}

    def get_file_info_by_name(self, token: str, name: str) -> Any:
        """The headers of a look at a file."""
        found = self.current(name)
        if found is None:
            raise FileNotPresent(file_id_or_name=name)
        return found.as_download_headers(account_auth_token_or_none=token)


class Simulator(RawSimulator):  # type: ignore[misc]
    """The simulator. `limit`: bytes that a part must have at least, and a plain copy at most."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.MIN_PART_SIZE = limit
        self.BUCKET_SIMULATOR_CLASS = type("Limited", (Bucket,), {"MAX_SIMPLE_COPY_SIZE": limit})
        self.lock = threading.RLock()

    def upload_file(self, *args: Any, **options: Any) -> Any:
        return super().upload_file(*map(_as_stream, args), **options)

    def upload_part(self, *args: Any, **options: Any) -> Any:
        return super().upload_part(*map(_as_stream, args), **options)

    def download_file_from_url(self, *args: Any, **options: Any) -> Any:
        found = super().download_file_from_url(*args, **options)
        found.response.raw = _Raw(found.response.data_bytes)
        return found


class _Raw(io.BytesIO):
    """A body as urllib3 gives it."""

    def stream(self, size: int, decode_content: bool) -> Iterator[bytes]:
        """The bytes in pieces."""
        while chunk := self.read(size):
            yield chunk


def _as_stream(value: Any) -> Any:
    return io.BytesIO(value) if isinstance(value, bytes) else value


class _OneByOne:
    """An object whose methods wait for each other."""

    def __init__(self, inner: Simulator) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if not callable(found):
            return found

        def call(*args: Any, **options: Any) -> Any:
            with self._inner.lock:
                return found(*args, **options)

        return call


class Simulation:
    """One simulated service, a key that may do everything, and b2sdk's way to it."""

    def __init__(self, limit: int = 200) -> None:
        self.raw = Simulator(limit)
        self.api = B2HttpApiConfig(_raw_api_class=lambda http: _OneByOne(self.raw))
        self.key_id, self.key = self.raw.create_account()
        self._owner = B2Api(InMemoryAccountInfo(), api_config=self.api)
        self._owner.authorize_account(self.key_id, self.key)
        self._serials = itertools.count(1)

    def add_bucket(self) -> str:
        """The name of a new empty bucket."""
        name = f"my-bucket-{next(self._serials)}"
        self._owner.create_bucket(name, "allPrivate")
        return name
