# Starting from another run, and leaving parts of a network as they are: what is copied and what is not is said; frozen
# arrays are those of the source to the last bit; ranks, threads, stops and a lost source show in no bit.
. "$HISS_ROOT/tests/cli/common"
small_run

# common RUN RUN: how many arrays of the model are the same in both after 24 steps.
common() { comm -12 <(model "$1") <(model "$2") | grep -c . || :; }
model() { "$(dirname "$HISS")/tests/cli/array_sums" "$1/ckpt/step-24.h5" | grep ^/model/ | sort; }
said() { grep -qF -- "$1" log || fail "not said: $1" log; }

train 2 source --set objective=autoencoder --set train.epochs=2
fine=(--set objective=supervised --set train.init=source --set train.epochs=2 --set optim.weight_decay=1e-2)
frozen=("${fine[@]}" --set 'train.freeze=[conv1]')

# ---- what is copied, and what is not ----

train 1 fine "${fine[@]}"
said 'init: 11 arrays from source/ckpt/step-24.h5: conv1/weight, conv1/bias, conv1/norm/gamma'
said 'init: 2 arrays keep their own initial values: scores/weight, scores/bias'
said 'arrays of the source are not used: code/weight, decoder1/'
sum=$(tail -c 65 source/ckpt/step-24.h5)
grep -q "^  init_sha256: $sum\$" fine/summary.yaml || fail 'no identity of the source' fine/summary.yaml
! grep 'of weights' log || fail 'a warning where all but the scores came over' log
train 1 other "${fine[@]}" --set 'network.layers=[{conv: 4, kernel: 5, pad: 2, name: conv1}, {max_pool: 2}, batch_norm, relu, flatten, {linear: 16, bias: false, name: fc1}]'
said 'init: 6 arrays from'
said 'keep their own initial values: conv1/weight (there float32 [4,3,3,1]), '
# Norms and biases that fit are no network: a warning, unless half of the weights came over.
! grep 'of weights' log || fail 'a warning where most weights came over' log
little='network.layers=[{conv: 4, kernel: 5, pad: 2, name: conv1}, {max_pool: 3}, batch_norm, relu, flatten, {linear: 16, bias: false, name: fc1}, batch_norm, relu]'
shapes='conv1/weight (float32 [4,5,5,1], there float32 [4,3,3,1]), fc1/weight (float32 [16,64], there float32 [16,144])'
train 2 little "${fine[@]}" --set train.steps=1 --set "$little"
said "hiss: warning: init: 0 of 3 arrays of weights, 0.0 % of their values, came from source/ckpt/step-24.h5; the others begin at random: $shapes, scores/weight"
[ "$(grep -c 'of weights' log)" -eq 1 ] || fail 'not one warning' log
train 1 few "${fine[@]}" --set train.steps=1 --set "$little" --set 'train.init_layers=[conv1]'
said "0 of 1 arrays of weights, 0.0 % of their values, came from source/ckpt/step-24.h5; the others begin at random: ${shapes%%, fc1*}"
train 1 anew --set objective=supervised --set train.epochs=2 --set optim.weight_decay=1e-2
cmp -s <(hashes fine) <(hashes anew) && fail 'train.init does nothing'
! grep -q init_sha256 anew/summary.yaml || fail 'a source of a run without one'
train 1 by-file "${fine[@]}" --set train.init=source/ckpt/step-24.h5
same fine by-file

# ---- frozen: equal to the source; on any number of ranks; with norms, of which they are no part ----

