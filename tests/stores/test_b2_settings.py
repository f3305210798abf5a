"""Settings of Backblaze B2's buckets, on a stub of the service."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import pytest

from buckia import settings
from buckia.errors import AccessError, PreconditionError, StoreError
from buckia.stores import retry, settling
from buckia.stores.b2 import B2Store
from tests.servers.b2 import B2Server
from tests.servers.b2_state import CAPABILITIES, Refusal
from tests.stores.conftest import open_b2

DECLARED: Final[dict[str, Any]] = settings.declared(
    "b2",
    {
        "bucket_type": "public",
        "lifecycle": [
            {"prefix": "tmp/", "hide_after_days": 1, "delete_hidden_after_days": 1},
            {"delete_hidden_after_days": 30, "cancel_unfinished_after_days": 7},
        ],
        "cors": [
            {
                "name": "downloads",
                "allowed_origins": ["https://b.example", "https://a.example"],
                "allowed_operations": ["b2_download_file_by_name", "b2_download_file_by_id"],
                "max_age_seconds": 3600,
            },
            {
                "name": "uploads",
                "allowed_origins": ["*"],
                "allowed_operations": ["b2_upload_file"],
                "allowed_headers": ["range"],
            },
        ],
        "default_encryption": "sse_b2",
    },
)
NEW: Final[dict[str, Any]] = {
    "bucket_type": "private",
    "lifecycle": None,
    "cors": None,
    "default_encryption": None,
}


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries come at once."""
    monkeypatch.setattr(retry, "FIRST_WAIT", 0.0)
    monkeypatch.setattr(settling, "_PAUSES", (0.0,) * 6)


@pytest.fixture
def store(b2: B2Server) -> Iterator[B2Store]:
    """A new bucket."""
    made = open_b2(b2)
    yield made
    made.close()


def test_all_settings_are_told_by_one_request(b2: B2Server, store: B2Store) -> None:
    """Of the dear class, so no more of them than needed."""
    assert store.settings.read({}) == {}  # signs in
    before = b2.cost["C"]
    assert store.settings.read(dict.fromkeys(store.settings.names())) == NEW
    assert b2.cost["C"] == before + 1


@pytest.mark.parametrize("name", DECLARED)
def test_what_is_set_is_told_and_what_is_removed_is_gone(store: B2Store, name: str) -> None:
    """Each by itself, the others as they were."""
    store.settings.configure(name, DECLARED[name], expect=NEW[name])
    store.settings.configure(name, DECLARED[name], expect=NEW[name])  # done twice is done once
    assert store.settings.read(NEW) == {**NEW, name: DECLARED[name]}
    if settings.KINDS["b2"][name].removable:
        store.settings.configure(name, None, expect=DECLARED[name])
        assert store.settings.read(NEW) == NEW


def test_a_setting_that_is_not_what_was_reviewed_stays(store: B2Store) -> None:
    """By the revision of the bucket, and by what it holds."""
    store.settings.configure("cors", DECLARED["cors"], expect=None)
    with pytest.raises(PreconditionError, match="not what was reviewed"):
        store.settings.configure("cors", None, expect=DECLARED["cors"][:1])
    assert store.settings.read({"cors": None}) == {"cors": DECLARED["cors"]}


def test_another_change_in_between_is_seen(
    b2: B2Server, store: B2Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under the revision that was looked at: no harm if of another setting, refused if of this."""
    assert store.settings.read({}) == {}
    bucket = next(one for one in b2.buckets.values() if one.name == store._options.bucket)
    look = store.settings._bucket
    others: list[dict[str, Any]] = [{"corsRules": []}, {"bucketType": "allPublic"}]

    def and_then() -> Any:
        told = look()
        if others:
            bucket.settings |= others.pop()
            bucket.revision += 1
        return told

    monkeypatch.setattr(store.settings, "_bucket", and_then)
    store.settings.configure("lifecycle", DECLARED["lifecycle"], expect=None)
    assert store.settings.read({"bucket_type": None}) == {"bucket_type": "public"}
    rule = {"fileNamePrefix": "", "daysFromHidingToDeleting": 1}
    others.append({"lifecycleRules": [rule]})
    with pytest.raises(PreconditionError, match="not what was reviewed"):
        store.settings.configure("lifecycle", None, expect=DECLARED["lifecycle"])
    assert bucket.settings["lifecycleRules"] == [rule]


def test_missing_rights_are_named(b2: B2Server) -> None:
    """To read how the bucket encrypts, to set anything; the rest is told all the same."""
    readers = CAPABILITIES - {"readBucketEncryption", "writeBuckets", "writeBucketEncryption"}
    key = b2.add_key(capabilities=frozenset(readers))
    store = open_b2(b2, key_id=key.key_id, application_key=key.secret)
    found = store.settings.read(NEW)
    assert isinstance(found["default_encryption"], AccessError)
    assert "lacks `readBucketEncryption`" in str(found["default_encryption"])
    assert found["bucket_type"] == "private"
    with pytest.raises(AccessError, match="lacks `writeBuckets`"):
        store.settings.configure("cors", DECLARED["cors"], expect=None)
    with pytest.raises(AccessError, match="lacks `writeBucketEncryption`"):
        store.settings.configure("default_encryption", "sse_b2", expect=None)
    store.close()


def test_a_lost_answer_is_no_conflict(b2: B2Server, store: B2Store) -> None:
    """The setting was set, and is found so."""
    b2.fail("b2_update_bucket", None)
    store.settings.configure("cors", DECLARED["cors"], expect=None)
    b2.fail("b2_update_bucket", Refusal(503, "service_unavailable"))
    store.settings.configure("cors", None, expect=DECLARED["cors"])
    b2.fail("b2_update_bucket", Refusal(401, "unauthorized", "no"))
    with pytest.raises(StoreError, match="the setting `cors` of b2://"):
        store.settings.configure("cors", DECLARED["cors"], expect=None)
