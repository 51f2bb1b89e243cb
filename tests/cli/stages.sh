# Stages: phases of a method that run in some epochs only. Idle ones change nothing and log nothing, the learning rate's
# schedule is that of the span, and ranks and stops, within a stage and between two, show in no bit.
. "$HISS_ROOT/tests/cli/common"
build=$(dirname "$HISS")
small_run
sed -i 's/^seed:/objective: autoencoder\nseed:/; s/lr: 0.1/lr: 0.02/' config.yaml
# of_method METHOD RANKS RUN KEY=VALUE...: must succeed.
of_method() {
    on "$2" "$build/tests/cli/train_method" "$1" config.yaml "${@:3}"
    [ $status -eq 0 ] || fail "exit $status: $*" log
}
array() { "$build/tests/cli/array_sums" "$1" | grep "^/$2 "; }
# rate STEP FACTOR: the logged rate is that of the cosine at FACTOR of its span.
rate() {
    awk -F'[:,]' -v step="$1" -v at="$2" '$2 + 0 == step { found = 1; want = 0.02 * (1 + cos(3.14159265358979 * at)) / 2
        d = $6 - want; if (d < 0) d = -d; if (d > 1e-7) exit 1 } END { exit !found }' whole/metrics.jsonl ||
        fail "the rate of step $1" whole/metrics.jsonl
}

few=(train.epochs=4 train.log_every=1 'checkpoint.keep_every=1 epochs')
of_method stages 1 whole "${few[@]}" train.verify_replicas=1
grep -q 'phase 1: epochs 1 to 2' log && grep -q 'phase 2: epochs 2 to 4' log || fail 'stages are not said' log
awk '{ split($2, s, ","); first = /"first":/; second = /"second":/; step = s[1] + 0
    if (first != (step <= 24) || second != (step > 12)) exit 1 } END { exit NR != 48 }' whole/metrics.jsonl ||
    fail 'metrics of idle phases' whole/metrics.jsonl
rate 1 0
rate 12 11/24
rate 13 0 # of the second phase, which began
rate 48 35/36
for step in 12 24 36 48; do
    array whole/ckpt/step-$step.h5 'model/.*weight' >"arrays-$step"
    array whole/ckpt/step-$step.h5 'optimizer/.*' >"optimizer-$step"
done
common() { comm -12 "$1" "$2" | cut -d' ' -f1; }
[ -z "$(common arrays-12 arrays-24 | grep first)" ] || fail 'the first phase does nothing in epoch 2'
[ -z "$(common arrays-24 arrays-36 | grep second)" ] || fail 'the second phase does nothing in epoch 3'
[ "$(common arrays-24 arrays-48)" = /model/first/weight ] || fail 'the first layer changes after its stage'
[ "$(common optimizer-24 optimizer-48 | grep first)" = "$(cut -d' ' -f1 optimizer-24 | grep first)" ] ||
    fail 'the optimiser of a phase that is over'

for ranks in 2 3; do
    of_method stages $ranks "ranks-$ranks" train.epochs=4 dist.threads=2 dist.bucket=1KiB
    same whole "ranks-$ranks"
done
of_method stages 3 parts train.epochs=4 train.steps=12
of_method stages 1 parts train.epochs=4 train.steps=17
of_method stages 2 parts train.epochs=4 train.steps=24
of_method stages 7 parts train.epochs=4 train.steps=25 train.verify_replicas=1
of_method stages 1 parts train.epochs=4
grep -q 'resumed from' log || fail 'not resumed' log
same whole parts

refused 2 'objective gap: no phase runs in epoch 3 of 4 (train.epochs)' "$build/tests/cli/train_method" gap config.yaml gap train.epochs=4
of_method gap 2 short train.epochs=2
echo ok
