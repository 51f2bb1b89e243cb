# A stack of restricted Boltzmann machines: same bits on any number of ranks and threads and after stops inside and between
# stages; fine-tuning starts from copies, and leaves the machines alone; the same evaluation on 1 and 3 ranks, log Z by
# sampling near that of all states; better than the control from a random start; what it refuses.
. "$HISS_ROOT/tests/cli/common"
small_run
halves
sed -i 's/^seed:/objective: rbm\nseed:/; s/^augment: .*/augment: {shift: 1, flip: true}/
    s/^nat: .*/rbm: {layers: "12, 6", epochs: 2, chains: 40, temperatures: 200}/; s/^assign: .*//
    s/^optim: .*/optim: {lr: 0.1, momentum: 0.5, rbm2: {lr: 0.01}, finetune: {method: adam, momentum: 0, lr: 0.01}}/
    s/epochs: 5,/epochs: 6,/; /^network/d; /^  layers/d; /^    - /d; s/data.h5/halves.h5/' config.yaml
judge=(--set eval.knn=false --set eval.linear=false --set eval.few_labels=false --set eval.statistics=false
    --set eval.neighbors=false --set eval.filters=false --set eval.random=false --set eval.pixels=false
    --set eval.train=halves.h5 --set eval.test=halves.h5)
# number RUN NAME: what eval.json says of it.
number() {
    awk -v name="\"$2\": " '/"(measures|reconstruction)": {/ && match($0, name) { print substr($0, RSTART + RLENGTH) + 0; exit }' \
        "$1/eval.json" | grep . || fail "$1: eval.json has no $2" "$1/eval.json"
}
sums() { "$(dirname "$HISS")/tests/cli/array_sums" "$1" | grep "^/model/$2" | cut -d' ' -f2-; }

# ---- stages: epochs 1 and 2, 3 and 4, 5 and 6 of 12 steps ----

train 1 one --set checkpoint.keep_every='1 epochs'
grep -q 'phase 1: epochs 1 to 2' log && grep -q 'phase 3: epochs 5 to 6' log && ! grep -q 'phase 4' log || fail 'stages' log
for ranks in 2 5; do
    train $ranks ranks-$ranks --set dist.threads=$((ranks % 3))
    same one ranks-$ranks
done
for steps in 7 24 30 48 53; do # inside and between
    train $((steps % 3 + 1)) parts --set train.steps=$steps
done
train 2 parts
grep -q 'resumed from' log || fail 'not resumed' log
same one parts
# The config that a run keeps has every setting as used, those that groups took over from optim, too.
on 2 "$HISS" train one/config.yaml --run kept
[ $status -eq 0 ] || fail "the config of a run: exit $status" log
same one kept
for layer in rbm1 rbm2; do
    for part in weight visible hidden; do
        [ "$(sums one/ckpt/step-48.h5 $layer/$part)" = "$(sums one/ckpt/step-72.h5 $layer/$part)" ] ||
            fail "fine-tuning changes $layer/$part"
    done
done
[ "$(sums one/ckpt/step-24.h5 rbm1/weight)" != "$(sums one/ckpt/step-12.h5 rbm1/weight)" ] || fail 'machine 1 learns nothing'
[ "$(sums one/ckpt/step-24.h5 rbm2/weight)" != "$(sums one/ckpt/step-36.h5 rbm2/weight)" ] || fail 'machine 2 learns nothing'
[ "$(sums one/ckpt/step-24.h5 rbm1/weight)" = "$(sums one/ckpt/step-36.h5 encoder1/weight)" ] || fail 'no copy'
# What is copied is the same whether the machines were trained in this run or the fine-tuning began after a stop.
train 3 start --set train.steps=49
train 1 ended --set train.steps=48
train 1 ended --set train.steps=49
same start ended

# ---- what evaluation says ----

on 1 "$HISS" eval one "${judge[@]}"
[ $status -eq 0 ] || fail "eval: exit $status" log
sed 's/"seconds": [0-9.]*//' one/eval.json >json.1
cp one/rbm-filters.png one/rbm-fantasies.png .
on 3 "$HISS" eval one "${judge[@]}"
[ $status -eq 0 ] || fail "eval on 3 ranks: exit $status" log
sed 's/"seconds": [0-9.]*//' one/eval.json | cmp - json.1 || fail 'eval.json differs between 1 and 3 ranks'
cmp rbm-filters.png one/rbm-filters.png && cmp rbm-fantasies.png one/rbm-fantasies.png || fail 'pictures differ'
for title in 'Weights of the first machine' 'Fantasies of the first machine' 'free energy'; do
    grep -q "$title" one/report.html || fail "no $title in the report"
