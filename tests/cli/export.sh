# hiss export: each format holds the checkpoint's values, the same bytes each time; what cannot be written is one line, and
# leaves nothing.
. "$HISS_ROOT/tests/cli/common"
small_run
train 1 run --set train.epochs=4
newest=$(ls run/ckpt/*.h5 | sort -V | tail -n 1)
mkdir out

# export FORMAT OUTPUT RUN...: must succeed.
export_as() {
    on 1 "$HISS" export "${@:3}" --format "$1" --output "$2"
    [ $status -eq 0 ] || fail "$1 of ${*:3}: exit $status" log
}
for format in safetensors npz; do
    export_as $format out/a.$format run
    grep -q "^out/a.$format: 13 arrays of 2560 values, of $newest\$" log || fail 'not said what was written' log
    : >out/b.$format
    export_as $format out/b.$format "$newest" # what exists is replaced
    export_as $format out/c.$format run --checkpoint "$newest"
    on 2 "$HISS" export run --format $format --output out/e.$format
    [ $status -eq 0 ] || fail "on 2 ranks: exit $status" log
    for other in b c e; do cmp out/a.$format out/$other.$format || fail "$format: $other differs from a"; done
    export_as $format out/b.$format "$(ls run/ckpt/*.h5 | sort -V | head -n 1)"
    ! cmp -s out/a.$format out/b.$format || fail "$format: two checkpoints are one"
done
# The values are those of the checkpoint, which has a checksum of each array.
length=$(head -c 8 out/a.safetensors | od -An -tu8 | tr -d ' ')
head -c $((8 + length)) out/a.safetensors | tail -c "$length" | grep -o '"data_offsets": \[[0-9]*, [0-9]*' | tr -dc '0-9 \n' >places
[ "$(wc -l <places)" -eq 13 ] || fail 'not 13 arrays' places
while read -r begin end; do
    sum=$(tail -c +$((9 + length + begin)) out/a.safetensors | head -c $((end - begin)) | sha256sum | cut -d' ' -f1)
    grep -qaF "$sum" "$newest" || fail "the values at $begin are of no array of $newest"
done <places

# Encoders: the folder of torch holds the file of safetensors, too.
export_as torch out/t run
[ "$(ls -A out/t)" = "$(printf 'model.py\nweights.safetensors')" ] || fail "out/t holds $(ls -A out/t)"
cmp out/t/weights.safetensors out/a.safetensors || fail 'other weights for torch'
grep -q '^LAYERS = ("conv1", "fc1", "z", )$' out/t/model.py || fail 'other layers' out/t/model.py
export_as onnx out/a.onnx run
grep -q "outputs conv1, fc1, z\$" log || fail 'not said which outputs' log
for words in '' --preprocess '--layers fc1,conv1' --fold; do
    read -ra options <<<"$words"
    for format in torch onnx; do
        [ "$format $words" != 'torch --fold' ] || continue
        export_as $format out/b.$format run "${options[@]}"
        ranks=$((${#options[@]} == 0 ? 2 : 1))
        on $ranks "$HISS" export "$newest" --format $format --output out/c.$format "${options[@]}"
        [ $status -eq 0 ] || fail "$format $words on $ranks ranks: exit $status" log
        diff -r out/b.$format out/c.$format || fail "$format $words: other bytes"
    done
    [ -z "$words" ] || ! cmp -s out/a.onnx out/b.onnx || fail "$words changes nothing in ONNX"
    [ -z "$words" ] || [ "$words" = --fold ] || ! cmp -s out/t/model.py out/b.torch/model.py || fail "$words changes nothing"
done
export_as torch out/b.torch run --layers fc1,conv1
grep -q '^LAYERS = ("fc1", "conv1", )$' out/b.torch/model.py || fail 'other layers' out/b.torch/model.py
! grep -q out_weight out/b.torch/model.py || fail 'weights that no output needs' out/b.torch/model.py
rm -r out
mkdir out

# ---- what is refused ----

no() {
    refused 1 "$@"
    [ -z "$(find . -name '.*.tmp-*')" ] && [ -z "$(ls -A out)" ] || fail "left: $(ls -A out)" log
}
no "--format" "$HISS" export run --output out/x
no "found 'pickle'" "$HISS" export run --format pickle --output out/x
no "--output is missing" "$HISS" export run --format npz
no "export needs a run or a checkpoint" "$HISS" export --format npz --output out/x
no "the run nowhere does not exist" "$HISS" export nowhere --format npz --output out/x
no "data.h5 is neither a run nor one of its checkpoints" "$HISS" export data.h5 --format npz --output out/x
no "out/ckpt holds no complete checkpoint" "$HISS" export out --format npz --output out/x
no "--checkpoint: the checkpoint nowhere does not exist" "$HISS" export run --checkpoint nowhere --format npz --output out/x
no "and --checkpoint names another" "$HISS" export "$newest" --checkpoint "$newest" --format npz --output out/x
for place in nowhere/x out out/; do
    no "cannot write '$place'" "$HISS" export run --format npz --output $place
done
for option in --preprocess --fold '--layers conv1' '--set seed=3'; do
    read -ra words <<<"$option"
    no "${words[0]} has no effect with this --format" "$HISS" export run --format npz --output out/x "${words[@]}"
done
no '--fold has no effect with this --format' "$HISS" export run --format torch --fold --output out/x
for format in torch onnx; do
    no "layer 'conv9' is not in this network; it has conv1, fc1, z; choose with --layers" \
        "$HISS" export run --format $format --layers conv9 --output out/x
    no 'nowhere.h5' "$HISS" export run --format $format --output out/x --set data.file=nowhere.h5
    no "--set nat.dim: run was trained with 8" "$HISS" export run --format $format --output out/x --set nat.dim=9
done
no "cannot make directory 'data.h5'" "$HISS" export run --format torch --output data.h5
mkdir -p taken/model.py
no "cannot write 'taken/model.py': it is a directory" "$HISS" export run --format torch --output taken
[ "$(ls -A taken)" = model.py ] || fail "left in taken: $(ls -A taken)"

# An operation without a counterpart, and what a method makes of images by itself, are named.
train 1 codes --set objective=sparse --set network.layers=null --set augment.contrast=0 --set train.steps=2
for format in torch onnx; do
    no "operation 'sparse_code" "$HISS" export codes --format $format --output out/x
done
colors
train 1 halved --set objective=split_brain --set data.file=colors.h5 --set augment.contrast=0 --set train.steps=2
no '--preprocess: split_brain makes what it sees' "$HISS" export halved --format onnx --preprocess --output out/x
on 1 "$HISS" export halved --format onnx --output halved.onnx
[ $status -eq 0 ] || fail "split_brain: exit $status" log

# What the run has logged: an event file, lines of MLPerf logging; each line of metrics.jsonl is in both.
for format in tensorboard mllog; do
    export_as $format out/a.log run
    grep -q "^out/a.log: $(wc -l <run/metrics.jsonl) lines of run/metrics.jsonl\$" log || fail 'not said what was written' log
    on 2 "$HISS" export run --format $format --output out/b.log
    [ $status -eq 0 ] || fail "$format on 2 ranks: exit $status" log
    diff -r out/a.log out/b.log || fail "$format: other bytes"
    case $format in
    tensorboard) [ "$(ls -A out/a.log)" = events.out.tfevents.0.hiss ] || fail 'not one event file' ;;
    mllog)
        [ "$(grep -c '"key": "tracked_stats"' out/a.log)" -eq "$(wc -l <run/metrics.jsonl)" ] || fail 'not a line each' out/a.log
        grep -q '"key": "global_batch_size", "value": 48,' out/a.log || fail 'no batch size' out/a.log
        grep -q '"key": "run_stop"' out/a.log || fail 'no end' out/a.log
        ;;
    esac
    rm -r out/a.log out/b.log
    no "is a checkpoint, and this --format writes what a run has logged" "$HISS" export "$newest" --format $format --output out/x
    no '--checkpoint has no effect with this --format' "$HISS" export run --format $format --checkpoint "$newest" --output out/x
    no '--layers has no effect with this --format' "$HISS" export run --format $format --layers fc1 --output out/x
    no 'does not exist' "$HISS" export nowhere --format $format --output out/x
done

# Garbage, and a checkpoint that is cut or changed anywhere.
cp -r run bad
size=$(stat -c %s "$newest")
bad=bad/ckpt/$(basename "$newest")
for cut in 0 $((size / 2)) $((size - 1)); do
    head -c "$cut" "$newest" >"$bad"
    no "$bad: no checkpoint, or not all of one" "$HISS" export "$bad" --format safetensors --output out/x
done
for place in 9 $((size / 3)); do
    cp "$newest" "$bad"
    printf '\377\001' | dd of="$bad" bs=1 seek="$place" conv=notrunc 2>/dev/null
    no "$bad: damaged" "$HISS" export "$bad" --format npz --output out/x
done
head -c 5000 /dev/urandom >"$bad"
no "$bad: no checkpoint" "$HISS" export "$bad" --format npz --output out/x
echo ok
