# NADE: same bits on any number of ranks and threads, exact resume, the same evaluation and pictures on 1 and 3 ranks;
# better than independent pixels, where the control, which is one hidden unit, is less so; images to order; what it refuses.
. "$HISS_ROOT/tests/cli/common"
small_run
halves
sed -i 's/^seed:/objective: nade\nseed:/; s/^augment: .*/augment: {height: 6, width: 6}/
    s/^nat: .*/nade: {hidden: 12}/; s/^assign: .*//
    s/^optim: .*/optim: {method: adam, momentum: 0, lr: 0.05}/; s/data.h5/halves.h5/' config.yaml
sed -i '/^network:/,/^nade:/{/^nade:/!d}' config.yaml

judge=("${own_judgements[@]}" --set eval.train=halves.h5 --set eval.test=halves.h5 --set eval.generated=60)

train 1 one
for ranks in 2 5 7; do
    train $ranks ranks-$ranks --set dist.threads=$((ranks % 3 + 1))
    same one ranks-$ranks
done
train 3 stopped --set train.epochs=2
train 2 stopped
grep -q 'resumed from' log || fail 'not resumed' log
same one stopped

for ranks in 1 3; do
    on $ranks "$HISS" eval one "${judge[@]}"
    [ $status -eq 0 ] || fail "eval on $ranks ranks: exit $status" log
    sed 's/"seconds": [0-9.]*//' one/eval.json >json.$ranks
    sha256sum one/generated.png one/nade-weights.png >pictures.$ranks
done
cmp json.1 json.3 || fail 'eval.json differs between 1 and 3 ranks'
cmp pictures.1 pictures.3 || fail 'pictures differ'
for title in 'Made images' 'Weights of NADE' 'probability of test images'; do
    grep -q "$title" one/report.html || fail "no $title in the report"
done
less "$(number one nats)" "$(awk -v b="$(baseline one nats)" 'BEGIN { print 0.95 * b }')" 'nats, and those of independent pixels'
train 1 control --set nade.hidden=1
on 1 "$HISS" eval control "${judge[@]}"
less "$(number one nats)" "$(number control nats)" 'nats, and those of one hidden unit'

# A probe of the hidden units, and images by themselves.
on 1 "$HISS" eval one "${judge[@]}" --set eval.linear=true --set eval.iterations=5
[ $status -eq 0 ] && grep -q 'trained/hidden' one/eval.json || fail "no probe: exit $status" log
on 1 "$HISS" sample one --output drawn.png
[ $status -eq 0 ] && cmp drawn.png one/generated.png || fail "sample: exit $status, or other images" log

refused 1 'network.layers: nade makes its own layer' "$HISS" train config.yaml --run w --set 'network.layers=[flatten]'
refused 2 'nade.hidden' "$HISS" train config.yaml --run w --set nade.hidden=0
refused 1 'augment.std: nade needs pixels of 0..1' "$HISS" train config.yaml --run w --set augment.std=0.3
[ ! -e w ] || fail 'left behind'

on 2 "$HISS" train "$HISS_ROOT/configs/nade-fashion.yaml" --run config --set data.file=data.h5 --set train.steps=2
[ $status -eq 0 ] || fail "the config: exit $status" log
echo ok
