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

# What was trained cannot be changed afterwards: one line names the key, its value then, and what to do. Keys of evaluation, the
# same value, and where data are, are taken.
train 1 run --set objective=jigsaw --set train.epochs=1
judge=(--set eval.knn=false --set eval.linear=false --set eval.few_labels=false --set eval.statistics=false
    --set eval.neighbors=false --set eval.random=false --set eval.pixels=false --set eval.test=data.h5)
for change in jigsaw.permutations=20 jigsaw.code=5 network.layers='[{conv: 8, kernel: 3, pad: 1, name: conv1}, flatten]' \
    augment.height=24 augment.mean=auto augment.normalize=image objective=gan objective=nothing train.lanes=3 train.freeze=[conv1] \
    'train={lanes: 3}' optim.lr=3 optim.beta1=0.3 assign.every=7 bigan.prior=normal optim.generator.lr=2 checkpoint.keep=9; do
    for command in eval query sample; do
        [ $command = eval ] || [[ $change =~ ^(objective=gan|jigsaw.code|augment.height)= ]] || continue
        refused $((RANDOM % 2 + 1)) "hiss: error: --set ${change%%=*}: run was trained with" "$HISS" $command run --set "$change"
        grep -qF "leave it out, or train another run with it (hiss train run/config.yaml --run NEW --set '$change')" log ||
            fail "not what to do: $change" log
    done
done
refused 1 'jigsaw.permutations: run was trained with 30, which cannot be changed afterwards' "$HISS" eval run --set jigsaw.permutations=20
refused 1 "did you mean 'train.lanes'?" "$HISS" eval run --set train.lane=3
on 1 "$HISS" eval run "${judge[@]}" --set jigsaw.permutations=30 --set seed=4 --set dist.threads=2 \
    --set data.file=data.h5 --set data.mode=stream
[ $status -eq 0 ] || fail "eval: exit $status" log
echo ok
