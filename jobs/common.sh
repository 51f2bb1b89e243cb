# shellcheck shell=bash disable=SC2153,SC2154
# What the job scripts of PBS, LSF and Flux have in common: docs/schedulers.md. Each sources its SYSTEM/system.sh, which sets
#   job           its id
#   ranks         as many as there is room for
#   threads       of each
#   hosts         a file with a host for each rank, or empty: the launcher knows them
#   time_limit    seconds that are left, or empty: not known, a signal comes in time
#   LAUNCH        mpirun | flux
#   again         function: have this job run again, or say why not and return 1
# and calls train, evaluate or scale with the words behind its name.

say() { echo "== $(date '+%F %T')  $*"; }

# Modules, before set -u, which some of them do not bear.
prepare_job() {
    local modules
    read -ra modules <<<"${MODULES:-}"
    if [ ${#modules[@]} -gt 0 ]; then
        module load "${modules[@]}" || exit 2
    fi
    set -uo pipefail
    HISS=${HISS:-build/hiss}
    export HDF5_USE_FILE_LOCKING=FALSE # parallel file systems without locks; hiss locks the run itself
    # Open MPI 4 keeps its files of all jobs of a user on a node in one folder. The job that ends last removes it, perhaps just
    # when another begins, which then fails. So each job has a folder of its own.
    if [ -z "${OMPI_MCA_orte_tmpdir_base:-}" ]; then
        export OMPI_MCA_orte_tmpdir_base=${TMPDIR:-/tmp}/hiss-job-$$
    fi
    trap 'rmdir "$OMPI_MCA_orte_tmpdir_base" 2>/dev/null; [ -z "${made_hosts:-}" ] || rm -f "$made_hosts"' EXIT
    wrong_program="HISS=$HISS: not there, or built for another processor: run make, on a node like those of the job or with ARCH="
    "$HISS" --version >/dev/null
    case $? in
    126 | 127) say "HISS=$HISS cannot be started: run make, set HISS, or load its libraries (MODULES)" && exit 2 ;;
    132) say "$wrong_program" && exit 2 ;;
    esac
}

# launcher RANKS: sets launch, the words before hiss.
launcher() {
    local more
    case $LAUNCH in
    mpirun)
        read -ra more <<<"${MPIRUN_OPTIONS:---map-by slot:PE=$threads --bind-to core}"
        launch=(mpirun -n "$1" "${more[@]}")
        [ -z "$hosts" ] || [ "$(sort -u "$hosts" | wc -l)" -le 1 ] || launch+=(--hostfile "$hosts")
        ;;
    flux)
        read -ra more <<<"${FLUX_OPTIONS:-}"
        launch=(flux run -n "$1" -c "$threads" "${more[@]}")
        ;;
    *) echo "LAUNCH=$LAUNCH: expected mpirun or flux" >&2 && exit 2 ;;
    esac
}

restarts() { echo 0; } # of this job before, where RESTARTS does not come with its environment

# ---- training ------------------------------------------------------------------------------------------------------

