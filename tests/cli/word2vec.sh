# word2vec: the same bits on any number of ranks and threads, when a forward runs twice, and after stops; both models; on a text
# of two languages it learns which words are of one, and its control, words drawn from the counts, does not; the same
# evaluation on 1 and 3 ranks; vectors as text; what is refused.
. "$HISS_ROOT/tests/cli/common"

# text SEED LINES: lines of ten words, all out of one of two halves of 40 words, the first ones of each more often.
text() {
    awk -v seed="$1" -v n="$2" 'BEGIN {
        srand(seed)
        for (i = 0; i < n; i++) {
            half = rand() < 0.5 ? "up" : "low"
            for (k = 0; k < 10; k++) printf "%s%d%s", half, int(20 * rand() * rand()), k == 9 ? "\n" : " "
        }
    }'
}
text 1 600 >train.txt
text 2 150 >test.txt
on 1 "$HISS" prepare text train.txt --length 10 --min-count 2 --output train.h5
[ $status -eq 0 ] || fail 'no training text' log
on 1 "$HISS" prepare text test.txt --length 10 --vocabulary train.h5 --output test.h5
[ $status -eq 0 ] || fail 'no test text' log
{
    echo '# two words of one half mean the same'
    for a in 0 1 2 3 4 5 6 7; do for b in 3 5 7 9 11; do [ $a -ge $b ] || printf 'Up%d up%d\nlow%d low%d\n' $a $b $a $b; done; done
    echo 'up1 nowhere'
} >synonyms.txt
printf ': halves\nup1 up2 up3 up4\nup1 up2 nowhere low4\n' >analogies.txt
cat >config.yaml <<'END'
objective: word2vec
seed: 3
data: {file: train.h5, images: /tokens, layout: NW}
word2vec: {dim: 8, window: 3, shared: 6, subsample: 0, synonyms: synonyms.txt, analogies: analogies.txt}
optim: {method: adagrad, lr: 0.2, schedule: linear}
train: {epochs: 2, lanes: 12, lane_samples: 5}
checkpoint: {every: 1 epochs}
eval: {test: test.h5, pixels: false, random: false}
END

on 1 "$HISS" doctor config.yaml
[ $status -eq 0 ] || fail "doctor: exit $status" log

# ---- bits ----

for model in skipgram cbow ranking; do
    train 1 $model --set word2vec.model=$model
    grep -q '"pair_loss"' $model/metrics.jsonl || fail 'no loss of a pair' $model/metrics.jsonl
    train 2 ranks --set word2vec.model=$model --set dist.bucket=1KiB --set data.mode=stream
    same $model ranks
    train 5 threads --set word2vec.model=$model --set dist.threads=2 --set train.activation_memory=0
    same $model threads
    train 7 more --set word2vec.model=$model
    same $model more
    rm -r ranks threads more
done
[ "$(hashes skipgram)" != "$(hashes cbow)" ] && [ "$(hashes skipgram)" != "$(hashes ranking)" ] || fail 'models do not differ'
train 3 stopped --set train.steps=7
train 1 stopped --set train.steps=13
train 2 stopped
grep -q 'resumed from' log || fail 'not resumed' log
same skipgram stopped

# ---- what it learns ----

# number RUN NAME: what the evaluation says.
number() { grep -o "\"$2\": [-0-9.e]*" "$1/eval.json" | head -n 1 | cut -d ' ' -f 2 | grep . || fail "no $2" "$1/eval.json"; }
judge() {
    on "$1" "$HISS" eval "$2"
    [ $status -eq 0 ] || fail "eval of $2: exit $status" log
}
learn=(--set train.epochs=12 --set train.lanes=2 --set train.lane_samples=10 --set checkpoint.every=12epochs)
for model in skipgram cbow ranking; do
    train 1 good-$model "${learn[@]}" --set word2vec.model=$model
    judge 1 good-$model
    cp log "$model.txt"
    train 1 drawn-$model "${learn[@]}" --set word2vec.model=$model --set word2vec.text=drawn
    judge 1 drawn-$model
    # Of the words that are matched half are of the same half, so that three quarters are about the most.
    awk -v a="$(number good-$model synonyms_auc)" -v b="$(number drawn-$model synonyms_auc)" \
        'BEGIN { exit !(a > 0.7 && b > 0.4 && b < 0.6) }' ||
        fail "$model: synonyms $(number good-$model synonyms_auc), of the control $(number drawn-$model synonyms_auc)"
done
# Windows of another half's word are told, and those of the control are not.
awk -v a="$(number good-ranking ranked_wrong)" -v b="$(number drawn-ranking ranked_wrong)" 'BEGIN { exit !(a > 0 && a < 40 && b > 40 && b < 60) }' ||
    fail "ranked wrong: $(number good-ranking ranked_wrong), of the control $(number drawn-ranking ranked_wrong)"
grep -q 'ranking of windows' good-ranking/report.html || fail 'no ranking in the report'
cp good-ranking/eval.json json.1
judge 3 good-ranking
sed 's/"seconds": [0-9.]*//' good-ranking/eval.json | cmp - <(sed 's/"seconds": [0-9.]*//' json.1) ||
    fail 'the evaluation of a ranking differs between 1 and 3 ranks'
