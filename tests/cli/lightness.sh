# A classifier that sees the lightness of colour images, as colorization and the first half of split_brain do: what it takes
# over from either has the same features to the last digit. train.init_prefix, and what it cannot be.
. "$HISS_ROOT/tests/cli/common"
small_run
colors
sed -i 's/^nat: .*//; s/^assign: .*//; s/data.h5/colors.h5/; s/^augment: .*/augment: {flip: true}/
    s/^optim: .*/optim: {method: adam, momentum: 0, lr: 0.01}/' config.yaml
sed -i '/^  layers:/,/^    - relu/d; /^    - /d
    s/^network:.*/network: {layers: [{conv: 6, kernel: 3, stride: 2, pad: 1, name: conv1}, relu, batch_norm, {conv: 8, kernel: 3, pad: 1, name: conv2}, relu, batch_norm, flatten, {linear: 5, name: fc1}]}/' config.yaml
short=(--set train.epochs=2)
see=("${short[@]}" --set objective=classify --set classify.sees=lightness)
judge=(--set eval.knn=false --set eval.few_labels=false --set eval.random=false --set eval.pixels=false --set eval.test=colors.h5
    --set eval.iterations=30)
# features RUN LAYER: the numbers of the layer's probe and statistics
features() {
    on 1 "$HISS" eval "$1" "${judge[@]}" --set "eval.layers=$2"
    [ $status -eq 0 ] || fail "eval of $1: exit $status" log
    sed 's/"seconds": [0-9.]*//; s,"trained/[^"]*",,' "$1/eval.json" | grep -o '"D".*' | head -1
}
source() { # source METHOD PREFIX
    train 2 "$1" "${short[@]}" --set "objective=$1" --set split_brain.light_bins=20
    train 2 "of-$1" "${see[@]}" --set "train.init=$1" --set "train.init_prefix=\"$2\"" --set 'train.freeze=[conv1, conv2]'
    grep -q 'init: 12 arrays from .*: conv1/weight, conv1/bias, conv1/norm/gamma' log || fail 'not taken over' log
    for layer in conv1 conv2; do
        [ "$(features "$1" "$2$layer")" = "$(features "of-$1" $layer)" ] || fail "$1: other features of $layer" "of-$1/eval.json"
    done
}
source colorization ''
source split_brain light/
train 1 again "${see[@]}" --set train.init=split_brain --set train.init_prefix=light/
grep -q 'arrays of the source are not used: .*color/conv1/weight' log || fail 'unused arrays are not told' log

# The same bits on any ranks, and other ones than of the colours.
train 1 one "${see[@]}"
train 3 three "${see[@]}" --threads 2
same one three
train 1 colors "${short[@]}" --set objective=classify
[ "$(hashes one)" != "$(hashes colors)" ] || fail 'classify.sees does nothing'

wrong() { # wrong TEXT SETTING...: a prefix that is to blame, and the ones that fit
    local sets=() setting
    for setting in "${@:2}"; do sets+=(--set "$setting"); done
    refused 1 "error: $1" "$HISS" train config.yaml --run r "${see[@]}" "${sets[@]}"
}
half='split_brain/ckpt/step-24.h5 has arrays of this network after'
wrong "--set train.init_prefix: $half color/, light/; set train.init_prefix to one of these" train.init=split_brain train.init_prefix=lite/
wrong "--set train.init: $half color/, light/; set train.init_prefix to one of these" train.init=split_brain
wrong "--set train.init_prefix: $half light/; set train.init_prefix to this" train.init=split_brain train.init_prefix=lite/ 'train.init_layers=[conv1]'
wrong "--set train.init_prefix: one/ckpt/step-24.h5 has arrays of this network without 'light/' before their names; leave it out" \
    train.init=one train.init_prefix=light/
wrong '--set train.init: nothing in one/ckpt/step-24.h5 has the name (after train.init_prefix light/) and shape of an array of this network' \
    train.init=one train.init_prefix=light/ 'network.layers=[flatten, {linear: 3, name: first}]'
refused 2 'classify.sees: lightness is that of images of 3 channels (red, green, blue), found 1; set it to image' \
    "$HISS" train config.yaml --run r "${see[@]}" --set data.file=data.h5
refused 1 'augment.mean: classify needs pixels of 0..1' "$HISS" train config.yaml --run r "${see[@]}" --set augment.mean=0.3
echo ok