done
awk 'length($0) > 120 { bad = 1 } END { exit bad }' one/eval.txt || fail 'a table is too wide' one/eval.txt
awk -v a="$(number one log_z)" -v b="$(number one log_z_exact)" 'BEGIN { exit !(a - b < 0.01 * b && b - a < 0.01 * b) }' ||
    fail "log Z is $(number one log_z) by sampling, $(number one log_z_exact) by all states"
awk -v gap="$(number one free_energy_gap)" 'BEGIN { exit !(gap * gap < 1e-6) }' || fail 'a gap between equal images'

# A run that was stopped in machine 2, or at the end of machine 1, is judged as it is, and it says so; a whole one does not.
for stop in 30,3,2,2 24,2,1,1; do
    IFS=, read -r steps epoch stage machine <<<"$stop"
    train 2 "stopped-$steps" --set train.steps="$steps"
    on 3 "$HISS" eval "stopped-$steps" "${judge[@]}" --set eval.measures=false
    [ $status -eq 0 ] || fail "eval of a stopped run: exit $status" log
    line="judged in epoch $epoch of 6, in stage $stage of 3 (machine $machine): later stages are untrained"
    for file in eval.txt eval.json report.html; do grep -qF "$line" "stopped-$steps/$file" || fail "$file does not say '$line'" log; done
    [ "$(grep -cF "hiss: warning: $line" log)" -eq 1 ] || fail 'not one warning' log
done
! grep -q 'later stages' one/eval.txt || fail 'a whole run as if it were stopped' one/eval.txt

# A run that is too short says which stages it has not.
train 1 short --set train.epochs=2
grep -q 'warning: phase 3 of 3 does not run: train.epochs is 2, and it begins later' log || fail 'no warning of a stage left out' log

# The control: the same fine-tuning from a random start, of which no energies are told.
train 2 random --set rbm.pretrain=false --set train.epochs=2
on 2 "$HISS" eval random "${judge[@]}"
[ $status -eq 0 ] || fail "eval of the control: exit $status" log
less "$(number one mse)" "$(number random mse)" 'pre-trained, and from a random start'
grep -q 'left out: energies' random/eval.txt || fail 'energies of machines that were not trained' random/eval.txt

# ---- other ends and units ----

for more in 'rbm.finetune=classifier train.epochs=10 optim.finetune.lr=0.03' 'rbm.finetune=none rbm.layers=8 rbm.code=binary rbm.binarize=true' \
    'rbm.layers=9 rbm.epochs=5 optim.rbm1.lr=0.01' \
    'rbm.layers=5 rbm.code=binary rbm.finetune=none train.epochs=1 augment.height=56 augment.width=56'; do
    sets=()
    for set in $more; do sets+=(--set "$set"); done
    train 1 "a-$more" "${sets[@]}"
    train 3 "b-$more" "${sets[@]}"
    same "a-$more" "b-$more"
    on 2 "$HISS" eval "a-$more" "${judge[@]}"
    [ $status -eq 0 ] || fail "eval of $more: exit $status" log
done
less "$(number 'a-rbm.finetune=classifier train.epochs=10 optim.finetune.lr=0.03' test_error)" 30 'the classifier errs'
grep -q 'left out: log Z: .* 0 and 1' 'a-rbm.layers=9 rbm.epochs=5 optim.rbm1.lr=0.01/eval.txt' || fail 'log Z of Gaussian units'

large='a-rbm.layers=5 rbm.code=binary rbm.finetune=none train.epochs=1 augment.height=56 augment.width=56'
grep -q '^left out: independent pixels, .* at most 3072 values' "$large/eval.txt" || fail 'large images' "$large/eval.txt"
grep -q 'nats' "$large/eval.json" && ! grep -q log_z_exact "$large/eval.json" || fail 'large images' "$large/eval.json"

# ---- what it refuses ----

for layers in '12,' '0' '5 6' '3,x' 2000000; do
    refused 1 'rbm.layers: expected numbers of units from 1 to 1048576' "$HISS" train config.yaml --run r --set "rbm.layers='$layers'"
done
refused 2 'rbm.layers: expected at most 4 machines' "$HISS" train config.yaml --run r --set 'rbm.layers=1,2,3,4,5'
refused 1 'network.layers: rbm makes its own layers' "$HISS" train config.yaml --run r --set 'network.layers=[flatten]'
refused 1 'rbm.pretrain: false leaves nothing to train' "$HISS" train config.yaml --run r --set rbm.pretrain=false \
    --set rbm.finetune=none
refused 1 'augment.std: rbm needs pixels of 0..1' "$HISS" train config.yaml --run r --set augment.std=0.5
refused 1 'rbm.finetune: classifier needs labels' "$HISS" train config.yaml --run r --set rbm.finetune=classifier \
    --set data.labels="''"
[ ! -e r ] || fail 'a run of nothing'
echo ok
