# Predictive sparse decomposition: the same bits on any number of ranks and threads, with the whitening that is measured
# first, exact resume, the same evaluation on 1 and 3 ranks; one pass of the trained encoder comes near to inference,
# where one at random and the control, which alpha does not train, are far; what it refuses.
. "$HISS_ROOT/tests/cli/common"
small_run
sed -i 's/^seed:/objective: psd\nseed:/; s/^nat: .*/psd: {atoms: 24, lambda: 0.3, steps: 20}/; s/^assign: .*//
    s/^augment: .*/augment: {height: 6, width: 6, crop: random, flip: true}/
    s/^optim: .*/optim: {method: adam, momentum: 0, lr: 0.01}/' config.yaml
sed -i '/^  layers:/,/^    - relu/d; s/^network:.*/network: {layers: [flatten]}/; /^    - /d' config.yaml

judge=(--set eval.knn=false --set eval.linear=false --set eval.few_labels=false --set eval.statistics=false
    --set eval.neighbors=false --set eval.random=false --set eval.pixels=false --set eval.test=data.h5
    --set eval.test_limit=300)
number() {
    sed -n "s/.*\"$2\": \([-0-9.e+]*\).*/\1/p" "$1/eval.json" | head -n 1 | grep . ||
        fail "$1: eval.json has no $2" "$1/eval.json"
}

# ---- bits ----

train 1 one
grep -q '^hiss: whitening: measured over 600 patches of 36 values' log || fail 'no whitening' log
for ranks in 2 5; do
    train $ranks ranks-$ranks --set dist.threads=$((ranks % 3))
    same one ranks-$ranks
done
train 3 stopped --set train.steps=7
train 2 stopped
grep -q 'resumed from' log || fail 'not resumed' log
grep -q 'whitening: measured' log && fail 'measured again' log
same one stopped
train 2 plain --set whiten.on=false
[ "$(hashes one)" != "$(hashes plain)" ] || fail 'whitening changes nothing'
train 2 shrink --set psd.encoder=shrink --set psd.algorithm=ista --set train.epochs=1

# ---- what evaluation says ----

on 1 "$HISS" eval one "${judge[@]}"
[ $status -eq 0 ] || fail "eval: exit $status" log
cp one/eval.txt eval.1 && cp one/atoms.png one/encoder.png .
sed 's/"seconds": [0-9.]*//' one/eval.json >json.1
on 3 "$HISS" eval one "${judge[@]}"
[ $status -eq 0 ] || fail "eval on 3 ranks: exit $status" log
sed 's/"seconds": [0-9.]*//' one/eval.json | cmp - json.1 || fail 'eval.json differs between 1 and 3 ranks'
cmp atoms.png one/atoms.png && cmp encoder.png one/encoder.png || fail 'pictures differ'
for title in 'Atoms of the dictionary' 'Filters of the encoder' 'variance explained'; do
    grep -q "$title" one/report.html || fail "no $title in the report"
done
awk 'length($0) > 120 { bad = 1 } END { exit bad }' one/eval.txt || fail 'a table is too wide' one/eval.txt
less "$(number one one_pass_objective)" "$(number one random_objective)" 'one pass, and an encoder at random'
less "$(number one inferred_objective)" "$(number one one_pass_objective)" 'inference, and one pass'
less "$(number one inferred_active)" 24 'codes that are not 0'

# The control: inference does not look at the encoder, and nothing trains it.
train 2 control --set psd.alpha=0
on 2 "$HISS" eval control "${judge[@]}"
[ $status -eq 0 ] || fail "eval of the control: exit $status" log
less "$(number one one_pass_excess)" "$(number control one_pass_excess)" 'the encoder, and that of the control'
awk -v a="$(number one one_pass_excess)" -v b="$(number control one_pass_excess)" 'BEGIN { exit !(3 * a < b) }' ||
    fail "the encoder learns little: $(number one one_pass_excess), the control $(number control one_pass_excess)"

# ---- what it refuses ----

{ head -c 16 images.idx && head -c $((600 * 144)) /dev/zero; } >flat.idx
"$HISS" prepare idx --images flat.idx --labels labels.idx --output flat.h5 2>log || fail 'no flat pictures' log
refused 2 'whiten.on: every training patch is of one grey' "$HISS" train config.yaml --run r --set data.file=flat.h5
train 2 flat --set data.file=flat.h5 --set whiten.on=false --set train.epochs=1
refused 1 'whiten.floor' "$HISS" train config.yaml --run w --set whiten.floor=0
refused 1 'psd.atoms' "$HISS" train config.yaml --run w --set psd.atoms=0
echo ok
