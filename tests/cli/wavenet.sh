# WaveNet: same bits on any number of ranks and threads, exact resume, the same evaluation and sounds on 1 and 3 ranks; better
# than levels by their shares; speakers; sounds made to order; what it refuses and says; ends that are trimmed.
. "$HISS_ROOT/tests/cli/common"
small_run
sounds
cat >config.yaml <<'END'
objective: wavenet
seed: 3
data: {file: sounds.h5, images: /sound, layout: NW}
wavenet: {first: 3, residual: 6, gates: 5, skip: 8, output: 8, blocks: 1, layers: 2, seconds: 0.02}
optim: {method: adam, momentum: 0, lr: 0.02}
train: {epochs: 4, lanes: 6, lane_samples: 5}
END
judge=("${own_judgements[@]}" --set eval.train=sounds.h5 --set eval.test=sounds.h5)

# ---- bits ----

for conditional in false true; do
    set=(--set wavenet.conditional=$conditional)
    train 1 one-$conditional "${set[@]}"
    for ranks in 2 5; do
        train $ranks ranks-$ranks-$conditional --set dist.threads=$((ranks % 3)) "${set[@]}"
        same one-$conditional ranks-$ranks-$conditional
    done
    train 3 stopped-$conditional "${set[@]}" --set train.epochs=2
    train 2 stopped-$conditional "${set[@]}"
    grep -q 'resumed from' log || fail 'not resumed' log
    same one-$conditional stopped-$conditional
done
mv one-false one
mv one-true speakers
grep -q 'looks back over 6 values, learns the last 16 of each row of 24, given the class' log || fail 'what it learns' log

# ---- what evaluation says ----

