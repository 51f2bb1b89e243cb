# hiss eval on a file sorted by class and without eval.test: what is tested on is drawn from every class, so that the
# order of the file does not matter; the same figures on any number of ranks; eval.txt and eval.json say how samples were
# drawn and whether the probes converged.
. "$HISS_ROOT/tests/cli/common"

# 640 pictures of 12 x 12 whose brightness tells their class, of which there are eight, in order; the same ones mixed.
mkdir sorted
"$HISS_ROOT/tools/tiny_data" sorted 640 12
{
    head -c 16 sorted/images.idx
    for class in 0 1 2 3 4 5 6 7; do
        tail -c +$((17 + class * 11520)) sorted/images.idx | head -c 11520 |
            LC_ALL=C tr '\000-\377' "[\\$(printf %03o $((16 + 28 * class)))*128][\\$(printf %03o $((20 + 28 * class)))*]"
    done
} >sorted.idx
{
    head -c 8 sorted/labels.idx
    for class in 0 1 2 3 4 5 6 7; do head -c 80 /dev/zero | LC_ALL=C tr '\000' "\\$class"; done
} >classes.idx
"$HISS" prepare idx --images sorted.idx --labels classes.idx --output sorted.h5 --no-shuffle 2>log || fail 'no sorted data' log
"$HISS" prepare idx --images sorted.idx --labels classes.idx --output mixed.h5 2>log || fail 'no mixed data' log
small_run
train 1 run --set data.file=sorted.h5 --set train.epochs=1

pixels=(--set eval.random=false --set eval.layers=fc1 --set eval.draws=2)
percent() { sed -n '/"raw\/pixels"/,/"linear"/s/.*"linear": {"percent": \([0-9.]*\),.*/\1/p' run/eval.json; }
without_times() { sed 's/"seconds": [0-9.]*//' run/eval.json; }

for ranks in 1 2 3; do
    on $ranks "$HISS" eval run "${pixels[@]}"
    [ $status -eq 0 ] || fail "eval on $ranks ranks: exit $status" log
    without_times >eval.$ranks
    cmp eval.1 eval.$ranks || fail "eval differs between 1 and $ranks ranks"
done
grep -qE 'hiss: 1 of 2 feature sets judged in [0-9]+ s, about [0-9]+ s left' log || fail 'no time left is told' log
sorted=$(percent)
awk -v p="$sorted" 'BEGIN { exit !(p > 90) }' || fail "pixels $sorted % on a sorted file" run/eval.txt
said='no eval.test: 106 of 640 samples held out for it, a share of each class, drawn by seed 3'
for file in eval.txt eval.json; do grep -q "$said" run/$file || fail "$file does not say how samples were drawn" run/$file; done
on 1 "$HISS" eval run "${pixels[@]}" --set data.file=mixed.h5
[ $status -eq 0 ] || fail "eval of mixed data: exit $status" log
awk -v a="$sorted" -v b="$(percent)" 'BEGIN { exit !(a - b < 5 && b - a < 5) }' || fail "$sorted sorted, $(percent) mixed" log

# Limits draw from every class too.
on 1 "$HISS" eval run "${pixels[@]}" --set eval.train_limit=160 --set eval.test_limit=40 --set eval.test=sorted.h5
[ $status -eq 0 ] || fail "eval with limits: exit $status" log
grep -q 'trained on 160 samples, tested on 40' run/eval.txt && grep -q 'eval.train_limit: a share of each class' run/eval.txt ||
    fail 'limits not said' run/eval.txt
awk -v p="$(percent)" 'BEGIN { exit !(p > 90) }' || fail "pixels $(percent) % with limits" run/eval.txt

# Classes that training lacks are warned of; none but those is a mistake.
{ head -c 8 sorted/labels.idx && head -c 639 /dev/zero | LC_ALL=C tr '\000' '\011' && head -c 1 /dev/zero; } >nines.idx
{ head -c 8 sorted/labels.idx && head -c 640 /dev/zero | LC_ALL=C tr '\000' '\011'; } >only.idx
"$HISS" prepare idx --images sorted.idx --labels nines.idx --output nines.h5 2>log || fail 'no data of another class' log
"$HISS" prepare idx --images sorted.idx --labels only.idx --output only.h5 2>log || fail 'no data of another class' log
refused 2 'eval.test_labels: no test sample is of a class that training samples have (9 is one, 0 one of theirs)' "$HISS" eval run \
    "${pixels[@]}" --set eval.test=only.h5
# A checkpoint that makes room for another after it was found, as where training goes on: the newest that is there is judged.
# The first line of the log waits in a full pipe meanwhile.
cp -r run going
cp "$(ls going/ckpt/step-*.h5 | tail -1)" going/ckpt/step-999.h5
mkfifo full
exec 3<>full
head -c 65536 /dev/zero >&3
"$HISS" eval going "${pixels[@]}" >log 2>&3 &
job=$!
sleep 2
rm going/ckpt/step-999.h5
cat <&3 >drained &
reader=$!
status=0
wait $job || status=$?
kill $reader
exec 3>&-
[ $status -eq 0 ] || fail "a checkpoint that is gone: exit $status" drained
grep -aq 'going/ckpt/step-999.h5 is gone; judging going/ckpt/step-' drained || fail 'not another checkpoint' drained

