# shellcheck shell=bash disable=SC2034
# PBS Pro and OpenPBS, for the scripts beside it: what the job has, and how it comes again. PBS tells a job nothing before its
# walltime ends, so hiss is told how long it may take. Only operators may rerun jobs: the next piece is a job of its own, with
# the resources of this one.
cd "${PBS_O_WORKDIR:-.}" || exit 2
# shellcheck source=jobs/common.sh
. jobs/common.sh || exit 2
system=PBS job=${PBS_JOBID:-none} hosts=${PBS_NODEFILE:-} not_again=85
job=${job%%.*}
threads=${THREADS:-${OMP_NUM_THREADS:-1}} LAUNCH=${LAUNCH:-mpirun}
ranks=1
[ -z "$hosts" ] || ranks=$(wc -l <"$hosts")
ranks=${NRANKS:-$ranks}

# of_job KEY: from qstat -f, which breaks long lines and goes on behind a tab.
of_job() {
    qstat -f "${PBS_JOBID:-none}" 2>/dev/null | sed -e ':a' -e 'N' -e '$!ba' -e 's/\n\t//g' | sed -n "s/^ *$1 = //p"
}
time_limit=
if [[ $(of_job Resource_List.walltime) =~ ^([0-9]+):([0-9]+):([0-9]+)$ ]]; then
    time_limit=$((10#${BASH_REMATCH[1]} * 3600 + 10#${BASH_REMATCH[2]} * 60 + 10#${BASH_REMATCH[3]} - SECONDS))
fi

again() {
    local key value id name settings='' options=(-W "depend=afterany:${PBS_JOBID:-none}")
    for key in Resource_List.select Resource_List.place Resource_List.walltime queue Account_Name project Job_Name; do
        value=$(of_job "$key")
        [ -n "$value" ] || continue
        case $key in
        Resource_List.*) options+=(-l "${key#*.}=$value") ;;
        queue) options+=(-q "$value") ;;
        Account_Name) options+=(-A "$value") ;;
        project) [ "$value" = _pbs_project_default ] || options+=(-P "$value") ;;
        Job_Name) options+=(-N "$value") ;;
        esac
    done
    [ $# -eq 0 ] || OPTIONS="${OPTIONS:-} $*" # a script of PBS has no words behind its name
    for name in RESTARTS CONFIG RUN OPTIONS HISS LAUNCH MPIRUN_OPTIONS MODULES REQUEUE MAX_RESTARTS MAX_IDLE LINGER THREADS NRANKS TRAIN \
        OPENBLAS_CORETYPE; do
        [ -z "${!name+set}" ] || { export "${name?}" && settings+=,$name; }
    done
    if id=$(qsub "${options[@]}" -v "${settings#,}" "${TRAIN:-jobs/pbs/train.pbs}"); then
        say "goes on as $id"
        exit 0
    fi
    say "qsub refuses the next piece, and says above why; to go on, submit with RUN=$RUN"
}
