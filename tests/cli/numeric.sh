# Numbers that go wrong, by faults on demand and by an absurd learning rate: what is not finite is named and never kept;
# a step left out leaves no trace, a passing fault heals, on any number of ranks to the same bits; a lasting one ends.
. "$HISS_ROOT/tests/cli/common"
build=$(dirname "$HISS")
flock "$build/faults.lock" make -C "$HISS_ROOT" --no-print-directory BUILD="$build" faults >make.log 2>&1 || fail 'no build with faults' make.log
HISS=$build/faults/hiss
small_run

# faulty RANKS FAULT RUN ARGUMENT...: train with a fault; sets status.
faulty() {
    local ranks=$1 fault=$2 run=$3
    shift 3
    HISS_FAULT=$fault on "$ranks" "$HISS" train config.yaml --run "$run" "$@"
}
# healed RANKS FAULT RUN ARGUMENT...: it must end well.
healed() {
    faulty "$@"
    [ $status -eq 0 ] || fail "exit $status: $*" log
}
# ended CODE TEXT RANKS FAULT RUN ARGUMENT...: it must end with this code, one line of error that has TEXT, and no summary.
ended() {
    local code=$1 text=$2 run=$5
    shift 2
    faulty "$@"
    [ $status -eq "$code" ] || fail "exit $status instead of $code: $*" log
    [ "$(grep -c 'hiss: error:' log)" -eq 1 ] || fail "not one line of error: $*" log
    grep 'hiss: error:' log | grep -q -- "$text" || fail "no '$text' in the error: $*" log
    [ ! -e "$run/summary.yaml" ] || fail "a summary of a run that failed: $*"
}
counts() { grep "^$2: $3\$" "$1/summary.yaml" >/dev/null || fail "$1: not $2: $3" "$1/summary.yaml"; }
said() { grep -q -- "$1" log || fail "not said: $1" log; }
dumped() { grep -q -- "$2" "$1" || fail "$1 has no '$2'" "$1"; }

# ---- looking changes nothing ----

train 1 straight --set train.verify_replicas=0
counts straight replica_checks 0
train 3 checked --set 'checkpoint.keep_every=2 epochs' --set train.verify_replicas=1 --set train.nonfinite=skip
counts checked replica_checks 63 # 60 steps, 3 checkpoints
counts checked skipped_steps 0
same straight checked

# ---- skip: the same on any number of ranks, and as if the step had never been ----

# Step 30, the first lane: after 29 steps of 12, 6, 4 lanes.
skip=(--set train.nonfinite=skip)
healed 1 train.nan_gradient:349@0 skip-1 "${skip[@]}"
said 'warning: step 30: the gradient of conv1/weight is inf in lane 0 on rank 0 (host [^)]*); see skip-1/nonfinite-step-30.yaml; the step is left out (1 so far)'
dumped skip-1/nonfinite-step-30.yaml '^step: 30$'
dumped skip-1/nonfinite-step-30.yaml 'parameter: conv1/weight$'
grep -q '"step": 36' skip-1/metrics.jsonl && ! grep -q null skip-1/metrics.jsonl || fail 'metrics' skip-1/metrics.jsonl
healed 2 train.nan_gradient:175@1 skip-2 "${skip[@]}" --threads 2
healed 3 train.nan_gradient:117@2 skip-3 "${skip[@]}"
for ranks in 1 2 3; do
    counts skip-$ranks skipped_steps 1
    same skip-1 skip-$ranks
done
hashes straight | cmp -s - <(hashes skip-1) && fail 'a skipped step does not show'
healed 3 train.nan_gradient:117@0 skip-resumed "${skip[@]}" --set train.steps=31
train 2 skip-resumed "${skip[@]}"
same skip-1 skip-resumed
counts skip-resumed skipped_steps 1

# An exchange gets numbers it cannot use; one is pending beside the step.
for variant in 'assign.every=1' 'assign.async=true assign.block=24 assign.solver=sparse'; do
    sets=("${skip[@]}")
    for setting in $variant; do sets+=(--set "$setting"); done
    rm -rf lane-*
    healed 1 train.nan_activation:349@0 lane-1 "${sets[@]}"
    said 'the features of lane [0-9]* on rank 0 (host [^)]*): not finite, but finite when computed again'
    lane=$(sed -n 's/.*the features of lane \([0-9]*\) on.*/\1/p' log)
    for call in 117 118 119 120; do # lanes go to the cut in the order of their blocks: which call is that lane's?
        rm -rf lane-3
        healed 3 train.nan_activation:$call@$((lane / 4)) lane-3 "${sets[@]}"
        if grep -q "the features of lane $lane on" log; then break; fi
    done
    said "the features of lane $lane on rank $((lane / 4))"
    same lane-1 lane-3
done

