# Judging made images: by a fixed classifier, beside training images, the network before training and independent pixels;
# the same on 1 and 3 ranks; trained images are nearer to test images than those of independent pixels, and of more
# classes; what is left out without a classifier is said; which classifiers are refused.
. "$HISS_ROOT/tests/cli/common"
small_run
halves
judge=(--set eval.knn=false --set eval.linear=false --set eval.few_labels=false --set eval.statistics=false
    --set eval.neighbors=false --set eval.filters=false --set eval.random=false --set eval.pixels=false
    --set eval.likelihood=false --set eval.reconstruction=false --set eval.train=halves.h5 --set eval.test=halves.h5)
# number RUN NAME: what eval.json says of it.
number() {
    awk -v name="\"$2\"" '/"generation": {/ && match($0, name ": ") { print substr($0, RSTART + RLENGTH) + 0; exit }' \
        "$1/eval.json" | grep . || fail "$1: eval.json has no $2" "$1/eval.json"
}

train 1 classifier --set objective=supervised --set data.file=halves.h5 --set augment.contrast=0 --set train.epochs=10 \
    --set augment.mean=0.5 --set augment.std=0.25
cp config.yaml nat.yaml
sed -i 's/^seed:/objective: vae\nseed:/; s/^augment: .*/augment: {shift: 0}/; s/^nat: .*/vae: {latent: 4, hidden: 48, decoder: dense, binarize: false}/
    s/^assign: .*//; s/^optim: .*/optim: {method: adam, momentum: 0, lr: 0.01}/' config.yaml
sed -i '/dropout/d; s/data.h5/halves.h5/' config.yaml
train 1 vae --set train.epochs=20

# ---- numbers ----

for ranks in 1 3; do
    on $ranks "$HISS" eval vae "${judge[@]}" --set eval.classifier=classifier
    [ $status -eq 0 ] || fail "eval on $ranks ranks: exit $status" log
    sed 's/"seconds": [0-9.]*//' vae/eval.json >json.$ranks
    sha256sum vae/generated.png vae/generated_neighbors.png >pictures.$ranks
done
cmp json.1 json.3 || fail 'eval.json differs between 1 and 3 ranks'
cmp pictures.1 pictures.3 || fail 'pictures differ'

awk 'length($0) > 120 { bad = 1 } END { exit bad }' vae/eval.txt || fail 'a line is too wide' vae/eval.txt
for text in 'Made images' 'independent pixels' 'Frechet distance'; do
    grep -q "$text" vae/report.html || fail "no $text in the report"
done
[ "$(number vae entropy_most)" = 2.3026 ] || fail "log(10) is $(number vae entropy_most)"
less 80 "$(number vae right_test)" 'test images that are right'
less "$(number vae frechet_training)" "$(number vae frechet)" 'Frechet distance of training, and of made images'
for other in independent untrained; do
    less "$(number vae frechet)" "$(number vae frechet_$other)" "Frechet distance of made images, and $other"
done
less 1.5 "$(number vae entropy)" 'entropy'
less "$(number vae nearest_test)" "$(number vae nearest)" 'test images that are training images, and made ones'

# A checkpoint is a classifier, too; fewer images are others. The seed of the run draws them.
cp json.1 all
on 1 "$HISS" eval vae "${judge[@]}" --set eval.classifier="$(ls classifier/ckpt/*.h5 | sort -V | tail -n 1)"
[ $status -eq 0 ] || fail "a checkpoint: exit $status" log
sed 's/"seconds": [0-9.]*//; s/classifier: [^;]*;//' vae/eval.json | cmp - <(sed 's/classifier: [^;]*;//' all) ||
    fail 'the newest checkpoint and the run differ'
on 2 "$HISS" eval vae "${judge[@]}" --set eval.classifier=classifier --set eval.generated=12
[ $status -eq 0 ] || fail "12 images: exit $status" log
grep -q 'over 12 images of each kind, which are too few for so many values' vae/eval.json || fail '12 are not too few' vae/eval.txt

# ---- what is left out ----

on 2 "$HISS" eval vae "${judge[@]}"
[ $status -eq 0 ] || fail "without a classifier: exit $status" log
grep -q 'left out: entropy of classes and Frechet distance: .* eval.classifier' vae/eval.json || fail 'silent' vae/eval.txt
! grep -q '"frechet"' vae/eval.json || fail 'a distance without a classifier'
[ "$(number vae nearest)" = "$(sed -n 's/.*"nearest": \([0-9.]*\),.*/\1/p' all | head -n 1)" ] || fail 'another distance' all
on 1 "$HISS" train nat.yaml --run nat --set train.epochs=1
on 1 "$HISS" eval nat "${judge[@]}" --set eval.classifier=classifier
[ $status -eq 0 ] && grep -q 'the method makes no images' nat/eval.txt || fail "no generator: exit $status" log

