#!/bin/sh
# After the merge: apply the plan whose digest was reviewed, and no other.
# `exec`, so that a signal of the service reaches buckia itself, which saves what was done.
set -eu
exec buckia apply "${PLAN:-plan.json}" --expect-digest "$REVIEWED_DIGEST" --lock-timeout 300
