# shellcheck shell=bash disable=SC2034
# Flux, for the scripts beside it: what the job has, and how it comes again. A batch job is an instance of Flux of its own;
# `flux job timeleft` says how long it has, and the next piece is submitted to the instance above.
# shellcheck source=jobs/common.sh
. jobs/common.sh || exit 2
system=Flux job=${FLUX_ENCLOSING_ID:-$(flux getattr jobid 2>/dev/null || echo none)} hosts='' not_again=85
threads=${THREADS:-1} LAUNCH=${LAUNCH:-flux}
cores=$(flux resource list -n -o '{ncores}' 2>/dev/null | awk '{ n += $1 } END { print n + 0 }')
nodes=$(flux getattr size 2>/dev/null || echo 1)
ranks=$((cores / threads))
ranks=${NRANKS:-$((ranks > 0 ? ranks : 1))}
time_limit=$(flux job timeleft 2>/dev/null)
time_limit=${time_limit%.*}
[[ $time_limit =~ ^[0-9]+$ ]] || time_limit=

again() {
    local id seconds # of this job, as it was asked for
    seconds=$(flux --parent job info "$(flux getattr jobid)" jobspec 2>/dev/null | sed -n 's/.*"duration": *\([0-9]*\).*/\1/p')
    # shellcheck disable=SC2086
    if id=$(flux --parent batch --job-name=hiss -N "$nodes" -n "$ranks" -c "$threads" -t "${seconds:-3600}s" \
        --signal=SIGUSR1@120s ${BATCH_OPTIONS:-} "${TRAIN:-jobs/flux/train.sh}" "$@"); then
        say "goes on as $id"
        exit 0
    fi
    say "flux batch refuses the next piece, and says above why; to go on, submit with RUN=$RUN"
}
