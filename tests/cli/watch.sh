# hiss watch and hiss report: the curves of a run while it goes on, on a terminal and elsewhere, and when it has ended or was
# stopped.
. "$HISS_ROOT/tests/cli/common"
small_run
metrics=(--set train.log_every=3 --set 'probe.every=6 steps' --set probe.samples=60 --set probe.norms=true)
train 2 run "${metrics[@]}"

# ---- elsewhere: once, each number with its lowest, highest and last value ----

LC_ALL=C "$HISS" watch run >shown 2>log || fail "watch: exit $?" log
head -1 shown | grep -qx 'run: has ended, step 60 in epoch 5' || fail 'no head' shown
for name in loss probe/z/knn probe/collapsed gradient/fc1 update/fc1 lr; do
    values=$(grep -o "\"$name\": [^,]*" run/metrics.jsonl | sed 's/.*: //')
    expected=$(awk 'NR == 1 || $1 < low { low = $1 } NR == 1 || $1 > high { high = $1 } END { printf "%10.4g %10.4g %10.4g", low, high, $1 }' <<<"$values")
    grep -q "^$name .*$expected\$" shown || fail "$name: not $expected" shown
done
LC_ALL=C awk 'length > 80 { exit 1 }' shown || fail 'wider than 80' shown
LC_ALL=C "$HISS" watch run --names probe/z/rank,loss >shown 2>log || fail "watch: exit $?" log
[ "$(sed 1,2d shown | cut -d' ' -f1 | xargs)" = 'loss probe/z/rank' ] || fail 'not what is named' shown
# A curve that rises: from the lowest level to the highest.
for step in $(seq 1 8); do echo "{\"step\": $step, \"epoch\": 0, \"up\": $step, \"flat\": 1}"; done >rising
mkdir rising.run && cp rising rising.run/metrics.jsonl
LC_ALL=C "$HISS" watch rising.run >shown 2>log || fail "watch: exit $?" log
grep -q '^up  *_.,-~=\*#  *1  *8  *8$' shown || fail 'no rising curve' shown
grep -q '^rising.run: stopped before its end, step 8' shown || fail 'not said that it has no end' shown
LC_ALL=C.UTF-8 "$HISS" watch rising.run | grep -q '▁▂▃▄▅▆▇█' || fail 'no blocks'

# ---- while it goes on ----

"$HISS" train config.yaml --run long "${metrics[@]}" --set train.epochs=4000 >long.log 2>&1 &
job=$!
for ((i = 0; i < 3000; i++)); do
    [ "$(wc -l 2>/dev/null <long/metrics.jsonl || echo 0)" -lt 4 ] || break
    sleep 0.01
done
"$HISS" report long >log 2>&1 || fail "report: exit $?" log
grep -qx 'long/report.html' log || fail 'the page is not named' log
for text in 'probe/z/knn' 'gradient/fc1' 'loss' 'step'; do
    grep -qF "$text" long/report.html || fail "no $text on the page"
done
"$HISS" watch long >shown || fail "watch: exit $?"
grep -q '^long: goes on, step [0-9]* in epoch [0-9]*, [0-9]* images/s$' shown || fail 'does not go on' shown
if command -v script >/dev/null; then # a terminal: again and again, until the end
    script -qec "'$HISS' watch long --every 0.1 --names loss" typed >log 2>&1 </dev/null &
    watcher=$!
    sleep 1
    kill -0 $watcher || fail 'does not wait for the end' typed
    kill -TERM $job
    wait $watcher || fail "watch on a terminal: exit $?" typed
    [ "$(grep -c 'long: goes on' typed)" -ge 2 ] || fail 'not renewed' typed
    grep -q 'long: stopped before its end' typed || fail 'the end is not said' typed
    grep -q "$(printf '\033')\\[H" typed || fail 'the picture is not renewed in place' typed
else
    kill -TERM $job
fi
wait $job || [ $? -eq 85 ] || fail 'not stopped' long.log

# ---- mistakes ----

refused 1 'does not exist' "$HISS" watch nowhere
refused 1 'has no metrics.jsonl: it is not a run, or has not begun its first step' "$HISS" report .
refused 1 "--names: the run has not logged 'los'; it has lr, loss" "$HISS" watch run --names los
refused 1 'watch needs a run directory' "$HISS" watch
refused 1 'report needs a run directory' "$HISS" report
echo ok
