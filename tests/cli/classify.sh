# Classification: by targets of several classes a sample, the same bits on any ranks, resumed, judged by average precision
# alike on 1 and 3 ranks, above what knows nothing; by labels with either loss; what targets cannot be.
. "$HISS_ROOT/tests/cli/common"
colored_scenes 16 720 300
cat >scenes.yaml <<'END'
objective: classify
classify: {targets: true}
data: {file: train.h5, labels: "", fields: {targets: /targets}}
augment: {shift: 2}
network: {layers: [{conv: 8, kernel: 3, pad: 1, name: conv1}, batch_norm, relu, {max_pool: 4}, flatten, {linear: 16, name: fc1}, relu]}
optim: {lr: 0.05, momentum: 0.9}
train: {epochs: 6, lanes: 6, lane_samples: 8}
eval: {test: test.h5, layers: "fc1,scores", pixels: false}
END

cp scenes.yaml config.yaml
train 1 whole
grep -q 'objective: classify: 3 classes, of which a sample may have several' log || fail 'not said what it learns' log
train 3 parts --threads 2 --set train.steps=40
train 2 parts
same whole parts

for ranks in 1 3; do
    on $ranks "$HISS" eval whole
    [ $status -eq 0 ] || fail "eval on $ranks ranks: exit $status" log
    sed 's/"seconds": [0-9.e-]*//' whole/eval.json >"json-$ranks"
done
cmp json-1 json-3 || fail 'eval.json depends on the ranks'
# number SUBJECT JUDGEMENT NAME
number() {
    awk -v subject="\"$1\"" -v judgement="\"$2\"" -v name="\"$3\"" 'BEGIN { RS = "\"name\": " }
        index($0, subject) == 1 && i = index($0, judgement ": {") { rest = substr($0, i); j = index(rest, name ": ")
            if (j) { split(substr(rest, j + length(name) + 2), part, /[,}]/); print part[1]; exit } }' whole/eval.json
}
for reading in "trained/fc1 average_precision map" "trained/scores classification map" "trained/scores classification map_11"; do
    # shellcheck disable=SC2086
    value=$(number $reading)
    awk -v v="$value" 'BEGIN { exit !(v > 80 && v <= 100) }' || fail "$reading is '$value'" whole/eval.txt
done
grep -q 'scores that know nothing' whole/eval.txt || fail 'no baseline' whole/eval.txt
! grep -q 'left out: \(average\|classif\)' whole/eval.txt || fail 'left out' whole/eval.txt

# Ten crops: others than the centre, the same on any ranks; refused where the corners are the centre.
center=$(number trained/scores classification map)
train 1 still --set augment.shift=0 --set train.steps=2
refused 1 "--set eval.crops: ten, but all corners are the centre" "$HISS" eval still --set eval.crops=ten
for ranks in 1 2; do
    on $ranks "$HISS" eval whole --set eval.crops=ten --set eval.random=false
    [ $status -eq 0 ] || fail "ten crops on $ranks ranks: exit $status" log
    sed 's/"seconds": [0-9.e-]*//' whole/eval.json >"json-$ranks"
done
cmp json-1 json-2 || fail 'ten crops depend on the ranks'
grep -q 'means over ten crops' whole/eval.txt || fail 'not said' whole/eval.txt
[ "$(number trained/scores classification map)" != "$center" ] || fail 'ten crops are the centre' whole/eval.txt

refused 1 'config.yaml:2:21: classify.targets: there is no field targets; name the data set of targets' "$HISS" train config.yaml \
    --run new --set data.fields=null
refused 1 'data.fields.targets: targets are uint8 [n, classes], 1 present, 0 absent, 255 not judged; found float32 [4,5]' "$HISS" \
    train config.yaml --run new --set data.fields.targets=/boxes
"$(dirname "$HISS")/tests/cli/odd_h5" odd.h5 images=u8:300x16x16x3 targets=u8:300x3
for command in 'train config.yaml --run new --set data.file=odd.h5' 'eval whole --set eval.train=odd.h5'; do
    # shellcheck disable=SC2086
    refused 2 'targets are 1 (present), 0 (absent) or 255 (not judged)' \
        "$HISS" $command
    grep -q 'odd.h5: row [0-9]* of data set /targets has [0-9]* for class [0-9]*;' log || fail 'where' log
done
[ ! -e new ] || fail 'something is left of what was refused'

"$odd_h5" bool.h5 images=u8:300x16x16x3 targets=bool:300x3
refused 1 'not judged; found booleans or another enumeration (int8) [3] of each sample' "$HISS" train config.yaml --run new \
    --set data.file=bool.h5

