"""The journal: on the disk before the next step, whole or refused, taken up exactly once."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buckia import journal, lockfile
from buckia.errors import DocumentError, LocalError
from buckia.journal import Origin, Record
from buckia.model import Entry, Op, Outcome, action_id
from tests.helpers import World, ops
from tests.strategies import examples

PLAN = "sha256:" + "7" * 64
EMPTY = Origin(lockfile.NEW.ref, "lineage-1")


def done(key: str, op: Op = Op.UPLOAD, *, digest: str = "a", left: str | None = None) -> Outcome:
    """An outcome as a run records it."""
    stays = op not in (Op.DELETE_LOCAL, Op.DELETE_REMOTE, Op.FORGET)
    entry = Entry(key, 1, sha256=digest * 64, version=f"v{digest}") if stays else None
    return Outcome(action_id(op, "main", key), op, "main", key, True, entry, left)


def failed(key: str, op: Op = Op.UPLOAD) -> Outcome:
    return Outcome("id", op, "main", key, False, error="no")


def written(folder: Path, *outcomes: Outcome, finish: bool = False) -> Path:
    """A journal of one run."""
    log = journal.start(folder, PLAN, {"main": EMPTY})
    log.record(list(outcomes))
    if finish:
        log.finish()
    log.close()
    return log.path


def test_outcomes_are_read_back_as_they_were_written(tmp_path: Path) -> None:
    """A journal says which plan ran on which state, and what became of each action."""
    outcomes = [done("a"), done("é/🎈", Op.MOVE, left="old"), failed("c"), done("d", Op.FORGET)]
    path = written(tmp_path, *outcomes)
    record = journal.read(path)
    assert (record.outcomes, record.finished) == (outcomes, False)
    assert (record.header.plan, record.header.buckets) == (PLAN, {"main": EMPTY})
    assert path.name == "000001-777777777777.jsonl"
    assert path.stat().st_mode & 0o077 == 0


def test_an_outcome_is_on_the_disk_when_record_returns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every batch is flushed once, before anything else happens."""
    flushed: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda handle: flushed.append(os.fstat(handle).st_size))
    path = written(tmp_path, done("a"), done("b"))
    assert len(flushed) == 2
    assert flushed[-1] == path.stat().st_size


@given(st.data())
@examples(60)
@pytest.mark.promise("INV-7")
def test_a_torn_journal_loses_its_torn_line_only(data: st.DataObject) -> None:
    """Cut at any byte, every whole line before the cut is still there."""
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        path = written(Path(folder), done("a"), done("b"), done("c"))
        whole = path.read_bytes()
        cut = data.draw(st.integers(0, len(whole)))
        path.write_bytes(whole[:cut])
        record = journal.read(path)
        lines = whole[:cut].count(b"\n")
        assert [outcome.key for outcome in record.outcomes] == list("abc")[: max(0, lines - 1)]
        journal.finish([record])
        assert journal.unfinished(Path(folder)) == []
        assert journal.read(path).outcomes == record.outcomes
        assert [found.finished for found in journal.records(Path(folder))] == [True]


@pytest.mark.parametrize("damage", [b"{", b"\x00\x00\x00", b'{"id":1}', b"[]", b'"x"', b"\xff"])
@pytest.mark.parametrize("line", [0, 1, 2])
def test_damage_before_the_last_line_is_an_error(tmp_path: Path, damage: bytes, line: int) -> None:
    """A journal that was damaged, not cut, is never read as if it were shorter."""
    path = written(tmp_path, done("a"), done("b"))
    lines = path.read_bytes().split(b"\n")
    lines[line] = damage
    path.write_bytes(b"\n".join(lines))
    with pytest.raises(DocumentError, match=r"000001-777777777777\.jsonl is damaged"):
        journal.read(path)


def test_a_journal_of_another_major_version_is_refused(tmp_path: Path) -> None:
    """What a newer buckia wrote is not guessed at."""
    path = written(tmp_path, done("a"))
    path.write_bytes(
        path.read_bytes().replace(b'"format_version":"1.0"', b'"format_version":"2.0"')
    )
    with pytest.raises(DocumentError, match="damaged"):
        journal.read(path)


