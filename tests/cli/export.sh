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
    export_as $format out/b.$format "$newest"
    export_as $format out/c.$format run --checkpoint "$newest"
    : >out/d.$format
    export_as $format out/d.$format run # what exists is replaced
    on 2 "$HISS" export run --format $format --output out/e.$format
    [ $status -eq 0 ] || fail "on 2 ranks: exit $status" log
    for other in b c d e; do cmp out/a.$format out/$other.$format || fail "$format: $other differs from a"; done
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

# Garbage, and a checkpoint that is cut or changed anywhere.
cp -r run bad
size=$(stat -c %s "$newest")
bad=bad/ckpt/$(basename "$newest")
for cut in 0 1 100 $((size / 2)) $((size - 1)); do
    head -c "$cut" "$newest" >"$bad"
    no "$bad: no checkpoint, or not all of one" "$HISS" export "$bad" --format safetensors --output out/x
done
for place in 9 $((size / 3)) $((size - 100)); do
    cp "$newest" "$bad"
    printf '\377\001' | dd of="$bad" bs=1 seek="$place" conv=notrunc 2>/dev/null
    no "$bad: damaged" "$HISS" export "$bad" --format npz --output out/x
done
head -c 5000 /dev/urandom >"$bad"
no "$bad: no checkpoint" "$HISS" export "$bad" --format npz --output out/x
echo ok
