# What is wrong with a data file is said of the key that names it, where the user wrote it: in sections data and eval, in a
# file and by --set. Test samples may lie in another file, or beside the training samples, under names of their own.
. "$HISS_ROOT/tests/cli/common"
small_run
"$odd_h5" both.h5 /train/x=u8:600x12x12 /train/y=u8:600 /test/x=u8:120x12x12 /test/y=i16:120 /small/x=u8:60x10x10 /small/y=u8:60
"$odd_h5" other.h5 /x=u8:120x12x12 /y=i64:120
"$odd_h5" first.h5 /images=u8:96x3x12x12 /single=u8:96x1x16x9 /signal=u8:96x1x64x12 /last=u8:96x12x12x3

# keyed TEXT ARGUMENT...: of train; the error begins with TEXT.
keyed() { refused "${ranks:-1}" "hiss: error: $1" "$HISS" train "${config:-config.yaml}" --run new "${@:2}"; }
keyed '--set data.file: the data file none.h5 does not exist' --set data.file=none.h5
keyed '--set data: data.file: the data file none.h5 does not exist' --set 'data={file: none.h5}'
keyed '--set data.images: data.h5: has no data set /x; it has: /images, /labels' --set data.images=/x
keyed '--set data.labels: data.h5: has no data set /y; it has: /images, /labels' --set data.labels=/y --set objective=supervised
keyed 'data.images: both.h5: has no data set /images; it has: ' --set data.file=both.h5
sed 's#data: .*#data: {file: none.h5}#' config.yaml >none.yaml
ranks=2 config=none.yaml keyed 'none.yaml:2:14: data.file: the data file none.h5 does not exist'
sed 's#data: .*#data: {file: data.h5, images: /x}#' config.yaml >none.yaml
config=none.yaml keyed 'none.yaml:2:31: data.images: data.h5: has no data set /x'
[ ! -e new ] || fail 'left behind'

# Channels first.
for name in images:3,12,12 single:1,16,9; do
    IFS=: read -r set found <<<"$name"
    keyed "--set data.images: first.h5: data set $set holds uint8 [96,$found], which looks like [n,C,H,W]; expected [n,H,W,C]" \
        --set data.file=first.h5 --set "data.images=$set"
    grep -qF 'set data.layout: NCHW' log || fail 'not how to read it' log
done
train 1 last --set data.file=first.h5 --set data.images=last --set train.epochs=1 --set train.lanes=2
train 1 signal --set data.file=first.h5 --set data.images=signal --set train.epochs=1 --set train.lanes=2 \
    --set 'network.layers=[flatten, {linear: 4}]'

# hiss eval: the run's config has the lines.
names=(--set data.file=both.h5 --set data.images=/train/x --set data.labels=/train/y)
train 1 run "${names[@]}" --set train.epochs=1 --set eval.test=test.h5
line() { grep -n "^  $1: " run/config.yaml | cut -d: -f1; }
few=(--set eval.random=false --set eval.layers=fc1 --set eval.few_labels=false --set eval.linear=false)
judge() { # RANKS TEXT ARGUMENT...
    refused "$1" "hiss: error: $2" "$HISS" eval run "${few[@]}" "${@:3}"
    [ "$(grep -c judging log)" -eq 0 ] || fail 'worked before' log
}
judge 2 "run/config.yaml:$(line test):9: eval.test: the data file test.h5 does not exist"
judge 1 '--set eval.test: the data file none.h5 does not exist' --set eval.test=none.h5
judge 1 '--set eval.train: the data file none.h5 does not exist' --set eval.train=none.h5
judge 1 "eval.test_images (not set; as run/config.yaml:$(line images):11: data.images): other.h5: has no data set /train/x; it has: /x, /y" --set eval.test=other.h5
judge 1 '--set eval.test_images: other.h5: has no data set /z' --set eval.test=other.h5 --set eval.test_images=/z
judge 1 'eval.test_labels (not set; as ' --set eval.test=other.h5 --set eval.test_images=/x
judge 1 '--set eval.test_labels: other.h5: data set /x holds uint8 [120,12,12], 144 columns, and row 0 is not one-hot' \
    --set eval.test=other.h5 --set eval.test_images=/x --set eval.test_labels=/x
