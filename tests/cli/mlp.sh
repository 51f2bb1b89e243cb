# The MLP probe of hiss eval: off unless asked for; above what knows nothing, by labels and by targets; permuted labels end at
# chance; the same on any ranks; what it cannot do is said.
. "$HISS_ROOT/tests/cli/common"
small_run
halves
sed -i "s,data.h5,halves.h5," config.yaml
off=(--set eval.knn=false --set eval.few_labels=false --set eval.random=false --set eval.pixels=false --set eval.statistics=false
    --set eval.neighbors=false --set eval.layers=fc1)
number() { # number RUN JUDGEMENT NAME
    awk -v judgement="\"$2\": {" -v name="\"$3\": " 'at = index($0, judgement) {
        $0 = substr($0, at); i = index($0, name); if (i) { print substr($0, i + length(name)) + 0; exit } }' "$1/eval.json"
}
between() { awk -v x="$1" -v low="$2" -v high="$3" 'BEGIN { exit !(x != "" && x >= low && x <= high) }' || fail "$4 is '$1', not of $2 to $3"; }
judge() { # judge RANKS RUN ARGUMENT...
    on "$1" "$HISS" eval "$2" "${off[@]}" "${@:3}"
    [ $status -eq 0 ] || fail "eval on $1 ranks: exit $status" log
    sed 's/"seconds": [0-9.e-]*//' "$2/eval.json" >"json.$1"
}
train 1 run --set objective=classify --set train.epochs=2

judge 1 run
! grep -q mlp run/eval.json || fail 'on unasked' run/eval.json
judge 3 run --set eval.mlp=true --set eval.mlp_hidden=32
judge 1 run --set eval.mlp=true --set eval.mlp_hidden=32
cmp json.1 json.3 || fail 'eval.json depends on the ranks'
between "$(number run mlp percent)" 60 100 'the MLP probe'
grep -qE '^features +D +test \(%\) +training \(%\) +lambda' run/eval.txt && grep -q 'MLP probe' run/eval.txt || fail 'no table' run/eval.txt
[ "$(number run mlp steps)" = 500 ] || fail "$(number run mlp steps) steps" run/eval.json
judge 1 run --set eval.mlp=true --set eval.mlp_hidden=1
between "$(number run mlp percent)" 0 55 'the MLP probe of one unit'

# Pictures of a class are nearly alike, so a probe is right on all of a class or on none: the mean of several draws.
sum=0
for seed in 1 2 3 4; do
    judge 1 run --set eval.mlp=true --set eval.mlp_hidden=32 --set eval.permuted=true --set seed=$seed
    sum="$sum + $(number run mlp percent)"
done
between "$(awk "BEGIN { print ($sum) / 4 }")" 0 30 'the MLP probe of permuted labels'

refused 1 'eval.mlp_hidden' "$HISS" eval run --set eval.mlp=true --set eval.mlp_hidden=0
judge 1 run --set eval.mlp=true --set eval.linear=false --set 'data.labels=""'
grep -q 'left out: mlp: needs labels of the training and of the test samples, or targets of as many classes' run/eval.txt ||
    fail 'silent about missing labels' run/eval.txt

# Several classes a sample.
colored_scenes 16 500 100
cat >config.yaml <<'END'
objective: classify
classify: {targets: true}
data: {file: train.h5, labels: "", fields: {targets: /targets}}
network: {layers: [{conv: 8, kernel: 3, pad: 1, name: conv1}, batch_norm, relu, {max_pool: 4}, flatten, {linear: 16, name: fc1}, relu]}
optim: {lr: 0.05, momentum: 0.9}
train: {epochs: 2, lanes: 6, lane_samples: 8}
END
train 1 scenes
for ranks in 2 1; do
    judge $ranks scenes --set eval.mlp=true --set eval.mlp_hidden=32 --set eval.average_precision=false
done
cmp json.1 json.2 || fail 'several classes: eval.json depends on the ranks'
between "$(number scenes mlp map)" 80 100 'the mean average precision'
grep -q 'MLP probe, mean average precision' scenes/eval.txt || fail 'no table' scenes/eval.txt
echo ok
