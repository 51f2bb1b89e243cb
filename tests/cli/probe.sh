# Section probe: looking changes no bit of a run, and gives the same numbers on any number of ranks and threads; what has
# collapsed is named; the best checkpoint stays; a run that gets no better ends, also where it was stopped in between.
. "$HISS_ROOT/tests/cli/common"
small_run
said() { grep -qF -- "$1" log || fail "not said: $1" log; }
# numbers RUN: of each line with a probe, its step and what the probe says.
numbers() {
    grep -o '^{"step": [0-9]*\|"probe/[^,]*' "$1/metrics.jsonl" | tr '\n' ' ' | sed 's/{/\n{/g' | grep probe || true
}
# value RUN STEP NAME
value() { grep "^{\"step\": $2," "$1/metrics.jsonl" | grep -o "\"$3\": [^,]*" | sed 's/.*: //'; }

# ---- no bit is changed, and none depends on ranks or threads ----

look=(--set 'probe.every=7 steps' --set probe.layers=conv1,fc1,z --set probe.samples=60)
train 1 without
! grep -q probe without/config.yaml without/metrics.jsonl without/summary.yaml || fail 'a probe that nobody asked for'
train 1 never --set probe.every=never
same without never
for ranks in 1 2 3; do
    train $ranks "with-$ranks" "${look[@]}" --threads "$ranks"
    [ "$ranks" = 1 ] || cmp <(numbers with-1) <(numbers "with-$ranks") || fail "other numbers on $ranks ranks"
    same without "with-$ranks"
done
[ "$(numbers with-1 | wc -l)" -eq 8 ] || fail 'not a line each 7 steps' with-1/metrics.jsonl
for name in knn ridge rank deviation least_deviation; do
    for layer in conv1 fc1 z; do
        [ -n "$(value with-1 56 "probe/$layer/$name")" ] || fail "no probe/$layer/$name" with-1/metrics.jsonl
    done
done
awk -v knn="$(value with-1 56 probe/fc1/knn)" -v rank="$(value with-1 56 probe/z/rank)" -v d="$(value with-1 56 probe/z/deviation)" \
    'BEGIN { exit !(knn > 0 && knn <= 100 && rank > 1.5 && rank <= 8 && d > 0.1 && d < 0.36) }' || fail 'odd numbers' with-1/metrics.jsonl
[ "$(value with-1 56 probe/collapsed)" = 0 ] || fail 'a collapse' with-1/metrics.jsonl
grep -q '^probes: 8$' with-1/summary.yaml || fail 'not 8 probes' with-1/summary.yaml

# Methods with several phases, with states of their own, with labels; the output is what is looked at unless layers are named.
for method in autoencoder classify rbm gan bigan exemplar; do
    sets=(--set objective=$method --set train.epochs=2)
    [[ $method != @(*gan|rbm) ]] || sets+=(--set network.layers=null --set augment.contrast=0)
    train 1 "$method-0" "${sets[@]}"
    train 2 "$method-1" "${sets[@]}" --set 'probe.every=4 steps' --set probe.samples=60
    same "$method-0" "$method-1"
    [ "$(numbers "$method-1" | wc -l)" -eq 6 ] || fail "$method: not 6 probes" "$method-1/metrics.jsonl"
done

# The network that is looked at is the one that hiss eval judges: k-NN of the same samples is the same.
"$HISS" eval with-1 --set eval.layers=fc1 --set eval.train_limit=60 --set eval.test_limit=60 --set eval.pixels=false --set eval.random=false \
    --set eval.linear=false --set eval.few_labels=false --checkpoint with-1/ckpt/step-60.h5 >log 2>&1 || fail 'eval' log
train 1 end --set 'probe.every=60 steps' --set probe.layers=fc1 --set probe.samples=60
judged=$(grep -o '"knn": {"cosine": {[^}]*' with-1/eval.json | head -1 | sed 's/.*"5": \([0-9.]*\).*/\1/')
awk -v a="$judged" -v b="$(value end 60 probe/fc1/knn)" 'BEGIN { exit !(a > 0 && (a - b) ^ 2 < 1e-8) }' ||
    fail "eval says $judged, the probe $(value end 60 probe/fc1/knn)" with-1/eval.json

