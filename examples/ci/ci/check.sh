#!/bin/sh
# On a pull request: does the plan in it still fit, and what would it do? Writes comment.md.
set -eu
plan=${PLAN:-plan.json}
buckia apply "$plan" --preflight-only
buckia show "$plan" --format markdown > comment.md
