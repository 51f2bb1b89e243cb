#!/bin/bash
# Evaluate a run under Flux: linear probes, nearest neighbours, pictures.
#   RUN=runs/hiss-1234 flux batch jobs/flux/eval.sh
#
# flux: --job-name=hiss-eval
# flux: -N 1
# flux: -n 2
# flux: -c 1
# flux: -t 60m
# flux: --output=hiss-eval-{{id}}.log
# shellcheck source=jobs/flux/system.sh
. jobs/flux/system.sh
evaluate "$@"
