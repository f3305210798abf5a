"""Bunny's pull zones: what is purged, and signed URLs by the published vectors."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from buckia.errors import AccessError, NotFoundError, StoreError, UnavailableError, UsageError
from buckia.stores.bunny_core import BunnyCore, fold
from buckia.stores.bunny_urls import Grant, sign_url
from tests.servers.bunny import Bunny

SITE = "https://token-tester.b-cdn.net"
EXPIRES = 1598024587


@pytest.fixture
def core(bunny: Bunny) -> Iterator[BunnyCore]:
    """The account of the server."""
    made = BunnyCore(bunny.core.account_key, endpoint=bunny.core.endpoint)
    yield made
    made.close()


# purging


def test_few_urls_are_purged_each_once(bunny: Bunny, core: BunnyCore) -> None:
    """As they are, the encoded ones too."""
    urls = ["https://a.b-cdn.net/b%20c?d=e", "https://a.b-cdn.net/a", "https://a.b-cdn.net/a"]
    assert core.purge(urls) == tuple(sorted(set(urls)))
    assert bunny.core.purged == sorted(set(urls))
    assert core.purge([]) == ()


def test_many_urls_are_purged_by_prefix(bunny: Bunny, core: BunnyCore) -> None:
    """Within both burst limits, so that nothing is refused; every URL is covered."""
    urls = [f"https://a.b-cdn.net/{a}/{b}/{c}" for a in range(15) for b in range(15) for c in "xy"]
    purged = core.purge(urls)
    assert purged == tuple(f"https://a.b-cdn.net/{a}/*" for a in sorted(map(str, range(15))))
    assert tuple(bunny.core.purged) == purged


@pytest.mark.parametrize("folders", [1, 2, 20, 21, 300])
def test_folding_covers_everything_with_few_prefixes(folders: int) -> None:
    """Whatever the depths of the folders, none of them inside another."""
    urls = [
        f"https://a.b-cdn.net/{'/'.join(str(number)[: depth + 1])}/{number}"
        for number in range(folders)
        for depth in range(3)
    ]
    found = fold(urls * 2, exact=0)
    assert len(found) <= 20
    prefixes = [prefix.removesuffix("*") for prefix in found]
    assert all(prefix.endswith("/") and prefix.count("/") >= 3 for prefix in prefixes)
    assert all(sum(url.startswith(prefix) for prefix in prefixes) == 1 for url in urls)


def test_hosts_are_never_folded_into_one() -> None:
    """A prefix without a host would be everybody's."""
    urls = [f"https://{host}.example.org/a/{n}" for host in range(30) for n in range(9)]
    assert fold(urls) == tuple(sorted(f"https://{host}.example.org/*" for host in range(30)))


