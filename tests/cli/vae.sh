# The variational auto-encoder: same bits on any number of ranks and threads, exact resume, the same evaluation on 1 and 3
# ranks; better than independent pixels, where the control whose latent knows nothing of the image is not; what it
# refuses.
. "$HISS_ROOT/tests/cli/common"
small_run
halves
sed -i 's/^seed:/objective: vae\nseed:/; s/^augment: .*/augment: {shift: 1, flip: true}/; s/^nat: .*/vae: {latent: 4, hidden: 24}/
    s/^assign: .*//; s/^optim: .*/optim: {method: adam, momentum: 0, lr: 0.01}/' config.yaml
sed -i '/dropout/d; s/data.h5/halves.h5/' config.yaml

judge=("${own_judgements[@]}" --set eval.train=halves.h5 --set eval.test=halves.h5 --set eval.latent_draws=8)

# ---- bits ----

train 1 one
for ranks in 2 5; do
    train $ranks ranks-$ranks --set dist.threads=$((ranks % 3))
    same one ranks-$ranks
done
train 3 stopped --set train.epochs=2
train 2 stopped
grep -q 'resumed from' log || fail 'not resumed' log
same one stopped

# ---- what evaluation says ----

on 1 "$HISS" eval one "${judge[@]}"
[ $status -eq 0 ] || fail "eval: exit $status" log
cp one/eval.txt eval.1
sed 's/"seconds": [0-9.]*//' one/eval.json >json.1
cp one/generated.png one/interpolation.png .
on 3 "$HISS" eval one "${judge[@]}"
[ $status -eq 0 ] || fail "eval on 3 ranks: exit $status" log
sed 's/"seconds": [0-9.]*//' one/eval.json | cmp - json.1 || fail 'eval.json differs between 1 and 3 ranks'
cmp generated.png one/generated.png && cmp interpolation.png one/interpolation.png || fail 'pictures differ'
for title in 'Made images' 'Between images' 'independent pixels'; do
    grep -q "$title" one/report.html || fail "no $title in the report"
done
awk 'length($0) > 120 { bad = 1 } END { exit bad }' one/eval.txt || fail 'a table is too wide' one/eval.txt
less "$(number one importance)" "$(number one bound)" 'the importance-weighted bound'
less "$(number one importance)" "$(baseline one importance)" 'trained, and independent pixels'
sum=$(awk -v a="$(number one reconstruction)" -v b="$(number one divergence)" 'BEGIN { print a + b }')
awk -v a="$sum" -v b="$(number one bound)" 'BEGIN { exit !(a - b < 0.01 && b - a < 0.01) }' ||
    fail "the terms give $sum, the bound is $(number one bound)"

# Images by themselves: those of the evaluation, others by another seed, on any number of ranks.
on 1 "$HISS" sample one --output drawn.png
[ $status -eq 0 ] && cmp drawn.png one/generated.png || fail "sample: exit $status, or other images" log
on 2 "$HISS" sample one --output other.png --seed 5 --rows 2 --columns 3
grep -q 'other.png: 6 images drawn by seed 5' log || fail 'not said' log
! cmp -s drawn.png other.png || fail 'the same images by another seed'
train 1 plain --set objective=autoencoder --set train.epochs=1 --set augment.height=12
refused 1 'objective: autoencoder makes no images' "$HISS" sample plain
[ ! -e plain/samples.png ] || fail 'a picture of nothing'

# More draws make the importance-weighted bound tighter, and leave the other.
on 1 "$HISS" eval one "${judge[@]}" --set eval.latent_draws=64
less "$(number one importance)" "$(sed -n 's/.*"importance": \([0-9.]*\).*/\1/p' json.1 | head -n 1)" '64 draws, and 8'

# The control: what is drawn from the prior says nothing of the image.
train 2 control --set vae.source=prior --set train.epochs=10
on 2 "$HISS" eval control "${judge[@]}"
[ $status -eq 0 ] || fail "eval of the control: exit $status" log
less "$(number control divergence)" 0.5 'divergence of the control'
less 0.5 "$(number one divergence)" 'the divergence of the control, and'
less "$(number one bound)" "$(number control bound)" 'the bound, and that of the control'

# ---- other likelihoods and decoders ----

for more in 'vae.likelihood=gaussian vae.deviation=0.3' 'vae.decoder=convolutional network.width=2' vae.binarize=false; do
    sets=()
    for set in $more; do sets+=(--set "$set"); done
    train 1 "a-$more" "${sets[@]}" --set train.epochs=2
    train 3 "b-$more" "${sets[@]}" --set train.epochs=2
    same "a-$more" "b-$more"
    on 2 "$HISS" eval "a-$more" "${judge[@]}"
    [ $status -eq 0 ] || fail "eval of $more: exit $status" log
done
grep -q 'no density' 'a-vae.binarize=false/eval.txt' || fail 'grey pixels as if they were binary' 'a-vae.binarize=false/eval.txt'
grep -q 'by a density: a Gaussian of deviation 0.3' 'a-vae.likelihood=gaussian vae.deviation=0.3/eval.txt' || fail 'no density'

# Principal components are left out where images are too large for them, and it says so.
grep -q '^PCA: 4 components, the method.s code has 4' one/eval.txt || fail 'no PCA of 4 components' one/eval.txt
train 2 large --set augment.height=56 --set augment.width=56 --set train.epochs=1
on 2 "$HISS" eval large "${judge[@]}"
[ $status -eq 0 ] || fail "eval of large images: exit $status" log
grep -q '^left out: PCA: .* at most 3072 values .* these have 3136 and 4' large/eval.txt || fail 'PCA is silent' large/eval.txt
! grep -q pca_mse large/eval.json || fail 'PCA of large images' large/eval.json

# ---- what it refuses ----

refused 1 'augment.std: vae needs pixels of 0..1' "$HISS" train config.yaml --run r --set augment.std=0.5
refused 2 'augment.mean: vae needs pixels of 0..1' "$HISS" train config.yaml --run r --set augment.mean=0.5
refused 1 'augment.mean: vae needs pixels of 0..1' "$HISS" train config.yaml --run r --set augment.mean=auto
refused 1 'augment.normalize: vae needs pixels of 0..1' "$HISS" train config.yaml --run r --set augment.normalize=image
# Pixels of 0..255 taken as they are: an error of every method that takes them for probabilities, not a bad result.
for method in vae denoising stacked rbm dbm 'autoencoder autoencoder.loss=bernoulli'; do
    refused 1 "expected 0..1, which are 0..1 to ${method%% *}: replace them, or set data.range to values that hold all" "$HISS" train config.yaml --run r --set network.layers=null \
        --set augment.contrast=0 --set data.labelled=0 --set "objective=${method%% *}" $([ "$method" = "${method#* }" ] || echo "--set ${method#* }") \
        --set 'data.range=[0, 1]'
done
refused 1 'make larger ones; set it 0, or vae.binarize true' "$HISS" train config.yaml \
    --run r --set augment.contrast=0.2 --set vae.binarize=false
refused 1 'choose vae.decoder: dense' "$HISS" train config.yaml --run r --set vae.decoder=convolutional \
    --set augment.height=10 --set augment.width=12
[ ! -e r ] || fail 'a run of nothing'
echo ok