# What judges made images has none to judge.
on 2 "$HISS" eval run "${pixels[@]}" --set eval.classifier=nope
[ $status -eq 0 ] && [ "$(grep -c 'warning: --set eval.classifier: has no effect, since the method makes no images' log)" -eq 1 ] ||
    fail 'no warning of a classifier without images' log

# Limits that leave too little are to blame themselves, wherever there is one.
none='without a class in common (training has 0, test 9); raise eval.train_limit and eval.test_limit'
refused 2 "eval.train_limit: the limits leave 3 training samples and 640 test samples $none" "$HISS" eval run "${pixels[@]}" \
    --set eval.test=only.h5 --set eval.train_limit=3
refused 1 'eval.test_limit: the limits leave ' "$HISS" eval run "${pixels[@]}" --set eval.test=only.h5 --set eval.test_limit=1
on 2 "$HISS" eval run "${pixels[@]}" --set eval.test=nines.h5
[ $status -eq 0 ] || fail "eval of unseen classes: exit $status" log
[ "$(grep -c 'hiss: warning: 639 of 640 test samples are of classes that no training sample has (class 9 is one)' log)" -eq 1 ] ||
    fail 'no warning of unseen classes' log

# What has not converged is said, and what has.
grep -q 'linear probes converged to gradients of 1e-06 of the first or less' run/eval.txt || fail 'convergence not said' run/eval.txt
on 1 "$HISS" eval run "${pixels[@]}" --set eval.iterations=2
[ $status -eq 0 ] || fail "eval with 2 steps: exit $status" log
grep -qE '^linear probe of raw/pixels not converged: gradient [0-9.e-]+ of the first after 2 steps, 1e-06 wanted' run/eval.txt ||
    fail 'silent about a probe that has not converged' run/eval.txt
grep -qE '"iterations": 2[^0-9]' run/eval.json && grep -q '"gradient": ' run/eval.json || fail 'no account of the fit' run/eval.json
grep -q '"converged": false' run/eval.json || fail 'eval.json does not say it' run/eval.json

# Too few training samples for a random network: it is left out, which is said; the rest is judged.
"$odd_h5" few.h5 /images=u8:49x12x12 /labels=u8:49
on 2 "$HISS" eval run --set eval.train=few.h5 --set eval.test=mixed.h5 --set eval.layers=fc1 --set eval.few_labels=false
[ $status -eq 0 ] || fail "eval of 49 training samples: exit $status" log
for file in eval.txt eval.json; do
    grep -q 'left out: the random network (eval.random): it needs at least 50 training samples, found 49' run/$file ||
        fail "$file: silent about the random network" run/$file
done
grep -q '^trained/fc1 ' run/eval.txt && ! grep -q '^random/' run/eval.txt || fail 'not judged' run/eval.txt

# Labels with gaps are numbered anew: one that is out of all bounds costs no more than the next one would.
"$odd_h5" near.h5 /images=u8:600x12x12 /labels=i32:600
"$odd_h5" far.h5 /images=u8:600x12x12 /labels=i32:600:1048575@17
"$odd_h5" next.h5 /images=u8:600x12x12 /labels=i32:600:10@17
for file in next far; do
    (ulimit -v 4000000 && exec "$HISS" eval run --set eval.train=$file.h5 --set eval.test=near.h5 --set eval.layers=fc1 \
        --set eval.draws=2 >log 2>&1) || fail "eval of labels with a gap: $file" log
    without_times | sed 1,2d >eval.$file # without what classes are called
    ! grep -q 'of classes that no training sample has' log || fail 'known classes are called unknown' log
done
cmp eval.next eval.far || fail 'the value of a label counts'
grep -q ', 11 classes$' run/eval.txt || fail 'not 11 classes' run/eval.txt

# Why nothing can be held out.
"$odd_h5" single.h5 /images=u8:10x12x12 /labels=u8:10
"$odd_h5" five.h5 /images=u8:5x12x12 /labels=u8:5:1
why='each of 10 classes has one sample, which stays in training, so that none can be held out; name a file in eval.test'
refused 2 "eval.train: single.h5: $why" "$HISS" eval run --set eval.train=single.h5
refused 1 'five.h5: 5 samples are too few to hold some out' "$HISS" eval run --set eval.train=five.h5

# Nothing to judge is a mistake.
off=(--set eval.knn=false)
for judgement in linear few_labels average_precision classification statistics neighbors filters reconstruction denoising likelihood measures generation detection futures actions planning spread; do
    off+=(--set eval.$judgement=false)
done
why='every judgement is false, so that nothing would be judged; set one of knn, linear, '
refused 2 "eval: $why" "$HISS" eval run "${off[@]}"
! grep -q judging log || fail 'worked before' log
on 1 "$HISS" eval run "${off[@]}" --set eval.statistics=true
[ $status -eq 0 ] || fail "one judgement: exit $status" log
echo ok
