# Optimisers that need norms before they update: the same bits on any number of ranks and threads, also when the run
# stops in the middle of epochs and goes on on other ranks; what does not clip changes nothing; settings that do not fit
# are refused.
. "$HISS_ROOT/tests/cli/common"
small_run

lars="optim.method=lars optim.lr=5 optim.weight_decay=1e-3"
lamb="optim.method=lamb optim.momentum=0 optim.lr=0.01 optim.weight_decay=0.01 optim.epsilon=1e-6"
adamw="optim.method=adamw optim.momentum=0 optim.lr=0.005 optim.weight_decay=0.1"
adagrad="optim.method=adagrad optim.momentum=0 optim.lr=0.02"
clip="optim.clip_norm=0.5"
everything="optim.include_biases=true"
settings() {
    sets=(--set train.epochs=2)
    for setting; do sets+=(--set "$setting"); done
}

# ---- ranks 1, 2, 3, 5, 7 ----

variants=("$lars" "$lars $clip $everything objective=supervised" "$lamb objective=autoencoder" "$lamb $clip"
    "$adamw $clip objective=supervised" "$adagrad objective=autoencoder")
for k in "${!variants[@]}"; do
    # shellcheck disable=SC2086
    settings ${variants[k]}
    train 1 "whole-$k" "${sets[@]}"
    train 2 "parts-$k" "${sets[@]}" --threads 2 --set dist.bucket=1KiB --set train.steps=5
    train 7 "parts-$k" "${sets[@]}" --set dist.bucket=4KiB --set train.steps=13
    train 5 "parts-$k" "${sets[@]}" --threads 2 --set dist.overlap=false --set train.steps=17
    train 3 "parts-$k" "${sets[@]}" --threads $((k % 2 + 1))
    grep -q 'resumed from' log || fail 'not resumed' log
    same "whole-$k" "parts-$k"
    for other in "${!variants[@]}"; do
        [ "$other" -ge "$k" ] || ! cmp -s <(hashes "whole-$other") <(hashes "whole-$k") || fail "$k and $other: the same bits"
    done
done
# shellcheck disable=SC2086
settings $lamb $clip
train 5 groups "${sets[@]}" --set dist.group=2
same whole-3 groups
settings objective=supervised "$clip" dist.reduce=mpi # not the same bits, but it runs
train 3 by-mpi "${sets[@]}"

# ---- a norm that is never reached, and one that is ----

settings objective=supervised
train 1 free "${sets[@]}"
train 2 wide "${sets[@]}" --set optim.clip_norm=1e9
train 1 tight "${sets[@]}" --set optim.clip_norm=0.01
same free wide
cmp -s <(hashes free) <(hashes tight) && fail 'clipping does nothing'
train 1 decay "${sets[@]}" --set optim.weight_decay=0.1
train 1 decay-all "${sets[@]}" --set optim.weight_decay=0.1 --set optim.include_biases=true
cmp -s <(hashes decay) <(hashes decay-all) && fail 'include_biases does nothing'

# ---- what is said ----

"$HISS" train --help >log
for method in sgd adam adamw lars lamb adagrad; do
    grep -q "^  method $method .*; reads " log || fail "no help on $method" log
done
refused 1 "optim.momentum: expected 0 with method lamb, found 0.9; use optim.beta1 instead" \
    "$HISS" train config.yaml --run run --set optim.method=lamb
refused 1 "optim.momentum: expected 0 with method adagrad, which has none, found 0.9" \
    "$HISS" train config.yaml --run run --set optim.method=adagrad
refused 2 "optim.nesterov: expected false with method lars, found true" \
    "$HISS" train config.yaml --run run --set optim.method=lars --set optim.nesterov=true
refused 1 "optim.clip_norm must be a number in 0.." "$HISS" train config.yaml --run run --set optim.clip_norm=-1
refused 2 "'method: lars', now 'method: sgd'" "$HISS" train config.yaml --run whole-0 --set train.epochs=2 \
    --set optim.lr=5 --set optim.weight_decay=1e-3
echo ok