[ "$(common source fine)" -eq 0 ] || fail 'training leaves arrays as they are'
variants=("optim.momentum=0.9" "optim.method=lamb optim.momentum=0 optim.lr=0.01 optim.clip_norm=0.5" "objective=nat train.freeze=[conv1,fc1]")
counts=(6 6 11)
for k in "${!variants[@]}"; do
    sets=("${frozen[@]}")
    for setting in ${variants[k]}; do sets+=(--set "$setting"); done
    train 1 "frozen-$k" "${sets[@]}"
    grep -q 'model: .* frozen' log || fail 'not said how many are frozen' log
    [ "$(common source "frozen-$k")" -eq "${counts[k]}" ] ||
        fail "not ${counts[k]} arrays as in the source: ${variants[k]}" log
    train 2 "ranks-$k" "${sets[@]}" --threads 2 --set dist.bucket=1KiB
    same "frozen-$k" "ranks-$k"
    train 3 "parts-$k" "${sets[@]}" --set train.steps=7
    mv source lost
    train 2 "parts-$k" "${sets[@]}" --set train.steps=17
    mv lost source
    train 1 "parts-$k" "${sets[@]}"
    said 'resumed from'
    same "frozen-$k" "parts-$k"
    cmp -s <(grep init_sha256 "frozen-$k/summary.yaml") <(grep init_sha256 "parts-$k/summary.yaml") ||
        fail 'the source is forgotten' "parts-$k/summary.yaml"
done
train 1 some "${fine[@]}" --set 'train.init_layers=[conv1/norm, fc1]'
said 'init: 9 arrays from source/ckpt/step-24.h5: conv1/norm/gamma'
said 'init: 4 arrays keep their own initial values: conv1/weight, conv1/bias, scores/weight, scores/bias'
said 'arrays of the source are not used: code/weight, conv1/bias, conv1/weight, decoder1/'
train 1 random --set objective=supervised --set 'train.freeze=[conv1, fc1/norm]' # a control: frozen at random
on 1 "$HISS" eval fine
[ $status -eq 0 ] || fail 'no evaluation' log

# ---- refused ----

mistake() {
    local text=$1
    shift
    refused $((RANDOM % 2 + 1)) "$text" "$HISS" train config.yaml --run mistake --set objective=supervised "$@"
    [ ! -e mistake ] || fail "a run that could not begin leaves $(find mistake)"
}
cp config.yaml other.yaml
sed -i 's/^train: {/&freeze: [conv1, con], /' config.yaml
mistake "config.yaml:18:25: train.freeze: 'con' has no parameters, nor has anything that begins with it and '/'; parameters are in conv1, conv1/norm, fc1, fc1/norm, scores"
mv other.yaml config.yaml
mistake "error: --set train.freeze: 'weight' has no parameters" --set train.freeze=weight
for key in freeze init_layers; do
    for wrong in '[[conv1]]|a list' '{conv1: 2}|a map' '[{conv1: 2}]|a map' "[conv1, '']|nothing"; do
        mistake "error: --set train.$key: expected names of layers, as in [conv1, conv2], found ${wrong#*|}" \
            --set train.init=source --set "train.$key=${wrong%|*}"
    done
done
mistake 'leaves nothing to train; name fewer layers' --set 'train.freeze=[conv1, fc1, scores]'
only=(--set train.init=source --set)
mistake "--set train.init_layers: 'con' has no parameters, nor has anything that begins with it and '/'; parameters are in conv1, conv1/norm, fc1, fc1/norm, scores" \
    "${only[@]}" 'train.init_layers=[conv1, con]'
mistake "--set train.init_layers: 'scores' is not taken over: source/ckpt/step-24.h5 has no scores/weight; leave it out" \
    "${only[@]}" 'train.init_layers=[conv1, scores]'
wide=(--set "network.layers=[{conv: 4, kernel: 5, pad: 2, name: conv1}, flatten, {linear: 16, bias: false, name: fc1}]")
fc1='fc1/weight is float32 [16,576] in this network, and float32 [16,144] in source/ckpt/step-24.h5'
for also in '' conv1,; do
    mistake "error: --set train.init_layers: 'fc1' is not taken over: $fc1; leave it out, or use the source's section network" \
        "${only[@]}" "train.init_layers=[${also}fc1]" "${wide[@]}"
done
# Of a frozen layer all arrays are the source's: norms and biases that fit do not make up for weights that do not.
here='float32 [4,5,5,1] in this network, and float32 [4,3,3,1] in source/ckpt/step-24.h5'
narrow='[{conv: 4, kernel: 3, pad: 1, name: conv1}, {max_pool: 2}, relu, flatten, {linear: 16, bias: false, name: fc1}]'
train 1 bare --set objective=autoencoder --set train.steps=1 --set "network.layers=$narrow"
wide=('network.layers=[{conv: 4, kernel: 5, pad: 2, name: conv1}, {max_pool: 2}, batch_norm, relu, flatten, {linear: 16, bias: false, name: fc1}]')
mistake "--set train.freeze: 'conv1' would stay at initial values: conv1/weight is $here; name only what fits, or use the source's section network" \
    "${only[@]}" 'train.freeze=[fc1, conv1]' --set "${wide[@]}"