for run in one speakers; do
    for ranks in 1 3; do
        on $ranks "$HISS" eval $run "${judge[@]}"
        [ $status -eq 0 ] || fail "eval of $run on $ranks ranks: exit $status" log
        sed 's/"seconds": [0-9.]*//' $run/eval.json >json.$ranks
        sha256sum $run/wavenet-made.wav $run/wavenet-test.wav >sounds.$ranks
    done
    cmp json.1 json.3 || fail "eval.json of $run differs between 1 and 3 ranks"
    cmp sounds.1 sounds.3 || fail "sounds of $run differ"
    [ "$(grep -o '<audio controls[^>]*src="data:audio/wav;base64,UklGR' $run/report.html | wc -l)" -eq 2 ] ||
        fail "no sounds in the report of $run"
    awk 'length($0) > 120 { bad = 1 } END { exit bad }' $run/eval.txt || fail 'a table is too wide' $run/eval.txt
    less "$(number $run bits_per_value)" "$(awk -v b="$(baseline $run bits_per_value)" 'BEGIN { print b - 0.5 }')" \
        "bits of $run, and those of levels by their shares less half a bit"
done
grep -q '"bits_per_value"' one/metrics.jsonl || fail 'no bits in the log' one/metrics.jsonl
on 1 "$HISS" eval one "${judge[@]}" --set wavenet.seconds=0
[ $status -eq 0 ] && ! grep -q 'Made sound' one/report.html || fail 'sound is made that nobody wants' log

# ---- sounds by themselves ----

# Header, 3 sounds of 80 values and 2 pauses of a quarter of a second.
on 1 "$HISS" sample one --rows 3 --seconds 0.01 --output a.wav
[ $status -eq 0 ] && grep -q 'a.wav: 3 sounds of 0.01 s drawn by seed 3, at 8000 Hz' log || fail "sample: exit $status" log
[ "$(stat -c %s a.wav)" -eq $((44 + 2 * (3 * 80 + 2 * 2000))) ] || fail 'another length'
on 3 "$HISS" sample one --rows 3 --seconds 0.01 --output b.wav
[ $status -eq 0 ] && cmp a.wav b.wav || fail 'other sounds on 3 ranks' log
on 1 "$HISS" sample one --rows 3 --seconds 0.01 --seed 4
[ $status -eq 0 ] && ! cmp -s a.wav one/samples.wav || fail 'the same sounds by another seed' log
# One that is asked for is the one that comes in turn.
on 1 "$HISS" sample speakers --rows 2 --seconds 0.01 --output turn.wav
on 1 "$HISS" sample speakers --rows 2 --seconds 0.01 --class 0 --output zero.wav
[ $status -eq 0 ] && [ "$(head -c 204 turn.wav | sha256sum)" = "$(head -c 204 zero.wav | sha256sum)" ] && ! cmp -s turn.wav zero.wav ||
    fail 'sounds of a class' log
# The class of the shorter waves crosses 0 more often.
crossings() { tail -c +45 "$1" | od -v -An -w2 -td2 | awk 'NR > 1 && ($1 < 0) != before { n++ } { before = $1 < 0 } END { print n }'; }
for class in 0 1; do
    on 1 "$HISS" sample speakers --rows 1 --seconds 0.5 --class $class --output $class.wav
    [ $status -eq 0 ] || fail "sample --class $class: exit $status" log
done
less "$(crossings 1.wav)" "$(awk -v n="$(crossings 0.wav)" 'BEGIN { print 0.8 * n }')" 'crossings of long waves, and of short ones'
"$HISS" prepare wav a.wav --length 80 --output back.h5 2>log || fail 'no WAV file was made' log
refused 1 '--columns has no effect on sound' "$HISS" sample one --columns 2
refused 1 '--output x.png: wavenet makes sound; expected a name that ends with .wav' "$HISS" sample one --output x.png
refused 2 '--class: wavenet of this config cannot be asked for a class' "$HISS" sample one --class 1
refused 1 '--class 2: there are 2 classes' "$HISS" sample speakers --class 2

# ---- what it refuses and says ----

refused 1 'network.layers: wavenet makes its own layers' "$HISS" train config.yaml --run w --set 'network.layers=[flatten]'
refused 2 'wavenet predicts what stands behind the first 66 values of a row, found rows of 24' "$HISS" train config.yaml --run w \
    --set wavenet.layers=6
refused 1 'wavenet needs rows of sound, int16 [1,length,1], in field' "$HISS" train config.yaml --run w --set data.file=data.h5 \
    --set data.images=/images --set data.layout=null
"$HISS" prepare wav waves/high/1.wav --length 24 --overlap 8 --output bare.h5 2>log || fail 'prepare' log
refused 2 'wavenet.conditional: wavenet needs labels, but bare.h5 has no data set /labels' "$HISS" train config.yaml --run w \
    --set data.file=bare.h5 --set wavenet.conditional=true
wav other.wav 16000 800 4 3000
"$HISS" prepare wav other.wav --length 24 --output other.h5 2>log || fail 'prepare' log
refused 1 'its sound has 16000 values a second, that of sounds.h5 8000' "$HISS" eval one "${judge[@]}" --set eval.test=other.h5
refused 1 'its sound has 16000 values a second, that of' "$HISS" train config.yaml --run w --set 'data.file=[bare.h5, other.h5]'
# A tone without noise is known, and what is not learnt is at chance.
wav tone.wav 8000 4813 4
"$HISS" prepare wav tone.wav --length 24 --overlap 8 --output tone.h5 2>log || fail 'prepare' log
train 1 tone --set data.file=tone.h5 --set train.epochs=12
grep -q 'the next value is all but known, as in silence or in a tone' log || fail 'a loss near 0 is not named' log
train 1 still --set optim.lr=1e-9 --set train.epochs=6
grep -q 'equally probable levels, ln 256 = 5.545' log || fail 'a loss of ln 256 is not named' log

# ---- ends that are trimmed ----

wav quiet.wav 8000 300 300 0 # loud at first: 150 values up, then down; what is cut off is what a louder share asks for
printf 'RIFF\124\002\000\000WAVEfmt \020\000\000\000\001\000\001\000\100\037\000\000\200\076\000\000\002\000\020\000data\060\002\000\000' >ends.wav
{ head -c 200 /dev/zero && tail -c +45 quiet.wav | head -c 160 && head -c 200 /dev/zero; } >>ends.wav
on 1 "$HISS" prepare wav ends.wav --length 10 --trim 0.1 --no-shuffle --output ends.h5
[ $status -eq 0 ] && grep -q '0.025 s at the ends of files, which stay below --trim 0.1, left out' log &&
    grep -q 'wrote ends.h5: 8 rows of 10 values' log || fail "--trim: exit $status" log
refused 1 'none of 1 files has 90 values between those that --trim cuts off' "$HISS" prepare wav ends.wav --length 90 --trim 0.1 --output x.h5
refused 1 'none of 1 files has a value that reaches --trim 1 of full scale; lower --trim' "$HISS" prepare wav ends.wav --length 10 \
    --trim 1 --pad --output x.h5
train 1 apart --set data.file=other.h5 --set train.epochs=1 --set train.lanes=1
grep -q 'rows overlap by 0, so 6 values of each are never learnt' log || fail 'what is never learnt is not said' log
for config in wavenet-speech wavenet-speakers; do
    # shellcheck disable=SC2046
    on 2 "$HISS" train "$HISS_ROOT/configs/$config.yaml" --run $config $(other_data wavenet) --set train.steps=2
    [ $status -eq 0 ] || fail "the config $config: exit $status" log
done
echo ok