def test_journals_are_numbered_and_finished_ones_left_alone(tmp_path: Path) -> None:
    """Each run has its own file; only those without a last line are picked up, oldest first."""
    first = written(tmp_path, done("a"))
    second = written(tmp_path, done("b"), finish=True)
    third = written(tmp_path, done("c"))
    assert [path.name[:6] for path in (first, second, third)] == ["000001", "000002", "000003"]
    assert [record.path for record in journal.unfinished(tmp_path)] == [first, third]
    assert [record.finished for record in journal.records(tmp_path)] == [False, True, False]


def test_a_journal_that_cannot_be_written_stops_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing may happen unrecorded."""

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    log = journal.start(tmp_path, PLAN, {"main": EMPTY})
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(LocalError, match="No space left on device"):
        log.record([done("a")])
    log.close()


# -- taking up what a run left ---------------------------------------------------------------------

outcome_lists = st.lists(
    st.builds(
        done,
        st.sampled_from("abc"),
        st.sampled_from([Op.UPLOAD, Op.DOWNLOAD, Op.ADOPT, Op.DELETE_REMOTE, Op.FORGET]),
        digest=st.sampled_from("12"),
    )
    | st.builds(failed, st.sampled_from("abc")),
    max_size=6,
)


def record_of(outcomes: list[Outcome], origin: Origin = EMPTY, plan: str = PLAN) -> Record:
    header = journal.Header(journal.FORMAT, journal.VERSION, plan, {"main": origin})
    return Record(Path("journal"), header, outcomes, False)


@examples(60)
@given(outcome_lists, st.integers(0, 6))
def test_absorbing_is_the_same_however_often_it_is_done(outcomes: list[Outcome], cut: int) -> None:
    """A crash between the lockfile and the journal's last line changes nothing, nor does a first
    part that was absorbed before."""
    once = journal.absorb(lockfile.EMPTY, [record_of(outcomes)])
    assert journal.absorb(once, [record_of(outcomes)]) == once
    early = journal.absorb(lockfile.EMPTY, [record_of(outcomes[:cut])])
    late = journal.absorb(early, [record_of(outcomes)])
    assert late.state("main").entries == once.state("main").entries


def test_absorbing_folds_done_outcomes_and_marks_the_state_unfinished() -> None:
    """The serial moves once, the lineage is the one the run had chosen."""
    outcomes = [done("a"), failed("b"), failed("a", Op.DELETE_REMOTE)]
    outcomes += [done("c"), done("c", Op.DELETE_REMOTE)]
    state = journal.absorb(lockfile.EMPTY, [record_of(outcomes)]).state("main")
    assert list(state.entries) == ["a"]
    assert (state.lineage, state.serial, state.plan) == ("lineage-1", 1, PLAN)
    assert state.partial
    assert lockfile.digest(state.entries) == state.digest


def test_a_journal_of_another_state_is_not_absorbed() -> None:
    """What was done to a state that is no longer there says nothing of this one."""
    known = journal.absorb(lockfile.EMPTY, [record_of([done("a")])])
    stranger = record_of([done("z")], plan="sha256:" + "8" * 64)
    assert journal.absorb(known, [stranger]) == known


def test_two_journals_of_one_plan_are_absorbed_in_turn() -> None:
    """A run that was cut and resumed and cut again."""
    first, second = record_of([done("a")]), record_of([done("b")])
    state = journal.absorb(lockfile.EMPTY, [first, second]).state("main")
    assert (sorted(state.entries), state.serial) == (["a", "b"], 1)


def test_a_plan_sees_what_an_unsaved_run_did(tmp_path: Path) -> None:
    """The lockfile of a run that died before writing it is made up from the journal."""
    world = World(tmp_path)
    world.write("a", b"1")
    plan = world.plan()
    world.apply(plan)
    (world.root / lockfile.KEY).unlink()
    folder = world.root / ".buckia.d" / "journal"
    (path,) = folder.iterdir()
    path.write_bytes(path.read_bytes().rpartition(b"\n{")[0] + b"\n")
    assert ops(world.plan()) == []
    assert world.lock() == lockfile.EMPTY
    assert world.apply(plan).serials == {"main": 1}
    assert list(world.lock().state("main").entries) == ["a"]
    assert journal.unfinished(folder) == []