# The checkpoint behind a skipped step is that before it, but for counters and checksums.
adam=(--set objective=supervised --set optim.method=adam --set optim.momentum=0 --set optim.lr=0.002 "${skip[@]}")
difference() { cmp -l "$1" "$2" | wc -l; }
healed 2 none before "${adam[@]}" --set train.steps=19
healed 2 train.nan_gradient:115@1 behind "${adam[@]}" --set train.steps=20
healed 2 none other "${adam[@]}" --set train.steps=20
[ "$(difference before/ckpt/step-19.h5 behind/ckpt/step-20.h5)" -lt 210 ] || fail 'a skipped step leaves something behind'
[ "$(difference before/ckpt/step-19.h5 other/ckpt/step-20.h5)" -gt 4000 ] || fail 'a step leaves nothing behind'


# Norms that are not finite reach every parameter: all of it is put back, and the steps after go on from there.
for norms in 'optim.method=lamb optim.lr=0.01 optim.clip_norm=0.5' 'optim.method=lars optim.lr=5'; do
    sets=("${skip[@]}" --set objective=supervised --set optim.momentum=0 --set train.epochs=2)
    for setting in $norms; do sets+=(--set "$setting"); done
    rm -rf norms-*
    healed 2 none norms-before "${sets[@]}" --set train.steps=19
    healed 2 train.nan_gradient:115@1 norms-behind "${sets[@]}" --set train.steps=20
    [ "$(difference norms-before/ckpt/step-19.h5 norms-behind/ckpt/step-20.h5)" -lt 210 ] || fail 'norms leave something behind'
    healed 1 train.nan_gradient:229@0 norms-1 "${sets[@]}"
    healed 3 none norms-behind "${sets[@]}"
    counts norms-behind skipped_steps 1
    same norms-1 norms-behind
done

ended 2 'step 4: .* more than 3 steps in a row' 2 train.nan_gradient:1+@1 limit "${skip[@]}" --set train.nonfinite_limit=3

# ---- stop ----

ended 2 'step 40, epoch 3: layer conv1 (conv2d_pool, node [0-9]*) gives nan in lane 8 on rank 2 (host .*see stop/nonfinite-step-40.yaml' \
    3 train.nan_activation:157+@2 stop
dumped stop/nonfinite-step-40.yaml 'affected: \[[0-9]*\]$'
dumped stop/nonfinite-step-40.yaml 'image: {min: [0-9.e-]*, max: [0-9.]*}$'
[ "$(grep -c 'lane: ' stop/nonfinite-step-40.yaml)" -eq 4 ] || fail 'not all lanes' stop/nonfinite-step-40.yaml
[ -e stop/ckpt/step-24.h5 ] || fail "checkpoints: $(ls stop/ckpt)"
train 2 stop
same straight stop
ended 2 'again, so a fault of the machine; see machine.*without this host' 2 train.nan_activation:235@1 machine
dumped machine/nonfinite-step-40.yaml 'again: finite$'
for ranks in 1 3; do
    ended 2 'training has diverged; the learning rate may be too high (optim.lr = 1e+06): its product with optim.weight_decay, 1e+09' \
        $ranks none lr-$ranks --set optim.lr=1e6 --set optim.weight_decay=1000
done
grep '^step\|layer:\|node:' lr-1/nonfinite-*.yaml | sort -u | cmp - <(grep '^step\|layer:\|node:' lr-3/nonfinite-*.yaml | sort -u) ||
    fail 'not found in the same place' lr-3/nonfinite-*.yaml

# ---- diverged: statistics run away before what layers give does; whatever shows it first, no machine is to blame ----

kinds=('optim.lr=1e6 optim.weight_decay=0.01' 'optim.lr=1e6 optim.weight_decay=1e-5' 'optim.lr=1e4 optim.weight_decay=1'
    'optim.lr=1000 objective=supervised' 'optim.lr=1e4 objective=autoencoder' 'optim.lr=1e6 train.lanes=2 optim.weight_decay=1')
for kind in "${kinds[@]}"; do
    sets=()
    for setting in $kind; do sets+=(--set "$setting"); done
    for ranks in 1 $([[ $kind == optim.lr=1e6*0.01 ]] && echo 2); do
        rm -rf diverged
        ended 2 'training has diverged; the learning rate may be too high (optim.lr = ' $ranks none diverged "${sets[@]}"
        ! grep -q 'fault of the machine' log || fail "a machine is blamed: $kind" log
        ! grep -q 'again: finite' diverged/nonfinite-*.yaml || fail "not found again: $kind" diverged/nonfinite-*.yaml
        [[ $kind != optim.lr=1e6*0.01 ]] || said 'fc1/norm/variance is [^ ]*e+37, beyond 1.41784e+37, in lane 0 on rank 0'
    done
done

# ---- below chance: finite, and nothing learnt; a short run that learns is not blamed ----

