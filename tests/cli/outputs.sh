# Where a command writes is tried before it works: a place that takes no file is one line at once, whatever the work would
# have been, and nothing is left there.
. "$HISS_ROOT/tests/cli/common"
small_run
train 1 run --set train.epochs=1
mkdir folder out
: >file

# early RANKS TEXT COMMAND...: refused, and nothing but the error was said: no work had begun.
early() {
    local ranks=$1
    refused "$@"
    [ "$ranks" -gt 1 ] || [ "$(wc -l <"$log")" -eq 1 ] || fail "worked before it looked: ${*:3}" "$log"
    grep -q '^ranks\|^data:\|judging\|measuring\|pictures in' "$log" && fail "worked before it looked: ${*:3}" "$log"
    [ -z "$(find . -name '.*.tmp-*')" ] || fail "left: $(find . -name '.*.tmp-*')"
    [ -z "$(ls -A out)" ] && [ ! -s file ] || fail "left in out: $(ls -A out)"
}

# nowhere COMMAND... with the word OUT: in a directory that is not there, takes no file even from root, or is a file; as a
# directory; as what is no file.
nowhere() {
    local place word words
    for place in nowhere/x:'No such file or directory; check that the folder exists' /proc/x:'check that the folder exists and allows' \
        file/x:'Not a directory; check that' folder:'it is a directory; give the name of a file' /dev/null:'it is not a regular file' \
        out/:'it is a directory'; do
        words=()
        for word in "$@"; do words+=("${word/#OUT/${place%%:*}}"); done
        early 1 "cannot write '${place%%:*}': " "${words[@]}"
        grep -qF "${place#*:}" "$log" || fail "not said why: ${words[*]}" "$log"
    done
}
nowhere "$HISS" query run --output OUT
nowhere "$HISS" export run --format npz --output OUT
nowhere "$HISS" export run --format onnx --output OUT
nowhere "$HISS" bench machine --seconds 60 --json OUT
nowhere "$HISS" bench kernels config.yaml --seconds 60 --save OUT
nowhere "$HISS" simulate config.yaml --seconds 60 --json OUT
nowhere "$HISS" simulate config.yaml --seconds 60 --costs OUT
head -c 5000 images.idx >cut.idx # what is wrong with the input is not looked at
nowhere "$HISS" prepare idx --images cut.idx --output OUT
nowhere "$HISS" prepare folder pictures --output OUT
nowhere "$HISS" prepare scenes stamps grounds --rows 3 --output OUT
early 2 "cannot write 'folder'" "$HISS" bench machine --seconds 60 --json folder
early 2 "cannot write 'folder'" "$HISS" query run --output folder

# Commands with several files try all of them.
for name in eval.txt eval.json filters.png neighbors.png reconstruction.png denoising.png interpolation.png generated.png \
    generated_neighbors.png report.html; do
    rm -f run/$name && mkdir run/$name
    early 2 "cannot write 'run/$name': it is a directory" "$HISS" eval run
    rmdir run/$name 2>/dev/null || fail "run/$name has something in it"
done
mkdir run/units-conv1.png
refused 2 "cannot write 'run/units-conv1.png': it is a directory" "$HISS" eval run --set eval.units=true
rmdir run/units-conv1.png
train 1 run2 --set train.epochs=1
rm run2/report.html && mkdir run2/report.html
early 1 "cannot write 'run2/report.html'" "$HISS" query run2
on 1 "$HISS" query run2 --queries 2 --output out/query.png # not on the page: it need not be written
[ $status -eq 0 ] && [ -s out/query.png ] || fail "exit $status" log
rm out/query.png
mkdir source
for part in train t10k; do
    cp images.idx source/$part-images-idx3-ubyte.gz
    cp labels.idx source/$part-labels-idx1-ubyte.gz
done
mkdir -p fashion/test.h5
early 1 "cannot write 'fashion/test.h5': it is a directory" "$HISS" prepare fashion-mnist --source source --output fashion
early 1 "cannot write 'fashion/test.h5': it is a directory" "$HISS" prepare voc VOC2007 --output fashion
[ ! -e fashion/train.h5 ] || fail 'half of a pair'
rm source/t10k-labels-idx1-ubyte.gz
early 1 'source/t10k-labels-idx1-ubyte.gz is missing' "$HISS" prepare fashion-mnist --source source --output new
: >source/t10k-labels-idx1-ubyte.gz
: >source/train-labels-idx1-ubyte.gz
early 1 'source/train-labels-idx1-ubyte.gz' "$HISS" prepare fashion-mnist --source source --output new
[ ! -e new ] || fail "left: $(find new)"

# What is there is replaced only by what is complete.
echo before >out.json && echo before >out.h5
refused 1 'cut.idx: truncated' "$HISS" prepare idx --images cut.idx --output out.h5
refused 1 "takes no further words" "$HISS" bench machine --seconds 0.01 --json out.json gather
refused 1 'expected HEIGHTxWIDTHxCHANNELS' "$HISS" bench step config.yaml --synthetic --size 5 --json out.json
[ "$(cat out.json out.h5)" = "$(printf 'before\nbefore')" ] || fail 'a failed command has changed its output'
on 1 "$HISS" bench machine --seconds 0.01 --json out.json
[ $status -eq 0 ] && grep -q '^{' out.json || fail "exit $status" log

# Users without rights, where this is root.
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
    mkdir closed && chmod 755 . run run/ckpt
    early 1 "cannot write 'closed/x.json': Permission denied" \
        setpriv --reuid=65534 --clear-groups "$HISS" bench machine --seconds 60 --json closed/x.json
fi
echo ok