# Classes of which nothing can be learnt: of the samples in use, none has them, all have them, or none is judged.
cp train.h5 poor.h5
"$objects" fill poor.h5 0 255
"$objects" fill poor.h5 1 0
refused 2 'data.file: poor.h5: targets and boxes have SHA-256' "$HISS" train config.yaml --run new --set data.file=poor.h5
train 2 poor --set data.file=poor.h5 --set data.verify=false --set train.epochs=1
poor='poor.h5: class %d of data set /targets, %s: %s, so that nothing can be learnt of it\n'
# shellcheck disable=SC2059
{
    printf "$poor" 0 "'blue'" 'no sample is judged (255)'
    printf "$poor" 1 "'green'" 'no sample has it'
} >expected
sed -n 's/.*warning: \(poor.h5: class .*\)/\1/p' log | cmp - expected || fail 'classes of which nothing can be learnt' log
"$objects" fill poor.h5 2 1
"$objects" name poor.h5 /
train 1 poorer --set data.file=poor.h5 --set data.verify=false --set train.epochs=1
grep -q 'poor.h5: class 2 of data set /targets: all samples that are judged have it' log || fail 'a class that all have' log
on 1 "$HISS" eval whole --set eval.train=poor.h5 --set data.verify=false --set eval.random=false --set eval.iterations=5
[ $status -eq 0 ] || fail "eval: exit $status" log
grep -q '3 of 3 classes (0 is one) have no training sample that has them, or none that has not' whole/eval.txt ||
    fail 'classes without a probe are not told' whole/eval.txt

# Files that name their columns otherwise: on resume, as training or test samples of an evaluation, among several files, as
# what another run begins from. Where one of both has no names, columns count.
cp train.h5 swapped.h5
"$objects" name swapped.h5 / blue,red,green
cp train.h5 nameless.h5
"$objects" name nameless.h5 /
cp train.h5 own.h5
"$objects" name own.h5 /
"$objects" name own.h5 /targets blue,red,green
difference="number 1 (from 0) was expected to be 'green', and is 'red'"
for other in swapped own; do
    at=$([ $other = own ] && echo /targets || echo /)
    refused 2 "data.file: $other.h5: data set /targets has other classes than whole/ckpt/" "$HISS" train config.yaml --run whole \
        --set data.file=$other.h5 --set train.epochs=7
    grep -q "$difference, by attribute classes of $at; resume" log || fail 'what differs' log
    refused 1 "eval.train: $other.h5: data set /targets has other classes than whole/ckpt/" "$HISS" eval whole \
        --set eval.train=$other.h5 --set eval.test=$other.h5
    grep -q 'or set eval.classification: false to judge' log || fail 'what to do' log
    refused 1 "eval.test: $other.h5: data set /targets has other classes than train.h5: $difference" "$HISS" eval whole \
        --set eval.test=$other.h5
    refused 1 "data.file: $other.h5: data set /targets has other classes than in train.h5: $difference" "$HISS" train \
        config.yaml --run new --set "data.file=[train.h5, $other.h5]"
    train 1 from-$other --set data.file=$other.h5 --set train.init=whole --set train.epochs=1
    grep -q "init: scores keep their own initial values, .*whole/ckpt/.* has learnt other classes than $other.h5 has" log &&
        grep -q 'init: .*own initial values: scores/weight (there of other classes)' log || fail 'scores of other classes' log
done
on 1 "$HISS" eval whole --set eval.train=swapped.h5 --set eval.test=swapped.h5 --set eval.classification=false \
    --set eval.random=false --set eval.iterations=5
[ $status -eq 0 ] || fail 'features cannot be judged by other classes' log
cp -r whole more
train 1 more --set data.file=nameless.h5 --set train.epochs=7
on 1 "$HISS" eval more --set eval.random=false --set eval.iterations=5
[ $status -eq 0 ] || fail 'a file without names' log
train 1 again --set train.init=more --set train.epochs=1
grep -q 'init: .* arrays from more/ckpt/.*: .*scores/weight' log || fail 'scores of a file without names' log
"$objects" name swapped.h5 / red,green
train 1 short --set data.file=swapped.h5 --set train.epochs=1
grep -q 'swapped.h5: attribute classes of / names 2 classes, but /targets has 3 columns: they are told by number' log ||
    fail 'two names of three columns' log
[ ! -e new ] || fail 'something is left of what was refused'

# By labels.
small_run
for loss in softmax logistic; do
    train 1 $loss --set objective=classify --set classify.loss=$loss
    on 2 "$HISS" eval $loss --set eval.layers=scores --set eval.linear=false --set eval.few_labels=false
    grep -q 'top 1 (%)  *top 5 (%)' $loss/eval.txt || fail 'no top-1 and top-5' $loss/eval.txt
done
# Of classes that the run has not learnt, or a layer that is not its scores, nothing is said.
on 1 "$HISS" eval softmax --set eval.layers=fc1 --set eval.linear=false --set eval.few_labels=false
! grep -q 'top 1' softmax/eval.txt || fail 'fc1 is taken for scores' softmax/eval.txt
train 1 alias --set objective=supervised
same softmax alias

# Both names are one method, when a run goes on and when it is judged.
train 1 alias --set objective=classify
grep -q 'resumed from' log || fail 'not resumed' log
on 1 "$HISS" eval softmax --set objective=supervised --set eval.layers=scores --set eval.linear=false --set eval.few_labels=false
[ $status -eq 0 ] || fail "one method by two names: exit $status" log
echo ok
