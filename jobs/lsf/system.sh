# shellcheck shell=bash disable=SC2034
# LSF, for the scripts beside it: what the job has, and how it comes again. LSF sends USR1 before the limit (-wa, -wt), and
# puts a job that ends with 85 back into the queue under its id (-Q); so one that may not come again ends with 75.
cd "${LS_SUBCWD:-.}" || exit 2
# shellcheck source=jobs/common.sh
. jobs/common.sh || exit 2
system=LSF job=${LSB_JOBID:-none} hosts=${LSB_DJOB_HOSTFILE:-} not_again=75 time_limit=
[ "${LSB_JOBINDEX:-0}" = 0 ] || job=${job}_$LSB_JOBINDEX
threads=${THREADS:-1} LAUNCH=${LAUNCH:-mpirun}
if [ -z "$hosts" ] && [ -n "${LSB_HOSTS:-}" ]; then # a name for each slot
    made_hosts=$(mktemp) || exit 2
    hosts=$made_hosts
    tr ' ' '\n' <<<"$LSB_HOSTS" >"$hosts"
fi
ranks=1
[ -z "$hosts" ] || ranks=$(($(wc -l <"$hosts") / threads))
ranks=${NRANKS:-$ranks}

# The environment of a job that comes again is that of its submission: the count is kept in the run.
again() {
    echo "$RESTARTS" >"$RUN/restarts-of-$job"
    say "ends with 85: LSF puts it back into the queue, if its options have -Q 85"
    exit 85
}
restarts() {
    local n=0
    read -r n 2>/dev/null <"$RUN/restarts-of-$job" || n=0
    [[ $n =~ ^[0-9]{1,9}$ ]] || n=0
    echo "$n"
}
