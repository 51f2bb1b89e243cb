# The context encoder: same bits on any number of ranks and threads with each loss and each kind of hole, exact resume of two
# networks and their optimisers, the same evaluation and picture on 1 and 3 ranks; it fills holes better than the mean
# image; an adversary alone does not; what it refuses.
. "$HISS_ROOT/tests/cli/common"
small_run
sed -i 's/^seed:/objective: context_encoder\nseed:/; s/^augment: .*/augment: {mean: auto, std: auto}/
    s/^nat: .*/context_encoder: {code: 12, width: 4}/; s/^assign: .*//
    s/^optim: .*/optim: {method: adam, momentum: 0, beta1: 0.5, lr: 0.004, discriminator: {lr: 0.001}}/' config.yaml

number() {
    sed -n "s/.*\"$2\": \([-0-9.e+]*\).*/\1/p" "$1/eval.json" | head -n 1 | grep . || fail "$1: no $2" "$1/eval.json"
}
baseline() { # RUN NAME: what the mean image reaches
    grep -o "\"$2\": [^}]*}" "$1/eval.json" | sed -n 's/.*"baseline": \([-0-9.e+]*\).*/\1/p' | grep . ||
        fail "$1: no baseline of $2" "$1/eval.json"
}

# ---- bits ----

train 1 one
grep -q 'a hole of 6 x 6, by squared error and an adversary' log || fail 'not described' log
for ranks in 2 5 7; do
    train $ranks ranks-$ranks --set dist.threads=$((ranks % 3))
    same one ranks-$ranks
done
train 3 stopped --set train.steps=17
train 2 stopped
grep -q 'resumed from' log || fail 'not resumed' log
same one stopped
for more in mask=random adversarial=none adversarial=only; do
    train 1 "one-$more" --set context_encoder.$more --set train.epochs=2
    train 3 "three-$more" --set context_encoder.$more --set train.epochs=2 --set dist.threads=2 \
        --set train.activation_memory=0
    same "one-$more" "three-$more"
done
train 2 part --set train.epochs=2 --set context_encoder.adversarial_weight=0.1
train 2 whole --set train.epochs=2
[ "$(hashes part)" != "$(hashes whole)" ] || fail 'the weight changes nothing'

# ---- it learns ----

judge=(--set eval.few_labels=false --set eval.statistics=false --set eval.neighbors=false --set eval.linear=false
    --set eval.knn=false --set eval.filters=false --set eval.random=false --set eval.pixels=false --set eval.test=data.h5
    --set eval.test_limit=300)
for run in l2 only random; do
    case $run in
    l2) sets=(--set context_encoder.adversarial=none) ;;
    only) sets=(--set context_encoder.adversarial=only) ;;
    random) sets=(--set context_encoder.adversarial=none --set context_encoder.mask=random) ;;
    esac
    train 2 $run "${sets[@]}" --set train.epochs=40
    on 1 "$HISS" eval $run "${judge[@]}"
    [ $status -eq 0 ] || fail "eval of $run: exit $status" log
    sed 's/"seconds": [0-9.]*//' $run/eval.json >json.1
    cp $run/context.png context.1
    on 3 "$HISS" eval $run "${judge[@]}"
    [ $status -eq 0 ] || fail "eval of $run on 3 ranks: exit $status" log
    sed 's/"seconds": [0-9.]*//' $run/eval.json | cmp - json.1 || fail "eval.json of $run differs between 1 and 3 ranks"
    cmp context.1 $run/context.png || fail "pictures of $run differ"
done
for run in l2 random; do
    less "$(baseline $run hole_psnr)" "$(number $run hole_psnr)" "the mean image, and $run"
done
less "$(number only hole_psnr)" "$(number l2 hole_psnr)" 'PSNR of an adversary alone, and of squared error'
less "$(number l2 sharpness)" "$(number only sharpness)" 'sharpness of squared error, and of an adversary alone'
less 24.99 "$(number l2 hole_share)" 'a quarter, and the hole'
less "$(number l2 hole_share)" 25.01 'the hole, and a quarter'
less 20 "$(number random hole_share)" 'a fifth, and the holes'
less "$(number random hole_share)" 26 'the holes, and about a quarter'

# ---- what it refuses ----

refused 2 'context_encoder.adversarial_weight: both weights' "$HISS" train config.yaml --run w \
    --set context_encoder.adversarial_weight=0 --set context_encoder.reconstruction_weight=0
refused 1 'augment.normalize: context_encoder fills holes with the mean' "$HISS" train config.yaml --run w \
    --set augment.normalize=image --set augment.mean=0 --set augment.std=1
refused 1 'augment.height: context_encoder needs images of at least 8 x 8' "$HISS" train config.yaml --run w \
    --set augment.height=6
refused 1 'context_encoder.mask' "$HISS" train config.yaml --run w --set context_encoder.mask=middle
refused 1 'context_encoder.share' "$HISS" train config.yaml --run w --set context_encoder.share=1
refused 3 'context_encoder.share: expected at least one pixel of 8 x 8' "$HISS" train config.yaml --run w \
    --set context_encoder.mask=random --set context_encoder.share=0.01 --set augment.height=8 --set augment.width=8
refused 1 'found images of 12 x 14, holes of 6 x 7: the nearest that work are --set augment.height=12 --set augment.width=13' "$HISS" train config.yaml --run w \
    --set augment.width=14
[ ! -e w ] || fail 'left behind'

on 2 "$HISS" train "$HISS_ROOT/configs/context-encoder-fashion.yaml" --run config --set data.file=data.h5 \
    --set train.steps=2 --set network.width=2 --set context_encoder.width=4 --set augment.height=28 --set augment.width=28
[ $status -eq 0 ] || fail "the config: exit $status" log
echo ok