def test_purging_waits_when_it_was_too_much(
    bunny: Bunny, core: BunnyCore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until it is allowed again, or says so."""
    bunny.switches.purges = 0
    with pytest.raises(UnavailableError, match="busy"):
        core.purge(["https://a.b-cdn.net/a"])
    monkeypatch.setattr("buckia.stores.bunny_errors.time.sleep", lambda _: bunny.core.spent.clear())
    bunny.switches.purges = 1
    urls = ["https://a.b-cdn.net/a", "https://a.b-cdn.net/b"]
    assert core.purge(urls) == tuple(urls)


@pytest.mark.parametrize("bare", [False, True])
def test_pull_zones_are_found_by_any_name(bunny: Bunny, core: BunnyCore, bare: bool) -> None:
    """In both shapes of the list."""
    bunny.switches.bare_zones = bare
    bunny.core.pull_zones[78] = "other"
    for name in ("acme-cdn", "acme-cdn.b-cdn.net", "acme-cdn.example.org"):
        zone = core.pull_zone(name)
        assert (zone.id, zone.storage_zone_id) == (77, 1)
        assert zone.hosts == ("acme-cdn.example.org", "acme-cdn.b-cdn.net")
    with pytest.raises(NotFoundError, match="no such pull zone"):
        core.pull_zone("acme")
    core.purge_zone(core.pull_zone("other"))
    assert bunny.core.purged == ["78"]


def test_pull_zones_come_on_pages(bunny: Bunny, core: BunnyCore) -> None:
    """All of them."""
    bunny.core.pull_zones = {number + 100: f"zone-{number}" for number in range(1500)}
    assert [zone.id for zone in core.pull_zones()] == list(bunny.core.pull_zones)


def test_refusals_say_why(bunny: Bunny, core: BunnyCore) -> None:
    """A wrong key, a storage zone's id, an id of nothing, a URL that is none; never the key."""
    zone = core.pull_zone("acme-cdn")
    for number, error, words in (
        (1, AccessError, "the id is a storage zone's"),
        (9, NotFoundError, r"refused \(404 pullZone.not_found\)"),
    ):
        with pytest.raises(error, match=words):
            core.purge_zone(type(zone)(number, "?"))
    with pytest.raises(StoreError, match=r"refused \(400 purge.invalid_url\)"):
        core.purge(["no-url"])
    stranger = BunnyCore("very-secret", endpoint=bunny.core.endpoint)
    with pytest.raises(AccessError, match="not the account's API key") as caught:
        list(stranger.pull_zones())
    assert "very-secret" not in str(caught.value)
    stranger.close()


# signed URLs

VECTORS = [
    ("/300kb.jpg", Grant(expires=EXPIRES), "o10JRWlsAItyAsdKS6jJKjabHN4FrFsplDHPV1idcX4", ""),
    (
        "/abc/300kb.jpg",
        Grant(expires=EXPIRES, folder="/abc"),
        "uVZvT3SbEoVKYJyDJgbcsDmSFf73cv-uNUVaJiKWpbQ",
        "&token_path=%2Fabc",
    ),
    (
        "/300kb.jpg",
        Grant(expires=EXPIRES, folder="/", countries=["CA"]),
        "JWU7jhpnBGI-O54AYDAtrlZT86Ied4RTO2-Y8mUj60A",
        "&token_countries=CA&token_path=%2F",
    ),
    (
        "/300kb.jpg?v=123",
        Grant(expires=EXPIRES, ignore_query=True),
        "1lwWBD_c1IAGSj1UKPoxreu8ePDQ-Z9FoWLcRn_RRH0",
        "&token_ignore_params=true",
    ),
    (
        "/300kb.jpg",
        Grant(expires=EXPIRES, limit=1000),
        "DAVapqNNED3Z7JkjRTYX0UOIHNtbHEuuhRNEc4A7mMQ",
        "&limit=1000",
    ),
    (
        "/300kb.jpg",
        Grant(expires=EXPIRES, ip="1.2.3.4"),
        "1-L2rISTLcujMY9UFf2tbZ41d5i-Bme1g1oTK_Z2QMLJk",
        "",
    ),
]


@pytest.mark.parametrize(("path", "grant", "token", "query"), VECTORS)
@pytest.mark.parametrize("in_path", [False, True])
def test_the_published_vectors(
    path: str, grant: Grant, token: str, query: str, in_path: bool
) -> None:
    """In the query, and in the path for relative links."""
    bare = path.partition("?")[0]
    tail = f"token=HS256-{token}{query}&expires={EXPIRES}"
    expected = f"{SITE}/bcdn_{tail}{bare}" if in_path else f"{SITE}{bare}?{tail}"
    assert sign_url(SITE + path, "SecurityKey", grant, in_path=in_path) == expected


def test_a_path_is_signed_as_it_reads() -> None:
    """Not as it is encoded; in the URL it stays encoded."""
    grant = Grant(expires=EXPIRES)
    spaced, plain = (sign_url(f"{SITE}/{name}", "key", grant) for name in ("a%20b", "a b"))
    assert spaced.replace("%20", " ") == plain


def test_addresses_of_ipv6_are_signed_by_their_network() -> None:
    """A client changes the lower half at will."""
    one, other, third = (
        sign_url(f"{SITE}/a", "key", Grant(expires=EXPIRES, ip=ip))
        for ip in ("2001:db8::1", "2001:db8::2", "2001:db9::1")
    )
    assert one == other != third


@pytest.mark.parametrize(
    ("path", "grant"),
    [
        ("/a?v=1&v=2", Grant(expires=EXPIRES)),
        ("/a", Grant(expires=EXPIRES, ip="here")),
        ("/a", Grant(expires=EXPIRES, ignore_query=True, limit=1)),
        ("/a", Grant(expires=EXPIRES, ignore_query=True, blocked=["CA"])),
    ],
)
def test_what_cannot_be_checked_is_not_signed(path: str, grant: Grant) -> None:
    """Better no URL than one that allows more than it says."""
    with pytest.raises(UsageError):
        sign_url(SITE + path, "key", grant)
