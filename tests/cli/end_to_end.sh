# The whole way on small data: prepare from idx files (plain and gzip) and folders, train, eval, query; and every file a
# run leaves.
. "$HISS_ROOT/tests/cli/common"
small_run

is_png() {
    [ "$(head -c 8 "$1" | od -An -tx1)" = ' 89 50 4e 47 0d 0a 1a 0a' ] || fail "$1 is no PNG"
    [ "$(tail -c 8 "$1" | head -c 4)" = IEND ] || fail "$1 is cut off"
}

# ---- prepare ----

gzip -k images.idx labels.idx
"$HISS" prepare idx --images images.idx.gz --labels labels.idx.gz --output gzip.h5 --deflate 4 2>log || fail gzip log
"$HISS" prepare idx --images images.idx --labels labels.idx --output again.h5 2>log || fail 'second prepare' log
cmp data.h5 again.h5 || fail 'the same files and options give another data set'
mkdir -p folder/cat folder/dog
for i in 0 1 2 3 4 5; do
    for class in cat dog; do
        { printf 'P6\n# remark\n9 7\n255\n' && tail -c +$((i * 200 + ${#class})) images.idx | head -c 189; } >folder/$class/$i.ppm
    done
done
"$HISS" prepare folder folder --output folder.h5 --height 8 --width 8 2>log || fail 'folder of PPM' log
grep -q '12 pictures in 2 class folders' log || fail 'not every picture counted' log
if command -v pnmtojpeg >/dev/null; then pnmtojpeg folder/cat/0.ppm >folder/cat/0.jpg; fi
head -c 100 folder/dog/0.ppm >folder/dog/0.ppm.cut && mv folder/dog/0.ppm.cut folder/dog/0.ppm
refused 1 'folder/dog/0.ppm: unreadable picture' "$HISS" prepare folder folder --output broken.h5
[ ! -e broken.h5 ] && [ -z "$(find . -name '*tmp*')" ] || fail 'a failed prepare leaves files'

# ---- train ----

train 2 run --progress lines --set 'checkpoint.keep_every=2 epochs' # not left out when the disk is slow
sed '/^---/,$d' log >run.log
[ "$(grep -c '^epoch [1-5]/5 ' run.log)" -eq 5 ] || fail 'not a line per epoch' run.log
for file in config.yaml metrics.jsonl summary.yaml curves.svg report.html ckpt/step-48.h5 ckpt/step-60.h5; do
    [ -s run/$file ] || fail "no run/$file"
done
[ -z "$(find run -name '*tmp*')" ] || fail 'temporary files left'
number='-?[0-9]+(\.[0-9]+)?(e[-+][0-9]+)?'
value="($number|null|\[$number(, $number)*\])"
grep -qvE "^\{\"step\": [0-9]+(, \"[a-z_0-9]+\": $value)+\}$" run/metrics.jsonl && fail 'lines that are no JSON' run/metrics.jsonl
awk -F'[:,]' '$2 + 0 <= last { exit 1 } { last = $2 + 0 } END { exit last != 60 }' run/metrics.jsonl ||
    fail 'steps do not ascend to 60' run/metrics.jsonl
for key in loss cosine chance lr images_per_second reduce_seconds; do
    [ "$(grep -c "\"$key\": " run/metrics.jsonl)" -eq "$(wc -l <run/metrics.jsonl)" ] || fail "no $key" run/metrics.jsonl
done
for line in 'result: VALID' 'steps: 60' 'epochs: 5' 'steps_per_epoch: 12' 'parameters: [0-9]*' \
    'parameters_sha256: [0-9a-f]\{64\}' 'assignment_sha256: [0-9a-f]\{64\}' 'identity:' '  version: ".*"' \
    '  kernels: ".*"' \
    '  data: "uint8 \[600,12,12,1\], pixels .*, sha256 [0-9a-f]\{64\}"' '  config_sha256: [0-9a-f]\{64\}' \
    '  reduce: tree' 'machine:' '  host: .*' '  ranks: 2' 'seconds: [0-9.]*' 'images_per_second: [0-9.]*' 'metrics:' '  loss: [0-9.]*'; do
    grep -q "^$line$" run/summary.yaml || fail "no '$line' in summary.yaml" run/summary.yaml
done

# What the run was made with is a config, and gives the same run; so does the other way to the same data.
cp config.yaml config.copy && cp run/config.yaml config.yaml
train 1 run2 --progress lines
same run run2
cp config.copy config.yaml
train 1 run3 --set data.file=gzip.h5
same run run3

# ---- eval and query ----

small=(--set eval.iterations=20 --set eval.draws=2)
on 2 "$HISS" eval run "${small[@]}"
[ $status -eq 0 ] || fail "eval: exit $status" log
grep -q 'trained/fc1' log && grep -q 'random/conv1' log && grep -q 'raw/pixels' log || fail 'rows missing in the table' log
for file in eval.json eval.txt filters.png neighbors.png report.html; do [ -s run/$file ] || fail "no run/$file"; done
is_png run/filters.png
without_times() { sed 's/"seconds": [0-9.]*//' run/eval.json; }
without_times >two.json
on 1 "$HISS" eval run "${small[@]}"
[ $status -eq 0 ] || fail "eval: exit $status" log
without_times | cmp - two.json || fail 'eval differs between one and two ranks'
on 2 "$HISS" query run --queries 5 --neighbors 3
[ $status -eq 0 ] || fail "query: exit $status" log
is_png run/query.png
mkdir pictures && cp run/query.png run/filters.png pictures
"$HISS" prepare folder pictures --output pictures.h5 --height 32 --width 32 2>log || fail 'our PNG cannot be read' log

# What needs labels is left out where there are none, and said so; the rest is judged, the same on any number of ranks.
"$HISS" prepare idx --images images.idx --output unlabelled.h5 2>log || fail 'unlabelled' log
train 2 plain --set data.file=unlabelled.h5 --set train.epochs=1
on 1 "$HISS" query plain
[ $status -eq 0 ] || fail "query without labels: exit $status" log
for ranks in 1 3; do
    rm -f plain/neighbors.png
    on $ranks "$HISS" eval plain "${small[@]}"
    [ $status -eq 0 ] || fail "eval without labels: exit $status" log
    is_png plain/neighbors.png
    sed 's/"seconds": [0-9.]*//' plain/eval.json >plain.$ranks
    cmp plain.1 plain.$ranks || fail "eval without labels differs between 1 and $ranks ranks"
done
for judgement in knn linear few_labels; do
    for file in plain/eval.txt plain/report.html; do
        grep -q "left out: $judgement: needs labels, .* data.labels" $file || fail "$file: $judgement is silent" $file
    done
    grep -q "{\"name\": \"$judgement\", .*\"left_out\": \"needs labels" plain/eval.json || fail "$judgement" plain/eval.json
done
grep -q '^trained/z  .* [0-9]*\.[0-9][0-9] ' plain/eval.txt || fail 'nothing judged without labels' plain/eval.txt
grep -q 'tested on 100, no labels' plain/eval.txt || fail 'not said that there are no labels' plain/eval.txt

# Labels of one side: what needs those of both says which side has none.
for side in train test; do
    sides=(--set eval.train=data.h5 --set eval.test=data.h5 --set eval.$side=unlabelled.h5)
    on 2 "$HISS" eval run "${small[@]}" --set eval.random=false --set eval.layers=fc1 "${sides[@]}"
    [ $status -eq 0 ] || fail "eval without labels of $side: exit $status" log
    [ "$(grep -c 'hiss: warning: .* no training sample has' log)" -eq 0 ] || fail 'classes of nothing are missed' log
    name=${side/train/training}
    for judgement in knn linear few_labels; do
        grep -q "left out: $judgement: needs labels, and the $name samples have none; .*eval.${side}_labels, .*data.labels" \
            run/eval.txt || fail "$side: $judgement is silent" run/eval.txt
    done
    grep -q '^trained/fc1  .* [0-9]*\.[0-9][0-9] ' run/eval.txt || fail "nothing judged without labels of $side" run/eval.txt
    ! grep -q 'Green frames' run/eval.json || fail "frames by labels without those of $side" run/eval.json
done

# What a method can is judged: the auto-encoder rebuilds pictures of two halves better than by their mean colour.
halves
rebuild=("${small[@]}" --set eval.random=false --set eval.pixels=false --set eval.few_labels=false)
for objective in supervised autoencoder; do
    train 2 $objective --set objective=$objective --set train.epochs=12 --set data.mode=stream --set data.file=halves.h5 \
        --set optim.method=adam --set optim.momentum=0 --set optim.lr=0.01
    on 1 "$HISS" eval $objective "${rebuild[@]}"
    [ $status -eq 0 ] || fail "eval of $objective: exit $status" log
done
grep -q 'left out: reconstruction: the method cannot' supervised/eval.txt || fail 'supervised' supervised/eval.txt
is_png autoencoder/reconstruction.png
sed 's/"seconds": [0-9.]*//' autoencoder/eval.json >auto.1
on 3 "$HISS" eval autoencoder "${rebuild[@]}"
sed 's/"seconds": [0-9.]*//' autoencoder/eval.json | cmp - auto.1 || fail 'reconstruction differs between 1 and 3 ranks'
awk '/"name": "mse"/ { sub(/.*"baseline": /, ""); mean = $0 + 0 }
    /"reconstruction": {/ { sub(/.*"mse": /, ""); mse = $0 + 0 }
    END { exit !(mse > 0 && mean > 0 && mse < mean / 2) }' autoencoder/eval.json ||
    fail 'rebuilds no better than the mean colour' autoencoder/eval.json

# Principal components beside it: the pictures are of two dimensions, so that one component is too few, and 32 lose nothing.
pca() { sed -n 's/.*"pca_mse": \([0-9.e-]*\),.*/\1/p' "$1/eval.json" | grep . || fail "$1: no PCA" "$1/eval.json"; }
train 2 narrow --set objective=autoencoder --set autoencoder.code=1 --set train.epochs=1 --set data.file=halves.h5
on 2 "$HISS" eval narrow "${rebuild[@]}"
[ $status -eq 0 ] || fail "eval of narrow: exit $status" log
awk -v wide="$(pca autoencoder)" -v narrow="$(pca narrow)" 'BEGIN { exit !(wide + 0 < 1e-9 && narrow + 0 > 1e-4) }' ||
    fail "PCA leaves $(pca autoencoder) with 32 components, $(pca narrow) with one"
grep -q '^PCA: 32 components, the method.s code has 32; fitted on 500 training images' autoencoder/eval.txt ||
    fail 'not said what PCA it is' autoencoder/eval.txt
awk 'length($0) > 120 { bad = 1 } END { exit bad }' autoencoder/eval.txt || fail 'a table is too wide' autoencoder/eval.txt
echo ok
