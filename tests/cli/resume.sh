# Stop and go on, on other numbers of ranks: the bits at the end are those of a run that was never interrupted. And what
# must not be continued is refused, leaving the run as it was.
. "$HISS_ROOT/tests/cli/common"
small_run


# ---- ended early by train.steps: within an epoch, at its end, before and behind a reassigning one ----

train 1 straight --set 'checkpoint.keep_every=2 epochs' # not left out when the disk is slow
for steps in 7 24 31; do
    train 3 "steps-$steps" --set train.steps=$steps
    hashes straight | cmp -s - <(hashes "steps-$steps") && fail "$steps steps give the bits of 60"
    train 2 "steps-$steps" --threads 2
    grep -q "resumed from steps-$steps/ckpt/step-$steps.h5" log || fail 'not resumed' log
    same straight "steps-$steps"
    awk -F'[:,]' '$2 + 0 <= last { exit 1 } { last = $2 + 0 } END { exit last != 60 }' "steps-$steps/metrics.jsonl" ||
        fail 'metrics.jsonl has gaps or repetitions' "steps-$steps/metrics.jsonl"
done

# Every kind of state: Adam's moments, the network at one side, assignments in flight and over the whole data set.
variants=("objective=supervised optim.method=adam optim.momentum=0 optim.lr=0.002" "assign.async=true assign.every=1"
    "assign.scope=dataset assign.block=100 assign.rounds=2" "data.mode=stream data.order=permuted assign.block=lane")
for variant in "${!variants[@]}"; do
    sets=()
    for setting in ${variants[variant]}; do sets+=(--set "$setting"); done
    train 1 "whole-$variant" "${sets[@]}" --set train.epochs=3
    train 2 "parts-$variant" "${sets[@]}" --set train.epochs=3 --set train.steps=17
    train 3 "parts-$variant" "${sets[@]}" --set train.epochs=3
    same "whole-$variant" "parts-$variant"
done

# ---- stopped by a signal ----

long=(--set train.epochs=150 --set checkpoint.every=never --progress lines)
train 2 long "${long[@]}"
cat >ranks <<'END'
#!/bin/bash
echo $$ >"pid-$OMPI_COMM_WORLD_RANK"
exec "$@"
END
chmod +x ranks
# stopped SIGNAL RANKS NEXT: start, wait for the first epoch, send the signal, expect 85; go on with NEXT ranks.
stopped() {
    local signal=$1 ranks=$2 next=$3 job status=0 i
    rm -f pid-*
    mpirun -n "$ranks" ./ranks "$HISS" train config.yaml --run "by-$signal" "${long[@]}" >"by-$signal.log" 2>&1 &
    job=$!
    for ((i = 0; i < 2000; i++)); do
        grep -q '^epoch' "by-$signal.log" && break
        sleep 0.01
    done
    if [ "$signal" = USR1 ]; then # the launcher passes it on to all ranks
        kill -USR1 $job
    else # one rank alone: all must agree
        kill -TERM "$(cat "pid-$((ranks - 1))")"
    fi
    wait $job || status=$?
    [ $status -eq 85 ] || fail "exit $status instead of 85 after SIG$signal" "by-$signal.log"
    [ "$(grep -c 'hiss: stopped on request' "by-$signal.log")" -eq 1 ] || fail 'not said once' "by-$signal.log"
    [ ! -e "by-$signal/summary.yaml" ] || fail 'a summary of an unfinished run'
    train "$next" "by-$signal" "${long[@]}"
    grep -q 'resumed from' log || fail "not resumed after SIG$signal" log
    same long "by-$signal"
}
stopped USR1 2 1
stopped TERM 3 2

# ---- a damaged checkpoint: the one before it is taken ----

damaged() {
    local how=$1 run=damaged-$1
    train 2 "$run" --set train.steps=40 --set 'checkpoint.keep_every=2 epochs'
    [ -e "$run/ckpt/step-24.h5" ] && [ -e "$run/ckpt/step-40.h5" ] || fail "checkpoints: $(ls "$run/ckpt")"
    case $how in
    overwritten) dd if=/dev/urandom of="$run/ckpt/step-40.h5" bs=1 seek=4000 count=600 conv=notrunc 2>/dev/null ;;
    truncated) head -c 3000 "$run/ckpt/step-40.h5" >cut && mv cut "$run/ckpt/step-40.h5" ;;
    empty) : >"$run/ckpt/step-40.h5" ;;
    esac
    train 2 "$run"
    [ "$(grep -c 'hiss: warning: .*step-40.h5' log)" -eq 1 ] || fail "no warning of a checkpoint $how" log
    grep -q 'resumed from .*/step-24.h5' log || fail 'not resumed from the older one' log
    same straight "$run"
}
damaged overwritten
damaged truncated
damaged empty

# ---- refused: the run stays as it was ----

