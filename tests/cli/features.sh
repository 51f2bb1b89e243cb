# hiss features: the same bytes on any number of ranks and threads, by a run or a checkpoint; rows are those of the file, whatever order the
# run trained in; formats agree; a file that cannot be written, or must not, is one line and leaves nothing.
. "$HISS_ROOT/tests/cli/common"
small_run
train 1 run --set train.epochs=2 --set data.order=permuted --set checkpoint.keep=5
checkpoint=run/ckpt/step-24.h5
[ -s $checkpoint ] || fail "no checkpoint: $(ls run/ckpt)"

# write RANKS FILE ARGUMENT...: must succeed.
write() {
    local ranks=$1 file=$2
    shift 2
    on "$ranks" "$HISS" features "$@" --output "$file"
    [ $status -eq 0 ] && [ -s "$file" ] || fail "exit $status: $ranks ranks, $* --output $file" "$log"
}
for ranks in 1 2 3; do
    write $ranks $ranks.h5 run --data data.h5 --layer conv1,z
    grep -q "^$ranks.h5: 600 samples, floats of each by layer: conv1 144, z 8; " "$log" || fail 'not said' "$log"
    cmp $ranks.h5 1.h5 || fail "other bytes on $ranks ranks"
done
write 1 1.npy $checkpoint --layer z
write 3 3.npy run --layer z --set dist.threads=3
write 1 1.csv run --checkpoint $checkpoint # the last layer, which is z
write 2 2.csv $checkpoint
cmp 3.npy 1.npy && cmp 2.csv 1.csv || fail 'other bytes on more ranks and threads'

# A layer does not depend on whether those behind it are computed.
write 1 alone.h5 run --layer conv1
for file in alone 1; do grep -aoE '[0-9a-f]{64}' $file.h5 | sort -u >$file.sums; done # of checkpoint, data, and each layer
[ "$(wc -l <alone.sums)/$(wc -l <1.sums)" = 3/4 ] || fail 'not the checksums that were expected' 1.sums
[ -z "$(comm -23 alone.sums 1.sums)" ] || fail 'conv1 alone is another'

# The formats hold the same numbers, in the order of the file.
[ "$(head -c 10 1.npy | od -An -tx1 | tr -d ' ')" = 934e554d505901007600 ] || fail 'no header of npy 1.0'
head -c 128 1.npy | grep -aq "'descr': '<f4', 'fortran_order': False, 'shape': (600, 8), } *$" || fail 'another header'
[ "$(wc -c <1.npy)" -eq $((128 + 600 * 8 * 4)) ] || fail "$(wc -c <1.npy) bytes"
[ "$(head -n 1 1.csv)" = z_0,z_1,z_2,z_3,z_4,z_5,z_6,z_7,label ] || fail 'other names' 1.csv
tail -n +2 1.csv | tr , '\n' | awk 'NR % 9' >numbers
tail -c +129 1.npy | od -An -v -w4 -tf4 | tr -d ' ' | paste numbers - |
    awk '{ d = $1 - $2; worst = d > worst ? d : -d > worst ? -d : worst } END { exit !(NR == 4800 && worst < 1e-6) }' ||
    fail 'csv and npy differ'
"$HISS" prepare idx --images images.idx --labels labels.idx --no-shuffle --output order.h5 2>log || fail prepare log
write 1 order.csv run --data order.h5
tail -n +2 order.csv | cut -d, -f9 | cmp - <(tail -c +9 labels.idx | od -An -v -w1 -tu1 | tr -d ' ') ||
    fail 'not the order of the file' order.csv
[ "$(sort order.csv)" = "$(sort 1.csv)" ] || fail 'another order has other features'

# Rows do not depend on how many there are: fewer than a batch, and not whole batches.
for rows in 7 260; do
    write 1 few.csv run --set data.file=order.h5 --set data.limit=$rows
    cmp few.csv <(head -n $((rows + 1)) order.csv) || fail "other features of $rows rows"
done

# What is written is data: rows as images of one line, with the labels.
on 1 "$HISS" prepare hdf5 1.h5 --images /conv1 --layout NW --output again.h5
[ $status -eq 0 ] && grep -q '600 images of 576 bytes' "$log" || fail "exit $status" "$log"
printf '%s\n' 'data: {file: 1.h5, images: /z, layout: NW}' 'objective: classify' 'network: {layers: [flatten, {linear: 8, name: fc1}, relu]}' \
    'optim: {lr: 0.1}' 'train: {epochs: 1, lanes: 2, lane_samples: 10}' >flat.yaml
on 1 "$HISS" train flat.yaml --run flat
[ $status -eq 0 ] && grep -q '10 classes' "$log" || fail "exit $status" "$log"

