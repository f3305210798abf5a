#!/bin/sh
# By hand: what a promotion would do, for whoever approves it. promote-plan.sh NAME SOURCE TARGET...
set -eu
buckia promote "$@" --out promotion.json
buckia show promotion.json
