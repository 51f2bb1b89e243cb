# Clips that are foretold by what is done in them: same bits on any number of ranks and threads, exact resume, the same evaluation and
# pictures on 1 and 3 ranks; true actions against shuffled ones; plans that are carried out; what is refused and left out.
. "$HISS_ROOT/tests/cli/common"
cat >config.yaml <<'END'
objective: svg
seed: 3
data: {generate: push, labels: ''}
generate: {rows: 300, size: 32, speed: 3, frames: 6, blocks: 1}
svg: {actions: given, prior: none, past: 2, future: 4, features: 2, code: 9, hidden: 8}
optim: {method: adam, momentum: 0, lr: 0.01}
train: {epochs: 2, lanes: 6, lane_samples: 5}
eval: {generate: {part: test, rows: 60}}
END
judge=("${own_judgements[@]}" --set eval.futures=false --set eval.future_clips=30 --set eval.plans=20 --set eval.future_draws=6)

# ---- bits ----

for prior in none learned; do
    trained_alike $prior --set svg.prior=$prior
done
train 3 stopped --set train.epochs=1
train 2 stopped
grep -q 'resumed from' log || fail 'not resumed' log
same none stopped
train 1 deaf --set svg.actions=none
[ "$(hashes none)" != "$(hashes deaf)" ] || fail 'actions change nothing'
# Of a file they are the same.
"$HISS" prepare generate push --rows 300 --set generate.size=32 --set generate.speed=3 --set generate.frames=6 --set generate.blocks=1 \
    --output clips.h5 2>log || fail 'no clips' log
train 2 filed --set data.generate=none --set generate=null --set data.file=clips.h5 --set 'data.fields={clip: /clip, action: /action}' \
    --set eval.generate=null
same none filed

# ---- what evaluation says ----

# of RUN JUDGEMENT NAME: what eval.json says of a number, which has its judgement's line; mse NAME: of that error.
of() {
    sed -n "s/^ *\"$2\": {.*\"$3\": \([-0-9.e]*\).*/\1/p" "$1/eval.json" | grep . || fail "$1: eval.json has no $2 $3" "$1/eval.json"
}
mse() { sed -n "s/^ *\"actions\": {\"mse\": {[^}]*\"$2\": \([-0-9.e]*\).*/\1/p" "$1/eval.json" | grep . || fail "$1: no error" "$1/eval.json"; }
for run in none learned; do
    judged_alike $run actions{,-strips}.png actions.svg planning{,-strips}.png spread.svg
done
for name in true shuffled none; do
    less 0 "$(mse none $name)" "the error with $name actions"
done
[ "$(mse none true)" != "$(mse none shuffled)" ] && [ "$(mse none true)" != "$(mse none none)" ] ||
    fail 'actions change no foretold frame' none/eval.json
less "$(of none planning distance_true_world)" "$(of none planning start_distance)" 'where the true world plans to, and the start'
[ "$(of none planning reached_true_world)" = "$(of learned planning reached_true_world)" ] || fail 'the true world differs'
for name in spread miss nearest seen; do less -1 "$(of learned spread $name)" "the arm's $name"; done
grep -q 'planning-strips.png' none/eval.json && [ "$(grep -o 'src="data:image/png' none/report.html | wc -l)" -ge 4 ] || fail 'no pictures in the report'
# left_out RUN JUDGEMENT TEXT
left_out() { grep "^left out: $2: " "$1/eval.txt" | grep -qF -- "$3" || fail "$1: not left out for '$3'" "$1/eval.txt"; }
on 2 "$HISS" eval deaf "${judge[@]}"
[ $status -eq 0 ] || fail 'eval of what sees no actions' log
left_out deaf actions 'the method does not see what is done between frames'
left_out deaf planning 'the method does not see what is done between frames'
on 2 "$HISS" eval filed "${judge[@]}" --set eval.train=clips.h5 --set eval.test=clips.h5
[ $status -eq 0 ] || fail 'eval on clips of a file' log
left_out filed planning 'it needs test clips of a generator whose worlds go on by given actions'
less 0 "$(mse filed true)" 'the error on clips of a file'
left_out filed spread 'it needs test clips of a generator that finds its arm in pictures'
for one in eval.generate.rows=1 eval.future_clips=1; do
    on 1 "$HISS" eval none "${judge[@]}" --set $one
    [ $status -eq 0 ] || fail "eval on one clip: $one" log
    left_out none actions 'it needs two test clips'
    left_out none planning 'it needs two test clips'
done
on 1 "$HISS" eval none "${judge[@]}" --set eval.actions=false --set eval.planning=false --set eval.spread=false
[ $status -eq 0 ] && ! grep -q '"planning"\|"actions"\|"spread":' none/eval.json || fail 'what nobody wants' log

# ---- what it refuses and says ----

filed=(--set data.generate=none --set generate=null --set eval=null --set data.file=clips.h5)
refused 2 "svg.actions: needs what is done between frames, float32 [T,A] of at least 6 frames, as a field 'action' of each sample, found no such field" \
    "$HISS" train config.yaml --run w "${filed[@]}" --set 'data.fields={clip: /clip}'
refused 1 'found uint8 [6]; choose a generator that has it' "$HISS" train config.yaml --run w "${filed[@]}" \
    --set 'data.fields={clip: /clip, action: /contact}'
refused 1 'found float32 [6,2,2]' "$HISS" train config.yaml --run w "${filed[@]}" --set 'data.fields={clip: /clip, action: /place}'
on 2 "$HISS" train "$HISS_ROOT/configs/svg-push.yaml" --run config --set train.steps=2 --set data.memory=4MiB
[ $status -eq 0 ] && grep -q '2 frames given, 10 foretold by actions' log || fail "the config: exit $status" log
echo ok
