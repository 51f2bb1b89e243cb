# Ambient sound: the same bits on any number of ranks and threads and after a stop; the same evaluation on 1 and 3 ranks, with
# its picture; clusters of sounds go with classes and are told from images, and not by the control, whose sounds are of
# other images; what it refuses.
. "$HISS_ROOT/tests/cli/common"
small_run
pairs
sed -i 's/^seed:/objective: ambient_sound\nseed:/; s/^assign: .*//; s/^augment: .*/augment: {shift: 1}/
    s/^data: .*/data: {file: pairs.h5, fields: {sound: \/sound}}/; s/^nat: .*/ambient_sound: {clusters: 8, bands: 8}/
    s/^optim: .*/optim: {method: adam, momentum: 0, lr: 0.01}/' config.yaml
judge=("${own_judgements[@]}" --set eval.test=pairs.h5 --set eval.train=pairs.h5)
# number RUN NAME [baseline]: what eval.json says of it.
number() {
    awk -v name="\"$2\": " '/"measures": {/ && match($0, name) { print substr($0, RSTART + RLENGTH) + 0; exit }' \
        "$1/eval.json" | grep . || fail "$1: eval.json has no $2" "$1/eval.json"
}

# ---- bits ----

train 1 one
grep -q 'ambient_sound: 8 clusters of sounds of 0.51 s in 8 bands' log || fail 'not described' log
grep -q 'ambient_sound: 8 clusters of 92 statistics after' log || fail 'clusters are not said' log
for ranks in 2 3 5; do
    train $ranks ranks-$ranks --set dist.threads=$((1 + ranks % 2))
    same one ranks-$ranks
done
train 3 stopped --set train.steps=7
train 2 stopped
grep -q 'resumed from' log || fail 'not resumed' log
! grep -q 'statistics after' log || fail 'clusters are found again' log
same one stopped
for key in clusters=7 bands=9 shuffled=true; do
    train 2 "other-$key" --set ambient_sound.$key --set train.epochs=1 --set train.steps=3
    [ "$(hashes one)" != "$(hashes "other-$key")" ] || fail "$key changes nothing"
done

# ---- it learns, the control does not ----

learn=(--set train.epochs=40 --set optim.schedule=cosine --set optim.lr=0.005 --set train.lanes=4 --set train.lane_samples=12)
train 2 learnt "${learn[@]}"
train 2 control "${learn[@]}" --set ambient_sound.shuffled=true
! grep -q 'below chance' log || fail 'a control is blamed for what it is to show' log
judged_alike learnt sounds.png
judged_alike control sounds.png
grep -q 'shuffled is on' control/eval.txt || fail 'a control does not say that it is one' control/eval.txt
cat learnt/eval.txt control/eval.txt >both
awk -v a="$(number learnt accuracy)" -v b="$(number control accuracy)" -v p="$(number learnt purity)" \
    'BEGIN { exit !(a > 40 && b < 34 && p > 40) }' ||
    fail "accuracy $(number learnt accuracy), of the control $(number control accuracy); purity $(number learnt purity)" both

# ---- what it refuses ----

wrong() { refused "$1" "$2" "$HISS" train config.yaml --run w "${@:3}"; }
wrong 2 'ambient_sound needs sounds, int16 [length], as a field' --set data.fields=null
wrong 1 'ambient_sound.clusters: 601 clusters of 600 training sounds' --set ambient_sound.clusters=601
wrong 1 'ambient_sound.shuffled: samples have the sounds of each other in a lane' --set ambient_sound.shuffled=true \
    --set train.lane_samples=1
wrong 1 'ambient_sound.bands' --set ambient_sound.bands=1
[ ! -e w ] || fail 'left behind'
echo ok
