# Exemplar classification: the same bits on any number of ranks and threads, exact resume, the same evaluation on 1 and 3
# ranks; it learns which seed a view is of; in the control, where a sample is its seed, the task is easier by far; probes
# learn from more than the seeds; what it refuses.
. "$HISS_ROOT/tests/cli/common"
small_run
sed -i 's/^seed:/objective: exemplar\nseed:/; s/^nat: .*//; s/^assign: .*//; /dropout/d
    s/^data: .*/data: {file: data.h5, limit: 96}/; s/^augment: .*/augment: {shift: 1, rotate: 10, contrast: 0.2}/
    s/^optim: .*/optim: {method: adam, momentum: 0, lr: 0.01}/; s/^train: .*/train: {epochs: 40, lanes: 12, lane_samples: 4}/; s/every: 2 epochs/every: 8 epochs/' config.yaml
judge=(--set eval.knn=false --set eval.few_labels=false --set eval.statistics=false --set eval.neighbors=false
    --set eval.pixels=false --set eval.train=data.h5 --set eval.test_limit=100)
last() { sed -n "s/.*\"$2\": \([-0-9.e+]*\).*/\1/p" "$1/metrics.jsonl" | tail -n 1 | grep . || fail "$1: no $2" "$1/metrics.jsonl"; }

train 1 one
grep -q 'exemplar: 96 seeds, each a class of its views' log || fail 'what it does' log
for ranks in 2 5; do
    train $ranks ranks-$ranks --set dist.threads=$((ranks % 3)) --set train.activation_memory=0
    same one ranks-$ranks
done
train 3 stopped --set train.steps=17
train 2 stopped
grep -q 'resumed from' log || fail 'not resumed' log
same one stopped

# Guessing loses ln 96 = 4.56.
less "$(last one loss)" 4.2 'the loss of a run that learns, and of guessing'
train 2 control --set exemplar.transform=none
grep -q '96 seeds, each a class of itself alone' log || fail 'not the control' log
less "$(last control loss)" "$(awk -v x="$(last one loss)" 'BEGIN { print x / 2 }')" 'the loss of the control, and half of it'
train 2 still --set augment.rotate=0 --set augment.shift=0 --set augment.contrast=0
grep -q 'a class of itself alone, for section augment draws nothing' log || fail 'nothing is said' log
[ "$(hashes still)" = "$(hashes control)" ] || fail 'the control is not the seeds as they are'

for ranks in 1 3; do
    on $ranks "$HISS" eval one "${judge[@]}"
    [ $status -eq 0 ] || fail "eval on $ranks ranks: exit $status" log
    sed 's/"seconds": [0-9.]*//' one/eval.json >eval.$ranks
done
cmp eval.1 eval.3 || fail 'eval.json differs between 1 and 3 ranks'
grep -q 'trained on 500 samples' one/eval.txt || fail 'the probes do not learn from all images' one/eval.txt

refused 1 "data.limit: exemplar makes a class of each training image, and takes 2 to 1048576 of them, found 1; set data.limit" \
    "$HISS" train config.yaml --run wrong --set data.limit=1 --set train.lanes=1 --set train.lane_samples=1
refused 1 'exemplar.transform' "$HISS" train config.yaml --run wrong --set exemplar.transform=rotate
refused 1 'data.limit' "$HISS" train config.yaml --run one --set data.limit=90 --set train.epochs=50
[ ! -e wrong ] || fail 'left behind'

on 2 "$HISS" train "$HISS_ROOT/configs/exemplar-fashion.yaml" --run config --set data.file=data.h5 --set train.steps=2 \
    --set augment.height=28 --set augment.width=28
[ $status -eq 0 ] || fail "the config: exit $status" log
echo ok
