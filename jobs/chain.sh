#!/bin/bash
# Train in a chain of jobs, for sites where a job may not requeue itself: each piece goes on from the checkpoint of the
# one before, however that ended.
#   RUN=/scratch/me/run jobs/chain.sh PIECES [OPTION OF sbatch ...] [-- OPTION OF hiss train ...]
#   RUN=runs/a CONFIG=my.yaml jobs/chain.sh 6 --nodes=4 --time=08:00:00 -- --set train.epochs=50
# Prints the job ids, the newest last; `scancel` them all to end the chain.

# ---- settings (the environment wins; those of train.sbatch hold too) -----------------------------------------------
RUN=${RUN:-}                       # the run directory, the same for all pieces
AFTER=${AFTER:-afterany}           # afternotok: when a piece completes the run, SLURM removes the others. With
                                   # afterany they start, find nothing left to do, and end at once.
TRAIN=${TRAIN:-jobs/train.sbatch}
MAX_PIECES=${MAX_PIECES:-50}       # more is taken for a slip

# ---- submit --------------------------------------------------------------------------------------------------------
set -uo pipefail
fail() {
    echo "chain.sh: $*" >&2
    exit 2
}
[[ ${1:-} =~ ^[1-9][0-9]{0,8}$ ]] || fail "usage: RUN=DIR jobs/chain.sh PIECES [OPTION OF sbatch ...] [-- OPTION OF hiss train ...]"
pieces=$1
shift
[ "$pieces" -le "$MAX_PIECES" ] || fail "$pieces pieces: MAX_PIECES is $MAX_PIECES"
[ -n "$RUN" ] || fail "set RUN, the run directory of all pieces"
case $AFTER in afterany | afternotok) ;; *) fail "AFTER=$AFTER: expected afterany or afternotok" ;; esac
options=()
while [ $# -gt 0 ] && [ "$1" != -- ]; do
    options+=("$1")
    shift
done
[ $# -eq 0 ] || shift
export RUN REQUEUE=no
previous=
for ((piece = 1; piece <= pieces; piece++)); do
    wait_for=()
    [ -z "$previous" ] || wait_for=(--dependency="$AFTER:$previous" --kill-on-invalid-dep=yes)
    id=$(sbatch --parsable --no-requeue "${wait_for[@]}" "${options[@]}" "$TRAIN" "$@") ||
        fail "sbatch refused piece $piece of $pieces and says above why: correct its options${previous:+; those before it stay in the queue}"
    previous=${id%%;*} # SLURM may append the name of the cluster
    echo "$previous"
done