judge 1 '--set eval.train_images: other.h5: has no data set /z' --set eval.train=other.h5 --set eval.train_images=/z
judge 2 '--set eval.test_images: images of both.h5 are uint8 [10,10,1], expected uint8 [12,12,1] as in both.h5' \
    --set eval.test=null --set eval.test_images=/small/x --set eval.test_labels=/small/y
judged() { # TRAIN TEST ARGUMENT...
    on 1 "$HISS" eval run "${few[@]}" "${@:3}"
    [ $status -eq 0 ] || fail "exit $status: ${*:3}" log
    grep -q "trained on $1 samples, tested on $2" log || fail "not on $1 and $2 samples: ${*:3}" log
    ! grep -q 'is the training file' log || fail 'other data sets are taken for the same' log
}
other=(--set eval.test=other.h5 --set eval.test_images=/x --set eval.test_labels=/y)
beside=(--set eval.test=null --set eval.test_images=/test/x --set eval.test_labels=/test/y)
judged 600 120 "${other[@]}"
judged 600 120 "${beside[@]}"
judged 120 120 "${other[@]}" --set eval.train=both.h5 --set eval.train_images=/test/x --set eval.train_labels=/test/y
on 1 "$HISS" query run --queries 2 "${beside[@]}"
[ $status -eq 0 ] || fail "query: exit $status" log
on 1 "$HISS" eval run "${few[@]}" --set eval.test=both.h5
grep -q 'warning: eval.test is the training file both.h5' log || fail 'no warning of the training file' log

# So is one that is the training file by another name or link, or one of several; train, eval, query and doctor say so.
ln both.h5 hard.h5
ln -s both.h5 soft.h5
cp both.h5 copy.h5
said() { # NUMBER TEXT COMMAND...
    on 2 "${@:3}"
    [ "$(grep -cF "$2" log)" -eq "$1" ] || fail "not $1 of '$2': ${*:3}" log
}
own=(--set train.epochs=1 --set data.file=both.h5 --set data.images=/train/x --set data.labels=/train/y)
also='is also a training file, as both.h5: the figures will be those of samples that were trained on'
for name in hard soft; do
    said 1 "eval.test: $name.h5 $also" "$HISS" eval run "${few[@]}" --set eval.test=$name.h5
done
said 1 "eval.test: ./both.h5 $also" "$HISS" query run --queries 2 --set eval.test=./both.h5
said 1 "eval.test: hard.h5 $also" "$HISS" train config.yaml --run shared "${own[@]}" --set eval.test=hard.h5
said 1 'eval.test is the training file both.h5' "$HISS" train config.yaml --run shared2 "${own[@]}" \
    --set 'data.file=[copy.h5, both.h5]' --set 'eval.test=b*h.h5'
said 1 "eval.test: soft.h5 $also" "$HISS" doctor config.yaml "${own[@]}" --set eval.test=soft.h5
said 1 'eval.test is the training file both.h5' "$HISS" eval run "${few[@]}" --set eval.train=copy.h5 --set eval.test=both.h5
for test in '--set eval.test=copy.h5' '--set eval.test=null' '--set eval.test=soft.h5 --set eval.test_images=/test/x'; do
    read -ra arguments <<<"$test"
    said 0 'training file' "$HISS" train config.yaml --run other "${own[@]}" "${arguments[@]}"
    rm -r other
done

# hiss train looks after eval.test at once, by its key.
on 1 "$HISS" train config.yaml --run third --set train.epochs=1 --set eval.test=none.h5
grep -q 'hiss: warning: --set eval.test: none.h5 is not there' log || fail 'no warning' log
echo ok
