# The denoising auto-encoder: same bits on any number of ranks and threads, exact resume, the same evaluation on 1 and 3
# ranks; it cleans better than the best linear filter, where the control that has never seen noise does not; every
# corruption, decoder and loss; what it refuses. The auto-encoder's losses and decoders beside it.
. "$HISS_ROOT/tests/cli/common"
small_run
cat >config.yaml <<'END'
objective: denoising
seed: 3
data: {file: data.h5}
augment: {shift: 1, flip: true}
network: {layers: [flatten]}
denoising: {code: 100, decoder: tied}
corruption: {kind: masking, level: 0.5}
optim: {method: adam, momentum: 0, lr: 0.01}
train: {epochs: 5, lanes: 12, lane_samples: 4}
checkpoint: {every: 2 epochs}
END
judge=(--set eval.knn=false --set eval.linear=false --set eval.few_labels=false --set eval.statistics=false
    --set eval.neighbors=false --set eval.filters=false --set eval.random=false --set eval.pixels=false
    --set eval.train=data.h5 --set eval.test=data.h5)
judged() {
    on "$1" "$HISS" eval "$2" "${judge[@]}" "${@:3}"
    [ $status -eq 0 ] || fail "eval of $2 on $1 ranks: exit $status" log
}
# number RUN JUDGEMENT NAME: what eval.json says of it; baseline RUN NAME: the images as they are.
number() {
    awk -v of="\"$2\": {" -v name="\"$3\": " 'index($0, of) && match($0, name) { print substr($0, RSTART + RLENGTH) + 0 }' \
        "$1/eval.json" | grep . || fail "$1: eval.json has no $2 $3" "$1/eval.json"
}

# ---- bits ----

train 1 one
for ranks in 2 5 7; do
    train $ranks ranks-$ranks --set dist.threads=$((ranks % 3)) --set train.activation_memory=0
    same one ranks-$ranks
done
train 3 stopped --set train.steps=17
train 2 stopped
grep -q 'resumed from' log || fail 'not resumed' log
same one stopped

# ---- what evaluation says ----

train 2 long --set train.epochs=100 --set augment.shift=0 --set augment.flip=false
judged 1 long
tr '\n' ' ' <long/eval.txt | grep -q 'linear filter: .* covariance of 600 *training images' ||
    fail 'not said what the filter is fitted on' long/eval.txt
sed 's/"seconds": [0-9.]*//' long/eval.json >json.1
cp long/denoising.png .
judged 3 long
sed 's/"seconds": [0-9.]*//' long/eval.json | cmp - json.1 || fail 'eval.json differs between 1 and 3 ranks'
cmp denoising.png long/denoising.png || fail 'pictures differ'
grep -q 'clean, corrupted, cleaned by the method' long/report.html || fail 'no picture in the report'
awk 'length($0) > 120 { bad = 1 } END { exit bad }' long/eval.txt || fail 'a table is too wide' long/eval.txt
less "$(number long denoising mse)" "$(number long denoising linear_mse)" 'cleaned, and by the linear filter'
less "$(number long denoising linear_mse)" 0.1 'by the linear filter'

# The control has seen no noise, and there is nothing for it to clean but the noise of the evaluation.
train 2 control --set train.epochs=100 --set augment.shift=0 --set augment.flip=false --set corruption.level=0
judged 1 control
grep -q 'left out: denoising: .*its level is 0' control/eval.txt || fail 'cleans nothing, silently' control/eval.txt
judged 2 control --set corruption.level=0.5
less "$(number long denoising linear_mse)" "$(number control denoising mse)" 'the linear filter, and the control'
[ "$(number control denoising linear_mse)" = "$(number long denoising linear_mse)" ] || fail 'another linear filter'
less "$(number control reconstruction mse)" "$(number long reconstruction mse)" 'clean images of the control, and of'

# ---- other corruptions, losses and decoders ----

for more in 'corruption.kind=salt_and_pepper' 'corruption.kind=gaussian denoising.loss=squared augment.contrast=0.2' \
    'denoising.decoder=convolutional network.layers=null network.width=2' 'objective=autoencoder autoencoder.loss=bernoulli' \
    'objective=autoencoder autoencoder.decoder=dense augment.height=10'; do
    sets=()
    for set in $more; do sets+=(--set "$set"); done
    train 1 "a-$more" "${sets[@]}" --set train.epochs=1
    train 3 "b-$more" "${sets[@]}" --set train.epochs=1
    same "a-$more" "b-$more"
    [ "$(hashes one)" != "$(hashes "a-$more")" ] || fail "$more changes nothing"
    judged 2 "a-$more"
    less "$(number "a-$more" reconstruction mse)" 1 "$more"
done
grep -q 'left out: denoising: the method does not clean' "a-$more/eval.txt" || fail 'an autoencoder cleans' "a-$more/eval.txt"

# The linear filter is left out where images are too large for it, and it says so.
train 2 large --set augment.height=56 --set augment.width=56 --set denoising.code=4 --set train.epochs=1
judged 2 large
tr '\n' ' ' <large/eval.txt | grep -q 'left out: the linear filter: .* at most 3072 values, *these have 3136' ||
    fail 'the filter is silent' large/eval.txt
! grep -q linear_mse large/eval.json || fail 'a filter of large images' large/eval.json

# ---- what it refuses ----

wrong() { refused "$1" "$2" "$HISS" train config.yaml --run r "${@:3}"; }
wrong 1 'augment.std: denoising needs pixels of 0..1' --set augment.std=0.5
wrong 2 'set it 0, or denoising.loss squared' --set augment.contrast=0.2
wrong 1 'augment.mean: the Bernoulli loss needs pixels of 0..1' --set augment.mean=0.5 --set objective=autoencoder \
    --set autoencoder.loss=bernoulli
wrong 2 'denoising.decoder: tied weights lead' --set 'network.layers=[flatten, {linear: 9}]'
wrong 1 'choose denoising.decoder: tied' --set denoising.decoder=convolutional --set augment.height=10
wrong 2 'corruption.level' --set corruption.level=1.5
[ ! -e r ] || fail 'a run of nothing'
echo ok