warnings() { grep -c 'warning: the run ends below chance' log || true; }
for kind in '' 'assign.scope=dataset assign.block=100'; do
    sets=()
    for setting in $kind; do sets+=(--set "$setting"); done
    for ranks in 1 2; do
        healed $ranks none chance-$ranks "${sets[@]}" --set optim.lr=3000
        [ "$(warnings)" -eq 1 ] || fail "not one warning of a run below chance: $kind" log
        said 'lower optim.lr, now 3000'
        grep -q '^below_chance: true$' chance-$ranks/summary.yaml || fail 'not in the summary' chance-$ranks/summary.yaml
        healed $ranks none learns-$ranks "${sets[@]}"
        [ "$(warnings)" -eq 0 ] || fail "a warning of a run that learns: $kind" log
        grep -q '^below_chance: false$' learns-$ranks/summary.yaml || fail 'not in the summary' learns-$ranks/summary.yaml
    done
    rm -r chance-? learns-?
done

# Features that are all zero, as black pictures give: their cosine with the targets is 0, whatever the matching.
"$odd_h5" black.h5 /images=u8:600x12x12:0
for kind in '' 'assign.scope=dataset assign.block=100' 'assign.async=true'; do
    sets=(--set data.file=black.h5)
    for setting in $kind; do sets+=(--set "$setting"); done
    healed 2 none black "${sets[@]}"
    [ "$(warnings)" -eq 1 ] || fail "not one warning of features that are zero: $kind" log
    grep -q '^below_chance: true$' black/summary.yaml || fail "zero features: not in the summary: $kind" black/summary.yaml
    grep -q '"zero_features": 1, "cosine": 0,' black/metrics.jsonl || fail "zero features have a cosine: $kind" black/metrics.jsonl
    rm -r black
done

# ---- rollback: a passing fault heals, a lasting one ends ----

back=(--set train.nonfinite=rollback)
init=(--set train.init=straight --set train.epochs=1 --set checkpoint.every=never) # back to the beginning, not to a random one
healed 1 '' init-plain "${init[@]}"
healed 2 train.nan_gradient:61@0 init-back "${back[@]}" "${init[@]}"
said 'back to the beginning'
counts init-back rollbacks 1
same init-plain init-back
healed 2 train.nan_activation:175@1 back "${back[@]}"
said 'going back'
said 'back to back/ckpt/step-24.h5'
same straight back
counts back rollbacks 1
awk -F'[:,]' '$2 + 0 <= last { exit 1 } { last = $2 + 0 } END { exit last != 60 }' back/metrics.jsonl || fail 'metrics' back/metrics.jsonl
healed 1 train.nan_gradient:349@0 begin "${back[@]}" --set checkpoint.every=never
said 'back to the beginning'
same straight begin
ended 2 'step 25: the gradient of conv1/weight .* no passing fault: step 30 failed before' 2 train.nan_gradient:175+@1 lasting "${back[@]}"

# ---- replicas: a flipped bit ----

check=(--set train.verify_replicas=10)
flipped() {
    local text=$1 run=$4
    shift
    healed "$@"
    said "$text"
    same straight "$run"
    counts "$run" rollbacks 1
}
flipped 'step 30: rank 0 (host [^)]*): parameters changed while the rank computed' 1 train.flip_parameter:30 flip-1 "${check[@]}"
flipped 'step 30: rank 1 (host [^)]*): parameters changed while the rank computed' 2 train.flip_parameter:30@1 flip-2 "${check[@]}"
flipped 'step 30: rank 1 (host [^)]*): parameters are not those of the other 2 ranks, first in conv1/weight' \
    3 train.flip_arrived:30@1 flip-3 "${check[@]}"
flipped 'step 10: rank 0 .*, rank 1 .*: parameters differ, first in conv1/weight' 2 train.flip_arrived:10@1 flip-4 "${check[@]}"
flipped 'step 48: rank 2 .* not those of the other 2 ranks' 3 train.flip_checkpoint:2@2 flip-5 --set 'checkpoint.keep_every=2 epochs'
flipped 'step 60: rank 2 .* not those of the other 2 ranks' 3 train.flip_checkpoint:3@2 flip-6 --set 'checkpoint.keep_every=2 epochs'
ended 70 'step 30: rank 1 (host .* no passing fault: step 30 failed before' 2 train.flip_parameter:30+@1 bad-memory "${check[@]}"

# A rank without a lane does not compute with its copy, and watches it nevertheless.
check+=(--set train.lanes=2 --set train.lane_samples=24)
train 1 straight-2 "${check[@]}"
rm -r straight && mv straight-2 straight
flipped 'step 30: rank 3 (host [^)]*): parameters changed while the rank computed' 4 train.flip_parameter:30@3 flip-7 "${check[@]}"
echo ok
