# States of a method (per sample, per lane, of the run; float and integer): the same bits on any number of ranks and
# threads, through stops in the middle of epochs, through steps that are left out, and after going back.
. "$HISS_ROOT/tests/cli/common"
build=$(dirname "$HISS")
flock "$build/faults.lock" make -C "$HISS_ROOT" --no-print-directory BUILD="$build" faults >make.log 2>&1 ||
    fail 'no build with faults' make.log
small_run
sed -i 's/^objective: .*//; s/^seed:/objective: autoencoder\nseed:/' config.yaml
program=$build/tests/cli/train_method
# of_method RANKS RUN KEY=VALUE...: must succeed.
of_method() {
    on "$1" "$program" states config.yaml "${@:2}"
    [ $status -eq 0 ] || fail "exit $status: $*" log
}

of_method 1 whole train.epochs=3
[ "$(hashes whole | wc -l)" -eq 7 ] || fail 'not six states and the parameters' whole/summary.yaml
of_method 3 ranks train.epochs=3 dist.threads=2 train.activation_memory=0
same whole ranks
of_method 7 parts train.epochs=3 train.steps=5
of_method 2 parts train.epochs=3 train.steps=17 dist.threads=3
of_method 5 parts train.epochs=3 train.steps=18
of_method 1 parts train.epochs=3
grep -q 'resumed from' log || fail 'not resumed' log
same whole parts
"$build/tests/cli/array_sums" whole/ckpt/step-36.h5 >arrays
for name in samples/samples samples/visits lanes/lanes lanes/seen run/mean run/steps; do
    grep -q "^/$name " arrays || fail "no /$name in a checkpoint" arrays
done
of_method 1 other train.epochs=3 seed=4
for name in parameters samples lanes mean; do
    cmp -s <(grep "^${name}_sha" whole/summary.yaml) <(grep "^${name}_sha" other/summary.yaml) && fail "$name does not change"
done

# What does not fit is refused.
refused 2 'whole/ckpt/step-36.h5 was made by another config' "$program" states config.yaml whole train.lanes=6 train.epochs=3

# Steps that are left out, and going back to the beginning and to a checkpoint.
program=$build/faults/tests/cli/train_method
export HISS_FAULT=train.nan_gradient:61@0
of_method 1 skip-1 train.epochs=3 train.nonfinite=skip
HISS_FAULT=train.nan_gradient:21@0
of_method 3 skip-3 train.epochs=3 train.nonfinite=skip
same skip-1 skip-3
of_method 2 back train.epochs=3 train.nonfinite=rollback checkpoint.every=never
grep -q 'back to the beginning' log || fail 'not gone back' log
same whole back
HISS_FAULT=train.nan_gradient:121@1
of_method 2 again train.epochs=3 train.nonfinite=rollback 'checkpoint.every=1 epochs'
grep -q 'back to again/ckpt' log || fail 'not gone back' log
same whole again
echo ok
