# shellcheck shell=bash
# A few kills of runs of the program as it is built; and that build has no fault points. `make campaign` is the long form.
set -eu
cd "$HISS_ROOT"
if nm "$HISS" 2>/dev/null | grep -E 'hiss_(fault|mark)' >&2; then
    echo 'FAILED: fault points in a build without FAULTS=1' >&2
    exit 1
fi
CAMPAIGN_WORK=$WORK tests/campaign/kill 10 7
