# Fewer samples than a step takes, or than BatchNorm can normalise: the key that is to blame is named, with a value that works.
. "$HISS_ROOT/tests/cli/common"
small_run
"$odd_h5" nine.h5 /images=u8:9x12x12

# few KEY TEXT SETTING...: the error is of KEY. Each "KEY to at most N" of it, and a data.limit of at least N, works by itself.
few() {
    local sets=() setting key value ways
    for setting in "${@:3}"; do sets+=(--set "$setting"); done
    refused 1 "$1: $2" "$HISS" train config.yaml --run new "${sets[@]}"
    [ ! -e new ] || fail "left behind: $*"
    ways=$(grep -o -e '[a-z_]*\.[a-z_]* to at most [0-9]*' -e 'it to at least [0-9]*' log | sed "s/^it /$1 /")
    while read -r key _ _ _ value; do
        on 1 "$HISS" train config.yaml --run new "${sets[@]}" --set "$key=$value" --set train.steps=1
        [ $status -eq 0 ] || fail "$key=$value does not help: $*" log
        rm -rf new
    done <<<"${ways:?}"
}
few data.limit '1, fewer samples than the 48 that a step takes' data.limit=1
few data.limit '3, fewer samples than the 4 that a step takes' data.limit=3 train.lanes=1
few train.lanes 'nine.h5 has 9 samples: 12 lanes get shards of 0' data.file=nine.h5
few train.lanes 'nine.h5 has 9 samples: 3 lanes get shards of 3' data.file=nine.h5 train.lanes=3
few train.lane_samples 'nine.h5 has 9 samples: 1 lane gets a shard of 9' data.file=nine.h5 train.lanes=1 train.lane_samples=10
few train.lane_samples 'nine.h5 has 9 samples: 3 lanes get shards of 3' data.file=nine.h5 train.lanes=3 train.lane_samples=10
refused 1 'lower both, to a product of at most 9' "$HISS" train config.yaml --run new --set data.file=nine.h5 --set train.lane_samples=10

# One value for BatchNorm: of a layer that the method adds, its name alone would say nothing; no advice to take it out.
for method in jigsaw context_prediction; do
    refused 1 "--set objective: $method has a layer of its own that fails: hidden/norm: batch_norm has 1 value" \
        "$HISS" train config.yaml --run new --set objective=$method --set train.lane_samples=1
    ! grep -q 'remove' log || fail 'advice that cannot be followed' log
done
refused 1 'config.yaml:13:7: fc1/norm: batch_norm has 1 value' "$HISS" train config.yaml --run new --set train.lane_samples=1
[ ! -e new ] || fail 'left behind'

# A key that makes another network than the run has: it is named, not the checkpoint. Keys of evaluation alone are taken.
train 1 run --set objective=jigsaw --set train.epochs=1
judge=(--set eval.knn=false --set eval.linear=false --set eval.few_labels=false --set eval.statistics=false
    --set eval.neighbors=false --set eval.random=false --set eval.pixels=false --set eval.test=data.h5)
for change in jigsaw.permutations=20 jigsaw.code=5 network.layers='[{conv: 8, kernel: 3, pad: 1, name: conv1}, flatten]'; do
    refused 2 "hiss: error: --set ${change%%=*}: asks for another network than was trained; leave it out" "$HISS" eval run "${judge[@]}" --set "$change"
done
cp run/ckpt/step-*.h5 cut.h5 && truncate -s 3000 cut.h5
refused 1 '--checkpoint: cut.h5: ' "$HISS" eval run "${judge[@]}" --set jigsaw.permutations=20 --checkpoint cut.h5
on 1 "$HISS" eval run "${judge[@]}"
[ $status -eq 0 ] || fail "eval: exit $status" log
echo ok
