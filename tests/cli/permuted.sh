# Controls that must end at chance: classes learnt from the labels or targets of other samples (classify.permuted), and probes
# of other training samples' labels (eval.permuted). The same on any ranks.
. "$HISS_ROOT/tests/cli/common"
small_run
halves
sed -i "s,data.h5,halves.h5," config.yaml
learn=(--set objective=classify --set train.epochs=4)
judge=(--set eval.knn=false --set eval.few_labels=false --set eval.random=false --set eval.pixels=false --set eval.layers=fc1,scores)
percent() { # percent RUN SUBJECT JUDGEMENT NUMBER
    awk -v subject="{\"name\": \"$2\"" -v judgement="\"$3\": {" -v number="\"$4\": " '
        index($0, subject) { on = 1 } on && (at = index($0, judgement)) { $0 = substr($0, at); print substr($0, index($0, number) + length(number)) + 0; exit }' \
        "$1/eval.json"
}
between() { awk -v x="$1" -v low="$2" -v high="$3" 'BEGIN { exit !(x >= low && x <= high) }' || fail "$4 is $1, not of $2 to $3"; }
judge() {
    local run=$1
    shift
    on 1 "$HISS" eval "$run" "${judge[@]}" "$@"
    [ $status -eq 0 ] || fail "eval of $run: exit $status" log
}
train 1 plain "${learn[@]}"
judge plain
between "$(percent plain trained/scores classification top_1)" 60 100 'top 1'
between "$(percent plain trained/fc1 linear percent)" 60 100 'the probe'

train 1 permuted "${learn[@]}" --set classify.permuted=true
train 3 parts "${learn[@]}" --set classify.permuted=true --threads 2 --set train.steps=11
train 2 parts "${learn[@]}" --set classify.permuted=true
same permuted parts
judge permuted
between "$(percent permuted trained/scores classification top_1)" 0 35 'top 1 of permuted labels'
train 1 each "${learn[@]}" --set classify.permuted=true --set classify.loss=logistic
judge each
between "$(percent each trained/scores classification top_1)" 0 35 'top 1 of permuted labels, each by itself'

# Pictures of a class are nearly alike, so a probe is right on all of a class or on none: the mean of several draws.
sum=0
for seed in 1 2 3 4; do
    judge plain --set eval.permuted=true --set seed=$seed
    sum="$sum + $(percent plain trained/fc1 linear percent)"
done
between "$(awk "BEGIN { print ($sum) / 4 }")" 0 30 'the probe of permuted labels'
judge plain --set eval.permuted=true
between "$(percent plain trained/scores classification top_1)" 60 100 'top 1, which no probe is asked for'
grep -q 'a control (eval.permuted): training samples have the labels and targets of each other' plain/eval.txt ||
    fail 'the control is not told' plain/eval.txt
sed 's/"seconds": [0-9.]*//' plain/eval.json >json.1
on 3 "$HISS" eval plain "${judge[@]}" --set eval.permuted=true
[ $status -eq 0 ] || fail "eval on 3 ranks: exit $status" log
sed 's/"seconds": [0-9.]*//' plain/eval.json | cmp - json.1 || fail 'eval.json differs between 1 and 3 ranks'
refused 2 'classify.permuted: samples have the labels of each other in a lane; set train.lane_samples to 2 or more' \
    "$HISS" train config.yaml --run r "${learn[@]}" --set classify.permuted=true --set train.lane_samples=1
echo ok
