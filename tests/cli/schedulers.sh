# jobs/pbs, jobs/lsf and jobs/flux without these systems: a stand-in reads the directives of a script as the system would, and runs
# it with that system's variables. Training to the end in pieces gives the bits of one piece; who ends a job, ends it.
. "$HISS_ROOT/tests/cli/common"
small_run
mkdir bin tree
cp -r "$HISS_ROOT/jobs" tree
cp data.h5 config.yaml tree
cd tree
log=$WORK/log
export PATH=$WORK/bin:$PATH OMPI_MCA_hwloc_base_binding_policy=none
host=$(hostname)

# ---- directives ----

# directives SCRIPT PREFIX: the words of each, a line for each, up to the first command.
directives() {
    sed -n -e '/^[^#]/q' -e "s/^$2 *//p" "$1"
}
# known SCRIPT PREFIX PATTERN: every directive is of this form.
known() {
    local line n=0
    while read -r line; do
        n=$((n + 1))
        grep -qxE -- "$3" <<<"$line" || fail "$1: a directive that the system does not have: $2 $line"
    done < <(directives "$1" "$2")
    [ $n -ge 4 ] || fail "$1: only $n directives"
}
for script in train eval scaling-strong; do
    known jobs/pbs/$script.pbs '#PBS' \
        '-N [a-z-]{1,15}|-l select=[0-9]+(:(ncpus|mpiprocs|ompthreads)=[0-9]+)+|-l walltime=[0-9]{2}:[0-9]{2}:[0-9]{2}|-j oe|-r y'
    known jobs/lsf/$script.lsf '#BSUB' \
        '-J [a-z-]+|-n [0-9]+|-R "span\[ptile=[0-9]+\]"|-W [0-9]{2}:[0-9]{2}|-wa USR1|-wt [0-9]+|-r|-Q 85|-o [a-z-]+-%J\.log'
    known jobs/flux/$script.sh '# flux:' '--job-name=[a-z-]+|-[Nnc] [0-9]+|-t [0-9]+m|--signal=SIGUSR1@[0-9]+s|--output=[a-z-]+-\{\{id\}\}\.log'
    for file in jobs/pbs/$script.pbs jobs/lsf/$script.lsf jobs/flux/$script.sh; do
        bash -n "$file" || fail "$file is no bash"
        ! command -v shellcheck >/dev/null || shellcheck -x "$file" || fail "shellcheck: $file"
    done
done
for key in 'mpiprocs=2' 'ncpus=2'; do
    directives jobs/pbs/train.pbs '#PBS' | grep -q "$key" || fail "no $key"
done
directives jobs/lsf/train.lsf '#BSUB' | grep -q '^-Q 85$' || fail 'LSF would not requeue'

# ---- the systems ----

# What qsub and flux batch are told goes into queued, with the environment that the next piece gets.
cat >"$WORK/bin/qstat" <<'SH'
#!/bin/bash
[ "$1" = -f ] || exit 2
printf 'Job Id: %s\n    Job_Name = hiss\n    job_state = R\n    queue = workq\n    Account_Name = me\n' "$2"
printf '    project = _pbs_project_default\n    Resource_List.place = free\n    Resource_List.select = 1:ncpus=2:mpi\n\tprocs=2:ompthreads=1\n'
printf '    Resource_List.walltime = %s\n' "${STUB_WALLTIME:-01:00:00}"
SH
cat >"$WORK/bin/qsub" <<'SH'
#!/bin/bash
printf '%s\n' "$@" >"$STUB/queued"
while [ $# -gt 1 ]; do
    [ "$1" != -v ] || names=$2
    shift 2
done
: >"$STUB/passed"
for name in ${names//,/ }; do
    declare -p "$name" >>"$STUB/passed" 2>/dev/null || { echo "qsub: $name is not in the environment" >&2; exit 1; }
done
[ -f "$1" ] || { echo "qsub: no script $1" >&2; exit 1; }
echo 8.server
SH
cat >"$WORK/bin/flux" <<'SH'
#!/bin/bash
case "$*" in
'resource list -n -o {ncores}') echo 2 ;;
'getattr size') echo 1 ;;
'getattr jobid') echo f7 ;;
'--parent job info f7 jobspec') echo '{"attributes": {"system": {"duration": 7200.0, "x": 1}}}' ;;
'job timeleft') echo "${STUB_LEFT:-3600}" ;;
'run -n '*' -c 1 '*) exec mpirun -n "$3" "${@:6}" ;;
'--parent batch '*)
    printf '%s\n' "$@" >"$STUB/queued"
    declare -p RESTARTS RUN CONFIG >"$STUB/passed"
    echo f8
    ;;