# The loss beside the unigram's, which is its baseline.
loss_below() {
    sed -n 's/.*"pair_loss": \([0-9.]*\).*/\1/p' "$1/eval.json" | head -n 1 >value
    grep -o 'test [0-9.]* nats' "$2" | head -n 1 | cut -d ' ' -f 2 >baseline
    awk -v a="$(cat value)" -v b="$(cat baseline)" 'BEGIN { exit !(a > 0 && a < b) }'
}
loss_below good-skipgram skipgram.txt || fail "a loss of $(cat value), the unigram's is $(cat baseline)" skipgram.txt
grep -q 'near up[0-9]*: up' skipgram.txt && grep -q '1 lines have words' skipgram.txt || fail 'neighbours' skipgram.txt
grep -q 'near up' good-skipgram/report.html || fail 'no neighbours in the report'
cp good-skipgram/eval.json json.1
judge 3 good-skipgram
sed 's/"seconds": [0-9.]*//' good-skipgram/eval.json | cmp - <(sed 's/"seconds": [0-9.]*//' json.1) ||
    fail 'the evaluation differs between 1 and 3 ranks'
on 1 "$HISS" eval good-skipgram --set word2vec.neighbors=low2,up3 --set word2vec.synonyms=null --set word2vec.analogies=null
[ $status -eq 0 ] && [ "$(grep -c '^near ' log)" -eq 2 ] && ! grep -q 'AUC' log || fail 'other words to look at' log

# Rows have the mean of their words' vectors as features.
on 2 "$HISS" features good-skipgram --data test.h5 --output features.csv
[ $status -eq 0 ] && [ "$(wc -l <features.csv)" -ge 150 ] || fail 'features' log

# ---- export ----

on 2 "$HISS" export good-skipgram --format word2vec --output words.txt
[ $status -eq 0 ] || fail 'export' log
[ "$(head -n 1 words.txt)" = "$(($(wc -l <words.txt) - 1)) 8" ] || fail 'the first line' words.txt
awk 'NR > 1 && (NF != 9 || $1 !~ /^(up|low)[0-9]+$/) { bad = 1 } END { exit bad }' words.txt || fail 'lines' words.txt
on 1 "$HISS" export good-skipgram --format word2vec --output again.txt --set data.file=train.h5
cmp words.txt again.txt || fail 'the same checkpoint, another file'
no() { refused "${ranks:-1}" "$1" "${@:2}"; }
no '--layers has no effect with this --format' "$HISS" export good-skipgram --format word2vec --layers mean --output x
no 'nowhere.h5' "$HISS" export good-skipgram --format word2vec --output x --set data.file=nowhere.h5
no 'cannot write' "$HISS" export good-skipgram --format word2vec --output nowhere/x
for format in torch onnx; do
    no "operation 'labels' of words cannot be exported" "$HISS" export good-skipgram --format $format --output x
done
[ ! -e x ] || fail 'left behind'

# ---- what is refused ----

wrong() { refused "$1" "$2" "$HISS" train config.yaml --run r "${@:3}"; }
wrong 2 'word2vec.synonyms: the list of words nowhere does not exist' --set word2vec.synonyms=nowhere
wrong 1 'word2vec.synonyms: analogies.txt:2: 4 words; expected 2 with blanks' --set word2vec.synonyms=analogies.txt
wrong 1 'word2vec.analogies: synonyms.txt:2: 2 words; expected 4 with blanks' --set word2vec.analogies=synonyms.txt
wrong 1 'word2vec.synonyms: train.h5: byte ' --set word2vec.synonyms=train.h5
echo 'other words' >other.txt
wrong 1 'word2vec.synonyms: other.txt: of 1 lines none has only words of the vocabulary' --set word2vec.synonyms=other.txt
wrong 1 "word2vec.neighbors: 'nowhere' is not in the vocabulary" --set word2vec.neighbors=up1,nowhere
wrong 2 'word2vec.window: 5 words on each side of one do not fit into rows of 10' --set word2vec.model=ranking --set word2vec.window=5
wrong 2 'network.layers: word2vec makes its own layers' --set 'network.layers=[flatten]'
wrong 1 'data.images: train.h5: data set /tokens holds int32' --set data.layout=null
"$odd_h5" bare.h5 /tokens=i32:60x10 /pictures=u8:60x8x8 2>log || fail 'no odd file' log
wrong 2 'word2vec needs rows of words with the /vocabulary that hiss prepare text' --set data.file=bare.h5
wrong 1 "word2vec needs rows of words' numbers, int32 [1,length,1], in field 'image', found uint8 [8,8,1]" \
    --set data.file=bare.h5 --set data.images=/pictures --set data.layout=null
on 1 "$HISS" prepare text train.txt --by bytes --length 10 --output bytes.h5
wrong 1 "found uint8 [1,10,1]" --set data.file=bytes.h5
on 1 "$HISS" prepare text train.txt --length 1 --min-count 2 --output single.h5
wrong 1 'word2vec learns from the words beside a word, found rows of 1' --set data.file=single.h5
on 1 "$HISS" prepare text test.txt --length 10 --min-count 9 --output strange.h5
refused 2 'strange.h5: has another vocabulary than train.h5: word ' "$HISS" eval good-skipgram --set eval.test=strange.h5
for setting in dim=0 window=0 negatives=0 shared=0 power=-1 subsample=2 model=glove text=none; do
    wrong 1 "word2vec.${setting%=*} must be" --set word2vec.$setting
done
[ ! -e r ] || fail 'a run of nothing'
echo ok
