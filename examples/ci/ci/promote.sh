#!/bin/sh
# After the approval: the promotion that was shown, and no other.
set -eu
exec buckia apply promotion.json --expect-digest "$APPROVED_DIGEST" --lock-timeout 300
