# hiss train --trace: no bit is changed, on any number of ranks and threads; the file keeps to the format and has what there
# was; the text says where time went, and what the run's own counters say; mistakes.
. "$HISS_ROOT/tests/cli/common"
check=$(dirname "$HISS")/tests/cli/check_trace
small_run
sed 's/^assign:.*/assign: {every: 2, block: 16}/' -i config.yaml # blocks of 4 lanes, which ranks share

# checked FILE: it keeps to the format; leaves what there is in `found`.
checked() {
    "$check" "$1" >found || fail "$1 is no trace" found
    [ -s "$1.txt" ] || fail "no $1.txt"
}
# count RANK CATEGORY
count() { awk -v rank="$1" -v category="$2" '{ name = $2; for (k = 3; k <= NF - 2; k++) name = name " " $k } $1 == rank && name == category { print $(NF - 1) }' found; }
expect_count() { [ "$(count "$1" "$2")" = "$3" ] || fail "rank $1 has $(count "$1" "$2") of $2, not $3" found; }

# ---- the same bits; everything is there ----

train 1 without
grep -q '^energy_joules: [0-9.]*$\|^energy: "\?not known: ' without/summary.yaml || fail 'nothing about energy' without/summary.yaml
for run in '1 1' '1 3' '2 1' '2 2' '3 2'; do
    read -r ranks threads <<<"$run"
    train "$ranks" "with-$ranks-$threads" --threads "$threads" --trace "$ranks-$threads.json"
    grep -q "^trace: 60 steps from step 1 on, $ranks rank" log || fail 'the text is not shown' log
    grep -q "^trace: $ranks-$threads.json, for https://ui.perfetto.dev" log || fail 'the file is not named' log
    same without "with-$ranks-$threads"
    checked "$ranks-$threads.json"
    grep -vxFf log "$ranks-$threads.json.txt" | grep . && fail 'the text is another than what is shown' log
    for ((rank = 0; rank < ranks; rank++)); do
        expect_count $rank step 60
        expect_count $rank load 60
        expect_count $rank 'reduce wait' 60
        expect_count $rank bucket 120 # the last one has statistics
        # 60 steps: forward of 9 operations, some of them joined, of 12 / ranks lanes
        [ "$(count $rank forward)" -ge $((60 * 12 / ranks * 5)) ] || fail 'operations are missing' found
        [ "$(count $rank backward)" -ge $((60 * 12 / ranks * 5)) ] || fail 'operations are missing' found
    done
    # 3 of 5 epochs exchange, 12 steps each: every lane sends and is scored once, each of 3 blocks is solved
    messages=0 blocks=0
    for ((rank = 0; rank < ranks; rank++)); do
        messages=$((messages + $(count $rank message)))
        blocks=$((blocks + $(count $rank block)))
    done
    [ $messages -eq $((36 * 12)) ] || fail "$messages messages" found
    [ $blocks -eq $((36 * 3)) ] || fail "$blocks blocks" found
    [ "$(count 0 checkpoint)" -ge 4 ] || fail 'no checkpoints' found
done

# ---- some steps, in a file of the run; rows of the other threads ----

train 2 some --resume never --trace some/trace.json --trace-steps 13:18 --set data.mode=stream --set data.memory=8KiB
checked some/trace.json
same without some
grep -q '^trace: 6 steps from step 13 on, 2 ranks, [0-9]* spans, 0 dropped' some/trace.json.txt || fail 'not 6 steps' log
expect_count 1 step 6
expect_count 1 bucket 12
[ "$(count 1 read)" -ge 2 ] || fail 'nothing is read' found
for text in '"step":13}' '"step":18}' '"reading thread"' '"checkpoint thread"' '"rank 1 on ' '"first step":13,"last step":18' \
    '"conv1 conv2d'; do
    grep -qF "$text" some/trace.json || fail "no $text"
done
! grep -q '"step":1[29]}' some/trace.json || fail 'more steps than were asked for'
train 1 twice --trace-steps 2:3 --trace some/trace.json # an earlier trace is replaced
grep -q '"ranks":1,' some/trace.json || fail 'the old trace is still there'

# The permutation of the whole data set, on a thread beside, and a method with several phases.
train 2 wide --set assign.scope=dataset --trace wide.json --trace-steps 1:2
checked wide.json
grep -q '"name":"round"' wide.json || fail 'no rounds'
grep -q '"name":"features"' wide.json || fail 'no features'
train 2 beside --set assign.async=true --trace beside.json
checked beside.json
grep -q '"matching thread"' beside.json || fail 'no thread beside'
sed '/^network:/,/^nat:/d; /^assign:/d; s/^optim:.*/optim: {method: adam, beta1: 0.5, lr: 0.002}/' config.yaml >gan.yaml
on 2 "$HISS" train gan.yaml --run phases --set objective=gan --set augment.contrast=0 --set gan.width=4 --trace phases.json --trace-steps 5:14
[ $status -eq 0 ] || fail "exit $status" log
checked phases.json
[ "$(count 0 'reduce wait')" -ge 20 ] || fail 'not several reductions in a step' found

# ---- too small a room; a run that is stopped ----

train 2 full --trace full.json --trace-spans 1000
checked full.json
dropped=$(sed -n 's/.*"dropped spans":\([0-9]*\).*/\1/p' full.json)
[ "$dropped" -gt 1000 ] || fail "$dropped dropped"
grep -q "^trace: [1-9][0-9]* steps from step 1 on, 2 ranks, 2000 spans, $dropped dropped" full.json.txt || fail 'not said' log
grep -q 'it ends before step 60: choose fewer with --trace-steps, or raise --trace-spans' full.json.txt || fail 'no advice' log
same without full