# ---- images by themselves ----

on 2 "$HISS" sample vae --rows 2 --columns 3
[ $status -eq 0 ] && [ -s vae/samples.png ] || fail "sample: exit $status" log
for name in x.wav x.jpg x - .png; do
    refused 1 "--output $name: vae makes images; expected a name that ends with .png" "$HISS" sample vae --output $name
done
refused 1 'data.h5 is a file; give the directory of a run, and a checkpoint of it by --checkpoint' "$HISS" sample data.h5
refused 1 '--class: vae of this config cannot be asked for a class' "$HISS" sample vae --class 2

# ---- what is refused ----

refused 2 'eval.classifier: the classifier nowhere does not exist' "$HISS" eval vae --set eval.classifier=nowhere
objects=$(dirname "$HISS")/tests/cli/objects_h5
"$odd_h5" targets.h5 images=u8:600x12x12x1 targets=u8:600x10:1
on 1 "$HISS" train nat.yaml --run targets --set objective=classify --set classify.targets=true --set data.file=targets.h5 --set 'data.labels=""' \
    --set data.fields.targets=/targets --set train.epochs=1
refused 2 'eval.classifier: targets has learnt targets (classify.targets), of which an image may have several; name a run of' \
    "$HISS" eval vae "${judge[@]}" --set eval.classifier=targets
cp halves.h5 named.h5
"$objects" name named.h5 / a,b,c,d,e,f,g,h,i,j
on 1 "$HISS" train nat.yaml --run named --set objective=classify --set data.file=named.h5 --set train.epochs=1
"$objects" name halves.h5 / a,b,d,c,e,f,g,h,i,j
refused 2 "eval.classifier: named/ckpt/step-12.h5 has learnt other classes than those of halves.h5, or in another order: \
number 2 (from 0) was expected to be 'c', and is 'd'; train one on the data of this run" "$HISS" eval vae "${judge[@]}" \
    --set eval.classifier=named
on 1 "$HISS" eval vae "${judge[@]}" --set eval.classifier=classifier # its classes are numbers
[ $status -eq 0 ] || fail "a classifier of numbers: exit $status" log
refused 1 'eval.classifier: nat is a run of objective nat; name a run of objective classify' "$HISS" eval vae \
    --set eval.classifier=nat
for file in config.yaml classifier/config.yaml; do
    refused 2 "eval.classifier: $file is neither a run nor one of its checkpoints" "$HISS" eval vae --set eval.classifier=$file
done
on 1 "$HISS" train nat.yaml --run larger --set objective=supervised --set augment.height=14 --set augment.width=14 --set train.epochs=1
refused 3 'eval.classifier: larger judges images of 14x14x1, but 12x12x1 are made' "$HISS" eval vae --set eval.classifier=larger
"$odd_h5" eleven.h5 /images=u8:600x12x12 /labels=i32:600:10@17
on 1 "$HISS" train nat.yaml --run eleven --set objective=supervised --set data.file=eleven.h5 --set train.epochs=1
[ $status -eq 0 ] || fail "other classes: exit $status" log
refused 1 "eval.classifier: eleven tells 11 classes, but there are 10 here" "$HISS" eval vae --set eval.classifier=eleven
colors
"$HISS_ROOT/tools/tiny_data" wide 600 16
"$HISS" prepare idx --images wide/images.idx --labels wide/labels.idx --output wide.h5 2>log || fail 'no wide data' log
for data in colors wide; do
    on 1 "$HISS" train nat.yaml --run $data --set objective=supervised --set data.file=$data.h5 --set train.steps=1
    [ $status -eq 0 ] || fail "a classifier of $data: exit $status" log
    refused 2 "eval.classifier: $data was trained on other images than those of 12x12x1 that are made; train one on the data of this run, with objective classify" \
        "$HISS" eval vae --set eval.classifier=$data
done
mkdir empty
refused 2 'eval.classifier: empty is not a run: it has no config.yaml' "$HISS" eval vae --set eval.classifier=empty
[ ! -e r ] || fail 'a run of nothing'
echo ok