*) echo "flux: no such command: $*" >&2 && exit 1 ;;
esac
SH
chmod +x "$WORK"/bin/*
export STUB=$WORK
printf '%s\n' "$host" "$host" >"$WORK/nodefile"

# begin SYSTEM SCRIPT WORD...: run it as the system would, with its variables, in the background; sets job.
begin() {
    local system=$1 script=$2 variables=()
    shift 2
    rm -f "$STUB/queued" "$STUB/passed"
    case $system in
    pbs) variables=(PBS_JOBID=7.server PBS_O_WORKDIR="$PWD" PBS_NODEFILE="$WORK/nodefile" OMP_NUM_THREADS=1 NCPUS=2) ;;
    lsf) variables=(LSB_JOBID=7 LSB_JOBINDEX=0 LS_SUBCWD="$PWD" LSB_HOSTS="$host $host" LSB_DJOB_NUMPROC=2) ;;
    lsf-file) variables=(LSB_JOBID=7 LS_SUBCWD="$PWD" LSB_DJOB_HOSTFILE="$WORK/nodefile") ;;
    flux) variables=(FLUX_ENCLOSING_ID=f7 FLUX_URI=local:///run/flux) ;;
    esac
    env "${variables[@]}" bash "$script" "$@" >"$log" 2>&1 &
    job=$!
}
# piece SYSTEM SCRIPT WORD...: the same to its end; sets status.
piece() {
    begin "$@"
    status=0
    wait $job || status=$?
}
expect() { # CODE TEXT
    [ $status -eq "$1" ] || fail "exit $status instead of $1" "$log"
    grep -qF -- "$2" "$log" || fail "not said: $2" "$log"
}
declare -A scripts=([pbs]=jobs/pbs/train.pbs [lsf]=jobs/lsf/train.lsf [lsf-file]=jobs/lsf/train.lsf [flux]=jobs/flux/train.sh)
declare -A stops=([pbs]=0 [lsf]=85 [lsf-file]=85 [flux]=0) ends=([pbs]=85 [lsf]=75 [lsf-file]=75 [flux]=85)
export CONFIG=config.yaml MPIRUN_OPTIONS='--bind-to none'

for system in pbs lsf lsf-file flux; do # nothing in the way: on two ranks, to the end, under the name of the job
    piece $system "${scripts[$system]}" --set train.epochs=2
    expect 0 'exit code 0'
    grep -qE "(mpirun|flux run) -n 2 " "$log" || fail "$system: not two ranks" "$log"
    [ ! -e "$STUB/queued" ] || fail "$system: a run that is done comes again"
    ls runs/hiss-*7/summary.yaml >/dev/null || fail "$system: no run"
    rm -r runs
done

# ---- stopped, and gone on with ----

until_trains() { # RUN [STEP]: it has a checkpoint, of a step after STEP
    local k
    for ((k = 0; k < 600; k++)); do
        for file in "$1"/ckpt/step-*.h5; do
            file=${file##*/step-}
            [[ ! $file =~ ^[0-9]+\.h5$ ]] || [ "${file%.h5}" -le "${2:-0}" ] || return 0
        done
        sleep 0.1
    done
    fail "$1 does not train" "$log"
}
# again SYSTEM: what the system would do now; sets job.
again() {
    local words
    if [[ $1 = lsf* ]]; then
        begin "$1" "${scripts[$1]}" "${sets[@]}"
        return
    fi
    mapfile -t words <"$STUB/queued"
    case $1 in
    pbs)
        [[ " ${words[*]} " = *' -W depend=afterany:7.server -l select=1:ncpus=2:mpiprocs=2:ompthreads=1 -l place=free -l walltime=01:00:00 -q workq -A me -N hiss '* ]] ||
            fail 'the next piece has other resources' "$STUB/queued"
        [[ " ${words[*]} " != *' -P '* ]] || fail 'a project that is none' "$STUB/queued"
        set -- pbs "${words[-1]}"
        ;;
    flux)
        [[ " ${words[*]} " = *' -N 1 -n 1 -c 1 -t 7200s --signal=SIGUSR1@120s jobs/flux/train.sh '* ]] ||
            fail 'the next piece has other resources' "$STUB/queued"
        set -- flux jobs/flux/train.sh "${sets[@]}"
        ;;
    esac
    # shellcheck disable=SC1091
    . "$STUB/passed"
    begin "$@"
}
sets=(--set train.epochs=300)
export NRANKS=1 # two beside other tests take their time
train 1 whole "${sets[@]}"
for system in pbs lsf flux; do
    export RUN=run-$system
    begin $system "${scripts[$system]}" "${sets[@]}"
    until_trains "$RUN"
    kill -USR1 $job
    status=0
    wait $job || status=$?
    expect "${stops[$system]}" 'exit code 85'
    [ ! -e "$RUN/summary.yaml" ] || fail "$system: the run was not stopped"
    (
        again $system
        status=0
        wait $job || status=$?
        expect 0 'exit code 0'
        grep -q 'restart 1 ' "$log" || fail "$system: not the first restart" "$log"
        grep -q 'resumed from' "$log" || fail "$system: begins anew" "$log"
    ) || exit 1
    same whole "$RUN"
