# Boxes by scores of windows: the same bits on any ranks and whichever layers are judged; far above the boxes of other images,
# above the network before training and one that learnt targets of others; left out where something is missing; what boxes
# cannot be.
. "$HISS_ROOT/tests/cli/common"
colored_scenes 24 720 60
cat >config.yaml <<'END'
objective: classify
classify: {targets: true}
data: {file: train.h5, labels: "", fields: {targets: /targets, boxes: /boxes}}
augment: {shift: 2}
network: {layers: [{conv: 8, kernel: 3, pad: 1, name: conv1}, batch_norm, relu, {max_pool: 4}, flatten, {linear: 16, name: fc1}, relu]}
optim: {lr: 0.05, momentum: 0.9}
train: {epochs: 6, lanes: 6, lane_samples: 8}
eval: {test: test.h5, layers: "fc1,scores", pixels: false, average_precision: false, statistics: false, neighbors: false}
END
train 2 run

# number RUN SUBJECT NAME
number() {
    awk -v subject="\"$2\"" -v name="\"$3\"" 'BEGIN { RS = "\"name\": " }
        index($0, subject) == 1 && i = index($0, "\"detection\": {") { rest = substr($0, i); j = index(rest, name ": ")
            if (j) { split(substr(rest, j + length(name) + 2), part, /[,}]/); print part[1]; exit } }' "$1/eval.json"
}
detect() { # RANKS RUN ARGUMENT...
    on "$1" "$HISS" eval "$2" --set eval.detection=true "${@:3}"
    [ $status -eq 0 ] || fail "eval on $1 ranks: exit $status: ${*:2}" log
}

for ranks in 1 2 3; do
    rm -f run/detections.png
    detect $ranks run --set eval.detection_limit=50
    sed 's/"seconds": [0-9.e-]*//' run/eval.json | cat - run/detections.png >found.$ranks
done
cmp found.1 found.2 && cmp found.1 found.3 || fail 'what is found depends on the ranks'
map=$(number run trained map) map_11=$(number run trained map_11)
awk -v map="$map" -v eleven="$map_11" -v other="$(number run trained shuffled)" -v whole="$(number run trained whole)" \
    -v random="$(number run random map)" -v reach="$(number run trained reachable)" -v class="$(number run trained 2)" \
    'BEGIN { exit !(map > 10 && eleven > 10 && map <= reach && map > 4 * other && map > 4 * whole && map > 4 * random &&
        reach > 80 && reach < 100 && class > 0 && other >= 0 && whole >= 0) }' || fail "map is $map" run/eval.txt
[ "$(number run random reachable)" = "$(number run trained reachable)" ] || fail 'reach depends on the network' run/eval.txt
grep -q '^50 samples' run/eval.txt && grep -q 'boxes; 270 windows of each image' run/eval.txt || fail 'not said what was looked at' run/eval.txt
grep -q 'three boxes found of the highest scores' run/report.html || fail 'no picture on the page'

detect 1 run --set eval.layers=conv1 --set eval.random=false --set eval.detection_limit=50 --set eval.classification=false
[ "$(number run trained map)" = "$map" ] || fail 'what is found depends on the layers judged' run/eval.txt
detect 2 run --set eval.random=false --set eval.test_limit=1
[ "$(number run trained map)" ] || fail 'one image' run/eval.txt

# A network that learnt the targets of others.
train 1 permuted --set classify.permuted=true
detect 1 permuted --set eval.random=false
awk -v map="$(number permuted trained map)" -v here="$map" 'BEGIN { exit !(map < here / 4) }' ||
    fail 'found without targets' permuted/eval.txt

# Stored images need not be of the network's size, nor bytes.
train 1 cut --set augment.crop=random --set augment.height=16 --set augment.width=16
detect 2 cut --set eval.random=false
awk -v map="$(number cut trained map)" -v other="$(number cut trained shuffled)" 'BEGIN { exit !(map > 2 * other) }' ||
    fail 'parts are cut' cut/eval.txt

