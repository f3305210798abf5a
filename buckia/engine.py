"""Carrying out a plan that was looked at: writes, then deletes, each recorded.

Workers turn one action into one outcome and touch nothing shared; the main thread alone writes the
journal and folds the lockfile, so there is no lock in here.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from typing import Final

from buckia import pool, purges
from buckia.decisions.drafts import Draft
from buckia.decisions.phases import PHASES, REMOTE, phase
from buckia.decisions.preflight import State
from buckia.execution import glances, stages
from buckia.execution.portions import LIGHT, Group, portions, size_of, weight_of
from buckia.execution.tasks import Task
from buckia.model import Action, Op, Outcome, Progress, Tick, replace
from buckia.stores import folders
from buckia.streams.flight import WORTH

_FIRST_WRITE: Final = 1
_PUBLISH: Final = PHASES[Op.PUBLISH]
"""The phase after which old keys may go: every copy is made, and no manifest names them."""
_DELETES: Final = PHASES[Op.DELETE_REMOTE]
_RECORDS: Final = PHASES[Op.ADOPT]


class Run:
    """One pass over the tasks of a plan.

    record      called on the main thread with every batch of outcomes, before anything else happens
    progress    called on the main thread after every batch
    turns       buckets with a higher number begin when those with a lower one are finished
    keep_going  or when something of those failed
    drafts      what each manifest of a bucket will name, by the id of its action
    """

    def __init__(
        self,
        tasks: list[Task],
        *,
        record: Callable[[list[Outcome]], None],
        progress: Progress,
        stop: threading.Event,
        workers: int,
        executor: Executor | None = None,
        turns: Mapping[str, int] | None = None,
        keep_going: bool = False,
        drafts: Callable[[str], Mapping[str, Draft]] = lambda name: {},
    ) -> None:
        self._tasks = tasks
        self._turns = turns or {}
        self._keep_going = keep_going
        self._drafts = drafts
        self._record = record
        self._progress = progress
        self._stop = stop
        self._workers = workers
        self._executor = executor
        self._failed: set[str] = set()
        self._unset: set[str] = set()
        self._seen: set[str] = set()
        self._bytes = self._told = 0
        self._total = sum(size_of(task) for task in tasks)
        self._sent: dict[str, list[Task]] = {}
        for task in tasks:
            if _is_sent(task):
                self._sent.setdefault(task.action.key, []).append(task)
        self._flights = list({id(task.stores): task.stores.flight for task in tasks}.values())
        self.outcomes: list[Outcome] = []

    def execute(self) -> list[Outcome]:
        """Run turn after turn, and in each phase after phase. Deletes of a bucket only start if all
        its writes succeeded."""
        self._progress(Tick("apply", "", 0, 0, len(self._tasks), self._total))
        for turn in sorted({self._turn(task) for task in self._tasks}):
            earlier = {t.action.bucket for t in self._tasks if self._turn(t) < turn}
            if not (self._keep_going or earlier <= self.finished):
                break
            done = {item.id for item in self.outcomes if item.done}
            mine = [task for task in self._tasks if self._turn(task) == turn]
            self._take_turn([task for task in mine if task.action.id not in done])
        return self.outcomes

    def _turn(self, task: Task) -> int:
        return self._turns.get(task.action.bucket, 0)

    def _take_turn(self, tasks: list[Task]) -> None:
        phases = {phase(task.action) for task in tasks}
        first = _RECORDS if _PUBLISH in phases else _PUBLISH  # manifests tell of them, too
        early = sorted((n for n in phases if n <= _PUBLISH or n == first), key=_rank)
        for number in early:
            self._phase([task for task in tasks if phase(task.action) == number])
        self._leave_old_keys(tasks)
        for number in sorted(phases.difference(early)):
            self._phase([task for task in tasks if phase(task.action) == number])

    @property
    def finished(self) -> frozenset[str]:
        """The buckets in which every action is done."""
        done = {item.id for item in self.outcomes if item.done}
        left = {item.id for item in self.outcomes if item.left}
        busy = {
            task.action.bucket
            for task in self._tasks
            if task.action.id not in (left if task.action.op is Op.MOVE else done)
        }
        return frozenset(task.action.bucket for task in self._tasks) - busy - self._failed

    def _phase(self, tasks: list[Task]) -> None:
        todo = [task for task in tasks if not self._forbidden(task)]
        idle = self._idle([task.action for task in todo if task.action.op is Op.PURGE])
        todo = [task for task in todo if task.action.id not in idle]
        todo = self._drafted(todo)
        todo.sort(key=lambda task: -max(weight_of(task), LIGHT))  # no fat file is left for the end
        configures = any(task.action.op is Op.CONFIGURE for task in todo)
        groups = [(task, *self._riders(task)) for task in todo]
        self._drain(stages.carry_out, groups, alone=configures)

    def _drafted(self, tasks: list[Task]) -> list[Task]:
        """The tasks, those that publish with what they will name."""
        names = {task.action.bucket for task in tasks if task.action.op is Op.PUBLISH}
        drafts = {id_: draft for name in names for id_, draft in self._drafts(name).items()}
        return (
            [replace(task, draft=drafts.get(task.action.id)) for task in tasks] if drafts else tasks
        )

    def _idle(self, actions: list[Action]) -> set[str]:
        """Purges, by id, whose changes all failed or have not begun: the caches are still right."""
        idle: set[str] = set()
        for bucket in {action.bucket for action in actions}:
            mine = {action.key: action.id for action in actions if action.bucket == bucket}
            keys, done = purges.touched((t.action for t in self._tasks), bucket), self._done(bucket)
            begun = purges.due(mine, (key for id_, key in keys.items() if id_ in done))
            idle |= {mine[purge] for purge in purges.due(mine, keys.values()) - begun}
        return idle

    def _done(self, bucket: str) -> set[str]:
        """The actions, by id, that are done as far as a bucket goes: a move out of it, or within
        it, once its old key is gone."""
        out = {
            item.id
            for item in self.outcomes
            if item.op is Op.MOVE and (item.source is None or item.source.bucket == bucket)
        }
        left = {item.id for item in self.outcomes if item.left}
        return {item.id for item in self.outcomes if item.done} - (out - left)

    def _riders(self, task: Task) -> Iterable[Task]:
        """The tasks of later turns that bring the same object elsewhere through this machine. Files
        are read once for all; a database waits until the files of its own target are there."""
        if not _is_sent(task):
            return
        for other in self._sent.get(task.action.key, ()):
            if self._turn(other) > self._turn(task) and other.action.source == task.action.source:
                yield other

    def _leave_old_keys(self, tasks: list[Task]) -> None:
        """The second half of every move whose copy is known to be there."""
        moves = [task for task in tasks if task.action.op is Op.MOVE]
        arrived = {outcome.id for outcome in self.outcomes if outcome.done}
        already = {outcome.id for outcome in self.outcomes if outcome.left}
        todo = [
            task
            for task in moves
            if task.action.id in arrived - already and not self._forbidden(task, deleting=True)
        ]
        moved = [(task,) for task in todo]
        self._drain(stages.leave, moved, use_of=lambda group: glances.leaving(group[0]))

    def _forbidden(self, task: Task, *, deleting: bool = False) -> bool:
        """Whether a task has to wait for another run, because a write of its bucket failed: all
        deletions, and databases, which name files that may be the ones that failed. Where the
        bucket could not be configured nothing is written to it: it may be open to everybody."""
        bucket = task.action.bucket
        waits = deleting or _FIRST_WRITE < phase(task.action) <= _DELETES
        written = task.action.op in REMOTE and task.action.op is not Op.PURGE
        return (waits and bucket in self._failed) or (written and bucket in self._unset)

    def _drain(
        self,
        function: Callable[[Sequence[Group], threading.Event], list[Outcome]],
        groups: Sequence[Group],
        *,
        alone: bool = False,
        use_of: Callable[[Group], glances.Uses] = glances.writing,
    ) -> None:
        """Call a function for portions of groups, and record what comes of it; `alone` for one
        after the other, because services refuse to set two things of a bucket at once. `use_of` is
        what the function does, for stores that look at a portion together."""
        sizes = {task.action.id: size_of(task) for group in groups for task in group}
        first = {group[0].action.id for group in groups}
        workers = 1 if alone else self._workers

        def carry(portion: Sequence[Group]) -> list[Outcome]:
            with folders.together():
                return function(portion, self._stop)

        for batches in pool.each(
            carry,
            portions(groups, workers, lambda group: any(map(glances.told, use_of(group)))),
            workers=workers,
            executor=None if alone else self._executor,
            name="apply",
            stop=self._stop,
        ):
            if not batches:
                self._tell_flight()
                continue
            # what failed on the way of another is tried again in its own turn
            told = (item for batch in batches for item in batch)
            batch = [item for item in told if item.done or item.id in first]
            self._record(batch)
            self.outcomes += batch
            lost = [outcome for outcome in batch if not outcome.done]
            self._failed |= {outcome.bucket for outcome in lost}
            self._unset |= {outcome.bucket for outcome in lost if outcome.op is Op.CONFIGURE}
            for item in batch:
                self._bytes += 0 if item.id in self._seen else sizes[item.id]
                self._seen.add(item.id)
                for flight in self._flights:
                    flight.land(item.id)
            if batch:
                self._tell(self._tick(str(batch[-1].op), batch[-1].key))

    def _tell_flight(self) -> None:
        """Progress while files are under way, once it is worth a word."""
        tick = self._tick("apply", "")
        if tick.bytes - self._told >= WORTH:
            self._tell(tick)

    def _tell(self, tick: Tick) -> None:
        self._told = tick.bytes
        self._progress(tick)

    def _tick(self, stage: str, key: str) -> Tick:
        """How far all is, what is still under way included."""
        moved = self._bytes + sum(flight.bytes for flight in self._flights)
        moved = min(max(moved, self._told), self._total)
        return Tick(stage, key, len(self._seen), moved, len(self._tasks), self._total)


def _rank(number: int) -> tuple[bool, int]:
    """What is only recorded comes right before the manifests."""
    return number == _PUBLISH, number


def _is_sent(task: Task) -> bool:
    """Whether a task reads a file of one bucket to put it into another."""
    pending = task.state is State.PENDING and task.action.op is Op.COPY
    return pending and task.stores.through and phase(task.action) == _FIRST_WRITE
