# Stacked denoising auto-encoders: same bits on any number of ranks and threads, and after stops within a stage and
# between two; a layer stays as it is while the next one learns, and all learn the labels; the labelled samples are named,
# and say which class test images are of; the same evaluation on 1 and 3 ranks; the control; what is refused.
. "$HISS_ROOT/tests/cli/common"
build=$(dirname "$HISS")
small_run
halves
cat >config.yaml <<'END'
objective: stacked
seed: 3
data: {file: halves.h5, labelled: 3}
augment: {shift: 1}
stacked: {layers: 2, units: 24, epochs: 2, finetune: 3}
optim: {method: adam, lr: 0.03, schedule: cosine, classifier: {lr: 0.06}}
train: {epochs: 20, lanes: 12, lane_samples: 4, log_every: 1}
checkpoint: {every: 2 epochs, keep_every: 2 epochs}
END

# ---- bits ----

train 1 one
grep -q 'phase 2: epochs 3 to 4' log && grep -q 'phase 3: epochs 5 to 7' log || fail 'stages are not said' log
grep -q 'the run ends after epoch 7 (train.epochs is 20)' log || fail 'the end is not said' log
grep -q '3 labels per class' log || fail 'the labels are not said' log
grep -q '^steps: 84$' one/summary.yaml || fail 'not 7 epochs' one/summary.yaml
for ranks in 2 5; do
    train $ranks ranks-$ranks --set dist.threads=$((ranks % 3)) --set dist.bucket=1KiB --set data.mode=stream
    same one ranks-$ranks
done
for steps in 7 24 30 48 61; do # in stage 1, after it, in stage 2, after it, in the last one
    train $((steps % 3 + 1)) stopped --set train.steps=$steps
done
train 2 stopped
grep -q 'resumed from' log || fail 'not resumed' log
same one stopped

# What the run writes down is a config of the same run, the groups' optimisers among it.
grep -A 3 '^  classifier:' one/config.yaml | grep -q 'method: adam' || fail 'a group does not inherit' one/config.yaml
on 1 "$HISS" train one/config.yaml --run again
[ $status -eq 0 ] || fail "exit $status from the resolved config" log
same one again

# ---- stages ----

array() { "$build/tests/cli/array_sums" "one/ckpt/step-$1.h5" | grep "^/model/$2 "; }
[ "$(array 24 layer1/weight)" = "$(array 48 layer1/weight)" ] || fail 'layer 1 changes in the stage of layer 2'
[ "$(array 24 layer2/weight)" != "$(array 48 layer2/weight)" ] || fail 'layer 2 does not learn'
for layer in layer1 layer2; do
    [ "$(array 48 $layer/weight)" != "$(array 84 $layer/weight)" ] || fail "$layer is not fine-tuned"
done
[ "$(array 48 back2/bias)" = "$(array 84 back2/bias)" ] || fail 'a decoder changes in fine-tuning'

# ---- labels ----

samples=$(sed -n 's/^  samples: \[\(.*\)\]/\1/p' one/summary.yaml | tr -d ' ' | tr , '\n')
[ "$(sort -un <<<"$samples" | wc -l)" -eq 30 ] || fail 'the 30 labelled samples are not named' one/summary.yaml
sort -n <<<"$samples" | cmp -s - <(echo "$samples") || fail "they are not in order"

train 2 control --set stacked.pretrain=false
grep -q '^steps: 36$' control/summary.yaml || fail 'not 3 epochs' control/summary.yaml
[ "$(grep -A 2 '^labelled:' control/summary.yaml)" = "$(grep -A 2 '^labelled:' one/summary.yaml)" ] ||
    fail 'the control has other labels' control/summary.yaml
train 1 unlabelled --set data.labelled=0
grep -q '^steps: 48$' unlabelled/summary.yaml || fail 'not 4 epochs' unlabelled/summary.yaml
[ "$(array 48 layer2/weight)" = "$("$build/tests/cli/array_sums" unlabelled/ckpt/step-48.h5 | grep '^/model/layer2/weight ')" ] ||
    fail 'labels show before they are learnt'

# ---- evaluation ----

judge=(--set eval.knn=false --set eval.linear=false --set eval.few_labels=false --set eval.statistics=false
    --set eval.neighbors=false --set eval.random=false --set eval.pixels=false --set eval.test=halves.h5)
# error RUN: of its classifier, per cent.
error() {
    awk 'match($0, /"error": /) { print substr($0, RSTART + RLENGTH) + 0; exit }' "$1/eval.json" | grep . ||
        fail "$1: eval.json has no error" "$1/eval.json"
}
for ranks in 1 3; do
    on $ranks "$HISS" eval one "${judge[@]}"
    [ $status -eq 0 ] || fail "eval on $ranks ranks: exit $status" log
    sed 's/"seconds": [0-9.]*//' one/eval.json >json.$ranks
    cp one/layer1.png layer1.$ranks
done
cmp json.1 json.3 && cmp layer1.1 layer1.3 || fail 'the evaluation differs between 1 and 3 ranks'
awk -v e="$(error one)" 'BEGIN { exit !(e < 60) }' || fail "the classifier errs in $(error one) %, chance is 90 %"
grep -q 'Weights of the first layer' one/report.html || fail 'no picture in the report'
on 2 "$HISS" eval control "${judge[@]}"
[ $status -eq 0 ] && grep -q 'began at random' control/eval.txt || fail "eval of the control: exit $status" log
on 2 "$HISS" eval unlabelled "${judge[@]}"
[ $status -eq 0 ] && ! grep -q '"error"' unlabelled/eval.json || fail "eval without a classifier: exit $status" log

# ---- what is refused, and warned of ----

train 1 short --set train.epochs=3
grep -q 'phase 3 of 3 does not run: train.epochs is 3' log || fail 'no warning of a stage that is left out' log
on 1 "$HISS" eval short "${judge[@]}"
[ $status -eq 0 ] || fail "eval of a short run: exit $status" log
for file in short/eval.txt short/eval.json log; do
    grep -qF 'judged in epoch 3 of 3, in stage 2 of 3 (layer 2): later stages are untrained' $file || fail "$file: silent" $file
done
! grep -q 'later stages' one/eval.txt control/eval.txt unlabelled/eval.txt || fail 'a whole run as if it were short'

wrong() { refused "$1" "$2" "$HISS" train config.yaml --run r "${@:3}"; }
wrong 1 "data.labelled: 61 samples of each class are wanted, but class '0' has 60 among the 600 samples of halves.h5; lower data.labelled, or raise data.limit" \
    --set data.labelled=61
wrong 2 'data.labelled: 3 samples of each class are to be learnt from with their labels, but halves.h5 has none' \
    --set 'data.labels=""'
wrong 2 'data.labelled: nat does not learn from few labels' --set objective=nat --set 'optim={lr: 0.1}'
wrong 1 'data.labelled: nothing is left to train' --set stacked.pretrain=false --set data.labelled=0
wrong 1 'stacked.finetune: nothing is left to train' --set stacked.pretrain=false --set stacked.finetune=0
wrong 1 'network.layers: stacked makes its own layers' --set 'network.layers=[flatten]'
wrong 1 'augment.mean: stacked needs pixels of 0..1' --set augment.mean=0.5
wrong 3 'has no data set /wrong' --set data.labels=/wrong
[ ! -e r ] || fail 'a run of nothing'
refused 2 'data.labelled' "$HISS" train config.yaml --run one --set data.labelled=4
echo ok
