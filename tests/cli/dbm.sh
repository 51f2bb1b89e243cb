# The deep Boltzmann machine: same bits on any number of ranks and threads, exact resume with its chains, the same
# evaluation on 1 and 3 ranks; better than independent pixels, which the control is not, whose chains begin anywhere in each step; what
# it refuses.
. "$HISS_ROOT/tests/cli/common"
small_run
# Eight pictures of random black and white pixels, one of them as often as all others: modes that lie far from each other.
{
    head -c 16 images.idx
    awk 'BEGIN { for (x = 5; p < 8; p++) for (k = 0; k < 144; k++) { x = x * 16807 % 2147483647; bit[p, k] = x % 1000 < 500 }
        for (i = 0; i < 600; i++) { p = i % 16 < 8 ? i % 16 : 0; for (k = 0; k < 144; k++) printf "%s", bit[p, k] ? "w" : "b" } }' |
        tr wb '\360\017'
} >modes.idx
"$HISS" prepare idx --images modes.idx --labels labels.idx --output modes.h5 2>log || fail 'no pictures of modes' log
cat >config.yaml <<'END'
seed: 3
objective: dbm
data: {file: modes.h5}
dbm: {hidden1: 24, hidden2: 8, gibbs: 2, ais_chains: 50, ais_steps: 300}
optim: {lr: 0.1, schedule: linear}
train: {epochs: 10, lanes: 12, lane_samples: 4}
checkpoint: {every: 2 epochs}
END
judge=(--set eval.knn=false --set eval.linear=false --set eval.few_labels=false --set eval.statistics=false
    --set eval.neighbors=false --set eval.filters=false --set eval.random=false --set eval.pixels=false
    --set eval.train=modes.h5 --set eval.test=modes.h5)
# number RUN NAME: what eval.json says of it.

# ---- bits ----

train 1 one
for ranks in 2 5 7; do
    train $ranks ranks-$ranks --set dist.threads=$((1 + ranks % 2)) --set train.activation_memory=0
    same one ranks-$ranks
done
for ranks in 1 3; do
    train $ranks few-$ranks --set train.lanes=2 --set train.epochs=1
done
same few-1 few-3
grep -q 'chains_sha256' one/summary.yaml || fail 'the chains are in no hash' one/summary.yaml
for steps in 48 61; do # after an epoch, and within one
    train 3 stopped --set train.steps=$steps
done
train 2 stopped
grep -q 'resumed from' log || fail 'not resumed' log
same one stopped

# ---- what evaluation says ----

for ranks in 1 3; do
    on $ranks "$HISS" eval one "${judge[@]}"
    [ $status -eq 0 ] || fail "eval on $ranks ranks: exit $status" log
    sed 's/"seconds": [0-9.]*//' one/eval.json >json.$ranks
    sha256sum one/chains.png one/hidden1.png >pictures.$ranks
done
cmp json.1 json.3 || fail 'eval.json differs between 1 and 3 ranks'
cmp pictures.1 pictures.3 || fail 'pictures differ'
grep -q 'What the machine draws' one/report.html || fail 'no chains in the report'
awk 'length($0) > 120 { bad = 1 } END { exit bad }' one/eval.txt || fail 'a table is too wide' one/eval.txt

# Other chains: at the data, and, as a control, anywhere in each step, from where few steps do not reach the model.
for chains in data random; do
    train 5 $chains-5 --set dbm.chains=$chains --set train.epochs=2
    train 1 $chains-1 --set dbm.chains=$chains --set train.epochs=2
    same $chains-1 $chains-5
    ! grep -q chains_sha256 $chains-1/summary.yaml || fail 'chains that are not kept' $chains-1/summary.yaml
done
for chains in persistent random; do
    train 2 $chains --set dbm.chains=$chains --set dbm.gibbs=1 --set train.epochs=30
    on 2 "$HISS" eval $chains "${judge[@]}"
    [ $status -eq 0 ] || fail "eval of $chains chains: exit $status" log
done
base=$(sed -n 's/.*"name": "bound",.*"baseline": \([0-9.]*\).*/\1/p' persistent/eval.json)
less 70 "$base" 'independent pixels, and'
less "$(number persistent bound)" "$(awk -v x="$base" 'BEGIN { print 0.9 * x }')" 'the bound, and nine tenths of independent pixels'
less "$base" "$(number random bound)" 'independent pixels, and the control'

# ---- what it refuses ----

refused 1 'network.layers: dbm has layers of its own' "$HISS" train config.yaml --run r --set 'network.layers=[flatten]'
refused 2 'augment.std: dbm needs pixels of 0..1' "$HISS" train config.yaml --run r --set augment.std=0.5
[ ! -e r ] || fail 'a run of nothing'
echo ok