mistake "'conv1/norm' would stay at initial values: bare/ckpt/step-1.h5 has no conv1/norm/gamma; name only what" \
    --set train.init=bare --set train.freeze=conv1/norm
mistake "--set train.freeze: 'conv1' would stay at initial values: train.init_layers leaves out conv1/weight; name it there, too, or leave it out here" \
    "${only[@]}" train.init_layers=fc1 --set train.freeze=conv1
# No group of a method may stand still, whether its methods have phases or not; one layer that is left is enough.
d=discriminator1,discriminator2
still() { # METHOD LEFT LAYERS GROUP...
    local sets=(--set augment.contrast=0 --set "network.layers=${network:-null}" --set network.width=2 --set train.steps=1 --set "objective=$1")
    mistake "--set train.freeze: leaves nothing to train of group ${*:4} of $1; name fewer of its layers: " "${sets[@]}" \
        --set "train.freeze=[$2,$3]"
    train 1 "still-$1-$4" "${sets[@]}" --set "train.freeze=[$3]"
}
still gan real $d discriminator in phase 1 of 2
still gan generator3 generator1,generator2 generator in phase 2 of 2
still bigan discriminator3 $d,discriminator2_latent discriminator
network='[flatten, {linear: 4, name: fc1}]' still bigan fc1 latent,generator1,generator2,generator2_latent,generator3 generator
still context_encoder discriminator_logit $d discriminator
still rbm rbm1/weight rbm1/visible,rbm1/hidden rbm1 in phase 1 of 4
mistake 'train.freeze: leaves nothing to train; name fewer layers' --set objective=nat --set 'train.freeze=[conv1, fc1, out]'
mistake '--set train.init: the source nowhere does not exist' --set train.init=nowhere
mistake '--set train.init: config.yaml: no checkpoint, or not all of one' --set train.init=config.yaml
mkdir empty
mistake '--set train.init: empty has no checkpoint; expected the directory of a run, with ckpt/step-N.h5 in it, or the path of such a file' \
    --set train.init=empty
mkdir -p runs/one/ckpt runs/two/ckpt runs/none files begun
cp config.yaml begun && touch files/b.h5 files/a.h5
mistake '--set train.init: runs has no checkpoint; name one of the runs in it: runs/one, runs/two' --set train.init=runs
mistake 'files has no checkpoint; name one of the files in it, if they are checkpoints: files/a.h5, files/b.h5' --set train.init=files
mistake 'begun has no checkpoint: that run has not come to its first one; let it go on (hiss train begun/config.yaml --run begun)' \
    --set train.init=begun
for k in $(seq 40); do mkdir -p "many/run-of-the-number-$k/ckpt"; done
mistake 'many/run-of-the-number-1, many/run-of-the-number-10, ' --set train.init=many
grep -q 'many/run-of-the-number-[0-9]*, \.\.\.$' log || fail 'a list that is cut in a word' log
for folder in source/ckpt source/ckpt/; do
    mistake "--set train.init: $folder is where a run keeps its checkpoints; name that run, or a file in $folder" \
        --set train.init=$folder
done
mistake 'nothing in source/ckpt/step-24.h5 has the name and shape of an array of this network, which has first/weight, first/bias' \
    --set train.init=source --set 'network.layers=[flatten, {linear: 3, name: first}]'
head -c 3000 source/ckpt/step-24.h5 >cut.h5
mistake '--set train.init: cut.h5: no checkpoint, or not all of one' --set train.init=cut.h5
contents fine >before
refused 2 'made from another source: expected source with SHA-256 ' "$HISS" train config.yaml --run fine "${fine[@]}" --set train.init=other
contents fine | cmp -s - before || fail 'a refused run is changed'
echo ok
