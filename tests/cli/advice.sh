# What an error says to do can be done, by who has the file, and by who has only --set: with the advice followed, and nothing
# else, the command works.
. "$HISS_ROOT/tests/cli/common"
small_run
colors
others

# follow TEXT COMMAND...: the error has TEXT. The --set that it names are added until there is no error.
follow() {
    local text=$1 turn advice
    shift
    refused 1 "$text" "$@"
    for turn in 1 2 3 4 5 6 7 8; do
        advice=$(grep 'hiss: error:' log | grep -o -e '--set [a-z_.]*=[^ ,;]*') || fail "no --set in the advice, turn $turn: $*" log
        # shellcheck disable=SC2086
        set -- "$@" $(sort -u <<<"$advice")
        on 1 "$@"
        [ $status -ne 0 ] || break
    done
    [ $status -eq 0 ] || fail "the advice does not help: $*" log
    rm -rf new
}
# ways TEXT COMMAND...: the error has TEXT. Each of the ways out that it names, as (--set KEY=VALUE ...), leads out by itself:
# the next message, if there is one, is another, and its own ways lead out in turn. found: how many there are.
ways() {
    local text=$1 error way ways depth=$((${depth:-0} + 1))
    shift
    [ $depth -le 4 ] || fail "advice leads from error to error: $*" log
    refused 1 "$text" "$@"
    error=$(grep -o 'hiss: error: .*' log)
    ways=$(grep -o '(--set [^)]*)' <<<"$error" | tr -d '()' | grep .) || fail "no way out: $*" log
    while read -r way; do
        # shellcheck disable=SC2086
        on 1 "$@" $way
        rm -rf new
        [ $status -ne 0 ] || continue
        ! grep -qF -- "$error" log || fail "the advice does not help: $way" log
        # shellcheck disable=SC2086
        ways '' "$@" $way
    done <<<"$ways"
    found=$(wc -l <<<"$ways")
}
short=(--run new --set train.epochs=1 --set train.steps=1)
train=("$HISS" train config.yaml "${short[@]}")

# Sections and keys of the file that another key leaves without effect.
cp config.yaml plain.yaml
sed -i 's/^data: .*/data: {generate: synthetic}\ngenerate: {rows: 60}\neval: {generate: {rows: 60}}/' config.yaml
follow 'generate: has no effect while data.generate is none' "${train[@]}" --set data.generate=none --set data.file=data.h5
follow 'generate: has no effect' "${train[@]}" --set data.generate=none --set data.file=data.h5 --set eval.generate.rows=4
sed 's|^data: .*|data: {file: data.h5, images: /a, labels: /b, label_column: 0, fields: {clip: /c}, layout: NHW, range: [0, 9]}|' \
    plain.yaml >config.yaml
follow 'data.file: speaks of samples in a file' "${train[@]}" --set data.generate=synthetic
for key in images=/a labels=/b label_column=0 'fields={clip: /c}' layout=NHW 'range=[0, 9]'; do
    follow "data.${key%%=*}: speaks of samples in a file" "${train[@]}" --set data.generate=synthetic --set data.file=null \
        --set data.images=/images --set data.labels=/labels --set data.label_column=-1 --set data.fields=null \
        --set data.layout=null --set data.range=null --set "data.$key"
done
mv plain.yaml config.yaml

# Layers of the file, for methods that have their own, and for those that cannot use them.
own=(--set augment.contrast=0 --set data.labelled=5 --set optim.method=adam --set optim.momentum=0)
for method in $(methods); do
    # shellcheck disable=SC2207
    data=(--set data.file=colors.h5 $(other_data $method))
    [ $method != word2vec ] || data+=(--set data.labelled=0)
    on 1 "${train[@]}" --set objective=$method "${own[@]}" "${data[@]}"
    rm -rf new
    ! grep -q 'hiss: error: .*: network.layers: ' log ||
        follow 'network.layers: ' "${train[@]}" --set objective=$method "${own[@]}" "${data[@]}"
done
follow 'network.layers has no layers' "${train[@]}" --set 'network.layers=[]'
follow 'augment.mean: vae needs pixels of 0..1' "${train[@]}" --set objective=vae --set augment.contrast=0 \
    --set augment.mean=0.3