contents straight >before
exec 9>straight/.lock
flock -n 9
refused 2 'straight is in use by another hiss process' "$HISS" train config.yaml --run straight --wait 0
sleep 1 9>&9 &
exec 9>&- # another holds it for a second
train 2 straight
grep -q 'waiting up to 10 s for its end' log || fail 'not said that it waits' log
refused 2 '--resume auto to continue it' "$HISS" train config.yaml --run straight --resume never
refused 2 "'lr: 0.1', now 'lr: 0.2'" "$HISS" train config.yaml --run straight --set optim.lr=0.2
refused 1 "'seed: 3', now 'seed: 4'" "$HISS" train config.yaml --run straight --set seed=4
refused 1 "'reduce: tree', now 'reduce: mpi'" "$HISS" train config.yaml --run straight --set dist.reduce=mpi
refused 1 "'objective: nat', now 'objective: autoencoder'" "$HISS" train config.yaml --run straight --set objective=autoencoder
"$odd_h5" other.h5 /images=u8:600x12x12
refused 2 'made from other data' "$HISS" train config.yaml --run straight --set data.file=other.h5
refused 1 'the checkpoint nowhere.h5 does not exist' "$HISS" train config.yaml --run other --resume nowhere.h5
refused 1 'config.yaml: no checkpoint, or not all of one' "$HISS" train config.yaml --run other --resume config.yaml
refused 1 'data.h5: no checkpoint' "$HISS" train config.yaml --run other --resume data.h5
[ ! -e other ] || fail "a run that could not begin leaves $(find other)"
train 2 straight # finished: nothing to do
grep -q 'nothing is left to do' log || fail 'a finished run does not say so' log
contents straight | grep -v 'curves.svg\|report.html' | cmp -s - <(grep -v 'curves.svg\|report.html' before) ||
    fail "changed: $(diff before <(contents straight))"

# ---- a finished run goes on, to the bits of one that was planned as long, or is refused with the way that works ----

# longer NAME SETTING...: 2 epochs, then 5, against 5 at once; on other numbers of ranks.
longer() {
    local name=$1 sets=()
    shift
    for setting in "$@"; do sets+=(--set "$setting"); done
    train 1 "planned-$name" "${sets[@]}" --set train.epochs=5
    train 2 "longer-$name" "${sets[@]}" --set train.epochs=2
    [ -e "longer-$name/summary.yaml" ] || fail "longer-$name is not finished"
    train 1 "longer-$name" "${sets[@]}" --set train.epochs=5
    grep -q "resumed from longer-$name/ckpt/step-24.h5 (step 24 of 60)" log || fail 'not continued' log
    same "planned-$name" "longer-$name"
    grep -q '^  epochs: 5$' "longer-$name/config.yaml" || fail 'another config' "longer-$name/config.yaml"
    awk -F'[:,]' '$2 + 0 <= last { exit 1 } { last = $2 + 0 } END { exit last != 60 }' "longer-$name/metrics.jsonl" ||
        fail 'metrics.jsonl has gaps or repetitions' "longer-$name/metrics.jsonl"
}
longer constant optim.schedule=constant
longer step optim.schedule=step optim.step_every=1 optim.step_factor=0.5 assign.async=true assign.every=1
longer inverse optim.schedule=inverse optim.inverse_gamma=0.5 optim.warmup=3.5 assign.scope=dataset assign.block=100 \
    assign.rounds=2 optim.method=adam optim.momentum=0 optim.lr=0.002

train 2 longer-constant --set optim.schedule=constant --set train.epochs=6 # and again
grep -q 'step 60 of 72' log || fail 'not continued once more' log
train 1 shorter --set optim.schedule=constant --set train.epochs=40 --set train.steps=31
train 2 shorter --set optim.schedule=constant --set train.epochs=5
same planned-constant shorter
contents longer-step >before
refused 2 'is of step 60, but train.epochs is now 4, so that this run ends at step 48; set train.epochs to at least 5' "$HISS" train config.yaml --run longer-step \
    --set optim.schedule=step --set optim.step_every=1 --set optim.step_factor=0.5 --set assign.async=true \
    --set assign.every=1 --set train.epochs=4
contents longer-step | cmp -s - before || fail 'a refused run is changed'
contents straight >before
for schedule in cosine linear; do
    [ $schedule = cosine ] || train 1 linear --set optim.schedule=linear --set train.epochs=2
    run=$([ $schedule = cosine ] && echo straight || echo linear)
    refused 2 'start a new run directory with train.epochs=9' "$HISS" train config.yaml --run $run \
        --set optim.schedule=$schedule --set train.epochs=9
    grep -q "the learning rate of this optim.schedule depends on the number of epochs" log || fail 'not said why' log
done
contents straight | cmp -s - before || fail 'a refused run is changed'

# An explicit checkpoint starts another run.
train 1 branch --resume straight/ckpt/step-48.h5
same straight branch
train 2 branch-longer --resume longer-step/ckpt/step-60.h5 --set optim.schedule=step --set optim.step_every=1 \
    --set optim.step_factor=0.5 --set assign.async=true --set assign.every=1 --set train.epochs=6
grep -q 'step 60 of 72' log || fail 'no longer run from a checkpoint' log
echo ok