# ---- collapse, and samples without labels ----

said_once() { [ "$(grep -cF -- "$1" log)" -eq 1 ] || fail "not said once: $1" log; }
train 2 line --set objective=classify --set optim.lr=0.001 --set network.layers='[flatten, {linear: 1, name: neck}, {linear: 16, name: wide}]' \
    --set 'probe.every=1 epoch' --set probe.layers=wide,neck --set probe.samples=60
said_once 'layer wide has collapsed: features vary in one direction only'
[ "$(value line 12 probe/collapsed)" = 1 ] || fail 'no collapse in the line' line/metrics.jsonl
{ head -c 16 images.idx && head -c 86400 /dev/zero; } >flat.idx
"$HISS" prepare idx --images flat.idx --labels labels.idx --output flat.h5 2>log || fail 'no flat pictures' log
train 1 flat --set eval.test=flat.h5 --set 'probe.every=1 epoch' --set probe.samples=60
said_once 'layer z has collapsed: all samples have nearly the same features'
train 2 unlabelled --set 'data.labels=""' --set 'probe.every=1 epoch' --set probe.samples=60
said_once 'probe: there are no labels'
[ -n "$(value unlabelled 12 probe/z/rank)" ] && [ -z "$(value unlabelled 12 probe/z/knn)" ] || fail 'numbers without labels' unlabelled/metrics.jsonl

# ---- norms of gradients and updates: of one step, so that without momentum and decay their ratio is the rate ----

norms() { grep -o '^{"step": [0-9]*\|"\(gradient\|update\)/[^,]*' "$1/metrics.jsonl"; }
plain=(--set optim.momentum=0 --set train.log_every=5 --set 'train.freeze=[conv1]')
train 1 plain "${plain[@]}"
for ranks in 1 2 3; do
    train $ranks "norms-$ranks" "${plain[@]}" --set probe.norms=true --threads $((4 - ranks))
    same plain "norms-$ranks"
    [ "$ranks" = 1 ] || cmp <(norms norms-1) <(norms "norms-$ranks") || fail "other norms on $ranks ranks"
done
! grep -q 'gradient/\|update/' plain/metrics.jsonl || fail 'norms that nobody asked for'
! grep -q 'gradient/conv1"' norms-1/metrics.jsonl || fail 'norms of what is frozen'
for layer in fc1 out; do
    sed 's/.*"lr": \([^,]*\),.*"gradient\/'$layer'": \([^,]*\), "update\/'$layer'": \([^,]*\),.*/\1 \2 \3/' norms-1/metrics.jsonl >ratios
    awk '{ r = $3 / $2 / $1; if (!(NF == 3 && $2 > 1e-4 && r > 0.999 && r < 1.001)) exit 1 } END { exit NR != 16 }' ratios ||
        fail "updates of $layer are not the rate times gradients" ratios
done
train 2 gan-norms --set objective=gan --set train.epochs=2 --set network.layers=null --set augment.contrast=0 --set probe.norms=true
same gan-0 gan-norms

# ---- the best checkpoint, and the end ----

