# hiss doctor looks at every key that names a file or a thing in one: each key of the help is given a name that nothing has,
# and doctor must say FAIL and the key. What exists, but is something else, is told, too.
. "$HISS_ROOT/tests/cli/common"
small_run
others
train 1 run --set train.epochs=1
"$odd_h5" other.h5 /images=u8:120x12x12 /labels=u8:120 /small=u8:120x9x9
mkdir empty
doctor=("$HISS" doctor config.yaml --write 0)

# fails RANKS TEXT SETTING...: doctor exits with 2, and a line says FAIL and the text.
fails() {
    local ranks=$1 text=$2 sets=()
    for setting in "${@:3}"; do sets+=(--set "$setting"); done
    on "$ranks" "${doctor[@]}" "${sets[@]}"
    [ $status -eq 2 ] || fail "exit $status instead of 2: doctor ${sets[*]}" log
    [ "$(grep -c '^FAIL' log)" -eq 1 ] || fail "not one line with FAIL: doctor ${sets[*]}" log
    grep '^FAIL' log | grep -qF -- "$text" || fail "no '$text': doctor ${sets[*]}" log
}

# Numbers, truths and choices are read in one place (grammar.sh); files, texts and nodes are what is left.
keys=0
while read -r key; do
    method=() # of whose section the key is
    for name in $(methods); do
        [ "$name" != "${key%%.*}" ] || method=(objective="$name" network.layers=null augment.contrast=0)
        [ "$name.${key%%.*}" != word2vec.word2vec ] || method+=(data.file=words.h5 data.images=/tokens data.layout=NW)
    done
    [ "${key%%.*}" != probe ] || [ "$key" = probe.every ] || method=(probe.every='1 epoch')
    fails 1 "$key" "$key=no-such-thing" "${method[@]}"
    keys=$((keys + 1))
done < <("$HISS" train --help | grep -v 'data.ignore_label\|train.init_prefix' | grep -v ' \(integer\|number\|true|false\|[a-z]*|[a-z|]*\) ' |
    sed -n '/^Keys/,$s/^  \([a-z_0-9]*\.[a-z_0-9]*\|kernel_table\)  .*/\1/p')
[ $keys -ge 19 ] || fail "only $keys keys in the help"

fails 2 'train.init: the source no-such-thing does not exist' train.init=no-such-thing
fails 1 'train.init: empty has no checkpoint' train.init=empty
fails 1 'train.init: ' train.init=config.yaml
fails 2 'train.init: nothing in run/ckpt/step-12.h5 has the name and shape' train.init=run 'network.layers=[flatten, {linear: 3, name: x}]' nat.dim=9
fails 1 "train.init_prefix: run/ckpt/step-12.h5 has arrays of this network without 'lite/' before their names; leave it out" train.init=run train.init_prefix=lite/
fails 2 'hiss eval would fail: --set eval.test: the data file no-such-thing does not exist' eval.test=no-such-thing
fails 1 'eval.test: ' eval.test=empty
fails 1 'eval.test: ' eval.test=config.yaml
fails 1 'eval.test_images: images of other.h5 are uint8 [9,9,1]' eval.test_images=/small eval.train=other.h5
fails 2 "--set eval.layers: layer 'fc9' is not in this network; it has conv1, fc1, z" eval.layers=fc1,fc9
fails 2 "--set probe.layers: layer 'fc9' is not in this network; it has conv1, fc1, z" probe.layers=fc9 probe.every='5 steps'
fails 1 "probe.best: 'probe/fc1/knn' is no number of these probes" probe.best=probe/fc1/knn probe.every='5 steps'
fails 2 "hiss eval would fail: --set eval.classifier: run is a run of objective nat" eval.classifier=run

for ranks in 1 2; do
    on $ranks "${doctor[@]}" --set train.init=run --set train.freeze=conv1 --set eval.layers=fc1,z --set eval.test=other.h5 \
        --set 'probe.every=1 epoch' --set probe.layers=fc1
    [ $status -eq 0 ] || fail "exit $status with names that exist" log
    grep -q '^OK    hiss eval: 600 training and 120 test samples, 2 layers$' log || fail 'not said what eval finds' log
    grep -q '^OK    probe: what it names is there$' log || fail 'not said what probes find' log
    grep -q '^OK    train.init: run has parameters of this network$' log || fail 'not said what init finds' log
done
echo ok