"$HISS" train config.yaml --run stopped --set train.epochs=100000 --trace stopped.json --trace-steps 5:8 >log 2>&1 &
job=$!
for ((i = 0; i < 6000; i++)); do # until its first line, of step 12
    [ ! -s stopped/metrics.jsonl ] || break
    sleep 0.01
done
kill -TERM $job
status=0
wait $job || status=$?
[ $status -eq 85 ] || fail "exit $status, not 85" log
checked stopped.json
expect_count 0 step 4

# ---- what the run's own counters say ----

# summary.yaml has the sums over all steps after the first epoch: blocked in reductions is wait + transfer there.
big=(--set train.lanes=3 --set train.lane_samples=64 --set train.epochs=10 --set dist.bucket=1KiB --set assign.block=64
    --set assign.every=1000 --set checkpoint.every=never --trace-steps 4:30)
compare() {
    local rank blocked span
    grep -qx 'ranks_from_step: 3' "$1/summary.yaml" || fail 'other steps' "$1/summary.yaml"
    for rank in 0 1; do
        blocked=$(sed -n "s/.*{rank: $rank,.* wait: \([0-9.]*\), transfer: \([0-9.]*\),.*/\1 \2/p" "$1/summary.yaml")
        span=$(sed -n "s/.*{rank: $rank,.* span: \([0-9.]*\)}/\1/p" "$1/summary.yaml")
        echo "$blocked $span $(sed -n "s/^hidden $rank //p" found)" >counted
        awk '{ hidden = 100 * (1 - ($1 + $2) / $3); exit !(hidden - $4 < 5 && $4 - hidden < 5) }' counted ||
            fail "rank $rank: wait, transfer, span, hidden by the trace: $(cat counted)" "$1/summary.yaml"
    done
}
for overlap in true false; do
    train 2 "overlap-$overlap" "${big[@]}" --set dist.overlap=$overlap --trace $overlap.json
    checked $overlap.json
    compare "overlap-$overlap"
done
same overlap-true overlap-false
awk '/^hidden/ && $3 > 1 { exit 1 }' found || fail 'what does not overlap is hidden' found
# Two lanes against one. Who waits for whom is what the machine makes of it: tests/unit/train/test_trace.c.
awk '$1 == "0" { a = $3 } $1 == "1" { b = $3 } END { exit !(a > 1.2 * b) }' false.json.txt || fail 'not told what they compute' false.json.txt
grep -q '^straggler: rank [01] on \|^no straggler: ' false.json.txt || fail 'nothing about stragglers' false.json.txt

# What hiss bench step counts, in a run of its own; on a machine that does something else, too.
for attempt in 1 2 3 4; do
    set -- "$(sed -n 's/^reduction: \([0-9.]*\) %.*/\1/p' true.json.txt)"
    on 2 "$HISS" bench step config.yaml "${big[@]:0:${#big[@]}-2}" --seconds 0.5
    [ $status -eq 0 ] || fail "bench step: exit $status" log
    set -- "$1" "$(awk '/of it hidden/ { print $4 }' log)"
    ! awk -v a="$1" -v b="$2" 'BEGIN { exit !(a - b < 25 && b - a < 25) }' || break
    [ $attempt -lt 4 ] || fail "hidden: $1 % by the trace, $2 % by bench step" log
    train 2 overlap-again --resume never "${big[@]}" --trace true.json
    rm -r overlap-again
done

# ---- mistakes ----

cp config.yaml kept.yaml
refused 2 "--trace: cannot write 'nowhere/t.json': No such file or directory" "$HISS" train config.yaml --run m --trace nowhere/t.json
refused 1 "--trace: cannot write '.': it is a directory" "$HISS" train config.yaml --run m --trace .
refused 2 '--trace: kept.yaml is there, is nothing that hiss has traced' "$HISS" train config.yaml --run m --trace kept.yaml
cp config.yaml kept.txt
refused 1 '--trace: kept.txt is there, is nothing that hiss has traced' "$HISS" train config.yaml --run m --trace kept
cmp config.yaml kept.yaml && cmp config.yaml kept.txt || fail 'it was replaced'
for steps in x 5 0:3 7:3 1:2:3 1: :4 -1:4 1.5:3; do
    refused 1 "--trace-steps: expected FIRST:LAST, two steps of which the first is at least 1, found '$steps'" \
        "$HISS" train config.yaml --run m --trace t.json --trace-steps=$steps
done
refused 2 '--trace-steps begins with step 61, but the run has 60; give steps from 1 to 60' \
    "$HISS" train config.yaml --run m --trace t.json --trace-steps 61:70
refused 1 '--trace-steps has no effect without --trace FILE' "$HISS" train config.yaml --run m --trace-steps 1:2
refused 1 '--trace-spans has no effect without --trace FILE' "$HISS" train config.yaml --run m --trace-spans 5000
refused 1 '--trace is empty' "$HISS" train config.yaml --run m --trace=
[ ! -e m ] && [ ! -e t.json ] && [ ! -e t.json.txt ] || fail 'something is left'
train 1 short --set train.steps=24
refused 1 '--trace-steps ends with step 20, but the run goes on with step 25; give steps from there on' \
    "$HISS" train config.yaml --run short --trace t.json --trace-steps 3:20
train 2 short --trace rest.json
grep -q '^trace: 36 steps from step 25 on' rest.json.txt || fail 'the first step is not the first that is traced' rest.json.txt
echo ok
