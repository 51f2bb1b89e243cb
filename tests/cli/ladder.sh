# Ladder networks: same bits on any number of ranks and threads, when a forward runs twice, and after stops; models; with
# one label per class it tells clusters that the control, which sees the same labels alone, does not; samples without a
# label take part; the same evaluation on 1 and 3 ranks; what is refused.
. "$HISS_ROOT/tests/cli/common"
small_run

# clusters.h5: 600 pictures of 8 x 8 in 10 classes, each the pattern of its class behind noise.
{
    printf '\0\0\010\003\0\0\002\130\0\0\0\010\0\0\0\010'
    # shellcheck disable=SC2059
    printf "$(awk 'BEGIN {
        srand(1)
        for (k = 0; k < 640; k++) pattern[k] = rand() < 0.5 ? 0.3 : 0.7
        for (k = 0; k < 38400; k++) {
            v = 255 * (pattern[k % 640] + 0.5 * (rand() + rand() + rand() + rand() - 2))
            printf "\\%03o", (v < 0 ? 0 : v > 255 ? 255 : v)
        }
    }')"
} >clusters.idx
"$HISS" prepare idx --images clusters.idx --labels labels.idx --output clusters.h5 2>log || fail 'no clusters' log
cat >config.yaml <<'END'
objective: ladder
seed: 3
data: {file: clusters.h5, labelled: 1}
ladder: {layers: '40, 20', lambda: '100, 10, 1'}
optim: {method: adam, lr: 0.005, schedule: cosine}
train: {epochs: 2, lanes: 12, lane_samples: 5}
checkpoint: {every: 1 epochs}
END

# ---- bits ----

for model in ladder gamma noise; do
    train 1 $model --set ladder.model=$model
    train 2 ranks --set ladder.model=$model --set dist.bucket=1KiB --set data.mode=stream
    same $model ranks
    train 5 threads --set ladder.model=$model --set dist.threads=2 --set train.activation_memory=0
    same $model threads
    rm -r ranks threads
done
[ "$(hashes ladder)" != "$(hashes gamma)" ] && [ "$(hashes gamma)" != "$(hashes noise)" ] || fail 'models do not differ'
grep -q '^  count: 10$' ladder/summary.yaml || fail 'the labelled samples are not named' ladder/summary.yaml
train 3 stopped --set train.steps=7
train 1 stopped --set train.steps=13
train 2 stopped
grep -q 'resumed from' log || fail 'not resumed' log
same ladder stopped

# ---- labels ----

# Of nine classes: samples of the tenth have no label, and are denoised all the same.
train 2 nine --set data.ignore_label=9
grep -q '^  count: 9$' nine/summary.yaml && grep -q '^steps: 20$' nine/summary.yaml ||
    fail 'samples without a label do not take part' nine/summary.yaml

learn=(--set train.epochs=60 --set train.lanes=4 --set train.lane_samples=15 --set checkpoint.every=60epochs)
judge=(--set eval.test=clusters.h5 --set eval.layers=scores --set eval.knn=false --set eval.linear=false --set eval.few_labels=false
    --set eval.statistics=false --set eval.neighbors=false --set eval.random=false --set eval.pixels=false)
# right RUN: how many samples its scores tell the class of, per cent.
right() {
    on 1 "$HISS" eval "$1" "${judge[@]}"
    [ $status -eq 0 ] || fail "eval of $1: exit $status" log
    sed -n 's/.*"classification": {"top_1": \([0-9.]*\).*/\1/p' "$1/eval.json" | grep . || fail 'no classification' "$1/eval.json"
}
train 1 many "${learn[@]}"
train 1 control "${learn[@]}" --set ladder.model=noise
[ "$(grep -A 2 '^labelled:' control/summary.yaml)" = "$(grep -A 2 '^labelled:' many/summary.yaml)" ] ||
    fail 'the control has other labels' control/summary.yaml
awk -v a="$(right many)" -v b="$(right control)" 'BEGIN { exit !(a > 94 && b > 50 && b < 92) }' ||
    fail "it tells $(right many) %, the control $(right control) %"
sed 's/"seconds": [0-9.]*//' many/eval.json >json.1
on 3 "$HISS" eval many "${judge[@]}"
sed 's/"seconds": [0-9.]*//' many/eval.json | cmp - json.1 || fail 'the evaluation differs between 1 and 3 ranks'

# ---- what is refused ----

wrong() { refused "$1" "$2" "$HISS" train config.yaml --run r "${@:3}"; }
wrong 2 'data.labelled: ladder learns from the labels of some samples of each class, found 0; set it to how many' \
    --set data.labelled=0
wrong 2 'data.labelled: 1 samples of each class are to be learnt from with their labels, but clusters.h5 has none' \
    --set 'data.labels=""'
wrong 1 "data.labelled: 61 samples of each class are wanted, but class '0' has 60" --set data.labelled=61
for layers in 0 12,x ,12 '12,' ' ' 1.5 1048577 '[40, 20]'; do
    wrong 1 'ladder.layers' --set "ladder.layers='$layers'"
done
wrong 1 'ladder.layers: expected at most 8 layers' --set ladder.layers="'9,8,7,6,5,4,3,2,1'"
for lambda in -1 x '1,,1' nan 1e10; do
    wrong 1 'ladder.lambda: expected weights from 0 to 1e9' --set "ladder.lambda='$lambda'"
done
wrong 1 'ladder.lambda: expected at most 4 weights, of the image, the 2 layers of ladder.layers and the scores' \
    --set ladder.lambda="'1,1,1,1,1'"
wrong 1 'ladder.lambda: nothing is denoised where all weights that count are 0' --set ladder.lambda=0
wrong 1 'ladder.lambda: nothing is denoised' --set ladder.lambda="'1,0'" --set ladder.model=gamma
wrong 1 'network.layers: ladder makes its own layers' --set 'network.layers=[flatten]'
wrong 1 'augment.mean: ladder needs pixels of 0..1' --set augment.mean=0.5
wrong 1 'set train.lane_samples to 2 or more' --set train.lane_samples=1
[ ! -e r ] || fail 'a run of nothing'
refused 2 'data.labelled' "$HISS" train config.yaml --run ladder --set data.labelled=2
echo ok