# Step of the newest checkpoint; 0: none.
newest_step() {
    local file step newest=0
    for file in "$RUN"/ckpt/step-*.h5; do
        step=${file##*/step-} step=${step%.h5}
        [[ $step =~ ^[1-9][0-9]*$ ]] && [ "$step" -gt "$newest" ] && newest=$step
    done
    echo "$newest"
}

# outlived PID: end a launcher that is still there LINGER seconds after rank 0 has given the run back. Open MPI's mpirun may hang
# when a rank fails while others end. Every start writes another line into the lock file.
holder() { cat "$RUN/.lock" 2>/dev/null; }
outlived() {
    local free=0 before
    before=$2
    while [ $free -lt 4 ]; do
        sleep "$(((${LINGER:-60} + 3) / 4))" >/dev/null 2>&1
        free=$((free + 1))
        [ "$(holder)" != "$before" ] && flock --nonblock "$RUN/.lock" true || free=0
    done
    say "the launcher has not ended with the run: killed"
    trap '' TERM # who waits for the launcher may be faster than the next two lines
    kill -KILL "$1"
    exit 85
}

# run_piece COMMAND...: sets code. In the background, for bash handles a signal only between commands or in wait. A request is
# repeated, for the launcher may lose one while it starts the ranks. The launcher passes USR1 on to every rank; they agree on
# a step, write a checkpoint and exit with 85.
run_piece() {
    local seconds=0 guard
    "$@" &
    piece=$!
    outlived "$piece" "$(holder)" &
    guard=$!
    while kill -0 "$piece" 2>/dev/null; do
        if [ "$asked" = no ]; then
            wait "$piece"
        else
            [ $seconds -gt 0 ] || say "asked to stop"
            [ $((seconds % 10)) -ne 2 ] || kill -USR1 "$piece" 2>/dev/null
            sleep 1
            seconds=$((seconds + 1))
        fi
    done
    wait "$piece"
    code=$?
    trap '' USR1 USR2 TERM INT
    kill "$guard" 2>/dev/null
    wait "$guard" 2>/dev/null
    [ $? -ne 85 ] || code=85
}

# Starts in a row that came no step further, kept in the run. $1: the step at the start, $2: at the end.
count_idle() {
    idle=0
    if [ "$2" -gt "$1" ]; then
        rm -f "$RUN/restarts-without-a-step"
        return
    fi
    read -r idle 2>/dev/null <"$RUN/restarts-without-a-step" || idle=0
    [[ $idle =~ ^[0-9]{1,9}$ ]] || idle=0
    idle=$((idle + 1))
    echo $idle >"$RUN/restarts-without-a-step"
}

# From the first word on: before there is a launcher the request is kept for it. TERM and INT are of somebody who ends the job.
train() {
    local options command first last limit=()
    piece='' asked=no ended=no
    trap 'asked=yes; kill -USR1 "$piece" 2>/dev/null' USR1 USR2
    trap 'asked=yes ended=yes; kill -USR1 "$piece" 2>/dev/null' TERM INT
    prepare_job
    CONFIG=${CONFIG:-configs/nat-fashion.yaml}
    if [[ ${1:--} != -* ]]; then
        CONFIG=$1
        shift
    fi
    RUN=${RUN:-runs/hiss-$job}
    RESTARTS=${RESTARTS:-$(restarts)}
    export CONFIG RUN RESTARTS
    read -ra options <<<"${OPTIONS:-}"
    time_limit=${TIME_LIMIT:-$time_limit}
    [ -z "$time_limit" ] || limit=(--time-limit "$time_limit")
    launcher "$ranks"
    command=("${launch[@]}" "$HISS" train "$CONFIG" --run "$RUN" --resume auto --threads "$threads" "${limit[@]}" "${options[@]}" "$@")
    say "$system job $job  restart $RESTARTS  $(hostname)  ranks $ranks  threads $threads  seconds left: ${time_limit:-not known}"
    say "$PWD: ${command[*]}"
    first=$(newest_step)
    run_piece "${command[@]}"
    last=$(newest_step)
    say "exit code $code, checkpoint of step $last, $first at the start"
    case $asked,$code in
    yes,0 | yes,2 | yes,70 | yes,85 | no,*) ;;
    *) code=85 ;; # the launcher itself fell, asked before the ranks were there to hear it
    esac
    [ "$code" -ne 132 ] || { say "$wrong_program" && exit 2; }
    [ "$code" -eq 85 ] || exit "$code"
    count_idle "$first" "$last"
    if [ $ended = yes ]; then
        say "ended from outside, so not again; to go on, submit with RUN=$RUN"
        exit 143
    elif [ "${REQUEUE:-yes}" != yes ]; then
        say "not again, as REQUEUE=$REQUEUE says; to go on, submit with RUN=$RUN"
    elif [ "$RESTARTS" -ge "${MAX_RESTARTS:-100}" ]; then
        say "restarted ${MAX_RESTARTS:-100} times, not again; to go on, submit with RUN=$RUN and a larger MAX_RESTARTS"
    elif [ $idle -gt "${MAX_IDLE:-2}" ]; then
        say "no step further in $idle starts: give more time; then submit with RUN=$RUN"
    else
        RESTARTS=$((RESTARTS + 1))
        again "$@"
    fi
    exit "$not_again"
}

# ---- evaluation and scaling ----------------------------------------------------------------------------------------

evaluate() {
    local options
    prepare_job
    [ -n "${RUN:-}" ] || { say "set RUN, for example: RUN=runs/hiss-1234" && exit 2; }
    read -ra options <<<"${OPTIONS:-}"
    launcher "$ranks"
    say "$system job $job  ranks $ranks  threads $threads  $PWD: ${launch[*]} $HISS eval $RUN ${options[*]} $*"
    "${launch[@]}" "$HISS" eval "$RUN" "${options[@]}" "$@" || exit $?
    if [ "${QUERY:-yes}" = yes ]; then
        launcher 1
        "${launch[@]}" "$HISS" query "$RUN" || exit $?
    fi
    say "done"
}

list() { # WORD...: a YAML list
    local IFS=,
    echo "[$*]"
}

# All points of a study, one after another, then the report. Ended early, the same command goes on where it stopped.
scale() {
    local options sets words piece='' asked=no reported
    trap 'asked=yes; kill -USR1 "$piece" 2>/dev/null' USR1 USR2 TERM INT
    prepare_job
    OUT=${OUT:-runs/scaling-strong}
    sets=(--set "threads=$threads")
    [ -z "${REPEATS:-}" ] || sets+=(--set "repeats=$REPEATS")
    read -ra words <<<"${RANKS:-}"
    [ ${#words[@]} -eq 0 ] || sets+=(--set "ranks=$(list "${words[@]}")")
    [ -z "$hosts" ] || sets+=(--set "ranks_per_node=$(sort "$hosts" | uniq -c | awk '$1 > most { most = $1 } END { print most }')")
    [ "$LAUNCH" != flux ] || sets+=(--set "launch=$(list flux run -n RANKS -c THREADS)")
    read -ra words <<<"${MPIRUN_OPTIONS:-}"
    [ ${#words[@]} -eq 0 ] || sets+=(--set "launch=$(list mpirun -n RANKS "${words[@]}")")
    read -ra options <<<"${OPTIONS:-}"
    say "$system job $job  $PWD: $HISS scale run ${STUDY:-configs/scale-strong.yaml} --out $OUT ${sets[*]} ${options[*]} $*"
    "$HISS" scale run "${STUDY:-configs/scale-strong.yaml}" --out "$OUT" "${sets[@]}" "${options[@]}" "$@" &
    piece=$!
    [ $asked = no ] || kill -USR1 "$piece"
    while kill -0 "$piece" 2>/dev/null; do
        wait "$piece"
    done
    wait "$piece"
    code=$?
    say "exit code $code"
    [ "$code" -ne 85 ] || say "not finished: submit again with OUT=$OUT"
    "$HISS" scale report "$OUT"
    reported=$?
    [ "$code" -ne 0 ] || code=$reported
    exit "$code"
}
