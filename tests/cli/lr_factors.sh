# Layers that learn at another rate: a factor is that of the rate, for every optimiser, on any ranks, and after a stop; what
# cannot be a factor.
. "$HISS_ROOT/tests/cli/common"
small_run
short=(--set objective=classify --set train.epochs=2)
differ() { # differ RUN RUN: arrays of the model that are not the same
    comm -23 <(model "$1") <(model "$2")
}
model() { "$(dirname "$HISS")/tests/cli/array_sums" "$1/ckpt/step-24.h5" | grep ^/model/ | sort; }

train 1 plain "${short[@]}"
train 1 ones "${short[@]}" --set 'train.lr_factors={conv1: 1, fc1/norm: 1.0}'
same plain ones
# All layers at a half, or the rate itself.
for optim in "optim.momentum=0.9" "optim.method=adam optim.momentum=0 optim.lr=0.0625" "optim.method=lamb optim.momentum=0 optim.lr=0.0625 optim.clip_norm=0.5"; do
    sets=("${short[@]}")
    for setting in $optim; do sets+=(--set "$setting"); done
    rate=$(sed -n 's/.*optim.lr=\([0-9.]*\).*/\1/p' <<<"$optim")
    rm -rf half whole ranks
    train 1 half "${sets[@]}" --set "optim.lr=$(awk "BEGIN { print ${rate:-0.1} / 2 }")"
    train 1 whole "${sets[@]}" --set 'train.lr_factors={conv1: 0.5, fc1: 0.5, scores: 0.5}'
    same half whole
    train 3 ranks "${sets[@]}" --set 'train.lr_factors={conv1: 0.5, fc1: 0.5, scores: 0.5}' --threads 2 --set train.steps=7
    train 2 ranks "${sets[@]}" --set 'train.lr_factors={conv1: 0.5, fc1: 0.5, scores: 0.5}'
    same half ranks
done
# The longest name counts; a step in which one layer learns faster changes no other.
step=("${short[@]}" --set train.steps=1 --set optim.momentum=0)
train 1 one "${step[@]}"
train 1 two "${step[@]}" --set 'train.lr_factors={fc1: 1, fc1/weight: 2}'
model() { "$(dirname "$HISS")/tests/cli/array_sums" "$1/ckpt/step-1.h5" | grep ^/model/ | sort; }
[ "$(differ one two | cut -d' ' -f1)" = /model/fc1/weight ] || fail "not fc1/weight alone: $(differ one two)"

mistake() {
    local text=$1
    shift
    refused $((RANDOM % 2 + 1)) "$text" "$HISS" train config.yaml --run mistake "${short[@]}" "$@"
    [ ! -e mistake ] || fail "a run that could not begin leaves $(find mistake)"
}
mistake "--set train.lr_factors: 'conv' has no parameters that are trained, nor has anything that begins with it and '/'; parameters are in conv1, conv1/norm, fc1, fc1/norm, scores" \
    --set 'train.lr_factors={conv: 0.1}'
mistake "'conv1' has no parameters that are trained" --set 'train.lr_factors={conv1: 0.1}' --set 'train.freeze=[conv1]'
mistake 'above 0, up to 1e6, found 0; train.freeze leaves layers as they are' --set 'train.lr_factors={conv1: 0}'
for wrong in -1 nan 1e7 fast '[1]' ''; do
    mistake "expected the factor of the learning rate of 'conv1', above 0, up to 1e6, found" --set "train.lr_factors={conv1: $wrong}"
done
for wrong in '[conv1]|a list' "conv1|'conv1'"; do
    mistake "--set train.lr_factors: expected factors by names of layers, as in {conv1: 0.1, conv2: 0.5}, found ${wrong#*|}" \
        --set "train.lr_factors=${wrong%|*}"
done
sed 's/^train: {/&lr_factors: {conv1: 0}, /' config.yaml >config2.yaml && mv config.yaml kept.yaml && mv config2.yaml config.yaml
mistake 'config.yaml:18:29: train.lr_factors: '
mv kept.yaml config.yaml
refused 2 "in section train, it had 'conv1: 1', now 'conv1: 2'; resume with the same config" "$HISS" train config.yaml --run ones \
    "${short[@]}" --set 'train.lr_factors={conv1: 2, fc1/norm: 1}'
echo ok
