#!/bin/bash
# Train under Flux; ends before its limit with a checkpoint, and submits the next piece.
#   flux batch jobs/flux/train.sh                                                 settings: docs/schedulers.md
#   RUN=/scratch/me/run THREADS=8 flux batch -N 8 -n 32 -c 8 jobs/flux/train.sh my.yaml --set train.epochs=50
#
# flux: --job-name=hiss
# flux: -N 1
# flux: -n 2
# flux: -c 1
# flux: -t 60m
# flux: --signal=SIGUSR1@120s
# flux: --output=hiss-{{id}}.log
# shellcheck source=jobs/flux/system.sh
. jobs/flux/system.sh
train "$@"