# What is there is replaced; what is read is not.
before=$(sha256sum data.h5 $checkpoint)
refused 1 '--output data.h5 is the file that is read; choose another name' "$HISS" features run --output data.h5
ln data.h5 link.h5
refused 1 '--output link.h5 is the file that is read' "$HISS" features run --data 'dat?.h5' --output link.h5
refused 1 "--output $checkpoint is the file that is read" "$HISS" features $checkpoint --output $checkpoint
[ "$before" = "$(sha256sum data.h5 $checkpoint)" ] || fail 'changed what is read'
echo before >old.csv
refused 1 "layer 'fc9' is not in this network; it has conv1, fc1, z" "$HISS" features run --layer fc9 --output old.csv
[ "$(cat old.csv)" = before ] || fail 'a failed command has changed its output'
write 1 old.csv $checkpoint --data data.h5 --set data.limit=7 # a limit is one of the run's own data
cmp old.csv 1.csv || fail 'not replaced'

mkdir out folder.h5
refused 1 "cannot write 'folder.h5': it is a directory" "$HISS" features run --output folder.h5
refused 1 'features needs a file to write: --output' "$HISS" features run
refused 1 'features needs a run directory or a checkpoint' "$HISS" features
refused 1 "--output: 'out/x.txt' ends with none of .h5, .hdf5, .npy, .csv" "$HISS" features run --output out/x.txt
refused 1 "--output: 'out/x.npy' can hold one layer, not 2" "$HISS" features run --layer conv1,z --output out/x.npy
refused 1 '--layer: names z twice' "$HISS" features run --layer z,z --output out/x.h5
refused 1 "--layer: ',' has a comma without a name beside it" "$HISS" features run --layer , --output out/x.h5
refused 1 "cannot write 'nowhere/x.h5'" "$HISS" features run --output nowhere/x.h5
refused 1 'data.h5 is neither a run nor one of its checkpoints' "$HISS" features data.h5 --output out/x.h5
refused 1 'the run nowhere does not exist' "$HISS" features nowhere --output out/x.h5
refused 2 '--data: the data file none.h5 does not exist' "$HISS" features run --data none.h5 --output out/x.h5
refused 1 '--data and --set data.file both say data.file' \
    "$HISS" features run --data data.h5 --set data.file=data.h5 --output out/x.h5
refused 1 "$checkpoint is a checkpoint, and --checkpoint names another" \
    "$HISS" features $checkpoint --checkpoint $checkpoint --output out/x.h5
colors
refused 1 '--data: images of colors.h5 are uint8 [12,12,3], unlike those that were trained on; give such (' \
    "$HISS" features run --data colors.h5 --output out/x.h5
head -c 700 $checkpoint >run/ckpt/step-99.h5
refused 1 'run/ckpt/step-99.h5: no checkpoint, or not all of one' "$HISS" features run/ckpt/step-99.h5 --output out/x.h5
grep 'hiss: error:' "$log" | grep -q -- --checkpoint && fail 'names an option that was not given' "$log"

# A signal, a full disk: nothing is left.
"$HISS" prepare idx --images images.idx --output plain.h5 2>/dev/null
write 1 out/plain.csv run --data plain.h5
head -n 1 out/plain.csv | grep -q label && fail 'labels that are not there' out/plain.csv
rm out/plain.csv
(ulimit -f 4 && exec "$HISS" features run --output out/x.csv) >log 2>&1 && fail 'no error without room' log
grep -q "hiss: error: cannot write 'out/x.csv'" log || fail 'another error' log
(ulimit -f 4 && exec "$HISS" features run --layer conv1 --output out/x.h5) >log 2>&1 && fail 'no error without room' log
[ "$(grep -c 'hiss: error:' log)" = 1 ] || fail 'not one line' log
[ -z "$(ls -A out)" ] || fail "left: $(ls -A out)"
# What hiss eval says of units is in these numbers: the nine largest of each column, equal ones in the order of samples.
for ranks in 1 3; do
    on $ranks "$HISS" eval run --set eval.test=data.h5 --set eval.layers=conv1,z --set eval.units=true --set eval.random=false \
        --set eval.pixels=false --set eval.linear=false --set eval.few_labels=false --set eval.knn=false
    [ $status -eq 0 ] || fail "eval: exit $status" "$log"
    sed 's/"seconds": [0-9.e-]*//' run/eval.json | cat - run/units-conv1.png run/units-z.png >units.$ranks
done
cmp units.1 units.3 || fail 'units depend on the ranks'
[ -s run/units-z.png ] || fail 'no picture'
[ ! -e run/units-pixels.png ] || fail 'units of pixels'
for unit in 1 2 3 4 5 6 7 8; do
    awk -F, -v k=$unit 'NR > 1 { printf "%.9g %d %d\n", $k, NR, $NF }' 1.csv | sort -k1,1gr -k2,2n | head -n 9 |
        awk 'NR == 1 { label = $3 } NR > 1 { alike += $3 == label } END { print alike }'
done | awk '{ sum += $1 } END { printf "%.4f\n", 100 * sum / 64 }' >alike
grep -o '"alike_percent": [0-9.]*' run/eval.json | tail -n 1 | cut -d' ' -f2 | cmp - alike || fail "not the percentage $(cat alike)" run/eval.txt
echo ok