follow 'augment.std: vae needs pixels of 0..1' "${train[@]}" --set objective=vae --set augment.contrast=0 \
    --set augment.std=0.3 --set augment.mean=auto

# Room for patches: of images as they are, of a canvas, with keys that are there or not.
layers='network.layers=[{conv: 4, kernel: 3, name: conv1}, relu, flatten]'
room() { # METHOD WAYS TEXT SETTING...
    local sets=() setting
    for setting in "${@:4}"; do sets+=(--set "$setting"); done
    ways "$3" "${train[@]}" --set objective="$1" --set "$layers" "${sets[@]}"
    [ "$found" -eq "$2" ] || fail "$found ways out instead of $2: $*" log
}
p=context_prediction
room $p 1 $p.patch: $p.canvas=0
room $p 2 $p.patch: $p.canvas=12 $p.patch=5 $p.gap=1 $p.jitter=1
room $p 2 $p.patch: $p.canvas=0 $p.patch=6 $p.gap=0 $p.jitter=1
room $p 2 $p.patch: $p.canvas=0 $p.patch=4 $p.gap=6 $p.jitter=2
room $p 2 $p.patch: $p.canvas=0 $p.patch=3 $p.gap=6 $p.jitter=2 augment.height=10
room $p 1 $p.jitter: $p.canvas=0 $p.patch=4 $p.gap=0 $p.jitter=4
room $p 1 $p.jitter: $p.canvas=0 $p.patch=4 $p.gap=0 $p.jitter=1000
room $p 2 $p.jitter: $p.canvas=0 $p.patch=3 $p.gap=0 $p.jitter=1
room $p 2 $p.jitter: $p.jitter=3 $p.gap=0
room $p 1 $p.jitter: $p.jitter=4
room $p 1 $p.canvas: $p.canvas=13
room $p 2 $p.canvas: $p.canvas=30 $p.patch=8 $p.gap=4
room $p 2 $p.canvas: $p.canvas=48 $p.patch=2 $p.gap=60
room $p 1 $p.patch: $p.patch=2 $p.jitter=1
room jigsaw 2 jigsaw.cell: jigsaw.canvas=0
room jigsaw 2 jigsaw.cell: jigsaw.canvas=12 jigsaw.cell=5 jigsaw.tile=4
room jigsaw 2 jigsaw.canvas: jigsaw.canvas=14
room jigsaw 2 jigsaw.canvas: jigsaw.canvas=48 jigsaw.cell=40
room jigsaw 2 jigsaw.tile: jigsaw.tile=20
room jigsaw 2 jigsaw.tile: jigsaw.tile=20 jigsaw.canvas=0
room jigsaw 1 jigsaw.tile: jigsaw.tile=2 jigsaw.cell=2
e=egomotion
room $e 1 $e.view: $e.canvas=0
room $e 2 $e.view: $e.canvas=0 $e.view=6 $e.shift=1
room $e 1 $e.canvas: $e.canvas=14 $e.shift=6
room $e 2 $e.canvas: $e.canvas=20
room $e 1 $e.view: $e.canvas=20 $e.view=2 $e.shift=1

# Sizes of images that a method takes: those of the advice work at once.
for size in 6x6 7x9 12x14 13x20 10x12 9x30; do
    for method in gan context_encoder 'context_encoder context_encoder.mask=random'; do
        sets=(--set "objective=${method%% *}" --set augment.contrast=0 --set network.layers=null --set network.width=2)
        [ "$method" = "${method#* }" ] || sets+=(--set "${method#* }")
        on 1 "${train[@]}" "${sets[@]}" --set "augment.height=${size%x*}" --set "augment.width=${size#*x}"
        rm -rf new
        [ $status -ne 0 ] || continue
        way=$(grep -o -e '--set augment.height=[0-9]* --set augment.width=[0-9]*' log) || fail "no size: $method, $size" log
        # shellcheck disable=SC2086
        on 1 "${train[@]}" "${sets[@]}" $way
        [ $status -eq 0 ] || fail "the size does not work: $method, $size" log
        rm -rf new
    done
done

train 1 run --set train.epochs=1
follow 'eval.test_labels: has no effect without' "$HISS" eval run --set eval.test_labels=data.h5:/labels --set eval.random=false \
    --set eval.few_labels=false --set eval.neighbors=false --set eval.layers=z --set eval.train_limit=100
echo ok
