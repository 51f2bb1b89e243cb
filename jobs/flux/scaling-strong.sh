#!/bin/bash
# A strong scaling study inside one job of Flux, then its report.
#   flux batch jobs/flux/scaling-strong.sh
#   RANKS="1 2 4 8" REPEATS=5 flux batch -N 4 -n 8 jobs/flux/scaling-strong.sh
#
# flux: --job-name=hiss-strong
# flux: -N 1
# flux: -n 2
# flux: -c 1
# flux: -t 60m
# flux: --output=hiss-strong-{{id}}.log
# shellcheck source=jobs/flux/system.sh
. jobs/flux/system.sh
scale "$@"