# best_of RUN NAME SIGN: step of the best value, of all probes.
best_of() {
    local step
    for step in $(numbers "$1" | grep -o '"step": [0-9]*' | sed 's/.*: //'); do
        echo "$step $(value "$1" "$step" "$2")"
    done | awk -v sign="$3" 'NR == 1 || sign * $2 > sign * best { best = $2; step = $1 } END { print step }'
}
in_summary() { grep -qE "^  $2: $3\$" "$1/summary.yaml" || fail "$1: not $2: $3" "$1/summary.yaml"; }
keep=(--set 'probe.every=3 steps' --set probe.samples=100 --set checkpoint.keep=1)
for best in probe/fc1/knn probe/fc1/rank loss; do
    sign=1
    [ "$best" != loss ] || sign=-1
    run=best-${best//\//-}
    train 2 "$run" "${keep[@]}" --set probe.layers=fc1 --set probe.best=$best
    step=$(best_of "$run" $best $sign)
    in_summary "$run" step "$step"
    in_summary "$run" ended_by_it false
    same without "$run"
    train 1 "$run-steps" --set train.steps="$step"
    "$HISS" inspect "$run/ckpt/best.h5" >log || fail "$run: no best checkpoint" log
    for of in "$run --checkpoint $run/ckpt/best.h5" "$run-steps"; do
        # shellcheck disable=SC2086
        "$HISS" features $of --data data.h5 --layer fc1 --output "${of//[ \/]/-}.csv" >log 2>&1 || fail "no features of $of" log
    done
    cmp "$run---checkpoint-$run-ckpt-best.h5.csv" "$run-steps.csv" || fail "$run: best.h5 is not of step $step"
done
train 1 reverse "${keep[@]}" --set probe.layers=fc1 --set probe.best=probe/fc1/knn --set probe.best_is=lowest
in_summary reverse step "$(best_of reverse probe/fc1/knn -1)"
"$HISS" eval best-loss --checkpoint best-loss/ckpt/best.h5 --set eval.layers=fc1 --set eval.draws=1 --set eval.iterations=5 >log 2>&1 ||
    fail 'best.h5 is not judged' log

# The mean loss of the line of each probe.
losses() { grep '"probe/' "$1/metrics.jsonl" | sed 's/.*"step": \([0-9]*\),.*"loss": \([^,]*\),.*/\1 \2/'; }

# Stopped between two lines, on another number of ranks: the same lines of probes, the same end.
for best in loss probe/fc1/rank; do
    run=end-${best//\//-}
    ends=("${keep[@]}" --set probe.layers=fc1 --set probe.best=$best --set probe.stop_after=2 --set train.epochs=5 --set optim.lr=0.3)
    train 1 "$run" "${ends[@]}"
    said "the run ends after step"
    in_summary "$run" ended_by_it true
    in_summary "$run" probes_since 2
    end=$(sed -n 's/^steps: //p' "$run/summary.yaml")
    [ "$end" -lt 60 ] || fail "$run does not end early" "$run/metrics.jsonl"
    for stop in 4 $((end - 1)); do
        train 2 "$run-$stop" "${ends[@]}" --set train.steps="$stop"
        train 3 "$run-$stop" "${ends[@]}"
        same "$run" "$run-$stop"
        cmp <(numbers "$run") <(numbers "$run-$stop") || fail "$run-$stop: other numbers"
        cmp <(grep -A5 '^best:' "$run/summary.yaml") <(grep -A5 '^best:' "$run-$stop/summary.yaml") || fail "$run-$stop: another end"
        cmp <(losses "$run") <(losses "$run-$stop") || fail "$run-$stop: other losses"
    done
    train 1 "$run" "${ends[@]}"
    said 'is finished: nothing is left to do'
    train 1 "$run" "${ends[@]}" --set probe.stop_after=0
    grep -q '^steps: 60$' "$run/summary.yaml" || fail 'does not go on without stop_after' "$run/summary.yaml"
done

# ---- mistakes ----

wrong() { # TEXT SET...
    local text=$1 sets=() set
    shift
    for set; do sets+=(--set "$set"); done
    refused 2 "$text" "$HISS" train config.yaml --run wrong "${sets[@]}"
    [ ! -e wrong/config.yaml ] || fail "a run in spite of $*"
}
wrong "probe.every: '3 min'; expected for example 1 epoch, 500 steps or never" 'probe.every=3 min'
wrong "probe.every: 'often'" probe.every=often
wrong "probe.layers: layer 'fc9' is not in this network; it has" 'probe.every=1 epoch' probe.layers=fc9
wrong "probe.best: 'probe/fc1/knn' is no number of these probes; expected" 'probe.every=1 epoch' probe.best=probe/fc1/knn
wrong "expected probe/LAYER/WHAT of a layer in probe.layers, WHAT one of rank," 'probe.every=1 epoch' probe.best=probe/z/knn 'data.labels=""'
wrong 'probe.stop_after: needs a number that gets no better' 'probe.every=1 epoch' probe.stop_after=3
wrong 'probe.stop_after: counts probes, and there are none' probe.best=loss probe.stop_after=3
wrong 'probe.samples' 'probe.every=1 epoch' probe.samples=3
refused 2 "probe.best: 'los' is not logged by this run; it logs loss, " "$HISS" train config.yaml --run los --set 'probe.every=1 epoch' --set probe.best=los
echo ok
