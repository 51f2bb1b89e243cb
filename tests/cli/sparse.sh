# Sparse coding: the same bits on any number of ranks and threads, exact resume within and between the stages of two
# layers, the same evaluation on 1 and 3 ranks; codes are sparse, which those of the control are not; what it refuses.
. "$HISS_ROOT/tests/cli/common"
small_run
sed -i '/^network:/,/^    - relu/d; /^    - /d
    s/^seed:/objective: sparse\nseed:/; s/^augment: .*/augment: {shift: 1, flip: true}/; s/^assign: .*//
    s/^nat: .*/sparse: {atoms: 20, size: 4, stride: 2, patches: 3, lambda: 0.1, steps: 30, reference: 300}/
    s/^optim: .*/optim: {method: adam, momentum: 0, lr: 0.01}/' config.yaml

judge=(--set eval.knn=false --set eval.linear=false --set eval.few_labels=false --set eval.statistics=false
    --set eval.neighbors=false --set eval.filters=false --set eval.random=false --set eval.pixels=false
    --set eval.train=data.h5 --set eval.test=data.h5)
# number RUN NAME: what eval.json says of it.
number() {
    awk -v name="\"$2\"" '/"measures": {/ && match($0, name ": ") { print substr($0, RSTART + RLENGTH) + 0 }' "$1/eval.json" |
        grep . || fail "$1: eval.json has no $2" "$1/eval.json"
}
evaluate() {
    on "$1" "$HISS" eval "$2" "${judge[@]}"
    [ $status -eq 0 ] || fail "eval of $2 on $1 ranks: exit $status" log
}

# ---- two layers: bits, stages ----

two=(--set sparse.layers=2 --set sparse.first_epochs=2 --set sparse.second_atoms=12 --set sparse.second_lambda=0.05)
train 1 one "${two[@]}"
grep -q 'phase 2: epochs 3 to 5' log || fail 'no second stage' log
for ranks in 2 5; do
    train $ranks ranks-$ranks "${two[@]}" --set dist.threads=$((ranks % 3))
    same one ranks-$ranks
done
for steps in 15 24 40; do # within the first stage, between the two, within the second
    train 3 stopped-$steps "${two[@]}" --set train.steps=$steps
    train 2 stopped-$steps "${two[@]}"
    grep -q 'resumed from' log || fail 'not resumed' log
    same one stopped-$steps
done
# ---- what evaluation says ----

evaluate 1 one
cp one/eval.txt eval.1
sed 's/"seconds": [0-9.]*//' one/eval.json >json.1
cp one/atoms.png one/second_atoms.png .
evaluate 3 one
sed 's/"seconds": [0-9.]*//' one/eval.json | cmp - json.1 || fail 'eval.json differs between 1 and 3 ranks'
cmp atoms.png one/atoms.png && cmp second_atoms.png one/second_atoms.png || fail 'pictures differ'
awk 'length($0) > 120 { bad = 1 } END { exit bad }' one/eval.txt || fail 'a table is too wide' one/eval.txt
grep -q 'principal components: explained' eval.1 || fail 'no baseline' eval.1
for title in Atoms 'Atoms of the second layer'; do
    grep -q "$title" one/report.html || fail "no $title in the report"
done
less "$(number one excess)" 1 'the objective above that of ten times as many steps, in per cent,'
less "$(number one active)" 19 'active codes of 20'
less 90 "$(number one explained)" '90 % of squares explained, and'

# Whitened patches have the mean square 1 in each of 15 directions, but for the floor: without codes the objective is half
# of the sum.
train 2 none --set sparse.lambda=1000 --set augment.shift=0
evaluate 2 none
less 5 "$(number none objective)" 'half of the squares of a whitened patch: 5'
less "$(number none objective)" 8 'half of the squares of a whitened patch'

# ---- the control, other forms ----

train 2 control --set sparse.lambda=0
evaluate 2 control
less 19.99 "$(number control active)" 'active codes of 20 of the control'
for more in 'sparse.form=convolutional sparse.atoms=5 sparse.size=3 sparse.steps=20 sparse.reference=40' \
    'sparse.algorithm=ista whiten.on=false sparse.cells=9'; do
    sets=()
    for set in $more; do sets+=(--set "$set"); done
    train 1 "a-$more" "${sets[@]}" --set train.epochs=2
    train 3 "b-$more" "${sets[@]}" --set train.epochs=2
    same "a-$more" "b-$more"
    evaluate 2 "a-$more"
done
grep -q 'of whole images' a-sparse.form*/eval.txt || fail 'whole images' a-sparse.form*/eval.txt
grep -q 'patches less their means' a-sparse.algorithm*/eval.txt || fail 'not whitened' a-sparse.algorithm*/eval.txt

# ---- what it refuses ----

refused 1 'sparse.size: a patch of 13 x 13 pixels does not fit in images of 12 x 12; expected at most 12, found 13' \
    "$HISS" train config.yaml --run r --set sparse.size=13
refused 2 'sparse.size: 2 x 2 patches, with sparse.layers 2, of 14 x 14 pixels do not fit in images of 12 x 12; expected at most 6, found 7' \
    "$HISS" train config.yaml --run r --set sparse.size=7 --set sparse.layers=2
refused 1 'sparse.layers: a second layer is of the codes of patches' "$HISS" train config.yaml --run r \
    --set sparse.layers=2 --set sparse.form=convolutional
refused 1 'network.layers: sparse has a dictionary of its own' "$HISS" train config.yaml --run r \
    --set 'network.layers=[relu]'
refused 1 'sparse.lambda must be a number in 0' "$HISS" train config.yaml --run r --set sparse.lambda=-1
refused 2 'sparse.reference: 20 steps, which are fewer than the 30 of sparse.steps' "$HISS" train config.yaml --run r --set sparse.reference=20
[ ! -e r ] || fail 'a run of nothing'
echo ok