done

# Who ends a job, ends it; the run goes on with the next one.
for system in pbs lsf flux; do
    export RUN=ended-$system
    begin $system "${scripts[$system]}" "${sets[@]}"
    until_trains "$RUN"
    kill -TERM $job
    status=0
    wait $job || status=$?
    expect 143 'ended from outside, so not again'
    [ ! -e "$STUB/queued" ] || fail "$system: a job that was ended comes again"
done

# The time that PBS and Flux say is left: hiss ends before, and 30 s are kept free.
export RUN=late
STUB_WALLTIME=00:00:33 piece pbs jobs/pbs/train.pbs --set train.epochs=100000
expect 0 'goes on as 8.server'
grep -q -- '--time-limit 3[0-3] ' "$log" || fail 'no time limit' "$log"
STUB_LEFT=33.5 piece flux jobs/flux/train.sh --set train.epochs=100000
expect 0 'goes on as f8'
grep -q -- '--time-limit 33 ' "$log" || fail 'no time limit' "$log"
TIME_LIMIT=33 piece lsf jobs/lsf/train.lsf --set train.epochs=100000
expect 85 'puts it back into the queue'
# Starts that come no step further: not for ever.
printf '%s\n' '#!/bin/bash' 'exit 85' >"$WORK/bin/mpirun"
chmod +x "$WORK/bin/mpirun"
for k in 1 2 3; do
    piece pbs jobs/pbs/train.pbs
    [ $k -eq 3 ] || expect 0 'goes on as'
done
rm "$WORK/bin/mpirun"
expect 85 'no step further in 3 starts'
MAX_RESTARTS=0 STUB_WALLTIME=00:00:33 piece pbs jobs/pbs/train.pbs --set train.epochs=100000
expect 85 'restarted 0 times, not again'
for system in pbs lsf flux; do
    REQUEUE=no TIME_LIMIT=32 piece $system "${scripts[$system]}" --set train.epochs=100000
    expect "${ends[$system]}" 'not again, as REQUEUE=no says'
done
rm -rf late

# ---- what is wrong, evaluation, scaling ----

unset RUN NRANKS
for system in pbs lsf flux; do
    HISS=./absent piece $system "${scripts[$system]}"
    expect 2 'HISS=./absent cannot be started'
    piece $system "${scripts[$system]}" --set train.epohs=2
    expect 2 "did you mean 'train.epochs'?"
done
for script in jobs/pbs/eval.pbs jobs/lsf/eval.lsf jobs/flux/eval.sh; do
    system=$(basename "$(dirname $script)")
    piece "$system" $script
    expect 2 'set RUN'
    RUN=run-$system piece "$system" $script --set eval.iterations=20 --set eval.layers=fc1
    expect 0 'done'
    [ -s "run-$system/eval.json" ] && [ -s "run-$system/query.png" ] || fail "$system: no evaluation" "$log"
done
printf '%s\n' 'name: tiny' 'configs: {tiny: {file: config.yaml}}' 'ranks: [1, 2]' 'repeats: 1' 'steps: 24' 'warmup: 4' 'window: 4' >study.yaml
export STUDY=study.yaml OMPI_MCA_rmaps_base_oversubscribe=1
unset MPIRUN_OPTIONS
for script in jobs/pbs/scaling-strong.pbs jobs/lsf/scaling-strong.lsf jobs/flux/scaling-strong.sh; do
    system=$(basename "$(dirname $script)")
    [ "$system" != lsf ] || system=lsf-file
    OUT=scale-$system RANKS='1 2' REPEATS=1 piece "$system" $script
    expect 0 'VALID: all runs'
    case $system in
    flux) grep -q 'launch=\[flux,run,-n,RANKS,-c,THREADS\]' "$log" || fail 'not by flux run' "$log" ;;
    *) # the nodes of the job are known, and asked for
        grep -q 'ranks_per_node=2' "$log" || fail "$system: no room per node" "$log"
        grep -q "$host:2" scale-"$system"/points/tiny-2x1-*/point.yaml || fail "$system: not on the host of the job"
        ;;
    esac
    grep -qE '^job: "?f?7' scale-"$system"/points/tiny-1x1-*/point.yaml || fail "$system: of no job"
done
echo ok