# A column of a study, of a transfer and its controls; of what no row can have it is said before the first training.
cat >study.yaml <<'END'
seeds: [3]
base: [train.epochs=2]
rows:
  nat: {config: config.yaml, set: [objective=nat, nat.dim=8, eval.layers=fc1, eval.statistics=true, eval.random=false]}
  random: {of: nat, features: random}
transfers:
  all: {config: config.yaml, set: [train.epochs=4, eval.detection=true, eval.detection_limit=20]}
columns:
  rank: {reading: trained/fc1/statistics.participation_ratio}
  boxes: {reading: trained/detection.map, transfer: all}
  chance: {reading: random/detection.map, transfer: all}
END
on 1 "$HISS" compare study.yaml --out study
[ $status -eq 0 ] || fail "compare: exit $status" log
for run in nat random; do
    grep -qE "^$run  .* [0-9]+\.[0-9]+ +[0-9]+\.[0-9]+ +1 of 1" log || fail "no boxes in the transfer of $run" log
    [ "$(number "study/runs/$run-s3-all" trained map)" ] || fail "no boxes in eval.json of $run" log
done
[ -s study/runs/nat-s3-all/detections.png ] || fail 'no picture in the study' log
study() { # SED TEXT
    sed "$1" study.yaml >changed.yaml
    refused 1 "$2" "$HISS" compare changed.yaml --out new
    [ ! -e new ] || fail 'something is left of what was refused' log
}
study 's,trained/detection,trained/fc1/detection,' 'detection judges the network as a whole: write trained/detection.map'
study 's/eval.detection=true, //' 'eval.detection is false'
study 's/map, transfer: all/map/; /chance/d; /random: {of/d; s/eval.layers=fc1/&, eval.detection=true/' 'detection judges methods that have learnt targets (classify.targets)'

# Left out, and why.
on 1 "$HISS" eval run --set eval.random=false
! grep -q detection run/eval.json || fail 'detection without being asked for' run/eval.json
detect 1 run --set 'data.fields={targets: /targets}' --set eval.random=false
grep -q 'left out: detection: the samples have no field boxes; name' run/eval.txt || fail 'without boxes' run/eval.txt
small_run
train 1 nat
detect 1 nat --set eval.layers=fc1 --set eval.knn=false --set eval.linear=false --set eval.few_labels=false
grep -q 'left out: detection: the method has not learnt which classes are in an image' nat/eval.txt || fail 'no targets' nat/eval.txt

# What boxes cannot be.
refused 2 'data.fields.boxes: boxes are float32 [n, objects, 5]: class, x0, y0, x1, y1 of each, class -1 for none; found uint8 [3] of each sample' \
    "$HISS" eval run --set eval.detection=true --set 'data.fields={targets: /targets, boxes: /targets}'
for value in 7 -2; do
    cp test.h5 bad.h5
    "$objects" box bad.h5 20 0 $value
    refused 3 "data.fields.boxes: bad.h5: object 0 of sample 20 in data set /boxes is $value " "$HISS" eval run --set eval.detection=true \
        --set eval.test=bad.h5 --set data.verify=false --set eval.random=false
    grep -q 'class -1 or 0..2, 0 <= x0 < x1 <= 24 and 0 <= y0 < y1 <= 24; correct' log || fail 'not what is expected' log
done
for change in '1 -1' '3 25' '1 30' '4 0'; do
    cp test.h5 bad.h5
    # shellcheck disable=SC2086
    "$objects" box bad.h5 20 $change
    refused 1 'object 0 of sample 20 in data set /boxes is' "$HISS" eval run --set eval.detection=true --set eval.test=bad.h5 \
        --set data.verify=false --set eval.random=false
done
refused 1 'eval.detection_limit' "$HISS" eval run --set eval.detection=true --set eval.detection_limit=0
rm -f run/detections.png && mkdir run/detections.png
refused 2 "cannot write 'run/detections.png': it is a directory" "$HISS" eval run --set eval.detection=true
echo ok
