# hiss inspect: what is in each kind of file, for people and as JSON; what it does not know, or is damaged, is one line.
. "$HISS_ROOT/tests/cli/common"
small_run
train 1 run --set train.epochs=2 --set train.freeze=[conv1]
checkpoint=run/ckpt/step-24.h5
on 1 "$HISS" features run --layer conv1,z --output features.h5
[ $status -eq 0 ] || fail "exit $status" "$log"

# says FILE ARGUMENT...: inspect must succeed, without a word on the other stream.
says() {
    status=0
    "$HISS" inspect "$@" >"$log" 2>err || status=$?
    [ $status -eq 0 ] && [ ! -s err ] || fail "exit $status: inspect $*" err
}
# fact KEY VALUE
fact() {
    grep -qE "^  $1 +$2\$" "$log" || fail "no '$1 $2'" "$log"
}
# holds NAME TYPE
holds() {
    grep -qE "^    $1 +${2//[/\\[}\$" "$log" || fail "no '$1 $2'" "$log"
}
says $checkpoint
fact kind checkpoint && fact verified yes && fact step 24 && fact epoch 2 && fact epochs 2 && fact 'steps per epoch' 12
fact objective nat && fact samples 600 && fact classes '10: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9' && fact kernels 'blas.*'
fact sha256 "$(head -c -90 $checkpoint | sha256sum | cut -d' ' -f1)"
fact data "uint8 \[600,12,12,1\], pixels .*, sha256 .*"
fact bytes "$(wc -c <$checkpoint)" && fact modified '20[0-9-]*T[0-9:]*Z'
holds /model/conv1/weight 'float32 [4,3,3,1]' && holds /step 'int64 [1]' && holds /samples/assignment 'int64 [600]'
grep -q 'freeze' "$log" && fail 'a config that was not asked for' "$log"
says --config $checkpoint
grep -q '^      freeze: .*conv1' "$log" || fail 'no config' "$log"

says run
fact kind run && fact finished yes && fact result VALID && fact steps 24 && fact epochs 2 && fact host '.+'
fact version '[0-9.]+' && fact ranks 1 && fact checkpoints '1: step-24.h5' && fact newest $checkpoint
fact 'parameters sha256' "$(sed -n 's/^parameters_sha256: //p' run/summary.yaml)"
fact files '[0-9]+: config.yaml, metrics.jsonl, summary.yaml.*'

says data.h5 --verify
fact kind 'data set' && fact verified yes && fact samples 600 && fact 'hiss format' 'hiss images 1' && fact seed 1
fact source 'images.idx, labels.idx' && fact data 'uint8 .*, pixels .*, labels .*, sha256 .*'
holds /images 'uint8 [600,12,12,1]' && holds /labels 'int32 [600]'
says data.h5
fact verified no

says --verify features.h5
fact kind features && fact verified yes && fact 'hiss version' '[0-9.]+ \(.*\)' && fact checkpoint $checkpoint && fact source data.h5
fact 'checkpoint sha256' "$(head -c -90 $checkpoint | sha256sum | cut -d' ' -f1)"
holds /conv1 'float32 [600,144]' && holds /z 'float32 [600,8]' && holds /labels 'int32 [600]'

"$odd_h5" other.h5 deep/x=f32:3x4 y=bool:7
says other.h5
fact kind HDF5 && holds /deep/x 'float32 [3,4]' && holds /y '.* [7]'

# An object a line, with the same facts.
says --json $checkpoint run data.h5 features.h5 other.h5
[ "$(wc -l <"$log")" = 5 ] || fail 'not an object a line' "$log"
sed -E 's/"([^"\\]|\\.)*"/s/g; s/-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?/n/g; s/true|false|null/n/g' "$log" >shapes
for _ in $(seq 30); do
    sed -E -i 's/\[((s|n|v)(, (s|n|v))*)?\]/v/g; s/\{(s: (s|n|v)(, s: (s|n|v))*)?\}/v/g' shapes
done
[ "$(sort -u shapes)" = v ] || fail 'no JSON' shapes
for part in '"kind": "checkpoint"' '"step": 24' '"verified": true' '"/step": {"dtype": "int64", "shape": [1]}' '"lr": 0.1' '"freeze": ["conv1"]'; do
    head -n 1 "$log" | grep -qF "$part" || fail "no $part" "$log"
done
sed -n 2p "$log" | grep -qF '"summary": {"result": "VALID", "steps": 24,' || fail 'no summary' "$log"
sed -n 3p "$log" | grep -qF '"kind": "data set"' || fail 'no data set' "$log"

# Nothing is said of what is not whole.
# strange TEXT FILE
strange() {
    refused 1 "$1" "$HISS" inspect "$2"
    [ "$(wc -l <"$log")" = 1 ] || fail "more than an error of $2" "$log"
    refused 1 "$1" "$HISS" inspect --json --verify "$2"
}
kinds='; hiss inspect knows run directories, checkpoints, and HDF5 files such as data sets and features'
head -c 5000 /dev/urandom >garbage && : >empty && mkdir folder && cp config.yaml folder
strange "garbage: not an HDF5 file (5000 bytes without an HDF5 signature); hiss prepare writes one from idx files or a folder$kinds" garbage
strange "empty: not an HDF5 file" empty
strange "$kinds" config.yaml
strange "folder: is a folder, but no run$kinds" folder
strange "run/ckpt: is a folder, but no run" run/ckpt
strange 'the file nowhere does not exist' nowhere
head -c 3000 data.h5 >cut.h5
strange "cut.h5: incomplete HDF5 file" cut.h5
head -c -40 $checkpoint >tail.h5
strange "tail.h5: no checkpoint, or not all of one" tail.h5
head -c 2500 $checkpoint >head.h5
strange "head.h5: " head.h5
cp $checkpoint flipped.h5 && printf X | dd of=flipped.h5 bs=1 seek=$(($(wc -c <flipped.h5) / 2)) conv=notrunc 2>/dev/null
strange 'flipped.h5: damaged: its bytes do not match their checksum' flipped.h5
cp features.h5 changed.h5 && printf X | dd of=changed.h5 bs=1 seek=$(($(wc -c <changed.h5) / 2)) conv=notrunc 2>/dev/null
refused 1 'changed.h5: damaged: data set /' "$HISS" inspect --verify changed.h5
says changed.h5
cp data.h5 pixels.h5 && printf X | dd of=pixels.h5 bs=1 seek=$(($(wc -c <pixels.h5) / 2)) conv=notrunc 2>/dev/null
refused 1 'pixels.h5' "$HISS" inspect --verify pixels.h5
refused 1 'inspect needs a file or a run directory' "$HISS" inspect
cp -r run torn && head -c 30 run/summary.yaml >torn/summary.yaml && printf '\n x: [' >>torn/summary.yaml
strange 'torn/summary.yaml:' torn
for kind in checkpoint dataset; do
    for file in "$HISS_ROOT/tests/fuzz/corpus/$kind"/*; do
        on 1 "$HISS" inspect "$file"
        [ $status -eq 0 ] || { [ $status -eq 2 ] && [ "$(grep -c 'hiss: error:' "$log")" = 1 ]; } || fail "exit $status: $file" "$log"
    done
done
echo ok
