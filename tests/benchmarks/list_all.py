"""List a bucket the way a plan does, and do nothing else: what `ls` is for the peers."""

from __future__ import annotations

from pathlib import Path

from buckia.config.file import load
from buckia.model import silent
from buckia.project import Project
from buckia.snapshot import list_remote

if __name__ == "__main__":
    with Project(load(Path(".buckia"))) as project:
        state = project.load_state().lock.state("demo")
        bucket, store = project.config.bucket("demo"), project.remote("demo")
        rules = bucket.rules.excludes
        known, plain = state.entries, state.plain()
        found = list_remote(store, bucket.layout, rules, silent, known=known, plain=plain)
        print(len(found.entries))
